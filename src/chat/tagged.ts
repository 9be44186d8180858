/** Calls whose arguments have a form of their own: tags a parameter (Qwen3-Coder, GLM), Python (LFM2, Gemma), Gemma's braces. */
import type { Calls, Outcome } from './calls.ts';
import { listed } from './calls.ts';
import { escaped, jsonValue } from './json.ts';
import type { Reader, Reading } from './reader.ts';
import type { JsonSchema } from './types.ts';

/** Tells the arguments one by one: JSON in the making. */
class Members {
  #n = 0;
  constructor(private readonly calls: Calls) {}

  key(name: string): void { this.calls.delta(`${this.#n++ === 0 ? '{' : ', '}${JSON.stringify(name)}: `); }

  end(): void {
    this.calls.delta(this.#n === 0 ? '{}' : '}');
    this.calls.end();
  }
}

/** Schema of a tool's parameter. */
export const propertyOf = (schema: JsonSchema | undefined, name: string): JsonSchema | undefined =>
  (schema?.properties as Record<string, JsonSchema> | undefined)?.[name];

/** Whether a parameter can only be a text: what is written is meant as it stands. */
export function isText(schema: JsonSchema | undefined): boolean {
  const { type, enum: values, const: value } = schema ?? {};
  if (type !== undefined) return type === 'string' || (Array.isArray(type) && type.every((one) => one === 'string'));
  const allowed = Array.isArray(values) ? values as unknown[] : value === undefined ? [] : [value];
  return allowed.length > 0 && allowed.every((one) => typeof one === 'string');
}

/** JSON of a value that was written without quotes. */
function typed(raw: string, schema: JsonSchema | undefined): string {
  const text = raw.trim(), allowsText = schema?.type === undefined || [schema.type].flat().includes('string');
  const plain = /^(True|False)$/.test(text) ? text.toLowerCase() : text === 'None' ? 'null' : text;
  try {
    JSON.parse(plain);
    return plain;
  } catch {
    return allowsText || text === '' ? JSON.stringify(raw) : text; // not JSON: the call says so at its end
  }
}

/** Names and tags of a call, parameter by parameter. */
export interface Tags {
  /** Around a name of a parameter, and between it and the value, and behind that. */
  readonly parameter: string;
  readonly named: string;
  readonly value: string;
  readonly ends: string;
  /** Behind the last. */
  readonly close: string;
}

/** `<parameter=k>\nvalue\n</parameter>` … `</function>`, from behind the function's name on. */
export function* taggedCall(r: Reader, calls: Calls, name: string, tags: Tags): Reading<Outcome> {
  const members = new Members(calls), schema = calls.schema(name);
  calls.start(name);
  for (;;) {
    yield* r.space();
    if (yield* r.takes(tags.close)) { members.end(); return 'call'; }
    if (!(yield* r.takes(tags.parameter))) return 'broken';
    let key = '';
    if ((yield* r.until([tags.named], (text) => { key += text; })) === undefined) return 'broken';
    if (tags.value !== '') {
      yield* r.space();
      if (!(yield* r.takes(tags.value))) return 'broken';
    } else {
      yield* r.takes('\n');
    }
    const property = propertyOf(schema, key = key.trim()), asText = isText(property);
    members.key(key);
    let raw = '';
    if (asText) calls.delta('"');
    const ended = yield* r.until([tags.ends], (text) => {
      if (asText) calls.delta(escaped(text));
      else raw += text;
    }, tags.value === '' ? 'newline' : 'none');
    if (ended === undefined) return 'broken';
    calls.delta(asText ? '"' : typed(raw, property));
  }
}

/** `f(a=1, b="x")` as Python writes it; JSON's literals as well. `f` may be `module.f`. */
export function* pythonCall(r: Reader, calls: Calls, knownOnly: boolean): Reading<Outcome> {
  const from = r.at, name = yield* r.word(/[\w.-]/);
  if (name === '' || (knownOnly && !calls.schema(name)) || !(yield* r.takes('('))) {
    r.at = from;
    return 'none';
  }
  const members = new Members(calls), order = Object.keys((calls.schema(name)?.properties ?? {}) as object);
  calls.start(name);
  for (let n = 0; ; n++) {
    yield* r.space();
    if (yield* r.takes(')')) break;
    const at = r.at, key = yield* r.word(/[\w-]/);
    yield* r.space();
    const keyed = key !== '' && (yield* r.takes('='));
    if (!keyed) r.at = at; // by place
    yield* r.space();
    const value = yield* pythonValue(r), own = keyed ? key : order[n];
    if (value === undefined || own === undefined) return 'broken';
    members.key(own);
    calls.delta(value);
    yield* r.space();
    if (!(yield* r.takes(','))) {
      if (yield* r.takes(')')) break;
      return 'broken';
    }
  }
  members.end();
  return 'call';
}

/** `[f(…), g(…)]`, or one without brackets. */
export const pythonCalls = (r: Reader, calls: Calls, knownOnly = false): Reading<Outcome> =>
  listed(r, () => pythonCall(r, calls, knownOnly));

/** A literal of Python's or JSON's as JSON; undefined: it is none. */
function* pythonValue(r: Reader, depth = 0): Reading<string | undefined> {
  const first = yield* r.peek();
  if (first === '"' || first === "'") return yield* pythonString(r, first);
  if ('{[('.includes(first) && first !== '') return depth < 200 ? yield* pythonList(r, first, depth + 1) : undefined;
  const word = yield* r.word(/[-+.\w]/), known = { True: 'true', False: 'false', None: 'null' }[word] ?? word.replaceAll('_', '');
  if (/^(-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?|true|false|null)$/.test(known)) return known;
  return /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(known) ? JSON.stringify(Number(known)) : undefined;
}


function* pythonList(r: Reader, open: string, depth: number): Reading<string | undefined> {
  const keyed = open === '{', close = { '{': '}', '[': ']', '(': ')' }[open]!, items: string[] = [];
  r.at++;
  for (;;) {
    yield* r.space();
    if (yield* r.takes(close)) break;
    let item = yield* pythonValue(r, depth);
    if (item === undefined) return undefined;
    if (keyed) {
      if (!item.startsWith('"')) item = JSON.stringify(item);
      yield* r.space();
      if (!(yield* r.takes(':'))) return undefined;
      yield* r.space();
      const value = yield* pythonValue(r, depth);
      if (value === undefined) return undefined;
      item += `: ${value}`;
    }
    items.push(item);
    yield* r.space();
    if (!(yield* r.takes(','))) {
      if (yield* r.takes(close)) break;
      return undefined;
    }
  }
  return keyed ? `{${items.join(', ')}}` : `[${items.join(', ')}]`;
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', 0: '\0', '\n': '' };

function* pythonString(r: Reader, quote: string): Reading<string | undefined> {
  const triple = yield* r.takes(quote.repeat(3)), end = triple ? quote.repeat(3) : quote;
  if (!triple) r.at++;
  for (let text = ''; ;) {
    if (yield* r.takes(end)) return JSON.stringify(text);
    const c = yield* r.peek();
    if (c === '') return undefined;
    r.at++;
    if (c !== '\\') { text += c; continue; }
    const kind = yield* r.peek(), digits = { x: 2, u: 4, U: 8 }[kind];
    r.at++;
    if (digits === undefined) { text += escapes[kind] ?? ('\'"\\/'.includes(kind) ? kind : `\\${kind}`); continue; }
    const code = Number.parseInt(yield* r.word(/[\da-fA-F]/, digits), 16);
    if (!(code <= 0x10ffff)) return undefined;
    text += digits === 4 ? String.fromCharCode(code) : String.fromCodePoint(code);
  }
}

/** `call:f{k:<escape>text<escape>,n:1}` of Gemma; `quote` is what stands around texts. */
export function* bracedCall(r: Reader, calls: Calls, quote: string): Reading<Outcome> {
  yield* r.space();
  if (!(yield* r.takes('call:'))) return 'none';
  const name = (yield* r.word(/[^{\s]/)).trim();
  if (name === '' || (yield* r.peek()) !== '{') return 'none';
  calls.start(name);
  const value = yield* bracedValue(r, quote, 0);
  if (value === undefined) return 'broken';
  calls.delta(value);
  calls.end();
  return 'call';
}

function* bracedValue(r: Reader, quote: string, depth: number): Reading<string | undefined> {
  yield* r.space();
  if (depth > 200) return undefined;
  const first = yield* r.peek();
  if (first === '{' || first === '[') {
    const close = first === '{' ? '}' : ']', items: string[] = [];
    r.at++;
    for (;;) {
      yield* r.space();
      if (yield* r.takes(close)) break;
      let item = '';
      if (first === '{') {
        const key = (yield* r.takes(quote)) ? yield* quoted(r, quote) : (yield* r.word(/[^:{}[\],]/)).trim();
        if (key === undefined || key === '' || !(yield* r.takes(':'))) return undefined;
        item = `${key.startsWith('"') ? key : JSON.stringify(key)}: `;
      }
      const value = yield* bracedValue(r, quote, depth + 1);
      if (value === undefined) return undefined;
      items.push(item + value);
      yield* r.space();
      if (!(yield* r.takes(','))) {
        if (yield* r.takes(close)) break;
        return undefined;
      }
    }
    return first + items.join(', ') + close;
  }
  if (yield* r.takes(quote)) return yield* quoted(r, quote);
  if (first === '"') {
    let text = '';
    return (yield* jsonValue(r, (piece) => { text += piece; })) ? text : undefined;
  }
  return typed((yield* r.word(/[^,}\]]/, 100000)).trim(), undefined);
}

/** The rest of a text in its own quotes, as JSON. */
function* quoted(r: Reader, quote: string): Reading<string | undefined> {
  let text = '';
  return (yield* r.until([quote], (piece) => { text += piece; })) === undefined ? undefined : JSON.stringify(text);
}
