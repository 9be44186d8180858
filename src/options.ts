/**
 * Options as data: a table says what each option may be, `checkOptions` turns what a caller passed into complete values or an
 * `E_OPTION` that names the option, what was found and what is allowed. The same tables give the command line its ranges.
 */
import { InputError } from './errors.ts';

/** Allowed numbers: finite, min ≤ x ≤ max (either may be left out), whole only if `integer`. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly integer?: true;
}

export interface NumberSpec extends NumberRange {
  readonly default: number;
  /** A few words for people: what it does, and which value turns it off. */
  readonly help: string;
}

/** "an integer in 0 … 100", "a number from 0 up", "a number above 0" (a minimum of `Number.MIN_VALUE`). */
export function describeRange({ min, max, integer }: NumberRange): string {
  const kind = integer ? 'an integer' : 'a number';
  if (min === Number.MIN_VALUE) return max === undefined ? `${kind} above 0` : `${kind} above 0, up to ${max}`;
  if (min !== undefined && max !== undefined) return `${kind} in ${min} … ${max}`;
  if (min !== undefined) return `${kind} from ${min} up`;
  return max === undefined ? kind : `${kind} up to ${max}`;
}

/** True for a number that `range` allows; NaN and the infinities never are. */
export function inRange({ min = -Infinity, max = Infinity, integer }: NumberRange, value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max && (!integer || Number.isSafeInteger(value));
}

/** `value` if option `name` may have it. @throws InputError `E_OPTION` otherwise. */
export function checkNumber(name: string, range: NumberRange, value: unknown): number {
  if (inRange(range, value)) return value;
  throw new InputError('E_OPTION', {
    subject: `option ${name}`, found: show(value), expected: describeRange(range), remedy: 'Change it, or leave it out for the default.',
  });
}

/**
 * Refuses names that are not in `known`, with the nearest known one.
 * @throws InputError `E_OPTION` also when `given` is not a plain object.
 */
export function checkNames(subject: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InputError('E_OPTION', {
      subject, found: show(given), expected: `an object with any of: ${known.join(', ')}`, remedy: 'Pass an object, or nothing.',
    });
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const guess = nearest(name, known);
    throw new InputError('E_OPTION', {
      subject, found: `unknown option ${JSON.stringify(name)}`, expected: `any of: ${known.join(', ')}`,
      remedy: guess === undefined ? 'Remove it.' : `Did you mean ${guess}?`,
    });
  }
}

/** `given` without the options that say nothing: `undefined`, and `null`, which JSON has instead. */
export function saidOf<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null)) as T;
}

/** A value as a short text for messages: never longer than 80 characters, never throwing. */
export function show(value: unknown): string {
  let text: string;
  if (typeof value === 'string') text = JSON.stringify(value);
  else if (typeof value === 'object' && value !== null) text = Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  else if (typeof value === 'function') text = 'a function';
  else text = String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/**
 * The entry of `known` that `name` was probably meant to be, or undefined if none is near (more than a third of the longer
 * word would have to change). Case, dashes and underscores are not counted: `top_p` is as near to `topP` as can be.
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (word: string): string => word.toLowerCase().replace(/[-_]/g, '').slice(0, 40);
  const asked = plain(name);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const word = plain(candidate);
    const distance = editDistance(asked, word);
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(Math.max(asked.length, word.length) / 3))) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance where swapping two neighbours also counts as one edit (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
