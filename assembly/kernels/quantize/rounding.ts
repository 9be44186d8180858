/** What all records of activations are made with: rounding, peaks and sums of eight values, and pairs for 16-bit products. */
import { hsumInt, rounded, roundedInt } from '../../base/simd';

@inline export function sum16(v: v128): i32 { return hsumInt(i32x4.extadd_pairwise_i16x8_s(v)); }

/** Eight values in units of 1 / `inverse`, |..| <= 127 where they are finite. */
@inline export function round8(p: usize, inverse: v128): v128 {
  const first = roundedInt(rounded(f32x4.mul(v128.load(p), inverse)));
  return i16x8.narrow_i32x4_s(first, roundedInt(rounded(f32x4.mul(v128.load(p, 16), inverse))));
}

/** The bits of |eight values|, the larger of two: they ascend as the values do, and those of NaN are above all. */
@inline export function peakOf(p: usize): v128 { return i32x4.max_s(f32x4.abs(v128.load(p)), f32x4.abs(v128.load(p, 16))); }

/** [x0..x7] → [x1 x3][256 x0 - x1, 256 x2 - x3][x5 x7][256 x4 - x5, 256 x6 - x7]. */
@inline export function pairsX8(v: v128): v128 {
  const odd = i16x8.shuffle(v, v, 1, 3, 5, 7, 1, 3, 5, 7);
  const even = i16x8.sub(i16x8.shl(i16x8.shuffle(v, v, 0, 2, 4, 6, 0, 2, 4, 6), 8), odd);
  return i32x4.shuffle(odd, even, 0, 4, 1, 5);
}

@inline function evens(v: v128): v128 { return v128.and(v, i32x4.splat(0xffff)); }

/** Even lanes (as i16) of two vectors, summed. */
@inline export function sumEven(a: v128, b: v128): i32 {
  return sum16(evens(a)) + sum16(evens(b));
}
