/** JSON that is still being written, and that of what callers hand in. */
import { InputError } from '../errors.ts';
import { show } from '../options.ts';
import type { Reader, Reading } from './reader.ts';
import { isSpace } from './reader.ts';

/** Deeper values count as malformed: they are no arguments of anything. */
const deepest = 200;

/** Reads a value, and gives it to `each` as it is written. False: what came is not JSON, or it ended before it was whole. */
export function* jsonValue(r: Reader, each: (text: string) => void, depth = 0): Reading<boolean> {
  const first = yield* r.peek();
  if (first === '"') return yield* jsonString(r, each);
  if (first === '{' || first === '[') return depth < deepest && (yield* jsonList(r, each, first === '{', depth));
  const from = r.at, text = yield* r.word(/[-+.\w]/);
  if (!/^(-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?|true|false|null)$/.test(text)) {
    r.at = from;
    return false;
  }
  each(text);
  return true;
}

function* jsonList(r: Reader, each: (text: string) => void, keyed: boolean, depth: number): Reading<boolean> {
  const close = keyed ? '}' : ']';
  take(r, each);
  yield* spaces(r, each);
  if ((yield* r.peek()) === close) { take(r, each); return true; }
  for (;;) {
    if (keyed) {
      if ((yield* r.peek()) !== '"' || !(yield* jsonString(r, each))) return false;
      yield* spaces(r, each);
      if ((yield* r.peek()) !== ':') return false;
      take(r, each);
      yield* spaces(r, each);
    }
    if (!(yield* jsonValue(r, each, depth + 1))) return false;
    yield* spaces(r, each);
    const next = yield* r.peek();
    if (next !== ',' && next !== close) return false;
    take(r, each);
    if (next === close) return true;
    yield* spaces(r, each);
  }
}

function* jsonString(r: Reader, each: (text: string) => void): Reading<boolean> {
  take(r, each);
  for (;;) {
    const c = yield* r.peek();
    if (c === '' || c < ' ') return false;
    if (c === '\\') {
      const from = r.at++, kind = yield* r.peek();
      if (kind === '' || !'"\\/bfnrtu'.includes(kind)) return false;
      r.at++;
      if (kind === 'u' && (yield* r.word(/[\da-fA-F]/, 4)).length < 4) return false;
      each(r.text.slice(from, r.at));
      continue;
    }
    take(r, each);
    if (c === '"') return true;
  }
}

function take(r: Reader, each: (text: string) => void): void {
  each(r.text[r.at++]!);
}

function* spaces(r: Reader, each: (text: string) => void): Reading<void> {
  while (isSpace((yield* r.peek()) || '.')) take(r, each);
}

/** A JSON string, decoded; undefined where none comes. */
export function* textOf(r: Reader): Reading<string | undefined> {
  if ((yield* r.peek()) !== '"') return undefined;
  let raw = '';
  return (yield* jsonString(r, (text) => { raw += text; })) ? JSON.parse(raw) as string : undefined;
}

/** Reads a JSON string and gives what it says to `each`, character by character as they become certain; `from`: where each is written. */
export function* saidIn(r: Reader, each: (text: string, from: number) => void): Reading<boolean> {
  if ((yield* r.peek()) !== '"') return false;
  let high = '', begins = 0; // the first half of a character
  return yield* jsonString(r, (raw) => {
    if (raw === '"') return;
    if (high === '') begins = r.at - raw.length;
    const said = high + (raw.length > 1 ? JSON.parse(`"${raw}"`) as string : raw);
    high = /[\ud800-\udbff]$/.test(said) ? said : '';
    if (high === '') each(said, begins);
  });
}

/** `text` inside a JSON string. Halves of characters pass, whose other halves come next. */
export const escaped = (text: string): string =>
  text.replace(/["\\\u0000-\u001f]/g, (c) => JSON.stringify(c).slice(1, -1));

/** A caller's value as JSON. @throws InputError `E_OPTION` for what JSON cannot hold: circles, functions, numbers that are none */
export function jsonOf(value: unknown, subject: string): string {
  let found = '', text: string | undefined, cause: unknown;
  try {
    text = JSON.stringify(value, (key, one: unknown) => {
      if (typeof one === 'number' && !Number.isFinite(one)) found = `${one} in ${show(key)}`;
      return one;
    });
  } catch (error) {
    found = String(error instanceof Error ? error.message : error).split('\n')[0]!;
    cause = error;
  }
  if (text !== undefined && found === '') return text;
  throw new InputError('E_OPTION', {
    subject, found: found || show(value), expected: 'what JSON can hold', remedy: 'Pass plain data.', cause,
  });
}
