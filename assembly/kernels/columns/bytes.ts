/**
 * Sums of a block of signed bytes (product.ts), in both builds alike: of 16-bit lanes v of two inputs, o = v >> 8 is the odd byte's value
 * and v = 256 o + (the even one's + 128).
 */
import { FACTORS } from './list';
import { addPairs, farPairs, nearPairs, touchNext } from './nibbles';

@inline export function byteSums<L>(at: usize, from: usize, end: usize, sum: i32, to: usize): void {
  const start = i32x4.splat(-128 * sum);
  for (const stop = to + 256; to < stop; to += 128, at += 32) {
    let a0 = start, a1 = start, a2 = start, a3 = start, o0 = i32x4.splat(0), o1 = o0, o2 = o0, o3 = o0;
    for (let e = from; e < end; e += 4) {
      const p = at + <usize>load<u16>(e), r = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
      let v = v128.load(p), u = v128.load(r), near = nearPairs(v, u), far = farPairs(v, u);
      a0 = addPairs(a0, h, near); o0 = addPairs(o0, h, i16x8.shr_s(near, 8));
      a1 = addPairs(a1, h, far); o1 = addPairs(o1, h, i16x8.shr_s(far, 8));
      if (p == 0) break;
      touchNext<L>(p, r);
      v = v128.load(p, 16); u = v128.load(r, 16); near = nearPairs(v, u); far = farPairs(v, u);
      a2 = addPairs(a2, h, near); o2 = addPairs(o2, h, i16x8.shr_s(near, 8));
      a3 = addPairs(a3, h, far); o3 = addPairs(o3, h, i16x8.shr_s(far, 8));
    }
    v128.store(to, i32x4.sub(a0, i32x4.shl(o0, 8))); v128.store(to, i32x4.sub(a1, i32x4.shl(o1, 8)), 16);
    v128.store(to, o0, 32); v128.store(to, o1, 48);
    v128.store(to, i32x4.sub(a2, i32x4.shl(o2, 8)), 64); v128.store(to, i32x4.sub(a3, i32x4.shl(o3, 8)), 80);
    v128.store(to, o2, 96); v128.store(to, o3, 112);
  }
}
