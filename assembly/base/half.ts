/** f32 to f16, nearest even, finite values beyond the range clamped to 65504 (an infinity in the cache would poison a whole head). */
@inline export function toHalf(value: f32): u16 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return <u16>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7bff)); // 65520 and up would round to infinity
  if (magnitude < 0x38800000) { // subnormal: adding 0.5 lets the adder round at 2^-24
    return <u16>(sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000));
  }
  return <u16>(sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13));
}

/** The f16 at `p` as f32, exact for every finite value. */
@inline export function halfAt(p: usize): f32 {
  const h = <u32>load<u16>(p);
  // 2^112: what the shifted exponent is short of
  return reinterpret<f32>((h & 0x8000) << 16 | (h & 0x7fff) << 13) * <f32>5.192296858534828e33;
}
