/** Rows of activations: their stride, and normalising them. */
import { Norm } from '../abi/enums';
import { ModelRecord } from '../abi/records';
import { layerNorm, rmsNorm } from '../kernels/norm/norm';

/** Bytes from row to row of a buffer [nTokens, width] f32: widths are padded to 32. */
@inline export function rowStride(width: i32): usize { return <usize>((width + 31) & ~31) << 2; }

/** y = norm(x) for every row; both have the residual stream's width. */
export function normRows(model: ModelRecord, x: usize, weight: usize, bias: usize, nTokens: i32, y: usize): void {
  const stride = rowStride(model.hidden);
  for (let t = 0; t < nTokens; t++, x += stride, y += stride) {
    if (model.norm == Norm.rms) rmsNorm(x, weight, model.hidden, model.normEps, y);
    else layerNorm(x, weight, bias, model.hidden, model.normEps, y);
  }
}
