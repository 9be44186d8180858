/**
 * Numeric self-test, run once on every machine before a build is trusted: the instructions whose result the standard leaves open
 * (relaxed dot product, relaxed multiply-add) on the extreme operands that our kernels rely on. 0 = sound.
 */
import { madd } from '../base/simd';

export function selfTest(): i32 {
  const fused = madd(f32x4.splat(3), f32x4.splat(5), f32x4.splat(7));
  if (f32x4.extract_lane(fused, 0) != 22) return 1;
  if (ASC_FEATURE_RELAXED_SIMD) {
    // (+-127) * 15: signed first operand, second in 0..127; pairs add to +-3810 without saturation
    let d = i16x8.relaxed_dot_i8x16_i7x16_s(i8x16.splat(127), i8x16.splat(15));
    if (i16x8.extract_lane_s(d, 3) != 3810) return 2;
    d = i16x8.relaxed_dot_i8x16_i7x16_s(i8x16.splat(-127), i8x16.splat(15));
    if (i16x8.extract_lane_s(d, 5) != -3810) return 3;
    d = i16x8.relaxed_dot_i8x16_i7x16_s(i8x16(-127, 127, -1, 1, -127, -127, 0, 127, 5, -6, 127, 127, 1, 2, 3, 4), i8x16.splat(15));
    if (i16x8.extract_lane_s(d, 0) != 0 || i16x8.extract_lane_s(d, 2) != -3810 || i16x8.extract_lane_s(d, 4) != -15) return 4;
  }
  return 0;
}
