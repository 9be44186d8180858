/** Numbers between bounds, as digits say them. */
import { alt, and, empty, never, optional, repeat, seq, set, text, type Expr } from './expr.ts';
import { digit, integer, number } from './json.ts';

/** A bound, and whether it is itself outside. */
export interface Bound { readonly value: number; readonly open: boolean }
export interface Bounds { readonly min?: Bound | undefined; readonly max?: Bound | undefined }

/** Digits of a free number before and behind the point; between bounds where there is room. */
const most = 16;
const largest = 10n ** BigInt(most) - 1n;

const digits = (first: string, last: string): Expr => first > last ? never : set(first.charCodeAt(0), last.charCodeAt(0));
const step = (char: string, by: number): string => String.fromCharCode(char.charCodeAt(0) + by);

/** All texts of digits from `first` to `last`, which are equally long. */
function between(first: string, last: string): Expr {
  if (first === '') return empty;
  if (/^0+$/.test(first) && /^9+$/.test(last)) return repeat(digit, first.length, first.length);
  const [a, b] = [first[0]!, last[0]!] as const, size = first.length - 1;
  if (a === b) return seq(digits(a, a), between(first.slice(1), last.slice(1)));
  return alt(
    seq(digits(a, a), between(first.slice(1), '9'.repeat(size))),
    seq(digits(step(a, 1), step(b, -1)), repeat(digit, size, size)),
    seq(digits(b, b), between('0'.repeat(size), last.slice(1))),
  );
}

/** Whole numbers from `first` (0 or more) to `last`, without leading zeros. */
function naturals(first: bigint, last: bigint): Expr {
  const parts: Expr[] = [];
  for (let low = first; low <= last;) {
    const size = String(low).length, end = 10n ** BigInt(size) - 1n, high = end < last ? end : last;
    parts.push(between(String(low), String(high)));
    low = high + 1n;
  }
  return alt(...parts);
}

const minusSign = text('-');

/** Integers between bounds. */
export function integersIn({ min, max }: Bounds): Expr {
  if (!min && !max) return integer;
  const whole = (bound: Bound | undefined, toward: 1 | -1, free: bigint): bigint => {
    if (!bound) return free;
    const rounded = toward > 0 ? Math.ceil(bound.value) : Math.floor(bound.value);
    if (Math.abs(rounded) > 1e21) return rounded > 0 ? largest : -largest;
    return BigInt(rounded) + (bound.open && rounded === bound.value ? BigInt(toward) : 0n);
  };
  const low = whole(min, 1, -largest), high = whole(max, -1, largest);
  const negative = low < 0n ? seq(minusSign, naturals(high < 0n ? -high : 1n, -low)) : never;
  return alt(negative, high >= 0n ? naturals(low > 0n ? low : 0n, high) : never);
}

/** A decimal as its digits before and behind the point; numbers that need an exponent have it written out. */
function decimal(value: number): { whole: bigint; fraction: string } {
  const [mantissa, exponent = '0'] = String(Math.abs(value)).split('e'), [whole, fraction = ''] = mantissa!.split('.');
  const shift = Number(exponent), all = whole! + fraction, point = whole!.length + shift;
  const padded = point < 0 ? '0'.repeat(-point) + all : all.padEnd(point, '0'), at = Math.max(0, point);
  return { whole: BigInt(padded.slice(0, at) || '0'), fraction: padded.slice(at).replace(/0+$/, '') };
}

/** Digits behind the point that are more than `fraction` (or as much, unless `open`). */
function fractionFrom(fraction: string, open: boolean, room: number): Expr {
  if (fraction === '') {
    return open ? seq(repeat(text('0'), 0, room - 1), digits('1', '9'), repeat(digit, 0, room)) : repeat(digit, 0, room);
  }
  const [first] = fraction as unknown as [string];
  const same = seq(digits(first, first), fractionFrom(fraction.slice(1), open, room));
  return alt(seq(digits(step(first, 1), '9'), repeat(digit, 0, room)), same);
}

function fractionTo(fraction: string, open: boolean, room: number): Expr {
  if (fraction === '') return open ? never : repeat(text('0'), 0, room);
  const [first] = fraction as unknown as [string];
  return alt(
    empty, seq(digits('0', step(first, -1)), repeat(digit, 0, room)), seq(digits(first, first), fractionTo(fraction.slice(1), open, room)),
  );
}

const point = text('.');
/** A fraction has a digit. */
const withPoint = (fraction: Expr): Expr => seq(point, and(fraction, repeat(digit, 1)));

/** Numbers without a sign, of at least or at most `bound`. Few digits more than the bound has: a rounded one might lie on it. */
function magnitudes(bound: Bound, from: boolean): Expr {
  const { whole, fraction } = decimal(bound.value), room = Math.max(1, most - 1 - String(whole).length - fraction.length);
  const anyFraction = optional(seq(point, repeat(digit, 1, room))), { open } = bound;
  const inside = text(String(whole)), wholes = from ? naturals(whole + 1n, largest) : naturals(0n, whole - 1n);
  const atBound = from
    ? alt(fraction === '' && !open ? empty : never, withPoint(fractionFrom(fraction, open, room)))
    : alt(fraction === '' && open ? never : empty, withPoint(fractionTo(fraction, open, room)));
  return alt(seq(wholes, anyFraction), seq(inside, atBound));
}

/** Numbers between bounds, without exponents. */
export function numbersIn({ min, max }: Bounds): Expr {
  if (!min && !max) return number;
  const all = seq(naturals(0n, largest), optional(seq(point, repeat(digit, 1, most))));
  const side = (low: Bound | undefined, high: Bound | undefined): Expr => {
    if (high && high.value < 0) return never;
    const from = low && low.value >= 0 ? magnitudes(low, true) : all, to = high ? magnitudes(high, false) : all;
    return and(from, to);
  };
  const mirrored = (bound: Bound | undefined): Bound | undefined => bound && { value: -bound.value, open: bound.open };
  return alt(side(min, max), seq(minusSign, side(mirrored(max), mirrored(min))));
}
