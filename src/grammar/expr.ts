/** What all front ends make: expressions over code points with rules that may call one another. */
import { InputError } from '../errors.ts';

/** An expression. One object may stand in many places. */
export type Expr =
  /** One code point of these ranges: first, last, first, last, … ascending. */
  | { readonly kind: 'set'; readonly ranges: readonly number[] }
  | { readonly kind: 'seq' | 'alt'; readonly parts: readonly Expr[] }
  | { readonly kind: 'repeat'; readonly of: Expr; readonly min: number; readonly max: number }
  /** Another rule, by its index. */
  | { readonly kind: 'rule'; readonly rule: number }
  /** What both are; what the first is and the second is not. Neither calls a rule. */
  | { readonly kind: 'and' | 'minus'; readonly left: Expr; readonly right: Expr };

/** Rule 0 is where a text begins. Those that are `inline` are copied to where they are called from. */
export interface Grammar {
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly name: string;
  readonly expr: Expr;
  readonly inline?: boolean;
}

export const maxCodePoint = 0x10ffff;

export const set = (...ranges: readonly number[]): Expr => ({ kind: 'set', ranges });
export const seq = (...parts: readonly Expr[]): Expr => parts.length === 1 ? parts[0]! : { kind: 'seq', parts };
export const alt = (...parts: readonly Expr[]): Expr => parts.length === 1 ? parts[0]! : { kind: 'alt', parts };
export const repeat = (of: Expr, min: number, max = Infinity): Expr => ({ kind: 'repeat', of, min, max });
export const optional = (of: Expr): Expr => repeat(of, 0, 1);
export const rule = (index: number): Expr => ({ kind: 'rule', rule: index });
export const minus = (left: Expr, right: Expr): Expr => ({ kind: 'minus', left, right });
export const and = (left: Expr, right: Expr): Expr => ({ kind: 'and', left, right });
/** The empty text; what no text is. */
export const empty: Expr = seq(...[]);
export const never: Expr = { kind: 'alt', parts: [] };

/** A text, as it is. */
export function text(value: string): Expr {
  const parts = Array.from(value, (char) => set(char.codePointAt(0)!, char.codePointAt(0)!));
  return parts.length === 1 ? parts[0]! : { kind: 'seq', parts };
}

/** Ranges sorted, and those that touch joined. */
export function joined(ranges: readonly number[]): number[] {
  const pairs = Array.from({ length: ranges.length >> 1 }, (_, i) => [ranges[2 * i]!, ranges[2 * i + 1]!] as const);
  const result: number[] = [];
  for (const [first, last] of pairs.sort((a, b) => a[0] - b[0])) {
    if (result.length > 0 && first <= result[result.length - 1]! + 1) {
      result[result.length - 1] = Math.max(result[result.length - 1]!, last);
    } else result.push(first, last);
  }
  return result;
}

/** All code points that are not in `ranges`. */
export function inverted(ranges: readonly number[]): number[] {
  const result: number[] = [], sorted = joined(ranges);
  let next = 0;
  for (let i = 0; i < sorted.length; i += 2) {
    if (sorted[i]! > next) result.push(next, sorted[i]! - 1);
    next = sorted[i + 1]! + 1;
  }
  if (next <= maxCodePoint) result.push(next, maxCodePoint);
  return result;
}

/** What both hold. */
export function common(a: readonly number[], b: readonly number[]): number[] {
  return inverted([...inverted(a), ...inverted(b)]);
}

/** What a grammar may cost; more is refused. */
export const limits = { text: 1 << 20, states: 120_000, steps: 4_000_000, stacks: 2000, repeats: 10_000, depth: 200 } as const;

/** The error for what cannot be made a grammar of. */
export function refused(subject: string, found: string, expected: string, remedy: string): InputError {
  const short = (said: string): string => (said.length > 200 ? `${said.slice(0, 199)}…` : said);
  return new InputError('E_OPTION', { subject: short(subject), found: short(found), expected, remedy });
}

export function tooLarge(subject: string, found: string): InputError {
  return refused(subject, found, 'a grammar of reasonable size', 'Simplify it: fewer alternatives, smaller numbers of repetitions.');
}
