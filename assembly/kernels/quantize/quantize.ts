/**
 * Activations to 8 bits, once per vector, for the quantised matrix kernels. A block of 32 values has one scale
 * s = amax / 127 and q = nearest(x / s), |q| <= 127 (never -128: the relaxed dot product wants 7 bits and a sign).
 * Error of a value: at most s / 2. Where a value of a block is not finite, s is NaN, and so is every product with it.
 *
 * Two formats, because weights of few bits and of many multiply in different ways (kernels/matvec); a third, for superblocks, has a file of
 * its own (superblocks.ts). One record a block:
 *
 *   X4, relaxed  32 B  i8 q, in column order
 *   X4, base     64 B  i16, per 8 columns [x0 x2]*256 [x4 x6]*16 [x1 x3] [x5 x7]*256: the partners of nibbles left in place
 *   X8           64 B  i16, per 4 columns [x1 x3] [256 x0 - x1, 256 x2 - x3]
 * followed by 32 B of constants ("tail"):
 *   +0  f32 s' (s, divided by 256 where the integer sum is 256 times too large)     +4  f32 s' * 2^80
 *   +8  f32 s * sum(q)                                                              +12 f32 s * sum(q) * 2^80
 *   +16 i32 integer corrections: X4: -8 sum(q) (times 256 on base), X8: -128 * 256 * sum of even q, columns 0..15
 *   +20 i32 X8: the same of columns 16..31
 *   +24 i32 X8: -256 * 16 sum(q)
 *   X4: +20 i16 -8 times the sum of q of columns 4i and 4i + 1, of 4i + 2 and 4i + 3     +24 the same -16 times (16 * 16 * 127 < 2^15)
 * Test: test/kernels/quantize.test.ts.
 */
import { TWO80, hmaxInt } from '../../base/simd';
import { Format, the } from '../../layouts/kinds';
import { pairsX8, peakOf, round8, sumEven } from './rounding';
import { quantizeSuper, superStride } from './superblocks';

/** Bytes of the data part of an X4 record. */
@inline export function x4Data(): usize { return ASC_FEATURE_RELAXED_SIMD ? 32 : 64; }
/** Bytes of a whole X4 record. */
@inline export function x4Stride(): usize { return ASC_FEATURE_RELAXED_SIMD ? 64 : 96; }
const X8_DATA: usize = 64, X8_STRIDE: usize = 96;

/** The same of the records that a quantised layout multiplies with. */
@inline export function recordData<L>(): usize { return the<L>().format == Format.x8 ? X8_DATA : x4Data(); }
@inline export function recordStride<L>(): usize { return the<L>().format == Format.x8 ? X8_STRIDE : x4Stride(); }

/** Bytes of a vector's records in a format. */
@inline export function recordsBytes(format: i32, cols: i32): usize {
  if (format == Format.xk) return <usize>(cols >> 8) * superStride();
  return <usize>(cols >> 5) * (format == Format.x8 ? X8_STRIDE : x4Stride());
}

@inline function storeX4(dst: usize, a: v128, b: v128, c: v128, d: v128): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    v128.store(dst, i8x16.narrow_i16x8_s(a, b));
    v128.store(dst, i8x16.narrow_i16x8_s(c, d), 16);
  } else {
    const factors = i16x8(256, 256, 16, 16, 1, 1, 256, 256);
    v128.store(dst, i16x8.mul(i16x8.shuffle(a, a, 0, 2, 4, 6, 1, 3, 5, 7), factors));
    v128.store(dst, i16x8.mul(i16x8.shuffle(b, b, 0, 2, 4, 6, 1, 3, 5, 7), factors), 16);
    v128.store(dst, i16x8.mul(i16x8.shuffle(c, c, 0, 2, 4, 6, 1, 3, 5, 7), factors), 32);
    v128.store(dst, i16x8.mul(i16x8.shuffle(d, d, 0, 2, 4, 6, 1, 3, 5, 7), factors), 48);
  }
}

/** Two i16. */
@inline function pair(first: i32, second: i32): i32 { return second << 16 | (first & 0xffff); }

@inline function storeTail(tail: usize, scale: f32, reduced: f32, sum: i32, first: i32, second: i32, third: i32): void {
  store<f32>(tail, reduced);
  store<f32>(tail, reduced * TWO80, 4);
  store<f32>(tail, scale * <f32>sum, 8);
  store<f32>(tail, scale * <f32>sum * TWO80, 12);
  store<i32>(tail, first, 16);
  store<i32>(tail, second, 20);
  store<i32>(tail, third, 24);
  store<i32>(tail, 0, 28);
}

/**
 * Quantises x [cols] into the records at `x4`, `x8` and `xk`, as the bits of `formats` say; cols a multiple of 32, for xk of 256.
 */
export function quantize(x: usize, cols: i32, formats: i32, x4: usize, x8: usize, xk: usize): void {
  if (formats & Format.xk) quantizeSuper(x, cols, xk);
  if (!(formats & (Format.x4 | Format.x8))) return;
  for (const end = x + (<usize>cols << 2); x < end; x += 128) {
    const peak = i32x4.max_s(peakOf(x), peakOf(x + 32)), later = i32x4.max_s(peakOf(x + 64), peakOf(x + 96));
    const amax = reinterpret<f32>(hmaxInt(i32x4.max_s(peak, later)));
        // smaller ones would overflow the inverse; a block that is not finite becomes zeros times NaN
        const live = amax > 1e-30 && amax < Infinity;
    const scale: f32 = live ? amax / 127 : amax * 0;
    const inverse = f32x4.splat(live ? <f32>127 / amax : 0), kept = i32x4.splat(live ? -1 : 0);
    const a = v128.and(round8(x, inverse), kept), b = v128.and(round8(x + 32, inverse), kept);
    const c = v128.and(round8(x + 64, inverse), kept), d = v128.and(round8(x + 96, inverse), kept);
    const two = i32x4.extadd_pairwise_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)));
    const four = i32x4.add(two, i64x2.shuffle(two, two, 1, 0));
    const first = i32x4.extract_lane(four, 0), second = i32x4.extract_lane(four, 1), sum = first + second;
    if (formats & Format.x4) {
      storeX4(x4, a, b, c, d);
      const times: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 256;
      const eight = pair(-8 * first, -8 * second), sixteen = pair(-16 * first, -16 * second);
      storeTail(x4 + x4Data(), scale, scale / <f32>times, sum, -8 * times * sum, eight, sixteen);
      x4 += x4Stride();
    }
    if (formats & Format.x8) {
      v128.store(x8, pairsX8(a)); v128.store(x8, pairsX8(b), 16);
      v128.store(x8, pairsX8(c), 32); v128.store(x8, pairsX8(d), 48);
      storeTail(x8 + X8_DATA, scale, scale / 256, sum, -32768 * sumEven(a, b), -32768 * sumEven(c, d), -4096 * sum);
      x8 += X8_STRIDE;
    }
  }
}
