/** Rows inside an interleaved block (kinds.ts): where one's quants lie, put there and read back. */
import { halfAt } from '../base/half';

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

/** Low nibbles of 16 bytes, high ones. */
@inline export function lowNibbles(v: v128): v128 { return v128.and(v, i8x16.splat(15)); }
@inline export function highNibbles(v: v128): v128 { return i8x16.shr_u(v, 4); }

/** Copies an f16; 1 if it is NaN or infinite, else 0. */
@inline export function copyHalf(dst: usize, src: usize): i32 {
  const h = load<u16>(src);
  store<u16>(dst, h);
  return i32((h & 0x7c00) == 0x7c00);
}

/** The f16 at `p` as f32; infinite where it is NaN or infinite. */
@inline export function halfFinite(p: usize): f32 {
  return (load<u16>(p) & 0x7c00) == 0x7c00 ? Infinity : halfAt(p);
}

/** 16 where a column's bit is set: `bits` two bytes, the first for columns 0..7. */
@inline export function fifthBits(bits: i32): v128 {
  const spread = i8x16.shuffle(i16x8.splat(<i16>bits), i16x8.splat(0), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const masks = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(spread, masks), masks), i8x16.splat(16));
}
