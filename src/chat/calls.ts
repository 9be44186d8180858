/** Calls as the families write them, each read by a function of its own. */
import { jsonValue, textOf } from './json.ts';
import type { Reader, Reading } from './reader.ts';
import type { JsonSchema } from './types.ts';

/** Who is told of calls while they are read. */
export interface Calls {
  /** Schema of its arguments; undefined: there is no such tool. */
  schema(name: string): JsonSchema | undefined;
  start(name: string, id?: string): void;
  /** More of the arguments, JSON text. */
  delta(text: string): void;
  end(): void;
}

/** `call`: it is told. `none`: what came is no call, and nothing was told. `broken`: it was begun, and has a mistake or no end. */
export type Outcome = 'call' | 'none' | 'broken';

const argumentNames = ['arguments', 'parameters', 'args', 'input'];

/** `{"name": "f", "arguments": {…}}`, its members in any order; `knownOnly`: what names no tool is no call. */
export function* callObject(r: Reader, calls: Calls, knownOnly: boolean, plainEnd = true): Reading<Outcome> {
  let name: string | undefined, id: string | undefined, early: string | undefined, started = false, given = false;
  const fail = (): Outcome => (started ? 'broken' : 'none');
  const start = (): void => { started = true; calls.start(name!, id); };
  if (!(yield* r.takes('{'))) return 'none';
  for (;;) {
    yield* r.space();
    if (yield* r.takes('}')) break;
    const key = yield* textOf(r);
    yield* r.space();
    if (key === undefined || !(yield* r.takes(':'))) return fail();
    yield* r.space();
    const opens = yield* r.peek();
    if (key === 'function' && opens === '{' && name === undefined) {
      const inner = yield* callObject(r, calls, knownOnly, false);
      if (inner !== 'call') return inner;
      started = given = true;
      name = '';
    } else if ((key === 'name' || (key === 'function' && opens === '"')) && name === undefined) {
      name = yield* textOf(r);
      if (name === undefined || name === '' || (knownOnly && !calls.schema(name))) return fail();
    } else if (argumentNames.includes(key) && !given) {
      given = true;
      if (opens === '"') { // arguments as a text that holds JSON
        early = yield* textOf(r);
        if (early === undefined) return fail();
      } else if (name !== undefined) {
        start();
        if (!(yield* jsonValue(r, (text) => { calls.delta(text); }))) return 'broken';
      } else {
        early = '';
        if (!(yield* jsonValue(r, (text) => { early! += text; }))) return 'none';
      }
    } else {
      let raw = '';
      if (!(yield* jsonValue(r, (text) => { raw += text; }))) return fail();
      if (key === 'id' && !started && /^".+"$/.test(raw)) id = JSON.parse(raw) as string;
    }
    yield* r.space();
    if (!(yield* r.takes(','))) {
      if (yield* r.takes('}')) break;
      return fail();
    }
  }
  if (name === undefined || (knownOnly && !given)) return fail();
  if (!started) {
    start();
    calls.delta(early ?? '{}');
  }
  if (plainEnd) calls.end();
  return 'call';
}

/** `[…, …]` of what `one` reads, or one without brackets. */
export function* listed(r: Reader, one: () => Reading<Outcome>): Reading<Outcome> {
  yield* r.space();
  if (!(yield* r.takes('['))) return yield* one();
  for (let n = 0; ; n++) {
    yield* r.space();
    if (n === 0 && (yield* r.takes(']'))) return 'none';
    const outcome = yield* one();
    if (outcome !== 'call') return n > 0 && outcome === 'none' ? 'broken' : outcome;
    yield* r.space();
    if (yield* r.takes(',')) continue;
    yield* r.takes(']');
    return 'call';
  }
}

/** `[{…}, {…}]`, or one without brackets. */
export const callArray = (r: Reader, calls: Calls, knownOnly = false): Reading<Outcome> => listed(r, () => callObject(r, calls, knownOnly));
