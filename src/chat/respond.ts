/** One turn of a conversation: messages in, parts of the answer out. */
import type { GeneratedToken, Generation, Model, StopReason, Tokenizer } from 'clada';
import { InputError, StateError } from '../errors.ts';
import { AnswerReader } from './answer.ts';
import type { Prepared } from './request.ts';
import { prepare } from './request.ts';
import type { ChatPart, ChatRequest, ChatResult, FinishReason, ToolCall } from './types.ts';

const reasons: Record<StopReason, FinishReason> = { eog: 'stop', stop: 'stop', length: 'length', context: 'length', loop: 'stop' };

/** An answer in the making: iterated part by part, or run to its end by `result()`. */
export class ChatResponse implements AsyncIterable<ChatPart> {
  #begun = false;

  /** @internal use {@link respond} */
  constructor(private readonly generation: Generation, private readonly prepared: Prepared, private readonly tokenizer: Tokenizer) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatPart, void, undefined> {
    if (this.#begun) {
      throw new InputError('E_OPTION', {
        subject: 'chat response', found: 'a second iteration', expected: 'one', remedy: 'Call respond() again.',
      });
    }
    this.#begun = true;
    const { form, single } = this.prepared, reader = new AnswerReader(form), shown = new Shown(this.tokenizer, this.prepared);
    for await (const token of this.generation) {
      for (const part of reader.push(shown.text(token), token)) {
        yield part;
        if (part.type === 'tool-call' && single) { // the rest would be another call
          yield this.#finish(reader, undefined);
          return;
        }
      }
    }
    const { stopReason } = this.generation.stats();
    yield* reader.finish(stopReason !== 'eog');
    yield this.#finish(reader, stopReason);
  }

  #finish({ calls }: AnswerReader, stopReason: StopReason | undefined): ChatPart {
    const reason = stopReason ? reasons[stopReason] : 'stop';
    return { type: 'finish', reason: calls > 0 && reason === 'stop' ? 'tool-calls' : reason, stats: this.generation.stats() };
  }

  /** All of it. */
  async result(): Promise<ChatResult> {
    let text = '', reasoning = '';
    const toolCalls: ToolCall[] = [];
    for await (const part of this) {
      if (part.type === 'text') text += part.text;
      else if (part.type === 'reasoning') reasoning += part.text;
      else if (part.type === 'tool-call') toolCalls.push(part.call);
      else if (part.type === 'finish') return { text, reasoning, toolCalls, reason: part.reason, stats: part.stats };
    }
    throw new StateError('E_CLOSED', {
      subject: 'chat response', found: 'no end', expected: 'one', remedy: 'Somebody else took over its sequence: ask again.',
    });
  }
}

/**
 * The text of tokens with those control tokens in it that calls and thoughts are made of, which a generation leaves out. Its text may come
 * later than its tokens (a stop text that may begin, half a character): a control token waits for what is before it.
 */
class Shown {
  readonly #decoder;
  readonly #waiting: { at: number; text: string }[] = [];
  #decoded = 0;
  #shown = 0;

  constructor(private readonly tokenizer: Tokenizer, private readonly prepared: Prepared) {
    this.#decoder = tokenizer.decodeStream({ skipSpecial: true, after: prepared.prompt });
  }

  text({ id, text }: GeneratedToken): string {
    const control = this.tokenizer.isControl(id) && !this.tokenizer.isEog(id) ? this.tokenizer.decode([id]) : '';
    const isShown = control !== '' && this.prepared.control.some((mark) => mark.includes(control));
    if (isShown) this.#waiting.push({ at: this.#decoded, text: control });
    this.#decoded += this.#decoder.push(id).length;
    const from = this.#shown, to = this.#shown += text.length;
    let all = '', at = from;
    while (this.#waiting[0] && this.#waiting[0].at <= to) {
      const next = this.#waiting.shift()!;
      all += text.slice(at - from, next.at - from) + next.text;
      at = next.at;
    }
    return all + text.slice(at - from);
  }
}

/**
 * Answers the messages. Nothing runs until it is iterated; what the cache holds of the conversation is not computed again.
 *
 * ```ts
 * for await (const part of respond(model, { messages: [{ role: 'user', content: 'Hello' }] })) if (part.type === 'text') write(part.text);
 * ```
 * @throws InputError `E_OPTION` at once for malformed tools and options that exclude each other; as `model.encodeChat` at once; as
 * `model.generate` while iterating
 */
export function respond(model: Model, request: ChatRequest): ChatResponse {
  const prepared = prepare(model, request);
  return new ChatResponse(model.generate(prepared.prompt, prepared.options), prepared, model.tokenizer);
}
