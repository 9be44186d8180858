/**
 * y[rows] = W x for f32, f16 and bf16 weights in the interleaved layouts (abi/enums.ts), x f32. Lanes are rows; even and odd columns
 * have accumulators of their own (four chains hide the latency of the multiply-add), joined once at the end.
 * Preconditions: W has `groups` groups of 8 rows; y has room for all of them; cols any. Error: cols * 6e-8 of the sum of magnitudes.
 * Test: test/kernels/matvec.test.ts.
 */
import { Layout } from '../../abi/enums';
import { brain4, half4Exact, madd } from '../../base/simd';

/** Four weights as f32. */
@inline export function weights4(layout: i32, p: usize): v128 {
  if (layout == Layout.f32) return v128.load(p);
  if (layout == Layout.f16) return half4Exact(p);
  return brain4(p);
}

/** Bytes of 4 rows of one column. */
@inline export function setBytes(layout: i32): usize { return layout == Layout.f32 ? 16 : 8; }

/** `layout` must be a literal: each call site becomes a kernel of its own. */
@inline function matvec(layout: i32, w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const set = setBytes(layout);
  const xEven = x0 + ((<usize>cols >> 1) << 3);
  const xEnd = x0 + (<usize>cols << 2);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0;
    let x = x0;
    for (; x < xEven; x += 8) {
      const even = v128.load32_splat(x), odd = v128.load32_splat(x, 4);
      a0 = madd(weights4(layout, w), even, a0);
      a1 = madd(weights4(layout, w + set), even, a1);
      b0 = madd(weights4(layout, w + 2 * set), odd, b0);
      b1 = madd(weights4(layout, w + 3 * set), odd, b1);
      w += 4 * set;
    }
    if (x < xEnd) {
      const even = v128.load32_splat(x);
      a0 = madd(weights4(layout, w), even, a0);
      a1 = madd(weights4(layout, w + set), even, a1);
      w += 2 * set;
    }
    v128.store(y, f32x4.add(a0, b0));
    v128.store(y, f32x4.add(a1, b1), 16);
  }
}

export function matvecF32(w: usize, groups: i32, cols: i32, x: usize, y: usize): void { matvec(Layout.f32, w, groups, cols, x, y); }
export function matvecF16(w: usize, groups: i32, cols: i32, x: usize, y: usize): void { matvec(Layout.f16, w, groups, cols, x, y); }
export function matvecBF16(w: usize, groups: i32, cols: i32, x: usize, y: usize): void { matvec(Layout.bf16, w, groups, cols, x, y); }
