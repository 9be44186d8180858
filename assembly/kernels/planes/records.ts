/**
 * What the kernels of planes need of x beside its records (kernels/quantize), in words that are free there:
 *   X4 records   +24  f32 s 2^80 times 7.5 / 16 - 8 of the sum of q: the middle, r at its mean    +28  f32 norm of the block, times 2^100
 *   superblocks                                                                        +4   f32 norm of the superblock, times 2^100
 * of x as it was rounded; f16 factors lack 2^112 (base/simd.ts), and the rest comes at the end of a row.
 * Test: test/kernels/planes.test.ts.
 */
import { TWO80, hsumInt } from '../../base/simd';
import { x4Data, x4Stride } from '../quantize/quantize';
import { superData, superStride } from '../quantize/superblocks';
import { isEights } from './planes';

export const MEANS: usize = 24, NORMS: usize = 28, SUPER_NORM: usize = 4;

const TWO100: f32 = 1.2676506002282294e30;

@inline function squares(p: usize, bytes: usize): f32 {
  let sum = i32x4.splat(0);
  for (const end = p + bytes; p < end; p += 8) {
    const v = v128.load8x8_s(p);
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v, v));
  }
  return <f32>hsumInt(sum);
}

/** Completes the records of one x [cols]. */
export function completeRecords(layout: i32, x: usize, cols: i32): void {
  if (isEights(layout)) {
    for (const end = x + <usize>(cols >> 5) * x4Stride(); x < end; x += x4Stride()) {
      const tail = x + x4Data();
      store<f32>(tail, load<f32>(tail, 8) * <f32>(7.5 / 16 - 8) * TWO80, MEANS);
      store<f32>(tail, load<f32>(tail) * sqrt<f32>(squares(x, 32)) * TWO100, NORMS);
    }
  } else {
    for (const end = x + <usize>(cols >> 8) * superStride(); x < end; x += superStride()) {
      const tail = x + superData();
      store<f32>(tail, load<f32>(tail) * sqrt<f32>(squares(x, 256)) * TWO100, SUPER_NORM);
    }
  }
}
