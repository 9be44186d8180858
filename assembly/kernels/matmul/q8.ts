/**
 * Y[nTokens, rows] = X W^T for 8-bit weights in the interleaved layouts q8_0, q8_1, q5_k and q6_k, X quantised as X8 records. Tiles of
 * 4 rows x 4 tokens as in kernels/matmul/q4.ts; arithmetic and order of sums as in kernels/matvec/q8.ts.
 * Test: test/kernels/matmul.test.ts.
 */
import { Layout } from '../../abi/enums';
import { bytes4u, half4Exact, madd, mask00ff } from '../../base/simd';
import { addBlock8 } from '../matvec/q8';
import { X8_DATA, X8_STRIDE } from '../quantize/quantize';

/** 4 rows (set 0 or 1 of a group; `w` points at its first quants) times 4 tokens. `layout` and `set` are literals. */
@inline function tile(
  layout: i32, set: usize, w: usize, nBlocks: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  const low = mask00ff();
  const perSuper = layout == Layout.q5_k || layout == Layout.q6_k; // folded
  const scaleAt: usize = 256 - set * 16 + (perSuper ? set * 4 : set * 8);
  const minAt: usize = perSuper ? scaleAt + 8 : scaleAt + 16;
  const blockBytes: usize = layout == Layout.q8_1 ? 288 : 272;
  let f0 = f32x4.splat(0), f1 = f0, f2 = f0, f3 = f0;
  let g0 = f0, g1 = f0, g2 = f0, g3 = f0, h0 = f0, h1 = f0, h2 = f0, h3 = f0;
  for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
    let v: v128, u: v128;
    let a0 = v128.load32_splat(x0, 80), a1 = v128.load32_splat(x1, 80), a2 = v128.load32_splat(x2, 80), a3 = v128.load32_splat(x3, 80);
    v = v128.load(w, 0); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 0)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 4))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 0)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 4))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 0)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 4))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 0)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 4))));
    v = v128.load(w, 32); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 8)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 12))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 8)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 12))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 8)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 12))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 8)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 12))));
    v = v128.load(w, 64); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 16)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 20))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 16)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 20))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 16)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 20))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 16)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 20))));
    v = v128.load(w, 96); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 24)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 28))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 24)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 28))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 24)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 28))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 24)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 28))));
    if (layout == Layout.q6_k) {
      g0 = addBlock8(layout, a0, w + scaleAt, 0, x0 + X8_DATA, g0);
      g1 = addBlock8(layout, a1, w + scaleAt, 0, x1 + X8_DATA, g1);
      g2 = addBlock8(layout, a2, w + scaleAt, 0, x2 + X8_DATA, g2);
      g3 = addBlock8(layout, a3, w + scaleAt, 0, x3 + X8_DATA, g3);
      a0 = v128.load32_splat(x0, 84); a1 = v128.load32_splat(x1, 84); a2 = v128.load32_splat(x2, 84); a3 = v128.load32_splat(x3, 84);
    } else {
      a0 = i32x4.add(a0, v128.load32_splat(x0, 84));
      a1 = i32x4.add(a1, v128.load32_splat(x1, 84));
      a2 = i32x4.add(a2, v128.load32_splat(x2, 84));
      a3 = i32x4.add(a3, v128.load32_splat(x3, 84));
    }
    v = v128.load(w, 128); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 32)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 36))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 32)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 36))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 32)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 36))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 32)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 36))));
    v = v128.load(w, 160); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 40)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 44))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 40)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 44))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 40)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 44))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 40)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 44))));
    v = v128.load(w, 192); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 48)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 52))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 48)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 52))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 48)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 52))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 48)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 52))));
    v = v128.load(w, 224); u = v128.and(v, low);
    a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x0, 56)), i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 60))));
    a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x1, 56)), i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 60))));
    a2 = i32x4.add(a2, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x2, 56)), i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 60))));
    a3 = i32x4.add(a3, i32x4.add(i32x4.dot_i16x8_s(v, v128.load32_splat(x3, 56)), i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 60))));
    if (layout == Layout.q6_k) {
      g0 = addBlock8(layout, a0, w + minAt, 0, x0 + X8_DATA, g0);
      g1 = addBlock8(layout, a1, w + minAt, 0, x1 + X8_DATA, g1);
      g2 = addBlock8(layout, a2, w + minAt, 0, x2 + X8_DATA, g2);
      g3 = addBlock8(layout, a3, w + minAt, 0, x3 + X8_DATA, g3);
    } else if (layout == Layout.q5_k) {
      g0 = addBlock8(layout, a0, w + scaleAt, 0, x0 + X8_DATA, g0);
      h0 = madd(v128.load32_splat(x0, X8_DATA + 8), bytes4u(w + minAt), h0);
      g1 = addBlock8(layout, a1, w + scaleAt, 0, x1 + X8_DATA, g1);
      h1 = madd(v128.load32_splat(x1, X8_DATA + 8), bytes4u(w + minAt), h1);
      g2 = addBlock8(layout, a2, w + scaleAt, 0, x2 + X8_DATA, g2);
      h2 = madd(v128.load32_splat(x2, X8_DATA + 8), bytes4u(w + minAt), h2);
      g3 = addBlock8(layout, a3, w + scaleAt, 0, x3 + X8_DATA, g3);
      h3 = madd(v128.load32_splat(x3, X8_DATA + 8), bytes4u(w + minAt), h3);
    } else {
      f0 = addBlock8(layout, a0, w + scaleAt, w + minAt, x0 + X8_DATA, f0);
      f1 = addBlock8(layout, a1, w + scaleAt, w + minAt, x1 + X8_DATA, f1);
      f2 = addBlock8(layout, a2, w + scaleAt, w + minAt, x2 + X8_DATA, f2);
      f3 = addBlock8(layout, a3, w + scaleAt, w + minAt, x3 + X8_DATA, f3);
    }
    w += blockBytes;
    x0 += X8_STRIDE; x1 += X8_STRIDE; x2 += X8_STRIDE; x3 += X8_STRIDE;
    if (perSuper) {
      if ((iBlock & 7) == 7) {
        const d = half4Exact(w - set * 16 + set * 8);
        f0 = f32x4.add(f0, f32x4.mul(g0, d));
        f1 = f32x4.add(f1, f32x4.mul(g1, d));
        f2 = f32x4.add(f2, f32x4.mul(g2, d));
        f3 = f32x4.add(f3, f32x4.mul(g3, d));
        if (layout == Layout.q5_k) {
          const dmin = half4Exact(w - set * 16 + set * 8 + 16);
          f0 = f32x4.sub(f0, f32x4.mul(h0, dmin));
          f1 = f32x4.sub(f1, f32x4.mul(h1, dmin));
          f2 = f32x4.sub(f2, f32x4.mul(h2, dmin));
          f3 = f32x4.sub(f3, f32x4.mul(h3, dmin));
          w += 16;
        }
        g0 = f32x4.splat(0); g1 = g0; g2 = g0; g3 = g0; h0 = g0; h1 = g0; h2 = g0; h3 = g0;
        w += 16;
      }
    }
  }
  v128.store(y0, f0); v128.store(y1, f1); v128.store(y2, f2); v128.store(y3, f3);
}

/** `layout` must be a literal. */
@inline function matmul(layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const nBlocks = cols >> 5;
  const groupBytes: usize = layout == Layout.q5_k ? <usize>(nBlocks >> 3) * 2208
    : layout == Layout.q6_k ? <usize>(nBlocks >> 3) * 2192
    : <usize>nBlocks * (layout == Layout.q8_1 ? 288 : 272);
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 4) {
      const t1 = min(t + 1, last), t2 = min(t + 2, last), t3 = min(t + 3, last);
      const x0 = x + t * xStride, x1 = x + t1 * xStride, x2 = x + t2 * xStride, x3 = x + t3 * xStride;
      const y0 = y + t * yStride, y1 = y + t1 * yStride, y2 = y + t2 * yStride, y3 = y + t3 * yStride;
      tile(layout, 0, w, nBlocks, x0, x1, x2, x3, y0, y1, y2, y3);
      tile(layout, 1, w + 16, nBlocks, x0, x1, x2, x3, y0 + 16, y1 + 16, y2 + 16, y3 + 16);
    }
    w += groupBytes;
  }
}

export function matmulQ80(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q8_0, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
export function matmulQ81(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q8_1, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
export function matmulQ5K(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q5_k, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
export function matmulQ6K(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q6_k, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
