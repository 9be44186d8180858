/** An answer's text as it comes, parted into thoughts, text and calls. */
import type { GeneratedToken } from 'clada';
import type { Calls, Outcome } from './calls.ts';
import type { Format, Thinking } from './formats.ts';
import type { Reading } from './reader.ts';
import { Reader } from './reader.ts';
import type { ChatPart, JsonSchema } from './types.ts';

/** What answers are read by. */
export interface AnswerForm {
  /** Schemas of the arguments of tools, by name. */
  readonly tools: ReadonlyMap<string, JsonSchema>;
  /** Undefined: nothing is a call. */
  readonly format: Format | undefined;
  readonly thinking: Thinking | undefined;
  /** The prompt has opened the thoughts already. */
  readonly opened: boolean;
}

/** Takes text in any pieces, and gives the parts that became certain. */
export class AnswerReader implements Calls {
  readonly #reader = new Reader();
  readonly #reading: Generator<void, void>;
  /** Tokens that no part has yet, and where the text of each begins. */
  #tokens: { token: GeneratedToken; from: number }[] = [];
  #parts: ChatPart[] = [];
  #hasText = false;
  #cut = false;
  #call: { index: number; id: string; name: string; arguments: string } | undefined;
  #calls = 0;

  constructor(private readonly form: AnswerForm) { this.#reading = this.#all(); }

  /** Calls that are whole. */
  get calls(): number { return this.#call ? this.#calls - 1 : this.#calls; }

  push(text: string, token?: GeneratedToken): ChatPart[] {
    if (token) this.#tokens.push({ token, from: this.#reader.text.length });
    this.#reader.text += text;
    return this.#go();
  }

  /** Nothing follows. `cut`: the model would have gone on, so that a call that is not whole is nobody's mistake. */
  finish(cut: boolean): ChatPart[] {
    this.#reader.ended = true;
    this.#cut = cut;
    return this.#go();
  }

  #go(): ChatPart[] {
    this.#parts = [];
    this.#reading.next();
    return this.#parts;
  }

  *#all(): Reading<void> {
    const r = this.#reader, { thinking, opened, format } = this.form;
    if (thinking) {
      yield* r.space();
      if (opened || (yield* r.takes(thinking.open))) {
        yield* r.space();
        const reasoning = (text: string, from: number): void => { this.#text('reasoning', text, from); };
        if ((yield* r.until([thinking.close], reasoning, 'space')) === undefined) return;
        yield* r.space();
      } else {
        r.at = 0;
      }
    }
    const said = (text: string, from: number): void => { this.#text('text', text, from); };
    if (!format) {
      yield* r.until([], said);
      return;
    }
    for (let start = true; ;) {
      let from = r.at;
      if (start && format.bare) {
        yield* r.space();
        if (yield* this.#try(format.bare(r, this, said), format)) {
          yield* this.#behindCall();
          continue;
        }
        // what began as a call: nobody knows what it would have become
        if (r.ended && this.#cut && r.at === r.text.length && /^\s*[{[]/.test(r.text.slice(from))) return;
        r.at = from;
      }
      start = false;
      const mark = yield* r.until(format.marks, (text, at) => { said(text, at); from = at + text.length; }, 'space');
      if (mark === undefined) return;
      const { at } = r;
      if (yield* this.#try(format.read(r, mark, this), format)) {
        start = true;
        yield* this.#behindCall();
      } else if (r.ended && this.#cut && r.at === r.text.length) { // nobody knows what it would have become
        return;
      } else {
        r.at = at;
        said(r.text.slice(from, at), from);
      }
    }
  }

  /** White space there belongs to the text that follows, if some went before. */
  *#behindCall(): Reading<void> {
    const r = this.#reader, { at } = r;
    yield* r.space();
    if ((yield* r.peek()) !== '' && this.#hasText) r.at = at;
  }

  /** Whether a call was read. One that was begun and has a mistake is told with all that belongs to it. */
  *#try(reading: Reading<Outcome>, format: Format): Reading<boolean> {
    const r = this.#reader, outcome = yield* reading;
    if (outcome !== 'broken' || !this.#call) return outcome !== 'none';
    yield* r.until(format.closes ?? [], (text) => { this.delta(text); });
    if (!(this.#cut && r.at === r.text.length)) this.end();
    return true;
  }

  #text(type: 'text' | 'reasoning', text: string, from: number): void {
    if (text === '') return;
    if (type === 'text') this.#hasText = true;
    const tokens: GeneratedToken[] = [], to = from + text.length;
    let n = 0;
    for (const { token, from: begins } of this.#tokens) {
      if (begins >= to) break;
      if (begins >= from || begins + token.text.length > from) tokens.push(token);
      n++;
    }
    this.#tokens.splice(0, n);
    const last = this.#parts.at(-1);
    if (last?.type === type) this.#parts[this.#parts.length - 1] = { type, text: last.text + text, tokens: [...last.tokens, ...tokens] };
    else this.#parts.push({ type, text, tokens });
  }

  schema(name: string): JsonSchema | undefined { return this.form.tools.get(name); }

  start(name: string, id = this.form.format?.id?.() ?? `call_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`): void {
    this.#call = { index: this.#calls++, id, name, arguments: '' };
    this.#parts.push({ type: 'tool-call-start', index: this.#call.index, id, name });
  }

  delta(text: string): void {
    const call = this.#call!, { index, id } = call, last = this.#parts.at(-1);
    call.arguments += text;
    const before = last?.type === 'tool-call-delta' ? last.arguments : '';
    if (before !== '') this.#parts.pop();
    this.#parts.push({ type: 'tool-call-delta', index, id, arguments: before + text });
  }

  end(): void {
    const { index, id, name, arguments: text } = this.#call!, invalid = this.#fault(name, text);
    this.#call = undefined;
    this.#parts.push({ type: 'tool-call', index, call: { id, name, arguments: text, ...(invalid ? { invalid } : {}) } });
  }

  #fault(name: string, text: string): string | undefined {
    if (!this.schema(name)) return `there is no tool ${JSON.stringify(name)}, only ${[...this.form.tools.keys()].join(', ')}`;
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return undefined;
    } catch { /* told below */ }
    return 'the arguments are no JSON object';
  }
}
