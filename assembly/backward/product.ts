/**
 * Both directions of a matrix, for many tokens, whatever its layout; activations stay f32 (nothing is quantised here).
 *   product     Y[nTokens, rows]  = X W^T (+ bias)      8 rows x 4 tokens a tile, lanes are rows
 *   transposed  dX[nTokens, cols] += dY W               16 columns x 2 tokens a tile over 32 rows, lanes are columns
 * Weights stay in the arena as the file has them. A few rows at a time are expanded to f32 in `scratch`, once for all tokens (about 7 % of
 * the time at 320 tokens) and in the order in which the direction reads them, so neither an f32 model nor a transposed one ever exists.
 * Preconditions: strides are multiples of 128 (rows padded to 32 values), `scratch` holds 32 * `tileStride(cols)` bytes.
 * Error: that of f32 sums over cols or rows. Test: test/calibrate/product.test.ts.
 */
import { madd } from '../base/simd';
import { dequantRow, expand } from '../kernels/embed/embed';
import { F32 } from '../layouts/f32';
import { the } from '../layouts/kinds';
import { layoutBytes } from '../layouts/sizes';

/** Rows that `transposed` expands together: their part of a tile, 2 KB, stays in the first-level cache. */
const ROWS: i32 = 32;

/** Bytes from row to row of expanded weights: an odd number of cache lines, or rows of a tile would fall on the same few sets. */
@inline function tileStride(cols: i32): usize {
  return (((<usize>cols << 2) + 63) & ~63) | 64;
}

/** 8 rows (interleaved f32, `w`) against all tokens. */
function groupProduct(w0: usize, cols: i32, x: usize, xStride: usize, nTokens: i32, bias: usize, y: usize, yStride: usize): void {
  const last = <usize>(nTokens - 1);
  const bias0 = bias ? v128.load(bias) : f32x4.splat(0), bias1 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  for (let t: usize = 0; t <= last; t += 4) {
    const t1 = min(t + 1, last), t2 = min(t + 2, last), t3 = min(t + 3, last);
    let p = x + t * xStride, q = x + t1 * xStride, r = x + t2 * xStride, s = x + t3 * xStride;
    let a0 = bias0, b0 = bias0, c0 = bias0, d0 = bias0, a1 = bias1, b1 = bias1, c1 = bias1, d1 = bias1;
    let w = w0;
    for (const end = p + (<usize>cols << 2); p < end; p += 4, q += 4, r += 4, s += 4, w += 32) {
      const u = v128.load(w), v = v128.load(w, 16);
      let z = v128.load32_splat(p); a0 = madd(u, z, a0); a1 = madd(v, z, a1);
      z = v128.load32_splat(q); b0 = madd(u, z, b0); b1 = madd(v, z, b1);
      z = v128.load32_splat(r); c0 = madd(u, z, c0); c1 = madd(v, z, c1);
      z = v128.load32_splat(s); d0 = madd(u, z, d0); d1 = madd(v, z, d1);
    }
    let o = y + t * yStride; v128.store(o, a0); v128.store(o, a1, 16);
    o = y + t1 * yStride; v128.store(o, b0); v128.store(o, b1, 16);
    o = y + t2 * yStride; v128.store(o, c0); v128.store(o, c1, 16);
    o = y + t3 * yStride; v128.store(o, d0); v128.store(o, d1, 16);
  }
}

/** `bias` [rows padded to 8] f32 or 0; Y's rows have room for `rows` padded to 8. */
export function product(
  layout: i32, w: usize, bias: usize, rows: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
  scratch: usize,
): void {
  const groupBytes = layoutBytes(layout, 8, cols), row = scratch + (<usize>cols << 5);
  for (const end = y + (<usize>((rows + 7) >> 3) << 5); y < end; y += 32, w += groupBytes) {
    let group = w;
    if (layout != the<F32>().layout) { expand(layout, w, 8, cols, row, scratch); group = scratch; }
    groupProduct(group, cols, x, xStride, nTokens, bias, y, yStride);
    if (bias) bias += 32;
  }
}

/** dX += dY W over `count` expanded rows. Both tokens of an odd end are the same one: it is loaded twice before it is stored twice. */
function tileTransposed(
  w0: usize, wStride: usize, count: i32, cols: i32, dy: usize, dyStride: usize, nTokens: i32, dx: usize, dxStride: usize,
): void {
  const last = <usize>(nTokens - 1), dyBytes = <usize>count << 2;
  for (const wEnd = w0 + (<usize>cols << 2); w0 < wEnd; w0 += 64, dx += 64) {
    for (let t: usize = 0; t <= last; t += 2) {
      const t1 = min(t + 1, last), p = dx + t * dxStride, q = dx + t1 * dxStride;
      let a0 = v128.load(p), a1 = v128.load(p, 16), a2 = v128.load(p, 32), a3 = v128.load(p, 48);
      let b0 = v128.load(q), b1 = v128.load(q, 16), b2 = v128.load(q, 32), b3 = v128.load(q, 48);
      let g = dy + t * dyStride, h = dy + t1 * dyStride, w = w0;
      for (const end = g + dyBytes; g < end; g += 4, h += 4, w += wStride) {
        const r = v128.load32_splat(g), s = v128.load32_splat(h);
        let v = v128.load(w); a0 = madd(v, r, a0); b0 = madd(v, s, b0);
        v = v128.load(w, 16); a1 = madd(v, r, a1); b1 = madd(v, s, b1);
        v = v128.load(w, 32); a2 = madd(v, r, a2); b2 = madd(v, s, b2);
        v = v128.load(w, 48); a3 = madd(v, r, a3); b3 = madd(v, s, b3);
      }
      v128.store(p, a0); v128.store(p, a1, 16); v128.store(p, a2, 32); v128.store(p, a3, 48);
      v128.store(q, b0); v128.store(q, b1, 16); v128.store(q, b2, 32); v128.store(q, b3, 48);
    }
  }
}

/** Adds to dX [nTokens, cols], whose rows have room for cols padded to 16. */
export function transposed(
  layout: i32, w: usize, rows: i32, cols: i32, dy: usize, dyStride: usize, nTokens: i32, dx: usize, dxStride: usize, scratch: usize,
): void {
  const stride = tileStride(cols);
  for (let row = 0; row < rows; row += ROWS, dy += <usize>ROWS << 2) {
    const count = min(ROWS, rows - row);
    for (let r = 0; r < count; r++) dequantRow(layout, w, cols, row + r, scratch + <usize>r * stride);
    tileTransposed(scratch, stride, count, cols, dy, dyStride, nTokens, dx, dxStride);
  }
}
