/**
 * tile.ts for the Bytes kind, as the file of the matrix has it: bytes are pairs of i16 products as they lie (kernels/matvec/dots.ts), first
 * the odd columns, then, masked, the even ones. A turn (2 of 4 columns) with four tokens is 6 loads, 8 products, 8 additions, 4 of the
 * loop, and two masks for the even columns.
 */
import { madd, mask00ff } from '../../base/simd';
import { the } from '../../layouts/kinds';
import { addPairs, first, fourth, second, third } from './tile';

/** f + a block's term for 4 rows; s the token's scale, d those of the rows. */
@inline function end(f: v128, a: v128, s: v128, d: v128): v128 { return madd(f32x4.convert_i32x4_s(a), f32x4.mul(s, d), f); }

/** `n` blocks at w, added to the sums of each token at f, 8 rows each. */
export function bytesTile<L, T>(w: usize, x: usize, n: usize, f: usize): void {
  const mask = mask00ff();
  for (; n > 0; n--) {
    const tail = x + 256, starts = v128.load(tail, 32);
    let a0 = first(starts), b0 = second(starts), c0 = third(starts), d0 = fourth(starts), a1 = a0, b1 = b0, c1 = c0, d1 = d0, p = w;
    for (; x < tail; p += 32, x += 32) {
      const v = v128.load(p), u = v128.load(p, 16), q = v128.load32_splat(x);
      a0 = addPairs(a0, q, v); a1 = addPairs(a1, q, u);
      if (the<T>().n > 1) { const r = v128.load32_splat(x, 4); b0 = addPairs(b0, r, v); b1 = addPairs(b1, r, u); }
      if (the<T>().n > 2) { const r = v128.load32_splat(x, 8); c0 = addPairs(c0, r, v); c1 = addPairs(c1, r, u); }
      if (the<T>().n > 3) { const r = v128.load32_splat(x, 12); d0 = addPairs(d0, r, v); d1 = addPairs(d1, r, u); }
    }
    x -= 240;
    for (; w < p; w += 32, x += 32) {
      const v = v128.and(v128.load(w), mask), u = v128.and(v128.load(w, 16), mask), q = v128.load32_splat(x);
      a0 = addPairs(a0, q, v); a1 = addPairs(a1, q, u);
      if (the<T>().n > 1) { const r = v128.load32_splat(x, 4); b0 = addPairs(b0, r, v); b1 = addPairs(b1, r, u); }
      if (the<T>().n > 2) { const r = v128.load32_splat(x, 8); c0 = addPairs(c0, r, v); c1 = addPairs(c1, r, u); }
      if (the<T>().n > 3) { const r = v128.load32_splat(x, 12); d0 = addPairs(d0, r, v); d1 = addPairs(d1, r, u); }
    }
    const block = w - 256, s = v128.load(tail), s0 = the<L>().scale4(block, 0), s1 = the<L>().scale4(block, 1);
    let q = first(s);
    v128.store(f, end(v128.load(f), a0, q, s0)); v128.store(f, end(v128.load(f, 16), a1, q, s1), 16);
    if (the<T>().n > 1) {
      q = second(s);
      v128.store(f, end(v128.load(f, 32), b0, q, s0), 32); v128.store(f, end(v128.load(f, 48), b1, q, s1), 48);
    }
    if (the<T>().n > 2) {
      q = third(s);
      v128.store(f, end(v128.load(f, 64), c0, q, s0), 64); v128.store(f, end(v128.load(f, 80), c1, q, s1), 80);
    }
    if (the<T>().n > 3) {
      q = fourth(s);
      v128.store(f, end(v128.load(f, 96), d0, q, s0), 96); v128.store(f, end(v128.load(f, 112), d1, q, s1), 112);
    }
    w += the<L>().scaleBytes;
    x = tail + 64;
  }
}
