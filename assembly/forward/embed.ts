/** Where a pass begins and ends: a token's row of the residual stream, and what becomes of the head's products. */
import { ModelRecord } from '../abi/records';
import { add, scale, softCap } from '../kernels/activation/activation';
import { dequantRow } from '../kernels/embed/embed';

/** x [hidden] = embedding of token `id`, scaled [+ that of its position]. */
export function embedToken(model: ModelRecord, id: i32, position: i32, x: usize): void {
  dequantRow(model.embedLayout, model.embedPtr, model.hidden, id, x);
  if (model.embedScale != 1) scale(x, model.embedScale, model.hidden);
  if (model.positionPtr) add(x, <usize>model.positionPtr + <usize>position * (<usize>model.hidden << 2), model.hidden);
}

/** A row of the head's products → logits: scaled, and bent to stay within the cap, where the family does that. */
export function finishLogits(model: ModelRecord, row: usize): void {
  if (model.logitScale != 1) scale(row, model.logitScale, model.vocab);
  if (model.logitCap) softCap(row, model.logitCap, model.vocab);
}
