/** Where a pass begins and ends: a token's row of the residual stream, and what becomes of the head's products. */
import { ModelRecord } from '../abi/records';
import { add, scale, softCap } from '../kernels/activation/activation';
import { dequantRow } from '../kernels/embed/embed';
import { firstBytes, secondBytes } from '../kernels/planes/planes';
import { joinPlanes } from '../kernels/planes/split';

/** x [hidden] = embedding of token `id`, scaled [+ that of its position]. `joined`: room for 8 rows of an embedding in two planes. */
export function embedToken(model: ModelRecord, id: i32, position: i32, x: usize, joined: usize): void {
  const layout = model.embedLayout, cols = model.hidden, at = <usize>(id >> 3);
  if (model.embedRestPtr) {
    const first = <usize>model.embedPtr + at * firstBytes(layout, cols);
    joinPlanes(layout, first, <usize>model.embedRestPtr + at * secondBytes(layout, cols), 1, cols, joined);
    dequantRow(layout, joined, cols, id & 7, x);
  } else dequantRow(layout, model.embedPtr, cols, id, x);
  if (model.embedScale != 1) scale(x, model.embedScale, model.hidden);
  if (model.positionPtr) add(x, <usize>model.positionPtr + <usize>position * (<usize>model.hidden << 2), model.hidden);
}

/** A row of the head's products → logits: scaled, and bent to stay within the cap, where the family does that. */
export function finishLogits(model: ModelRecord, row: usize): void {
  if (model.logitScale != 1) scale(row, model.logitScale, model.vocab);
  if (model.logitCap) softCap(row, model.logitCap, model.vocab);
}
