/**
 * Y[nTokens, rows] = X W^T for f32, f16 and bf16 weights in the interleaved layouts, X f32. A tile is 8 rows x 2 tokens with even and odd
 * columns apart, which is the order of sums of kernels/matvec/floats.ts. Preconditions as there; strides in bytes.
 * Test: test/kernels/matmul.test.ts.
 */
import { Layout } from '../../abi/enums';
import { madd } from '../../base/simd';
import { setBytes, weights4 } from '../matvec/floats';

/** `layout` must be a literal. */
@inline function matmul(layout: i32, w0: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const set = setBytes(layout);
  const groupBytes = <usize>cols * 2 * set;
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 2) {
      const t1 = min(t + 1, last);
      let p = x + t * xStride, q = x + t1 * xStride, w = w0;
      const pEven = p + ((<usize>cols >> 1) << 3);
      let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
      for (; p < pEven; p += 8, q += 8) {
        let v = weights4(layout, w), u = weights4(layout, w + set), r = v128.load32_splat(p), s = v128.load32_splat(q);
        a0 = madd(v, r, a0); a1 = madd(u, r, a1);
        c0 = madd(v, s, c0); c1 = madd(u, s, c1);
        v = weights4(layout, w + 2 * set); u = weights4(layout, w + 3 * set); r = v128.load32_splat(p, 4); s = v128.load32_splat(q, 4);
        b0 = madd(v, r, b0); b1 = madd(u, r, b1);
        d0 = madd(v, s, d0); d1 = madd(u, s, d1);
        w += 4 * set;
      }
      if (cols & 1) {
        const v = weights4(layout, w), u = weights4(layout, w + set), r = v128.load32_splat(p), s = v128.load32_splat(q);
        a0 = madd(v, r, a0); a1 = madd(u, r, a1);
        c0 = madd(v, s, c0); c1 = madd(u, s, c1);
      }
      const y0 = y + t * yStride, y1 = y + t1 * yStride;
      v128.store(y0, f32x4.add(a0, b0)); v128.store(y0, f32x4.add(a1, b1), 16);
      v128.store(y1, f32x4.add(c0, d0)); v128.store(y1, f32x4.add(c1, d1), 16);
    }
    w0 += groupBytes;
  }
}

export function matmulF32(w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.f32, w, groups, cols, x, xStride, nTokens, y, yStride);
}
export function matmulF16(w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.f16, w, groups, cols, x, xStride, nTokens, y, yStride);
}
export function matmulBF16(w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.bf16, w, groups, cols, x, xStride, nTokens, y, yStride);
}
