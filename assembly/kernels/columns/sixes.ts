/**
 * Sums of a block of 6 bits less 32 (product.ts). The fourth quants are made before the bytes of two inputs meet, here bit by bit: V8
 * computes before a branch only what both of its ways out want, so they are stored behind the loop, where nobody reads them, or the vectors
 * that they come from would take the registers of sums.
 */
import { mask3f } from '../../base/simd';
import { FACTORS } from './list';
import { addDot, addPairs, farBytes, farPairs, nearBytes, nearPairs, touchNext } from './nibbles';
import { storeWide } from './wide';

/** Q3 of the input at p. */
@inline function fourth<L>(p: usize, mask: v128): v128 {
  const v = v128.xor(i16x8.shr_u(v128.load(p), 2), i16x8.shr_u(v128.load(p, 16), 4));
  return v128.and(v128.xor(v, i16x8.shr_u(v128.load(p, 2 * 16), 6)), mask);
}

@inline export function sixSums<L>(at: usize, e: usize, end: usize, sum: i32, to: usize): void {
  const low = mask3f();
  let a0 = i16x8.splat(<i16>(-32 * sum)), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, f = a0, g = a0;
  for (; e < end; e += 4) {
    const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
    let v = v128.load(p), u = v128.load(r);
    a0 = addDot(a0, h, v128.and(nearBytes(v, u), low)); a1 = addDot(a1, h, v128.and(farBytes(v, u), low));
    f = i16x8.shr_u(v, 2); g = i16x8.shr_u(u, 2);
    if (p == 0) break;
    touchNext<L>(p, r);
    v = v128.load(p, 16); u = v128.load(r, 16);
    a2 = addDot(a2, h, v128.and(nearBytes(v, u), low)); a3 = addDot(a3, h, v128.and(farBytes(v, u), low));
    f = v128.xor(f, i16x8.shr_u(v, 4)); g = v128.xor(g, i16x8.shr_u(u, 4));
    if (r == 0) break;
    v = v128.load(p, 2 * 16); u = v128.load(r, 2 * 16);
    a4 = addDot(a4, h, v128.and(nearBytes(v, u), low)); a5 = addDot(a5, h, v128.and(farBytes(v, u), low));
    f = v128.xor(f, i16x8.shr_u(v, 6)); g = v128.xor(g, i16x8.shr_u(u, 6));
    if (e == 0) break;
    v = v128.and(f, low); u = v128.and(g, low);
    a6 = addDot(a6, h, nearBytes(v, u)); a7 = addDot(a7, h, farBytes(v, u));
  }
  v128.store(to, f); v128.store(to, g, 16);
  v128.store(to, a0); v128.store(to, a1, 16); v128.store(to, a2, 32); v128.store(to, a3, 48);
  v128.store(to, a4, 64); v128.store(to, a5, 80); v128.store(to, a6, 96); v128.store(to, a7, 112);
}

@inline export function sixWide<L>(at: usize, from: usize, end: usize, sum: i32, to: usize): void {
  const low = mask3f(), start = i32x4.splat(-32 * 257 * sum), other = i32x4.splat(-32 * sum);
  for (let part = 0; part < 2; part++, to += 64) {
    let a0 = start, a1 = start, a2 = start, a3 = start, o0 = other, o1 = other, o2 = other, o3 = other;
    for (let e = from; e < end; e += 4) {
      const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
      const first = part ? 2 * 16 : 0;
      let v = v128.and(v128.load(p + first), low), u = v128.and(v128.load(r + first), low), q = nearPairs(v, u);
      a0 = addPairs(a0, h, q); o0 = addPairs(o0, h, i16x8.shr_u(q, 8));
      q = farPairs(v, u);
      a1 = addPairs(a1, h, q); o1 = addPairs(o1, h, i16x8.shr_u(q, 8));
      if (p == 0) break;
      touchNext<L>(p, r);
      if (part) { v = fourth<L>(p, low); u = fourth<L>(r, low); }
      else { v = v128.and(v128.load(p, 16), low); u = v128.and(v128.load(r, 16), low); }
      q = nearPairs(v, u);
      a2 = addPairs(a2, h, q); o2 = addPairs(o2, h, i16x8.shr_u(q, 8));
      q = farPairs(v, u);
      a3 = addPairs(a3, h, q); o3 = addPairs(o3, h, i16x8.shr_u(q, 8));
    }
    storeWide(to, a0, a1, o0, o1); storeWide(to + 32, a2, a3, o2, o3);
  }
}
