/** Where a pass begins: a token's row of the residual stream. */
import { ModelRecord } from '../abi/records';
import { add } from '../kernels/activation/activation';
import { dequantRow } from '../kernels/embed/embed';

/** x [hidden] = embedding of token `id` [+ that of its position]. */
export function embedToken(model: ModelRecord, id: i32, position: i32, x: usize): void {
  dequantRow(model.embedLayout, model.embedPtr, model.hidden, id, x);
  if (model.positionPtr) add(x, <usize>model.positionPtr + <usize>position * (<usize>model.hidden << 2), model.hidden);
}
