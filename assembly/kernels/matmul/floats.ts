/**
 * kernels/matmul for layouts of floats: 256 columns of 8 rows become f32 once for all tokens; then tiles of 8 rows x 4 tokens. Even and odd
 * columns have sums of their own, as in kernels/matvec, and turns of their own: both at once would be sixteen accumulators. Sums lie in
 * `sums`, 64 B a token, until the last column.
 * A turn (a column of 4 tokens) is 6 loads, 8 multiply-adds and 8 of addresses and the loop for 32 products: bound by the multiply-adds,
 * two a cycle. (8 rows x 2 tokens x 2 columns is as many, but V8 loads all 8 vectors first and spills.)
 */
import { madd } from '../../base/simd';
import { groupBytes, isHalf, the, unitBytes } from '../../layouts/kinds';

const COLS: usize = 256;

/** Bytes of `cols` columns, made ready. */
@inline function readyBytes(cols: usize): usize { return cols << 5; }

/** v in full: powers of two, which matvec has in x and in its sums, change no bit. */
@inline function full<L>(v: v128): v128 { return the<L>().lift == 1 ? v : f32x4.mul(v, f32x4.splat(the<L>().lift * the<L>().lift)); }

/** Columns of Halves; those before them are an even number. */
function widen<L>(w: usize, cols: usize, dst: usize): void {
  if (!isHalf<L>()) return;
  const mask = the<L>().mask, first = the<L>().first, second = the<L>().second;
  for (const end = dst + readyBytes(cols & ~1); dst < end; dst += 64, w += 32) {
    const v = v128.load(w), u = v128.load(w, 16);
    v128.store(dst, full<L>(the<L>().even(v, first, mask))); v128.store(dst, full<L>(the<L>().even(u, first, mask)), 16);
    v128.store(dst, full<L>(the<L>().odd(v, second, mask)), 32); v128.store(dst, full<L>(the<L>().odd(u, second, mask)), 48);
  }
  if (cols & 1) { v128.store(dst, full<L>(the<L>().four(w))); v128.store(dst, full<L>(the<L>().four(w + 8)), 16); }
}

/** Every second of `n` columns of 8 rows, from w, times 4 tokens, x of the first at `x`, of the last there is at `last`; added to f. */
function tile(w: usize, n: usize, x: usize, xStride: usize, last: usize, f: usize): void {
  let a0 = v128.load(f), a1 = v128.load(f, 16), b0 = v128.load(f, 64), b1 = v128.load(f, 80);
  let c0 = v128.load(f, 128), c1 = v128.load(f, 144), d0 = v128.load(f, 192), d1 = v128.load(f, 208);
  let y = min(x + xStride, last), z = min(y + xStride, last), q = min(z + xStride, last);
  for (const end = w + readyBytes(n); w < end; w += 64, x += 8, y += 8, z += 8, q += 8) {
    const v = v128.load(w), u = v128.load(w, 16);
    let s = v128.load32_splat(x);
    a0 = madd(v, s, a0); a1 = madd(u, s, a1);
    s = v128.load32_splat(y); b0 = madd(v, s, b0); b1 = madd(u, s, b1);
    s = v128.load32_splat(z); c0 = madd(v, s, c0); c1 = madd(u, s, c1);
    s = v128.load32_splat(q); d0 = madd(v, s, d0); d1 = madd(u, s, d1);
  }
  v128.store(f, a0); v128.store(f, a1, 16); v128.store(f, b0, 64); v128.store(f, b1, 80);
  v128.store(f, c0, 128); v128.store(f, c1, 144); v128.store(f, d0, 192); v128.store(f, d1, 208);
}

export function floats<L>(
  w0: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
): void {
  const sums = scratch + readyBytes(COLS), isReady = !isHalf<L>();
  for (const end = y + (groups << 5); y < end; y += 32, w0 += groupBytes<L>(<i32>cols)) {
    memory.fill(sums, 0, nTokens + 3 >> 2 << 8);
    for (let from: usize = 0, w = w0; from < cols; from += COLS, w += COLS * unitBytes<L>()) {
      const n = min(COLS, cols - from), ready = isReady ? w : scratch;
      if (!isReady) widen<L>(w, n, scratch);
      let p = x + (from << 2);
      const last = p + (nTokens - 1) * xStride;
      for (let f = sums; p <= last; p += 4 * xStride, f += 256) {
        tile(ready, n, p, xStride, last, f);
        tile(ready + 32, n - 1, p + 4, xStride, last + 4, f + 32);
      }
    }
    for (let t: usize = 0, at = y, f = sums; t < nTokens; t++, at += yStride, f += 64) {
      v128.store(at, f32x4.add(v128.load(f), v128.load(f, 32)));
      v128.store(at, f32x4.add(v128.load(f, 16), v128.load(f, 48)), 16);
    }
  }
}
