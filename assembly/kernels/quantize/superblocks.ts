/**
 * Activations for superblocks (kernels/matvec/super.ts): 256 values have one scale s = amax / 127, so that all that a superblock of weights
 * adds up is integers. One record:
 *
 *   relaxed  256 B  i8 q, in column order
 *   base     512 B  i16, per 4 columns [x0 x2] [x1 - 256 x0, x3 - 256 x2] (kernels/matvec/dots.ts)
 * followed by constants ("tail"):
 *   +0    f32 s
 *   +16   i16 sum(q) of each of 8 blocks of 32
 *   +32   i16 sum(q) of each of 16 halves of blocks
 *   +64   of each half, relaxed: i16 -32 sum(q) of its columns 0 1 4 5 8 9 12 13, and of its others; base: i32 -32 sum(q)
 *   +128  base: i32 -128 * sum of even q of each block
 *   +160  base: of each block, for nibbles: i32 16 * 8 * sum of q of columns 5 and 7 of each eight; then 64 B of i16, per 8 columns
 *         [16 x0 - x4, 16 x2 - x6] [x4 x6] [16 x1 - x5, 16 x3 - x7] [x5 - 256 x4, x7 - 256 x6]
 * Rounding, and what is not finite: as quantize.ts. Test: test/kernels/quantize.test.ts.
 */
import { hmaxInt } from '../../base/simd';
import { peakOf, round8, sumEven } from './rounding';

/** Bytes of a record's data, and of all of it. */
@inline export function superData(): usize { return ASC_FEATURE_RELAXED_SIMD ? 256 : 512; }
@inline export function superStride(): usize { return superData() + (ASC_FEATURE_RELAXED_SIMD ? 128 : 160 + 8 * 68); }

/** Where in a tail what is. */
export const BLOCK_SUMS: usize = 16, HALF_SUMS: usize = 32, STARTS: usize = 64, EVEN_SUMS: usize = 128, NIBBLES: usize = 160;

/** The bits of the largest |value| of 256. */
@inline function peakOf256(x: usize): i32 {
  let peak = peakOf(x);
  for (let p = x + 32, end = x + 1024; p < end; p += 32) peak = i32x4.max_s(peak, peakOf(p));
  return hmaxInt(peak);
}

/** The constants of half `h`, of which a and b are columns 0..7 and 8..15; its sum. */
@inline function storeHalf(tail: usize, h: usize, a: v128, b: v128): i32 {
  const pairs = i32x4.extadd_pairwise_i16x8_s(i16x8.add(a, b));
  const near = i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 2);
  const far = i32x4.extract_lane(pairs, 1) + i32x4.extract_lane(pairs, 3);
  store<i16>(tail + (h << 1), near + far, HALF_SUMS);
  if (ASC_FEATURE_RELAXED_SIMD) {
    store<i16>(tail + (h << 2), -32 * near, STARTS);
    store<i16>(tail + (h << 2), -32 * far, STARTS + 2);
  } else {
    store<i32>(tail + (h << 2), -32 * (near + far), STARTS);
  }
  return near + far;
}

/** base: [x0 .. x7] as what bytes multiply, and nibbles. */
@inline function storeWide(q: usize, v: v128, nibbles: usize): void {
  const even = i16x8.shuffle(v, v, 0, 2, 4, 6, 0, 2, 4, 6), odd = i16x8.shuffle(v, v, 1, 3, 5, 7, 1, 3, 5, 7);
  const pairs = i32x4.shuffle(even, i16x8.sub(odd, i16x8.shl(even, 8)), 0, 4, 1, 5);
  const near = i16x8.shuffle(v, v, 0, 2, 1, 3, 0, 2, 1, 3), far = i16x8.shuffle(v, v, 4, 6, 5, 7, 4, 6, 5, 7);
  v128.store(q, pairs);
  v128.store(nibbles, i32x4.shuffle(i16x8.sub(i16x8.shl(near, 4), far), pairs, 0, 6, 1, 7));
}

/** x [cols] (cols a multiple of 256) into records at `dst`. */
export function quantizeSuper(x: usize, cols: i32, dst: usize): void {
  for (const end = x + (<usize>cols << 2); x < end; dst += superStride()) {
    const amax = reinterpret<f32>(peakOf256(x));
    const live = amax > 1e-30 && amax < Infinity;
    const inverse = f32x4.splat(live ? <f32>127 / amax : 0), kept = i32x4.splat(live ? -1 : 0), tail = dst + superData();
    store<f32>(tail, live ? amax / 127 : amax * 0);
    for (let b: usize = 0; b < 8; b++, x += 128) {
      const c0 = v128.and(round8(x, inverse), kept), c1 = v128.and(round8(x + 32, inverse), kept);
      const c2 = v128.and(round8(x + 64, inverse), kept), c3 = v128.and(round8(x + 96, inverse), kept);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const q = dst + (b << 5);
        v128.store(q, i8x16.narrow_i16x8_s(c0, c1)); v128.store(q, i8x16.narrow_i16x8_s(c2, c3), 16);
      } else {
        const q = dst + (b << 6);
        const all = i16x8.add(i16x8.add(c0, c1), i16x8.add(c2, c3)), nibbles = tail + NIBBLES + 68 * b;
        store<i32>(nibbles, 128 * (i16x8.extract_lane_s(all, 5) + i16x8.extract_lane_s(all, 7)));
        storeWide(q, c0, nibbles + 4); storeWide(q + 16, c1, nibbles + 20);
        storeWide(q + 32, c2, nibbles + 36); storeWide(q + 48, c3, nibbles + 52);
        store<i32>(tail + (b << 2), -128 * (sumEven(c0, c1) + sumEven(c2, c3)), EVEN_SUMS);
      }
      store<i16>(tail + (b << 1), storeHalf(tail, b << 1, c0, c1) + storeHalf(tail, (b << 1) + 1, c2, c3), BLOCK_SUMS);
    }
  }
}
