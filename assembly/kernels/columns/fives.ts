/** Sums of a block of 5 bits less 16 (product.ts), taken apart behind the interleaving. */
import { mask1f } from '../../base/simd';
import { FACTORS } from './list';
import { addDot, addPairs, farBytes, farPairs, nearBytes, nearPairs, touchNext } from './nibbles';
import { storeWide } from './wide';

@inline export function fiveSums<L>(at: usize, e: usize, end: usize, sum: i32, to: usize): void {
  const low = mask1f();
  let a0 = i16x8.splat(<i16>(-16 * sum)), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
  for (; e < end; e += 4) {
    const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
    const f = nearBytes(v128.load64_zero(p, 32), v128.load64_zero(r, 32));
    let v = v128.load(p), u = v128.load(r), near = nearBytes(v, u), far = farBytes(v, u);
    a0 = addDot(a0, h, v128.and(near, low));
    a2 = addDot(a2, h, v128.and(v128.xor(i16x8.shr_u(near, 3), f), low));
    a1 = addDot(a1, h, v128.and(far, low));
    a3 = addDot(a3, h, v128.and(v128.xor(i16x8.shr_u(far, 3), i16x8.shr_u(f, 2)), low));
    if (p == 0) break;
    touchNext<L>(p, r);
    v = v128.load(p, 16); u = v128.load(r, 16); near = nearBytes(v, u); far = farBytes(v, u);
    a4 = addDot(a4, h, v128.and(i16x8.shr_u(near, 3), low));
    a6 = addDot(a6, h, v128.and(v128.xor(near, i16x8.shr_u(f, 1)), low));
    a5 = addDot(a5, h, v128.and(i16x8.shr_u(far, 3), low));
    a7 = addDot(a7, h, v128.and(v128.xor(far, i16x8.shr_u(f, 3)), low));
  }
  v128.store(to, a0); v128.store(to, a1, 16); v128.store(to, a2, 32); v128.store(to, a3, 48);
  v128.store(to, a4, 64); v128.store(to, a5, 80); v128.store(to, a6, 96); v128.store(to, a7, 112);
}

@inline export function fiveWide<L>(at: usize, from: usize, end: usize, sum: i32, to: usize): void {
  const low = mask1f(), start = i32x4.splat(-16 * 257 * sum), other = i32x4.splat(-16 * sum);
  let a0 = start, a1 = start, a2 = start, a3 = start, o0 = other, o1 = other, o2 = other, o3 = other;
  for (let e = from; e < end; e += 4) {
    const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
    const f = nearPairs(v128.load64_zero(p, 32), v128.load64_zero(r, 32));
    const v = v128.load(p), u = v128.load(r), near = nearPairs(v, u), far = farPairs(v, u);
    let q = v128.and(near, low);
    a0 = addPairs(a0, h, q); o0 = addPairs(o0, h, i16x8.shr_u(q, 8));
    q = v128.and(v128.xor(i16x8.shr_u(near, 3), f), low);
    a2 = addPairs(a2, h, q); o2 = addPairs(o2, h, i16x8.shr_u(q, 8));
    if (p == 0) break;
    touchNext<L>(p, r);
    q = v128.and(far, low);
    a1 = addPairs(a1, h, q); o1 = addPairs(o1, h, i16x8.shr_u(q, 8));
    q = v128.and(v128.xor(i16x8.shr_u(far, 3), i16x8.shr_u(f, 2)), low);
    a3 = addPairs(a3, h, q); o3 = addPairs(o3, h, i16x8.shr_u(q, 8));
  }
  storeWide(to, a0, a1, o0, o1); storeWide(to + 32, a2, a3, o2, o3);
  a0 = start; a1 = start; a2 = start; a3 = start; o0 = other; o1 = other; o2 = other; o3 = other;
  for (let e = from; e < end; e += 4) {
    const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
    const f = nearPairs(v128.load64_zero(p, 32), v128.load64_zero(r, 32));
    const v = v128.load(p, 16), u = v128.load(r, 16), near = nearPairs(v, u), far = farPairs(v, u);
    let q = v128.and(i16x8.shr_u(near, 3), low);
    a0 = addPairs(a0, h, q); o0 = addPairs(o0, h, i16x8.shr_u(q, 8));
    q = v128.and(v128.xor(near, i16x8.shr_u(f, 1)), low);
    a2 = addPairs(a2, h, q); o2 = addPairs(o2, h, i16x8.shr_u(q, 8));
    if (p == 0) break;
    touchNext<L>(p, r);
    q = v128.and(i16x8.shr_u(far, 3), low);
    a1 = addPairs(a1, h, q); o1 = addPairs(o1, h, i16x8.shr_u(q, 8));
    q = v128.and(v128.xor(far, i16x8.shr_u(f, 3)), low);
    a3 = addPairs(a3, h, q); o3 = addPairs(o3, h, i16x8.shr_u(q, 8));
  }
  storeWide(to + 64, a0, a1, o0, o1); storeWide(to + 96, a2, a3, o2, o3);
}
