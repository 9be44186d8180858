/** What a caller hands to a template, as Python's values. */
import { InputError } from '../../errors.ts';
import { show } from '../../options.ts';
import type { Value } from './values.ts';
import { Dict, None } from './values.ts';

/** Deeper is a circle, or harm. */
const deepest = 200;

/** What JSON has, and nothing else; a number without a fraction is an int. Every text, keys too, goes through `mark`. */
export function valueOf(given: unknown, mark: (text: string) => string, depth = 0): Value {
  if (typeof given === 'string') return mark(given);
  if (given === null || given === undefined) return None;
  if (typeof given === 'boolean') return given;
  if (typeof given === 'number') return Number.isSafeInteger(given) && !Object.is(given, -0) ? BigInt(given) : given;
  if (depth < deepest && Array.isArray(given)) return given.map((item) => valueOf(item, mark, depth + 1));
  if (depth < deepest && typeof given === 'object' && isPlain(given)) {
    const entries = Object.entries(given as Record<string, unknown>).filter(([, value]) => value !== undefined);
    return Dict.from(entries.map(([key, value]) => [mark(key), valueOf(value, mark, depth + 1)] as const));
  }
  throw new InputError('E_OPTION', {
    subject: 'chat messages', found: depth < deepest ? show(given) : `values inside one another ${deepest} times`,
    expected: 'plain data: texts, numbers, booleans, lists and objects of them', remedy: 'Convert the value to plain data.',
  });
}

/** An object literal, also one of another realm. */
function isPlain(given: object): boolean {
  const prototype = Object.getPrototypeOf(given) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
