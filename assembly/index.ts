/** The shipped engine: few exports, fixed arity, integers in and out. Status 0 or a negative `Status`. */
import { ModelRecord, SequenceRecord, WorkspaceRecord } from './abi/records';
import { adaptOf, layerOf } from './adapt/state';
import { refineLogits } from './forward/head';
import { pass } from './forward/pass';
import { fillFrequencies } from './forward/rotate';
import { unorderLayer } from './forward/order';
import { askedOf, modelOf } from './forward/tokens';
import { runTrial } from './forward/trial';
import { decode, moveCogLoads, resetAdapt, selectNow } from './forward/step';

export { heapBase } from './base/memory';
export { repack } from './kernels/repack/repack';
export { listWide, sketch } from './kernels/sketch/sketch';
export { expand } from './kernels/embed/embed';
export { packRows, rowBytes } from './kernels/neurons/rows';
export { packColumns, columnBytes } from './kernels/columns/form';
export { columnNorms, dequantMatvec } from './kernels/embed/norms';
export { fingerprint } from './kernels/fingerprint/fingerprint';
export { readMemory } from './kernels/bandwidth/bandwidth';
export { selfTest } from './forward/selftest';

/** Changes whenever a record, a layout or an export changes its meaning; the host refuses another one. */
export function abiVersion(): i32 { return 12; }

/** Once a model is in place: fills what the engine computes for itself. */
export function prepare(modelPtr: usize): void {
  fillFrequencies(changetype<ModelRecord>(modelPtr));
}

/**
 * nTokens tokens (1 .. chunk) of the workspace's table, dense but where a sequence is `masked`; logits and reports of those of which they
 * are wanted (0 .. logitRows).
 */
export function prefill(workPtr: usize, nTokens: i32): i32 {
  const work = changetype<WorkspaceRecord>(workPtr);
  moveCogLoads(work, nTokens);
  return pass(work, nTokens);
}

/** One token of a sequence: the decode step, with whatever its AdaptRecord skips. */
export function step(workPtr: usize, sequencePtr: usize, id: i32): i32 {
  const work = changetype<WorkspaceRecord>(workPtr), token = askedOf(work, 0);
  adaptOf(changetype<SequenceRecord>(sequencePtr)).masked = 0;
  token.id = id;
  token.sequencePtr = <u32>sequencePtr;
  token.position = changetype<SequenceRecord>(sequencePtr).position;
  token.wanted = 1;
  return decode(work);
}

/**
 * Logits of a sequence from `floor` up become exact, of the `count` tokens at `ids` (i32) as well; -infinity: all of them
 * (forward/head.ts).
 */
export function refine(workPtr: usize, sequencePtr: usize, floor: f32, ids: usize, count: i32): void {
  refineLogits(changetype<WorkspaceRecord>(workPtr), changetype<SequenceRecord>(sequencePtr), floor, ids, count);
}

/** Forgets what a sequence has shown of its neurons and its load. */
export function forget(workPtr: usize, sequencePtr: usize): void {
  resetAdapt(modelOf(changetype<WorkspaceRecord>(workPtr)), adaptOf(changetype<SequenceRecord>(sequencePtr)));
}

/** Makes the selection of a sequence from its statistics as they are: for calibration, and to look at it before a step. */
export function reselect(workPtr: usize, sequencePtr: usize): void {
  selectNow(changetype<WorkspaceRecord>(workPtr), changetype<SequenceRecord>(sequencePtr));
}

/** Rows that a mask has ordered in place go back to the file's order. */
export function unorder(workPtr: usize): void {
  const work = changetype<WorkspaceRecord>(workPtr), model = modelOf(work);
  for (let i = 0; i < model.nLayers; i++) unorderLayer(model, layerOf(model, i), work.quantPtr);
}

/** One `part` (Trial) of a layer's feed-forward part, for the host to time (forward/trial.ts). */
export function trial(workPtr: usize, sequencePtr: usize, iLayer: i32, part: i32, count: i32): void {
  runTrial(changetype<WorkspaceRecord>(workPtr), changetype<SequenceRecord>(sequencePtr), iLayer, part, count);
}
