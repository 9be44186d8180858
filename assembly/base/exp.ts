/**
 * exp of four f32. Range reduction x = n ln2 + r, |r| <= ln2 / 2, then a degree-6 polynomial; relative error below 2e-7 on
 * [-87, 88], arguments outside are clamped there (so the result is never infinite and never NaN for a number).
 * Test: test/kernels/activation.test.ts.
 */
import { madd, rounded, roundedFloat, roundedInt } from './simd';

// Four times each, because V8 13 and later rebuild a `v128.const` at every use: 88 | -87 | log2 e | minus ln 2 in two parts (Cody and
// Waite): the first has few enough bits that n times it is exact | six coefficients | 1 | i32 127
const TABLE: usize = memory.data<f32>([
  88, 88, 88, 88, -87, -87, -87, -87, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634,
  -0.693359375, -0.693359375, -0.693359375, -0.693359375, 2.12194440e-4, 2.12194440e-4, 2.12194440e-4, 2.12194440e-4,
  1.9875691500e-4, 1.9875691500e-4, 1.9875691500e-4, 1.9875691500e-4, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3,
  8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2,
  1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1,
  1, 1, 1, 1, 1.7796490496925177e-43, 1.7796490496925177e-43, 1.7796490496925177e-43, 1.7796490496925177e-43,
], 16);

@inline export function one4(): v128 { return v128.load(TABLE, 176); }

@inline export function exp4(x: v128): v128 {
  const v = f32x4.pmax(f32x4.pmin(x, v128.load(TABLE)), v128.load(TABLE, 16)); // a NaN stays one
  const t = rounded(f32x4.mul(v, v128.load(TABLE, 32))), n = roundedFloat(t);
  const r = madd(n, v128.load(TABLE, 64), madd(n, v128.load(TABLE, 48), v));
  let p = madd(v128.load(TABLE, 80), r, v128.load(TABLE, 96));
  p = madd(p, r, v128.load(TABLE, 112));
  p = madd(p, r, v128.load(TABLE, 128));
  p = madd(p, r, v128.load(TABLE, 144));
  p = madd(p, r, v128.load(TABLE, 160));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), v128.load(TABLE, 176));
  return f32x4.mul(p, i32x4.shl(i32x4.add(roundedInt(t), v128.load(TABLE, 192)), 23));
}

// Four times each: -126 | coefficients of r^5 .. r, the last of them 1
const POWERS: usize = memory.data<f32>([
  -126, -126, -126, -126,
  0.0013276471979286704, 0.0013276471979286704, 0.0013276471979286704, 0.0013276471979286704,
  0.009675541334209831, 0.009675541334209831, 0.009675541334209831, 0.009675541334209831,
  0.05550713273543076, 0.05550713273543076, 0.05550713273543076, 0.05550713273543076,
  0.24022119723848648, 0.24022119723848648, 0.24022119723848648, 0.24022119723848648,
  0.693146967064733, 0.693146967064733, 0.693146967064733, 0.693146967064733,
  1, 1, 1, 1,
], 16);

/**
 * 2^x of four f32 <= 0, 0 below -126, exactly 1 for 0; a NaN stays one. A polynomial of degree 5 in what is left of x behind its nearest
 * integer n, which goes into the exponent: relative error below 3e-7, 14 instructions.
 */
@inline export function powerOf2(x: v128): v128 { return v128.andnot(powerNear2(x), f32x4.lt(x, v128.load(POWERS))); }

/** The same, but 2^-126 instead of 0: two instructions less, where what is so small is rounded away afterwards. */
@inline export function powerNear2(x: v128): v128 {
  const v = f32x4.pmax(x, v128.load(POWERS)), t = rounded(v), r = f32x4.sub(v, roundedFloat(t));
  let p = madd(v128.load(POWERS, 16), r, v128.load(POWERS, 32));
  p = madd(p, r, v128.load(POWERS, 48));
  p = madd(p, r, v128.load(POWERS, 64));
  p = madd(p, r, v128.load(POWERS, 80));
  p = madd(p, r, v128.load(POWERS, 96));
  return i32x4.add(p, i32x4.shl(t, 23));
}
