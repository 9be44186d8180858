/**
 * tile.ts for superblocks: all that one adds up is integers (kernels/matvec/super.ts). Narrow: the i16 sums of each block, or half of one,
 * are widened by a product with its scales and added to i32 sums, which lie at `g`: 8 times (product, load, add, store) and 2 where tile.ts
 * has 8 times 6 and 14. Wide: scales are in the weights, and sums stay in registers for 256 columns. What is f32, and the minima, come
 * once, in `close`.
 */
import { madd } from '../../base/simd';
import { the } from '../../layouts/kinds';
import { first, fourth, second, step, third } from './tile';

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

/** Sums of `n` pairs of numbers of 4 rows at w times a token's at x. */
@inline function pairSums(w: usize, x: usize, n: usize): v128 {
  let sums = i32x4.splat(0);
  for (const end = x + (n << 4); x < end; x += 16, w += 32) sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(w), v128.load32_splat(x)));
  return sums;
}

/** f + s times the factored sums of 4 rows; w: factors, minima, scales; x: the token's scale and sums. */
@inline function closed<U>(f: v128, sums: v128, w: usize, x: usize): v128 {
  const n = the<U>().minPairs;
  if (the<U>().lifted) sums = i32x4.add(sums, i32x4.shl(pairSums(w + 64 + 32 * n, x + 16, n), 4));
  let scaled = f32x4.mul(f32x4.convert_i32x4_s(sums), v128.load(w));
  if (n) scaled = f32x4.sub(scaled, f32x4.mul(f32x4.convert_i32x4_s(pairSums(w + 64, x + 16, n)), v128.load(w, 32)));
  return madd(scaled, v128.load32_splat(x), f);
}

function close<U>(w: usize, x: usize, n: usize, g: usize, f: usize): void {
  for (const end = f + (n << 5); f < end; f += 32, g += 32, x += 4) {
    v128.store(f, closed<U>(v128.load(f), v128.load(g), w, x));
    v128.store(f, closed<U>(v128.load(f, 16), v128.load(g, 16), w + 16, x), 16);
  }
}

/** sums at g + what a, i16 sums of a half or block, are with scales k. */
@inline function widened(g: v128, a: v128, k: v128): v128 { return i32x4.add(g, i32x4.dot_i16x8_s(a, k)); }

/** A superblock, added to the sums of each token at f, 8 rows each; room for the integer sums at g. */
export function superTile<U, T>(w: usize, x: usize, f: usize, g: usize): void {
  if (the<U>().narrow) memory.fill(g, 0, <usize>the<T>().n << 5);
  const columns = the<U>().cols * (the<U>().narrow ? 4 : 8); // bytes of x
  for (let i: usize = 0; i < 256; i += the<U>().cols) {
    let a0 = i32x4.splat(0), b0 = a0, c0 = a0, d0 = a0;
    if (the<U>().starts) {
      const starts = v128.load(x);
      a0 = first(starts); b0 = second(starts); c0 = third(starts); d0 = fourth(starts);
      x += 16;
    }
    let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
    for (const stop = x + columns; x < stop; w += 32, x += 16) {
      const v = v128.load(w), u = v128.load(w, 16), q = v128.load32_splat(x);
      a0 = step<U>(a0, q, v); a1 = step<U>(a1, q, u);
      if (the<T>().n > 1) { const r = v128.load32_splat(x, 4); b0 = step<U>(b0, r, v); b1 = step<U>(b1, r, u); }
      if (the<T>().n > 2) { const r = v128.load32_splat(x, 8); c0 = step<U>(c0, r, v); c1 = step<U>(c1, r, u); }
      if (the<T>().n > 3) { const r = v128.load32_splat(x, 12); d0 = step<U>(d0, r, v); d1 = step<U>(d1, r, u); }
    }
    if (the<U>().narrow) {
      const k = v128.load(w), l = v128.load(w, 16);
      v128.store(g, widened(v128.load(g), a0, k)); v128.store(g, widened(v128.load(g, 16), a1, l), 16);
      if (the<T>().n > 1) { v128.store(g, widened(v128.load(g, 32), b0, k), 32); v128.store(g, widened(v128.load(g, 48), b1, l), 48); }
      if (the<T>().n > 2) { v128.store(g, widened(v128.load(g, 64), c0, k), 64); v128.store(g, widened(v128.load(g, 80), c1, l), 80); }
      if (the<T>().n > 3) { v128.store(g, widened(v128.load(g, 96), d0, k), 96); v128.store(g, widened(v128.load(g, 112), d1, l), 112); }
      w += 32;
    } else {
      v128.store(g, a0); v128.store(g, a1, 16);
      if (the<T>().n > 1) { v128.store(g, b0, 32); v128.store(g, b1, 48); }
      if (the<T>().n > 2) { v128.store(g, c0, 64); v128.store(g, c1, 80); }
      if (the<T>().n > 3) { v128.store(g, d0, 96); v128.store(g, d1, 112); }
    }
  }
  close<U>(w, x, the<T>().n, g, f);
}
