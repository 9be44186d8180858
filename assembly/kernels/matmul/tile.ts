/**
 * 8 rows times 4 tokens, from weights that unpack.ts and x that panel.ts made ready. Eight accumulators stay in registers; a turn
 * loads two vectors of weights and a word of each token and multiplies all with all.
 *
 *   narrow (`relaxed`, quants below 128)  bytes, 4 columns a turn; sums of a block in i16, which may wrap on the way as long as the
 *           whole block fits: `starts` take out what quants are stored above their values
 *   wide    i16, 2 columns a turn, sums in i32; quants are stored as their values
 *
 * Micro-operations a turn: 6 loads, 8 products, 8 additions, 4 of the loop = 26 for 128 (narrow) or 64 (wide) products;
 * Zen 4 issues 6 a cycle, 4 of them to vector pipes: 4.3 cycles. By hand the same instructions take 4.85, in any order: products have two
 * of the pipes that additions fill as well. A block's end is 8 times (widen, convert, scale, load, add, store) and 14. Measured 95 cycles
 * a wide block (16 turns and the end); narrow ones have no loop (turns.ts).
 */
import { madd, ones16 } from '../../base/simd';
import { the } from '../../layouts/kinds';
import { panelQuants } from './panel';
import { turns } from './turns';

/** How blocks are made ready (unpack.ts); `mins`: they have minima; `lifted`: what starts take out comes back. */
@unmanaged export class Narrow {
  @inline get narrow(): bool { return true; }
  @inline get mins(): bool { return false; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class NarrowMin {
  @inline get narrow(): bool { return true; }
  @inline get mins(): bool { return true; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class Lifted {
  @inline get narrow(): bool { return true; }
  @inline get mins(): bool { return true; }
  @inline get lifted(): bool { return true; }
}
@unmanaged export class Wide {
  @inline get narrow(): bool { return false; }
  @inline get mins(): bool { return false; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class WideMin {
  @inline get narrow(): bool { return false; }
  @inline get mins(): bool { return true; }
  @inline get lifted(): bool { return false; }
}

/** a + products of 4 rows, of 2 i16 each. */
@inline export function addPairs(a: v128, q: v128, v: v128): v128 { return i32x4.add(a, i32x4.dot_i16x8_s(q, v)); }

/** A lane of v in all four. */
@inline export function first(v: v128): v128 { return i32x4.shuffle(v, v, 0, 0, 0, 0); }
@inline export function second(v: v128): v128 { return i32x4.shuffle(v, v, 1, 1, 1, 1); }
@inline export function third(v: v128): v128 { return i32x4.shuffle(v, v, 2, 2, 2, 2); }
@inline export function fourth(v: v128): v128 { return i32x4.shuffle(v, v, 3, 3, 3, 3); }

/** f and a block's term for 4 rows; `s`, `sum` and `lift`: the token's constants, `d` and `m` those of the rows. */
@inline function end<U>(f: v128, a: v128, one: v128, s: v128, d: v128, sum: v128, m: v128, lift: v128): v128 {
  if (the<U>().narrow) a = i32x4.dot_i16x8_s(a, one);
  if (the<U>().lifted) a = i32x4.add(a, lift);
  return madd(f32x4.convert_i32x4_s(a), f32x4.mul(s, d), the<U>().mins ? madd(sum, m, f) : f);
}

/** A block's terms, added to the sums of each token at f; at w factors of the rows, at x constants of the tokens. */
@inline function finish<U>(
  w: usize, x: usize, f: usize, a0: v128, a1: v128, b0: v128, b1: v128, c0: v128, c1: v128, d0: v128, d1: v128,
): void {
  const one = ones16(), s = v128.load(x), sums = the<U>().mins ? v128.load(x, 16) : s, lifts = the<U>().lifted ? v128.load(x, 48) : s;
  const s0 = v128.load(w), s1 = v128.load(w, 16), m0 = the<U>().mins ? v128.load(w, 32) : s0, m1 = the<U>().mins ? v128.load(w, 48) : s0;
  let q = first(s), p = first(sums), l = first(lifts);
  v128.store(f, end<U>(v128.load(f), a0, one, q, s0, p, m0, l));
  v128.store(f, end<U>(v128.load(f, 16), a1, one, q, s1, p, m1, l), 16);
  q = second(s); p = second(sums); l = second(lifts);
  v128.store(f, end<U>(v128.load(f, 32), b0, one, q, s0, p, m0, l), 32);
  v128.store(f, end<U>(v128.load(f, 48), b1, one, q, s1, p, m1, l), 48);
  q = third(s); p = third(sums); l = third(lifts);
  v128.store(f, end<U>(v128.load(f, 64), c0, one, q, s0, p, m0, l), 64);
  v128.store(f, end<U>(v128.load(f, 80), c1, one, q, s1, p, m1, l), 80);
  q = fourth(s); p = fourth(sums); l = fourth(lifts);
  v128.store(f, end<U>(v128.load(f, 96), d0, one, q, s0, p, m0, l), 96);
  v128.store(f, end<U>(v128.load(f, 112), d1, one, q, s1, p, m1, l), 112);
}

/** A narrow block, for turns.ts. */
@unmanaged class Block<U> {
  @inline get turns(): i32 { return 8; }
  @inline end(
    w: usize, x: usize, f: usize, a0: v128, a1: v128, b0: v128, b1: v128, c0: v128, c1: v128, d0: v128, d1: v128,
  ): void { finish<U>(w, x, f, a0, a1, b0, b1, c0, c1, d0, d1); }
}

/** Blocks that stand alone: `nBlocks` of them, added to the sums of each token at f, 8 rows each. */
export function tile<U>(w: usize, x: usize, nBlocks: usize, f: usize): void {
  for (; nBlocks > 0; nBlocks--) {
    const tail = x + panelQuants(the<U>().narrow);
    if (the<U>().narrow) {
      const starts = v128.load(tail, 32);
      turns<Block<U>>(w, x, f, first(starts), second(starts), third(starts), fourth(starts));
      w += 2 * panelQuants(the<U>().narrow);
    } else {
      let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
      for (; x < tail; w += 32, x += 16) {
        const v = v128.load(w), u = v128.load(w, 16);
        let q = v128.load32_splat(x);
        a0 = addPairs(a0, q, v); a1 = addPairs(a1, q, u);
        q = v128.load32_splat(x, 4); b0 = addPairs(b0, q, v); b1 = addPairs(b1, q, u);
        q = v128.load32_splat(x, 8); c0 = addPairs(c0, q, v); c1 = addPairs(c1, q, u);
        q = v128.load32_splat(x, 12); d0 = addPairs(d0, q, v); d1 = addPairs(d1, q, u);
      }
      finish<U>(w, x, f, a0, a1, b0, b1, c0, c1, d0, d1);
    }
    w += the<U>().mins ? 64 : 32;
    x = tail + 64;
  }
}
