/**
 * Heads of a width that attention cannot walk in whole tiles of 16: rows of products have them side by side [heads, headDim], attention
 * wants them `headStride` apart with zeros between. Both lie in the same row; where the two are equal nothing moves.
 */
import { ModelRecord } from '../abi/records';
import { headsStride } from './norms';

/** Side by side → padded, in place. */
export function padHeads(model: ModelRecord, x: usize, heads: i32, nTokens: i32): void {
  const bytes = <usize>model.headDim << 2, padded = <usize>model.headStride << 2, stride = headsStride(model, heads);
  if (bytes == padded) return;
  for (let t = 0; t < nTokens; t++, x += stride) {
    for (let h = heads - 1; h >= 0; h--) {
      const to = x + <usize>h * padded;
      memory.copy(to, x + <usize>h * bytes, bytes);
      memory.fill(to + bytes, 0, padded - bytes);
    }
  }
}

/** Padded → side by side, in place. */
export function joinHeads(model: ModelRecord, x: usize, heads: i32, nTokens: i32): void {
  const bytes = <usize>model.headDim << 2, padded = <usize>model.headStride << 2, stride = headsStride(model, heads);
  if (bytes == padded) return;
  for (let t = 0; t < nTokens; t++, x += stride) {
    for (let h = 1; h < heads; h++) memory.copy(x + <usize>h * bytes, x + <usize>h * padded, bytes);
  }
}
