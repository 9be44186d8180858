/**
 * Four f32 to f16 in the low halves of i32: nearest even, values beyond the range clamped to 65504 (an infinity in the cache would poison a
 * whole head). What is subnormal is rounded at 2^-24 by adding 0.5.
 */
@inline export function toHalf4(value: v128): v128 {
  const sign = v128.and(i32x4.shr_u(value, 16), i32x4.splat(0x8000)), magnitude = v128.and(value, i32x4.splat(0x7fffffff));
  const finite = i32x4.min_s(magnitude, i32x4.splat(0x477fe000));
  const odd = v128.and(i32x4.shr_u(finite, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.sub(finite, i32x4.splat(0x38000000 - 0xfff)), odd), 13);
  const small = i32x4.sub(f32x4.add(finite, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const half = v128.bitselect(small, normal, i32x4.lt_s(finite, i32x4.splat(0x38800000)));
  return v128.or(sign, v128.bitselect(i32x4.splat(0x7e00), half, i32x4.gt_s(magnitude, i32x4.splat(0x7f800000))));
}

/** The f16 at `p` as f32, exact for every finite value. */
@inline export function halfAt(p: usize): f32 {
  const h = <u32>load<u16>(p);
  // 2^112: what the shifted exponent is short of
  return reinterpret<f32>((h & 0x8000) << 16 | (h & 0x7fff) << 13) * <f32>5.192296858534828e33;
}
