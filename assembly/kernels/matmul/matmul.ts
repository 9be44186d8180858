/**
 * Y[nTokens, rows] = X W^T for W in any interleaved layout, X as in kernels/matvec, one vector after the other. Weights are unpacked once
 * for all tokens (unpack.ts), x is laid out in panels of 4 tokens (panel.ts), and tiles of 8 rows x 4 tokens multiply them (tile.ts,
 * superTile.ts, floats.ts); a few tokens meet weights as they are (pairs.ts). Every sum is that of kernels/matvec, f32 terms in its order:
 * a token's result does not depend on how many come together.
 * Preconditions: those of the matvec; `xStride` bytes from one token's x to the next, `yStride` bytes from row to row of Y; `scratch` has
 * room for matmulScratch() bytes.
 * Test: test/kernels/matmul.test.ts.
 */
import { isFloat } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { fewTokens, pairs } from './pairs';
import { quants } from './quants';
import { floats } from './floats';

@unmanaged class Matmul {
  @inline on<L>(
    w: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
  ): usize {
    if (nTokens <= fewTokens<L>()) pairs<L>(w, groups, cols, x, xStride, nTokens, y, yStride);
    else if (isFloat<L>()) floats<L>(w, groups, cols, x, xStride, nTokens, y, yStride, scratch);
    else quants<L>(w, groups, cols, x, xStride, nTokens, y, yStride, scratch);
    return 0;
  }
}

export function matmul(
  layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
  scratch: usize,
): void {
  forLayout<Matmul>(layout, w, groups, cols, x, xStride, nTokens, y, yStride, scratch);
}
