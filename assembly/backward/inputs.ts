/**
 * The inputs of a layer's matrices, in the order in which a document's pass meets them: their squares join their sums, and what is
 * perturbed is. Sums of a layer lie side by side, [hidden] before attention, [hidden] before the feed-forward part, [heads * headDim]
 * before o; h has its own (activation.ts). Test: test/calibrate/gradient.test.ts.
 */
import { CalibrateRecord } from '../abi/calibrate';
import { Place } from '../abi/enums';
import { ModelRecord } from '../abi/records';
import { rowStride } from '../forward/norms';
import { add } from '../kernels/activation/activation';
import { addSquares } from './activation';

/** Squares of counted rows [nTokens, cols] of a place join the sums at `sums` (of all layers). */
export function addInputSquares(
  record: CalibrateRecord, sums: usize, iLayer: i32, place: Place, x: usize, xStride: usize, cols: i32,
): void {
  const hidden = rowStride(changetype<ModelRecord>(<usize>record.modelPtr).hidden);
  sums += <usize>iLayer * <usize>record.inputBytes + (place == Place.attention ? 0 : place == Place.ffn ? hidden : 2 * hidden);
  for (let t = <usize>record.skip; t < <usize>record.nTokens; t++) addSquares(x + t * xStride, cols, sums);
}

/** Perturbs rows [nTokens, padded cols] that stand at a place. */
@inline export function nudge(record: CalibrateRecord, place: Place, x: usize, xStride: usize): void {
  if (record.iLayer == record.nudgeLayer && place == record.nudgePlace) add(x, record.nudgePtr, <i32>(xStride >> 2) * record.nTokens);
}

/** Rows of the input that the pass has come to. */
export function meetInput(record: CalibrateRecord, place: Place, x: usize, xStride: usize, cols: i32): void {
  if (place < 0) return;
  nudge(record, place, x, xStride);
  if (record.collect && place != Place.h) addInputSquares(record, record.inputSqPtr, record.iLayer, place, x, xStride, cols);
}
