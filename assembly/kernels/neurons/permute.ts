/**
 * X for the row form (rows.ts): X4 records (kernels/quantize) whose 4-byte units are transposed, four records side by side ("permuted"):
 * per 4 blocks, x4Data() * 4 bytes of data, then four vectors: s', s sum(q), and the integer parts of m and of q - 8 (relaxed: pairs of
 * i16, [0, 8 sum(q)] and [-8 sum(q), 0], to be multiplied with [d, m] and [d, d]; base: f32 8 s sum(q), and i32 -8 * 256 sum(q)). Left-over
 * records appear twice, for lanes 0 1 and 2 3. Test: test/kernels/rows.test.ts.
 */
import { x4Data, x4Stride } from '../quantize/quantize';

/** Bytes of four permuted records. */
@inline export function permutedStride(): usize { return (x4Data() << 2) + 64; }

/** Bytes that `permuteX4` writes. */
export function permutedBytes(cols: i32): usize {
  return <usize>((cols + 127) >> 7) * permutedStride();
}

/** The 16 B at `p`, zeros where there is no record. */
@inline function piece(p: usize, exists: bool): v128 { return exists ? v128.load(p) : i32x4.splat(0); }

/** X4 records of a vector [cols] → permuted records at `dst` [permutedBytes(cols)]. */
export function permuteX4(x4: usize, cols: i32, dst: usize): void {
  const stride = x4Stride(), data = x4Data();
  for (let left = cols >> 5; left > 0; left -= 4, x4 += stride << 2, dst += permutedStride()) {
    const twice = left < 3, second = x4 + stride, third = twice ? x4 : second + stride, fourth = twice ? second : third + stride;
    const has1 = left > 1, has2 = left > 2 || twice, has3 = left > 3 || twice && has1;
    for (let u: usize = 0, q = dst; u < data; u += 16, q += 64) { // a transpose of 4-byte units
      const a = v128.load(x4 + u), b = piece(second + u, has1), c = piece(third + u, has2), d = piece(fourth + u, has3);
      const lowAB = i32x4.shuffle(a, b, 0, 4, 1, 5), lowCD = i32x4.shuffle(c, d, 0, 4, 1, 5), highAB = i32x4.shuffle(a, b, 2, 6, 3, 7);
      const highCD = i32x4.shuffle(c, d, 2, 6, 3, 7);
      v128.store(q, i64x2.shuffle(lowAB, lowCD, 0, 2));
      v128.store(q, i64x2.shuffle(lowAB, lowCD, 1, 3), 16);
      v128.store(q, i64x2.shuffle(highAB, highCD, 0, 2), 32);
      v128.store(q, i64x2.shuffle(highAB, highCD, 1, 3), 48);
    }
    const a = v128.load(x4 + data), b = piece(second + data, has1), c = piece(third + data, has2), d = piece(fourth + data, has3);
    const tail = dst + (data << 2);
    const sum = i64x2.shuffle(i32x4.shuffle(a, b, 2, 6, 3, 7), i32x4.shuffle(c, d, 2, 6, 3, 7), 0, 2);
    const e = v128.load(x4 + data, 16), f = piece(second + data + 16, has1), g = piece(third + data + 16, has2);
    const h = piece(fourth + data + 16, has3);
    const correction = i64x2.shuffle(i32x4.shuffle(e, f, 0, 4, 1, 5), i32x4.shuffle(g, h, 0, 4, 1, 5), 0, 2);
    v128.store(tail, i64x2.shuffle(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(c, d, 0, 4, 1, 5), 0, 2));
    v128.store(tail, sum, 16);
    v128.store(tail, ASC_FEATURE_RELAXED_SIMD ? i32x4.shl(i32x4.neg(correction), 16) : f32x4.mul(sum, f32x4.splat(8)), 32);
    v128.store(tail, ASC_FEATURE_RELAXED_SIMD ? v128.and(correction, i32x4.splat(0xffff)) : correction, 48);
  }
}
