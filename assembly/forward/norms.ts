/** Rows of activations: their stride, and normalising them. */
import { HeadNorm, Norm } from '../abi/enums';
import { LayerRecord, ModelRecord } from '../abi/records';
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

/** The same of rows of heads, which attention wants padded. */
@inline export function headsStride(model: ModelRecord, heads: i32): usize { return rowStride(heads * model.headStride); }

/** Values that a norm of q or k runs over: of one head, or of all. */
@inline export function headNormWidth(model: ModelRecord, layer: LayerRecord, heads: i32): i32 {
  return layer.headNorm == HeadNorm.row ? heads * model.headDim : model.headDim;
}

/** Rows of `heads` heads normed in place, head by head or as a whole; `weight` 0: not at all. */
export function normHeads(model: ModelRecord, layer: LayerRecord, x: usize, weight: usize, heads: i32, nTokens: i32): void {
  if (!weight) return;
  const width = headNormWidth(model, layer, heads), bytes = <usize>(heads * model.headDim) << 2, stride = headsStride(model, heads);
  const each: usize = layer.headNorm == HeadNorm.each ? 1 : 0;
  for (let t = 0; t < nTokens; t++, x += stride) {
    for (let at: usize = 0; at < bytes; at += <usize>width << 2) norm(model, x + at, weight + each * at, 0, width, x + at);
  }
}
