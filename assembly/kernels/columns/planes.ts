/**
 * Quants of a column form as planes of bytes (form.ts): packed, and taken apart again where the bytes of two inputs, or pairs of them, lie
 * side by side. A shift of 16 bits lets bits of another input into a byte, so those that come in must be masked away, which decides where
 * what lies.
 */
import { bitsOf } from '../neurons/source';

/** Bytes of an input in a tile of 64 outputs. */
@inline export function inputBytes<L>(): usize { return <usize>(8 * bitsOf<L>()); }

/** Bytes meet x in pairs of 16 bits. */
@inline export function inPairs<L>(): bool { return !ASC_FEATURE_RELAXED_SIMD || bitsOf<L>() == 8; }

/** One byte after the other of both halves. */
@inline function halvesSide(v: v128): v128 { return i8x16.shuffle(v, v, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15); }

@inline function and8(v: v128, mask: u8): v128 { return v128.and(v, i8x16.splat(mask)); }
@inline function or(p: usize, v: v128): void { v128.store(p, v128.or(v128.load(p), v)); }
@inline function xor(p: usize, v: v128): void { v128.store(p, v128.xor(v128.load(p), v)); }

/** Byte i: that of `near`, byte 8 + i: that of `far`, both from their first half. */
@inline function halves(near: v128, far: v128): v128 { return i64x2.shuffle(near, far, 0, 2); }

/** Two bits of each of 16 bytes as 8 bytes: those of the first half from bit `at` on, of the second above them. */
@inline function spread(two: v128, at: i32): v128 {
  return i64x2.shuffle(i8x16.shl(v128.or(two, i8x16.shl(i64x2.shuffle(two, two, 1, 0), 2)), at), i64x2.splat(0), 0, 2);
}

/** q of 16 outputs, those of part 0 .. 3 of a tile, to where input j of a tile has them; parts come in this order, upon zeros. */
export function putQuants<L>(q: v128, part: i32, tile: usize, j: usize): void {
  const p = tile + j * inputBytes<L>(), plane: usize = 16;
  if (inPairs<L>()) q = halvesSide(q);
  if (bitsOf<L>() == 8) {
    v128.store(p + <usize>part * plane, v128.xor(q, i16x8.splat(0x80)));
  } else if (bitsOf<L>() == 4) {
    const to = p + <usize>(part >> 1) * plane;
    if (!(part & 1)) v128.store(to, q);
    else or(to, v128.xor(i16x8.shl(q, 4), i16x8.splat(ASC_FEATURE_RELAXED_SIMD ? 0 : -0x8000)));
  } else if (bitsOf<L>() == 6) {
    if (part < 3) { v128.store(p + <usize>part * plane, q); return; }
    const near = v128.xor(q, i16x8.shr_u(v128.load(p), 2));
    const rest = v128.xor(near, v128.xor(i16x8.shr_u(v128.load(p, 16), 4), i16x8.shr_u(v128.load(p, 32), 6)));
    or(p, i8x16.shl(and8(rest, 0x30), 2));
    or(p + plane, i8x16.shl(and8(rest, 0x0c), 4));
    or(p + 2 * plane, i8x16.shl(and8(rest, 0x03), 6));
  } else {
    const second = p + plane, bits = p + 32;
    if (part == 0) v128.store(p, q);
    else if (part == 2) v128.store(second, i8x16.shl(q, 3));
    else if (part == 1) {
      const h = spread(and8(v128.xor(q, i8x16.shr_u(v128.load(p), 3)), 3), 0);
      v128.store64_lane(bits, h, 0);
      or(p, i8x16.shl(and8(i8x16.shr_u(v128.xor(q, halves(h, i8x16.shr_u(h, 2))), 2), 7), 5));
    } else {
      const more = spread(i8x16.shr_u(and8(v128.xor(q, v128.load(second)), 0x18), 3), 4), h = v128.or(v128.load64_zero(bits), more);
      v128.store64_lane(bits, h, 0);
      or(second, and8(v128.xor(q, halves(i8x16.shr_u(h, 1), i8x16.shr_u(h, 3))), 7));
      xor(p, i8x16.shl(and8(i8x16.shr_u(halves(more, i8x16.shr_u(more, 2)), 2), 7), 5));
    }
  }
}
