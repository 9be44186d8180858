/** Rows of activations: their stride, and normalising them. */
import { Norm } from '../abi/enums';
import { ModelRecord } from '../abi/records';
import { layerNorm, rmsNorm } from '../kernels/norm/norm';

/** Bytes from row to row of a buffer [nTokens, width] f32: widths are padded to 32. */
@inline export function rowStride(width: i32): usize { return <usize>((width + 31) & ~31) << 2; }

@inline function norm(model: ModelRecord, x: usize, weight: usize, bias: usize, cols: i32, y: usize): void {
  if (model.norm == Norm.rms) rmsNorm(x, weight, cols, model.normEps, y);
  else layerNorm(x, weight, bias, cols, model.normEps, y);
}

/** y = norm(x) for every row; a copy where the family has no norm here. Both have the residual stream's width. */
export function normRows(model: ModelRecord, x: usize, weight: usize, bias: usize, nTokens: i32, y: usize): void {
  const stride = rowStride(model.hidden);
  if (!weight) { memory.copy(y, x, <usize>nTokens * stride); return; }
  for (let t = 0; t < nTokens; t++, x += stride, y += stride) norm(model, x, weight, bias, model.hidden, y);
}

/** Every head of every row normed in place; `weight` [headDim] of all of them, or 0: none. */
export function normHeads(model: ModelRecord, x: usize, weight: usize, heads: i32, stride: usize, nTokens: i32): void {
  if (!weight) return;
  for (let t = 0; t < nTokens; t++, x += stride) {
    for (let h = 0; h < heads; h++) { const head = x + <usize>(h * model.headDim) * 4; norm(model, head, weight, 0, model.headDim, head); }
  }
}
