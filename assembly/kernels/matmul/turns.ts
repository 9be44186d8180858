/**
 * The columns of a narrow block (tile.ts), 8 rows times four tokens, without a loop: a turn multiplies two vectors of weights with a word
 * of each token and adds to eight accumulators. V8 (Node 20) puts the loads of a body first, whatever order they are written in, and with
 * those of two turns it would spill; what leaves in between, as if a turn could be the last, keeps turns apart. In a loop, addresses are
 * computed anew each turn or two: 56 cycles a block of q4_k, its end among them, where this takes 53 (Zen 4). Eight products and eight
 * additions alone, in the best of code, are 5 cycles a turn: additions take pipes that products need, though others are idle.
 */
import { the } from '../../layouts/kinds';

/** a + products of 4 rows, of 4 bytes each; sums of pairs in i16. */
@inline export function addBytes(a: v128, q: v128, v: v128): v128 { return i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(q, v)); }

/** From w and x, `turns` of E (4 or 8), sums starting at a to d; E's `end` gets them, and where it has come to. */
@inline export function turns<E>(w: usize, x: usize, f: usize, a: v128, b: v128, c: v128, d: v128): void {
  const stop = x + (<usize>the<E>().turns << 4);
  let a0 = a, a1 = a, b0 = b, b1 = b, c0 = c, c1 = c, d0 = d, d1 = d, v: v128, u: v128, q: v128;
  do {
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (the<E>().turns == 4 || x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
    if (x == stop) break;
    v = v128.load(w); u = v128.load(w, 16);
    q = v128.load32_splat(x); a0 = addBytes(a0, q, v); a1 = addBytes(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addBytes(b0, q, v); b1 = addBytes(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addBytes(c0, q, v); c1 = addBytes(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addBytes(d0, q, v); d1 = addBytes(d1, q, u);
    w += 32; x += 16;
  } while (false);
  the<E>().end(w, x, f, a0, a1, b0, b1, c0, c1, d0, d1);
}
