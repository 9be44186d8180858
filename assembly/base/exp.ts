/**
 * exp of four f32. Range reduction x = n ln2 + r, |r| <= ln2 / 2, then a degree-6 polynomial; relative error below 2e-7 on
 * [-87, 88], arguments outside are clamped there (so the result is never infinite and never NaN for a number).
 * Test: test/kernels/activation.test.ts.
 */
import { madd } from './simd';

@inline export function exp4(x: v128): v128 {
  const v = f32x4.max(f32x4.min(x, f32x4.splat(88)), f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(v, f32x4.splat(1.4426950408889634)));
  // ln2 in two parts (Cody and Waite): the first has few enough bits that n * it is exact
  let r = f32x4.sub(v, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = madd(f32x4.splat(1.9875691500e-4), r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  return f32x4.mul(p, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23));
}
