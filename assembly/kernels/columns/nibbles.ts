/**
 * Sums of a block of nibbles (product.ts).
 * relaxed: the bytes of two inputs are interleaved, so that one 16-bit dot product of bytes has outputs in its lanes.
 * base: 16-bit lanes v of two inputs are, and a lane v holds four outputs, n0 .. n3 from the lowest, n3 signed (form.ts). With s = v >> 8,
 *   the sums of v, s, v & 15 and s & 15 give all of them: s = n2 + 16 n3, v = n0 + 16 n1 + 256 s. Three operations part four weights.
 */
import { mask000f, nibbleMask } from '../../base/simd';
import { bitsOf } from '../neurons/source';
import { FACTORS } from './list';

/** The bytes of two inputs interleaved: of their first, of their last 8. */
@inline export function nearBytes(v: v128, u: v128): v128 {
  return i8x16.shuffle(v, u, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
@inline export function farBytes(v: v128, u: v128): v128 {
  return i8x16.shuffle(v, u, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** The same of pairs of bytes. */
@inline export function nearPairs(v: v128, u: v128): v128 { return i16x8.shuffle(v, u, 0, 8, 1, 9, 2, 10, 3, 11); }
@inline export function farPairs(v: v128, u: v128): v128 { return i16x8.shuffle(v, u, 4, 12, 5, 13, 6, 14, 7, 15); }

/** a + 8 outputs of two inputs. */
@inline export function addDot(a: v128, h: v128, q: v128): v128 { return i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(h, q)); }
/** a + 4 outputs of two inputs. */
@inline export function addPairs(a: v128, h: v128, q: v128): v128 { return i32x4.add(a, i32x4.dot_i16x8_s(q, h)); }

/** Reads of the lines behind those of two inputs, so that few of the inputs left out leave a gap in the walk through memory. */
@inline export function touchNext<L>(p: usize, r: usize): void {
  load<u8>(p, 64); load<u8>(r, 64);
  if (bitsOf<L>() == 8) { load<u8>(p, 128); load<u8>(r, 128); } // an input has a line
}

@inline export function nibbleSums<L>(at: usize, e: usize, end: usize, to: usize): void {
  const low = nibbleMask();
  let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
  for (; e < end; e += 4) {
    const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
    let v = v128.load(p), u = v128.load(r), near = nearBytes(v, u), far = farBytes(v, u);
    a0 = addDot(a0, h, v128.and(near, low)); a1 = addDot(a1, h, v128.and(far, low));
    a2 = addDot(a2, h, v128.and(i16x8.shr_u(near, 4), low)); a3 = addDot(a3, h, v128.and(i16x8.shr_u(far, 4), low));
    if (p == 0) break;
    touchNext<L>(p, r);
    v = v128.load(p, 16); u = v128.load(r, 16); near = nearBytes(v, u); far = farBytes(v, u);
    a4 = addDot(a4, h, v128.and(near, low)); a5 = addDot(a5, h, v128.and(far, low));
    a6 = addDot(a6, h, v128.and(i16x8.shr_u(near, 4), low)); a7 = addDot(a7, h, v128.and(i16x8.shr_u(far, 4), low));
  }
  v128.store(to, a0); v128.store(to, a1, 16); v128.store(to, a2, 32); v128.store(to, a3, 48);
  v128.store(to, a4, 64); v128.store(to, a5, 80); v128.store(to, a6, 96); v128.store(to, a7, 112);
}

@inline export function nibbleWide<L>(at: usize, from: usize, end: usize, sum: i32, to: usize): void {
  const low = mask000f(), lift = i16x8.splat(<i16>(sum << 3));
  for (const stop = to + 128; to < stop; to += 64, at += 16) {
    let a0 = i32x4.splat(0), a1 = a0, s0 = a0, s1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0;
    for (let e = from; e < end; e += 4) {
      const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
      const v = v128.load(p), u = v128.load(r);
      let w = nearPairs(v, u), s = i16x8.shr_s(w, 8);
      const far = farPairs(v, u);
      a0 = addPairs(a0, h, w); s0 = addPairs(s0, h, s);
      b0 = addPairs(b0, h, v128.and(w, low)); c0 = addPairs(c0, h, v128.and(s, low));
      if (p == 0) break;
      touchNext<L>(p, r);
      w = far; s = i16x8.shr_s(w, 8);
      a1 = addPairs(a1, h, w); s1 = addPairs(s1, h, s);
      b1 = addPairs(b1, h, v128.and(w, low)); c1 = addPairs(c1, h, v128.and(s, low));
    }
    v128.store(to, i16x8.narrow_i32x4_s(b0, b1));
    v128.store(to, i16x8.narrow_i32x4_s(c0, c1), 16);
    const n0 = i32x4.shr_s(i32x4.sub(i32x4.sub(a0, i32x4.shl(s0, 8)), b0), 4);
    const n1 = i32x4.shr_s(i32x4.sub(i32x4.sub(a1, i32x4.shl(s1, 8)), b1), 4);
    v128.store(to, i16x8.narrow_i32x4_s(n0, n1), 32);
    const last = i16x8.narrow_i32x4_s(i32x4.shr_s(i32x4.sub(s0, c0), 4), i32x4.shr_s(i32x4.sub(s1, c1), 4));
    v128.store(to, i16x8.add(last, lift), 48);
  }
}
