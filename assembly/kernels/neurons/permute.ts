/**
 * X for the row form (rows.ts): X4 or X8 records (kernels/quantize) whose 4-byte units are transposed, four records side by side
 * ("permuted"), then vectors of what belongs to the four blocks:
 *   +0  s'        +16 f32 8 s sum(q)
 *   +32 X4: the integer parts of m and of q - 8, two vectors (relaxed: pairs of i16, [0, 8 sum(q)] and [-8 sum(q), 0], to be multiplied
 *       with [d, m] and [d, d]; base: that of m is at +16, and i32 -8 * 256 sum(q))
 *       X8: the record's integer corrections, one vector
 *   +64 i32 sum(q) of columns 0..15, of columns 16..31 (X8: times 256)
 * Left-over records appear twice, for lanes 0 1 and 2 3. Which of the two a form reads: `rowsFormat`. Test: test/kernels/rows.test.ts.
 */
import { Format } from '../../layouts/kinds';
import { recordsBytes, x4Data } from '../quantize/quantize';

/** Bytes of the data of four records, and of all of it. */
@inline export function permutedData(format: i32): usize { return format == Format.x8 ? 256 : x4Data() << 2; }
@inline export function permutedStride(format: i32): usize { return permutedData(format) + 96; }

/** Bytes that `permute` writes. */
export function permutedBytes(format: i32, cols: i32): usize {
  return <usize>((cols + 127) >> 7) * permutedStride(format);
}

/** The 16 B at `p`, zeros where there is no record. */
@inline function piece(p: usize, exists: bool): v128 { return exists ? v128.load(p) : i32x4.splat(0); }

/** The first (second) 4-byte units of four vectors. */
@inline function firstUnits(a: v128, b: v128, c: v128, d: v128): v128 {
  return i64x2.shuffle(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(c, d, 0, 4, 1, 5), 0, 2);
}
@inline function secondUnits(a: v128, b: v128, c: v128, d: v128): v128 {
  return i64x2.shuffle(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(c, d, 0, 4, 1, 5), 1, 3);
}
@inline function thirdUnits(a: v128, b: v128, c: v128, d: v128): v128 {
  return i64x2.shuffle(i32x4.shuffle(a, b, 2, 6, 3, 7), i32x4.shuffle(c, d, 2, 6, 3, 7), 0, 2);
}
@inline function fourthUnits(a: v128, b: v128, c: v128, d: v128): v128 {
  return i64x2.shuffle(i32x4.shuffle(a, b, 2, 6, 3, 7), i32x4.shuffle(c, d, 2, 6, 3, 7), 1, 3);
}

/** Sums of q (X8: times 256) of each block over the transposed units from `p` to `stop`; not for X4 on base. */
@inline function sums(format: i32, p: usize, stop: usize): v128 {
  let sum = i32x4.splat(0), odd = sum;
  for (; p < stop; p += 32) {
    const v = v128.load(p), u = v128.load(p, 16);
    if (format == Format.x4) {
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.add(i16x8.extadd_pairwise_i8x16_s(v), i16x8.extadd_pairwise_i8x16_s(u))));
    } else { // of odd columns, of 256 even - odd ones
      odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_s(v));
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(u));
    }
  }
  return format == Format.x4 ? sum : i32x4.add(sum, i32x4.add(odd, i32x4.shl(odd, 8)));
}

@inline function permuteFrom(format: i32, records: usize, cols: i32, dst: usize): void {
  const stride = recordsBytes(format, 32), data = permutedData(format) >> 2;
  for (let left = cols >> 5; left > 0; left -= 4, records += stride << 2, dst += permutedStride(format)) {
    const twice = left < 3, second = records + stride, third = twice ? records : second + stride;
    const fourth = twice ? second : third + stride, has1 = left > 1, has2 = left > 2 || twice, has3 = left > 3 || twice && has1;
    for (let u: usize = 0, q = dst; u < data; u += 16, q += 64) {
      const a = v128.load(records + u), b = piece(second + u, has1), c = piece(third + u, has2), d = piece(fourth + u, has3);
      v128.store(q, firstUnits(a, b, c, d));
      v128.store(q, secondUnits(a, b, c, d), 16);
      v128.store(q, thirdUnits(a, b, c, d), 32);
      v128.store(q, fourthUnits(a, b, c, d), 48);
    }
    const tail = dst + (data << 2), half = dst + (data << 1);
    let a = v128.load(records + data), b = piece(second + data, has1), c = piece(third + data, has2), d = piece(fourth + data, has3);
    v128.store(tail, firstUnits(a, b, c, d));
    v128.store(tail, f32x4.mul(thirdUnits(a, b, c, d), f32x4.splat(8)), 16);
    a = v128.load(records + data, 16); b = piece(second + data + 16, has1); c = piece(third + data + 16, has2);
    d = piece(fourth + data + 16, has3);
    const correction = firstUnits(a, b, c, d);
    if (format == Format.x8) {
      v128.store(tail, i32x4.add(correction, secondUnits(a, b, c, d)), 32);
    } else {
      v128.store(tail, i32x4.shl(i32x4.neg(correction), 16), 32);
      v128.store(tail, ASC_FEATURE_RELAXED_SIMD ? v128.and(correction, i32x4.splat(0xffff)) : correction, 48);
    }
    if (format == Format.x4 && !ASC_FEATURE_RELAXED_SIMD) continue;
    v128.store(tail, sums(format, dst, half), 64);
    v128.store(tail, sums(format, half, tail), 80);
  }
}

/** Records of a vector [cols] in a format → permuted records at `dst` [permutedBytes(format, cols)]. */
export function permute(format: i32, records: usize, cols: i32, dst: usize): void {
  if (format == Format.x8) permuteFrom(Format.x8, records, cols, dst);
  else permuteFrom(Format.x4, records, cols, dst);
}
