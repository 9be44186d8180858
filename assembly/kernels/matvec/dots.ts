/**
 * Integer dot products of interleaved quants (layouts/kinds.ts) with quantised x (kernels/quantize), 4 rows at a time; exact, and the same
 * numbers in both builds.
 *
 * Nibbles, relaxed: eight signed dot products of bytes with nibbles, summed in i16: |x| <= 127, nibble <= 15, so a lane of eight pairs
 *   stays below 8 * 2 * 1905 = 30480. Never the i32 form of the instruction: Node 20's baseline tier computes it wrong.
 * Nibbles, base: nibbles stay in place inside 16-bit lanes; their partners in x carry the missing powers of two, so that all four i16 dot
 *   products share the factor 256, which the block's scale takes out again.
 * Bytes: a 16-bit lane v holds two weights of one row: odd column in the high byte, even column + 128 in the low one. With p = v & 255:
 *   dot(v, x_odd) + dot(p, 256 x_even - x_odd) = 256 * (sum of q x + 128 * sum of x_even); the last term is the same for all rows and
 *   starts the accumulator (the tail's corrections). Two instructions for 16 products in plain simd128, no widening, no 7-bit limit, so
 *   both builds share it.
 * Superblocks, base: bytes with the factor 1, e the even byte, o the odd one, signed: v = 256 o + e, s = v >> 8 = o, and
 *   dot(v, x_e) + dot(s, x_o - 256 x_e) = e x_e + o x_o.
 *   Nibbles n0 .. n3 from the lowest, n3 signed (kinds.ts, isFlipped): e = n0 + 16 n1, o = n2 + 16 n3, and
 *   dot(v, x1) + dot(s, x3 - 256 x1) + dot(v & 15, 16 x0 - x1) + dot(s & 15, 16 x2 - x3) = 16 * sum.
 *   Three operations part four weights, and i16 holds every factor: |x3 - 256 x1| <= 257 * 127 = 32639.
 */
import { mask000f, mask00f0, mask0f00 } from '../../base/simd';

/** relaxed: 4 rows x 8 columns, sums in i16. */
@inline export function dotNibbles(v: v128, xa: v128, xb: v128, low: v128): v128 {
  return i16x8.add(
    i16x8.relaxed_dot_i8x16_i7x16_s(xa, v128.and(v, low)),
    i16x8.relaxed_dot_i8x16_i7x16_s(xb, v128.and(i16x8.shr_u(v, 4), low)));
}

/** base: columns 0 2 4 6 of a chunk, 4 rows, sums in i32 (times 256). */
@inline export function dotLow(v: v128, xa: v128, xb: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(v, mask000f()), xa), i32x4.dot_i16x8_s(v128.and(v, mask00f0()), xb));
}

/** base: columns 1 3 5 7. */
@inline export function dotHigh(v: v128, xa: v128, xb: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(v, mask0f00()), xa), i32x4.dot_i16x8_s(i16x8.shr_u(v, 12), xb));
}

/** One chunk of nibbles against x, added to `a` (i16 sums on relaxed, which leaves xc and xd alone; i32 on base). */
@inline export function addChunk(a: v128, v: v128, xa: v128, xb: v128, xc: v128, xd: v128, low: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.add(a, dotNibbles(v, xa, xb, low));
  return i32x4.add(a, i32x4.add(dotLow(v, xa, xb), dotHigh(v, xc, xd)));
}

/** A block's sums of nibbles as i32; `one` is ones16(). */
@inline export function sums32(a: v128, one: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.dot_i16x8_s(a, one) : a;
}

/** 4 rows x 4 columns of bytes `v` (low = v & 255): 256 * (q x + 128 x_even), see above. */
@inline export function dotBytes(v: v128, low: v128, odd: v128, even: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v, odd), i32x4.dot_i16x8_s(low, even));
}

/** The same, added to `a`; `mask` is mask00ff(). */
@inline export function addBytes(a: v128, v: v128, odd: v128, even: v128, mask: v128): v128 {
  return i32x4.add(a, dotBytes(v, v128.and(v, mask), odd, even));
}

/** Superblocks, base: a + 4 rows x 4 columns of bytes. */
@inline export function addPairs(a: v128, v: v128, even: v128, odd: v128): v128 {
  return i32x4.add(a, i32x4.add(i32x4.dot_i16x8_s(v, even), i32x4.dot_i16x8_s(i16x8.shr_s(v, 8), odd)));
}

/** Superblocks, base: a + 16 times 4 rows x 8 columns of nibbles; `low` is mask000f(). */
@inline export function addNibbles(a: v128, v: v128, x0: v128, x1: v128, x2: v128, x3: v128, low: v128): v128 {
  const s = i16x8.shr_s(v, 8);
  const far = i32x4.add(i32x4.dot_i16x8_s(v, x1), i32x4.dot_i16x8_s(s, x3));
  return i32x4.add(a, i32x4.add(far, i32x4.add(i32x4.dot_i16x8_s(v128.and(v, low), x0), i32x4.dot_i16x8_s(v128.and(s, low), x2))));
}
