/**
 * tile.ts for superblocks: all that one adds up is integers (kernels/matvec/super.ts). Narrow: the i16 sums of each block, or half of one,
 * are widened by a product with its scales and added to i32 sums, which lie at `g`: 8 times (product, load, add, store) and 2 where tile.ts
 * has 8 times 6 and 14. Wide: scales are in the weights, and sums stay in registers for 256 columns. What is f32, and the minima, come
 * once, in `close`.
 */
import { madd } from '../../base/simd';
import { the } from '../../layouts/kinds';
import { addPairs, first, fourth, second, third } from './tile';
import { turns } from './turns';

/** Blocks with a scale and a minimum each. */
@unmanaged export class SuperBlocks {
  @inline get narrow(): bool { return true; }
  @inline get cols(): usize { return 32; }
  @inline get starts(): bool { return false; }
  @inline get minPairs(): usize { return 4; }
  @inline get lifted(): bool { return false; }
}
/** The same; sums start below, and that comes back (ready.ts, isLifted). */
@unmanaged export class SuperLifted {
  @inline get narrow(): bool { return true; }
  @inline get cols(): usize { return 32; }
  @inline get starts(): bool { return true; }
  @inline get minPairs(): usize { return 4; }
  @inline get lifted(): bool { return true; }
}
/** Halves with a scale each. */
@unmanaged export class SuperHalves {
  @inline get narrow(): bool { return true; }
  @inline get cols(): usize { return 16; }
  @inline get starts(): bool { return true; }
  @inline get minPairs(): usize { return 0; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class SuperHalvesMin {
  @inline get narrow(): bool { return true; }
  @inline get cols(): usize { return 16; }
  @inline get starts(): bool { return false; }
  @inline get minPairs(): usize { return 8; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class SuperWide {
  @inline get narrow(): bool { return false; }
  @inline get cols(): usize { return 256; }
  @inline get starts(): bool { return false; }
  @inline get minPairs(): usize { return 0; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class SuperWideMin {
  @inline get narrow(): bool { return false; }
  @inline get cols(): usize { return 256; }
  @inline get starts(): bool { return false; }
  @inline get minPairs(): usize { return 4; }
  @inline get lifted(): bool { return false; }
}
@unmanaged export class SuperWideHalvesMin {
  @inline get narrow(): bool { return false; }
  @inline get cols(): usize { return 256; }
  @inline get starts(): bool { return false; }
  @inline get minPairs(): usize { return 8; }
  @inline get lifted(): bool { return false; }
}

/**
 * i32 sums of products of pairs of i16, 8 rows at w times 4 tokens at x and up to xEnd, an even number of pairs, into g; 32 B a token.
 * Two a turn: 27 instructions each, where one a turn were 31.
 */
function pairTile(w: usize, x: usize, xEnd: usize, g: usize): void {
  let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  for (; x < xEnd; w += 64, x += 16) {
    let v = v128.load(w), u = v128.load(w, 16), q = v128.load32_splat(x);
    a0 = addPairs(a0, q, v); a1 = addPairs(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addPairs(b0, q, v); b1 = addPairs(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addPairs(c0, q, v); c1 = addPairs(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addPairs(d0, q, v); d1 = addPairs(d1, q, u);
    if (w == 0) break; // never: V8 would load for both turns first, and spill
    x += 16;
    v = v128.load(w, 32); u = v128.load(w, 48); q = v128.load32_splat(x);
    a0 = addPairs(a0, q, v); a1 = addPairs(a1, q, u);
    q = v128.load32_splat(x, 4); b0 = addPairs(b0, q, v); b1 = addPairs(b1, q, u);
    q = v128.load32_splat(x, 8); c0 = addPairs(c0, q, v); c1 = addPairs(c1, q, u);
    q = v128.load32_splat(x, 12); d0 = addPairs(d0, q, v); d1 = addPairs(d1, q, u);
  }
  v128.store(g, a0); v128.store(g, a1, 16);
  v128.store(g, b0, 32); v128.store(g, b1, 48);
  v128.store(g, c0, 64); v128.store(g, c1, 80);
  v128.store(g, d0, 96); v128.store(g, d1, 112);
}

/** f + s times the factored sums of 4 rows: those at g with factors d, of minima at g + 128 with factors e, lifts at g + 256. */
@inline function closed<U>(f: v128, g: usize, s: v128, d: v128, e: v128): v128 {
  let sums = v128.load(g);
  if (the<U>().lifted) sums = i32x4.add(sums, i32x4.shl(v128.load(g, 256), 4));
  let scaled = f32x4.mul(f32x4.convert_i32x4_s(sums), d);
  if (the<U>().minPairs) scaled = f32x4.sub(scaled, f32x4.mul(f32x4.convert_i32x4_s(v128.load(g, 128)), e));
  return madd(scaled, s, f);
}

/** What comes behind a superblock's columns: at w factors, minima, scales; at x the tokens' scales and sums. */
@inline function close<U>(w: usize, x: usize, f: usize, g: usize): void {
  const n = the<U>().minPairs << 4, sums = x + 16, d0 = v128.load(w), d1 = v128.load(w, 16);
  const e0 = n ? v128.load(w, 32) : d0, e1 = n ? v128.load(w, 48) : d1;
  if (n) pairTile(w + 64, sums, sums + n, g + 128);
  if (the<U>().lifted) pairTile(w + 64 + 2 * n, sums, sums + n, g + 256);
  for (const end = f + 128; f < end; f += 32, g += 32, x += 4) {
    const s = v128.load32_splat(x);
    v128.store(f, closed<U>(v128.load(f), g, s, d0, e0));
    v128.store(f, closed<U>(v128.load(f, 16), g + 16, s, d1, e1), 16);
  }
}

/** sums at g + what a, i16 sums of a half or block, are with scales k. */
@inline function widened(g: v128, a: v128, k: v128): v128 { return i32x4.add(g, i32x4.dot_i16x8_s(a, k)); }

/** Nothing at g: 8 stores are less than the call that filling memory is. */
@inline function clear(g: usize): void {
  const o = i32x4.splat(0);
  for (const end = g + 128; g < end; g += 32) { v128.store(g, o); v128.store(g, o, 16); }
}

/** The integer sums of 4 tokens at g and those of a half or block, with the scales at w. */
@inline function addTo(
  w: usize, g: usize, a0: v128, a1: v128, b0: v128, b1: v128, c0: v128, c1: v128, d0: v128, d1: v128,
): void {
  const k = v128.load(w), l = v128.load(w, 16);
  v128.store(g, widened(v128.load(g), a0, k)); v128.store(g, widened(v128.load(g, 16), a1, l), 16);
  v128.store(g, widened(v128.load(g, 32), b0, k), 32); v128.store(g, widened(v128.load(g, 48), b1, l), 48);
  v128.store(g, widened(v128.load(g, 64), c0, k), 64); v128.store(g, widened(v128.load(g, 80), c1, l), 80);
  v128.store(g, widened(v128.load(g, 96), d0, k), 96); v128.store(g, widened(v128.load(g, 112), d1, l), 112);
}

/** A half or block, for turns.ts. */
@unmanaged class Part<U> {
  @inline get turns(): i32 { return <i32>the<U>().cols >> 2; }
  @inline end(
    w: usize, x: usize, g: usize, a0: v128, a1: v128, b0: v128, b1: v128, c0: v128, c1: v128, d0: v128, d1: v128,
  ): void { addTo(w, g, a0, a1, b0, b1, c0, c1, d0, d1); }
}

/** A superblock, added to the sums of each token at f, 8 rows each; 384 B at g for integer sums. */
export function superTile<U>(w: usize, x: usize, f: usize, g: usize): void {
  if (!the<U>().narrow) {
    pairTile(w, x, x + 2048, g);
    close<U>(w + 4096, x + 2048, f, g);
    return;
  }
  clear(g);
  for (let i: usize = 0; i < 256; i += the<U>().cols) {
    let a0 = i32x4.splat(0), b0 = a0, c0 = a0, d0 = a0;
    if (the<U>().starts) {
      const starts = v128.load(x);
      a0 = first(starts); b0 = second(starts); c0 = third(starts); d0 = fourth(starts);
      x += 16;
    }
    turns<Part<U>>(w, x, g, a0, b0, c0, d0);
    w += 8 * the<U>().cols + 32; x += 4 * the<U>().cols;
  }
  close<U>(w, x, f, g);
}
