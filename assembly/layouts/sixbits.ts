/** The 12 bytes of q4_k and q5_k that hold a 6-bit scale and a 6-bit minimum for each of 8 blocks (ggml-quants.c, get_scale_min_k4). */

/** Scale of block b. */
@inline export function scaleOf(packed: usize, b: usize): u8 {
  if (b < 4) return <u8>(<u32>load<u8>(packed + b) & 63);
  return <u8>((<u32>load<u8>(packed + b + 4) & 15) | ((<u32>load<u8>(packed + b - 4) >> 6) << 4));
}

/** Minimum of block b. */
@inline export function minOf(packed: usize, b: usize): u8 {
  if (b < 4) return <u8>(<u32>load<u8>(packed + b + 4) & 63);
  return <u8>((<u32>load<u8>(packed + b + 4) >> 4) | ((<u32>load<u8>(packed + b) >> 6) << 4));
}

/** Nibbles of block b from 16 bytes that two blocks share: low for even blocks, high for odd ones. */
@inline export function nibblesOf(v: v128, b: usize): v128 {
  return b & 1 ? i8x16.shr_u(v, 4) : v128.and(v, i8x16.splat(15));
}
