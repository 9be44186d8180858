/** The shipped engine: few exports, fixed arity, integers in and out. Status 0 or a negative `Status`. */
import { Rope } from './abi/enums';
import { LayerRecord, ModelRecord, SessionRecord } from './abi/records';
import { ropeFrequencies } from './kernels/rope/rope';
import { pass } from './forward/pass';
import { unorderLayer } from './forward/order';
import { runTrial } from './forward/trial';
import { decode, resetAdapt, selectNow } from './forward/step';

export { heapBase } from './base/memory';
export { repack } from './kernels/repack/repack';
export { expand } from './kernels/embed/embed';
export { packRows, rowBytes } from './kernels/neurons/rows';
export { packColumns, columnBytes } from './kernels/neurons/columns';
export { columnNorms, dequantMatvec } from './kernels/embed/norms';
export { fingerprint } from './kernels/fingerprint/fingerprint';
export { readMemory } from './kernels/bandwidth/bandwidth';
export { selfTest } from './forward/selftest';

/** Changes whenever a record, a layout or an export changes its meaning; the host refuses another one. */
export function abiVersion(): i32 { return 3; }

/** Once a model is in place: fills what the engine computes for itself. */
export function prepare(modelPtr: usize): void {
  const model = changetype<ModelRecord>(modelPtr);
  if (model.rope != Rope.none) ropeFrequencies(model.ropeFreqPtr, model.ropeDim, model.ropeBase, model.ropeScale, model.ropeFactorsPtr);
}

/** nTokens tokens (1 .. chunk) from the session's token buffer; logits and reports of the last `rows` of them (1 .. logitRows). */
export function prefill(sessionPtr: usize, nTokens: i32, rows: i32): i32 {
  return pass(changetype<SessionRecord>(sessionPtr), nTokens, rows);
}

/** One token: the decode step, with whatever its AdaptRecord skips. */
export function step(sessionPtr: usize, token: i32): i32 {
  const session = changetype<SessionRecord>(sessionPtr);
  store<i32>(session.tokensPtr, token);
  return decode(session);
}

/** Forgets what a sequence has shown of its neurons and its load. */
export function forget(sessionPtr: usize): void {
  resetAdapt(changetype<SessionRecord>(sessionPtr));
}

/** Makes the selection from the statistics as they are: for calibration, and to look at it before a step. */
export function reselect(sessionPtr: usize): void {
  selectNow(changetype<SessionRecord>(sessionPtr));
}

/** Rows that a mask has ordered in place go back to the file's order. */
export function unorder(sessionPtr: usize): void {
  const session = changetype<SessionRecord>(sessionPtr), model = changetype<ModelRecord>(<usize>session.modelPtr);
  for (let i = 0; i < model.nLayers; i++) unorderLayer(model, changetype<LayerRecord>(<usize>model.layersPtr + <usize>i * offsetof<LayerRecord>()), session.quantPtr);
}

/** One product of a layer's feed-forward part, for the host to time (forward/trial.ts). */
export function trial(sessionPtr: usize, iLayer: i32, part: i32, count: i32): void {
  runTrial(changetype<SessionRecord>(sessionPtr), iLayer, part, count);
}
