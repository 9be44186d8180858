/**
 * Where a row's quants go inside an interleaved block (abi/enums.ts). Every kernel of this folder walks the file's rows in groups of 8,
 * block by block, and leaves the placing to these.
 */

/** Offset of row `lane` (0..7) inside a 32-byte chunk: set 0 or 1, then its lane. */
@inline export function laneOffset(lane: i32): usize {
  return <usize>(((lane >> 2) << 4) + ((lane & 3) << 2));
}

/** 32 nibbles of one row, columns 0..15 and 16..31 as bytes 0..15, into the 128 bytes of a 4-bit block at `dst` (lane offset included). */
@inline export function storeNibbles(dst: usize, first: v128, second: v128): void {
  const low = i8x16.shuffle(first, second, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
  const high = i8x16.shuffle(first, second, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  const v = v128.or(low, i16x8.shl(high, 4));
  v128.store32_lane(dst, v, 0);
  v128.store32_lane(dst, v, 1, 32);
  v128.store32_lane(dst, v, 2, 64);
  v128.store32_lane(dst, v, 3, 96);
}

/** 32 signed bytes of one row, columns 0..15 and 16..31, into the 256 bytes of an 8-bit block: even columns become offset-binary. */
@inline export function storeBytes(dst: usize, first: v128, second: v128): void {
  const flip = i16x8.splat(0x80);
  const v = v128.xor(first, flip), u = v128.xor(second, flip);
  v128.store32_lane(dst, v, 0);
  v128.store32_lane(dst, v, 1, 32);
  v128.store32_lane(dst, v, 2, 64);
  v128.store32_lane(dst, v, 3, 96);
  v128.store32_lane(dst, u, 0, 128);
  v128.store32_lane(dst, u, 1, 160);
  v128.store32_lane(dst, u, 2, 192);
  v128.store32_lane(dst, u, 3, 224);
}

/** 1 if the f16 at `src` is NaN or infinite, else 0; copies it to `dst`. */
@inline export function copyHalf(dst: usize, src: usize): i32 {
  const h = load<u16>(src);
  store<u16>(dst, h);
  return i32((h & 0x7c00) == 0x7c00);
}
