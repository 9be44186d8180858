/**
 * kernels/matmul for layouts of floats: 256 columns of 8 rows become f32 once for all tokens; then tiles of 8 rows x 2 tokens. Even and odd
 * columns have sums of their own, as in kernels/matvec; they lie in `sums`, 64 B a token, until the last column.
 * A turn (2 columns) is 8 loads, 8 multiply-adds and 4 of the loop for 32 products: bound by the multiply-adds, two a cycle.
 */
import { madd } from '../../base/simd';
import { groupBytes, the, unitBytes } from '../../layouts/kinds';
import { One, Two } from './tile';

const COLS: usize = 256;

/** Bytes of `cols` columns, made ready. */
@inline function readyBytes(cols: usize): usize { return cols << 5; }

function widen<L>(w: usize, cols: usize, dst: usize): void {
  const set = unitBytes<L>() >> 1;
  for (const end = dst + readyBytes(cols); dst < end; dst += 32, w += 2 * set) {
    v128.store(dst, the<L>().four(w)); v128.store(dst, the<L>().four(w + set), 16);
  }
}

function tile<T>(w: usize, cols: usize, x: usize, z: usize, f: usize): void {
  let a0 = v128.load(f), a1 = v128.load(f, 16), b0 = v128.load(f, 32), b1 = v128.load(f, 48);
  let c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  if (the<T>().n > 1) { c0 = v128.load(f, 64); c1 = v128.load(f, 80); d0 = v128.load(f, 96); d1 = v128.load(f, 112); }
  for (const end = x + (cols >> 1 << 3); x < end; x += 8, z += 8, w += 64) {
    const v0 = v128.load(w), v1 = v128.load(w, 16), u0 = v128.load(w, 32), u1 = v128.load(w, 48);
    const even = v128.load32_splat(x), odd = v128.load32_splat(x, 4);
    a0 = madd(v0, even, a0); a1 = madd(v1, even, a1); b0 = madd(u0, odd, b0); b1 = madd(u1, odd, b1);
    if (the<T>().n > 1) {
      const evenZ = v128.load32_splat(z), oddZ = v128.load32_splat(z, 4);
      c0 = madd(v0, evenZ, c0); c1 = madd(v1, evenZ, c1); d0 = madd(u0, oddZ, d0); d1 = madd(u1, oddZ, d1);
    }
  }
  if (cols & 1) {
    const v0 = v128.load(w), v1 = v128.load(w, 16), even = v128.load32_splat(x), evenZ = v128.load32_splat(z);
    a0 = madd(v0, even, a0); a1 = madd(v1, even, a1);
    c0 = madd(v0, evenZ, c0); c1 = madd(v1, evenZ, c1);
  }
  v128.store(f, a0); v128.store(f, a1, 16); v128.store(f, b0, 32); v128.store(f, b1, 48);
  if (the<T>().n > 1) { v128.store(f, c0, 64); v128.store(f, c1, 80); v128.store(f, d0, 96); v128.store(f, d1, 112); }
}

export function floats<L>(
  w0: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
): void {
  const sums = scratch + readyBytes(COLS), isReady = the<L>().fileBytes == 4;
  for (const end = y + (groups << 5); y < end; y += 32, w0 += groupBytes<L>(<i32>cols)) {
    memory.fill(sums, 0, nTokens << 6);
    for (let from: usize = 0, w = w0; from < cols; from += COLS, w += COLS * unitBytes<L>()) {
      const n = min(COLS, cols - from), ready = isReady ? w : scratch;
      if (!isReady) widen<L>(w, n, scratch);
      let p = x + (from << 2), t: usize = 0;
      for (; t + 2 <= nTokens; t += 2, p += 2 * xStride) tile<Two>(ready, n, p, p + xStride, sums + (t << 6));
      if (t < nTokens) tile<One>(ready, n, p, p, sums + (t << 6));
    }
    for (let t: usize = 0, at = y, f = sums; t < nTokens; t++, at += yStride, f += 64) {
      v128.store(at, f32x4.add(v128.load(f), v128.load(f, 32)));
      v128.store(at, f32x4.add(v128.load(f, 16), v128.load(f, 48)), 16);
    }
  }
}
