/**
 * The calibration binary: a document forward and backward, layer by layer as the host asks (offline work: it gives the event loop a turn
 * between layers). Loading is that of the engine; who only runs models never downloads this one.
 */
import { CalibrateRecord } from './abi/calibrate';
import { divergenceRows, embedDocument, headRows } from './backward/head';
import { layerBackward, layerForward } from './backward/layer';

export { abiVersion, expand, fingerprint, heapBase, prepare, repack, selfTest } from './index';

/** Slot 0 from the document's tokens. */
export function embed(record: usize): void { embedDocument(changetype<CalibrateRecord>(record)); }

/** Slot `from` through a layer into slot `to`; with `collect` its neurons' activations join the sums. */
export function forward(record: usize, iLayer: i32, from: i32, to: i32, collect: i32): void {
  layerForward(changetype<CalibrateRecord>(record), iLayer, from, to, collect != 0);
}

/** Loss of `count` positions from slot `iSlot` (labels drawn where they are -1), with `gradient` the gradient there. */
export function head(record: usize, iSlot: i32, first: i32, count: i32, gradient: i32): void {
  headRows(changetype<CalibrateRecord>(record), iSlot, first, count, gradient != 0);
}

/** Gradient at slot iLayer + 1 → at slot iLayer; Fisher and gradient norms join the sums; dL/dh is left in hPtr. */
export function backward(record: usize, iLayer: i32): void { layerBackward(changetype<CalibrateRecord>(record), iLayer); }

/** KL of the distributions of slot `other` from those of slot nLayers at every `every`-th position. */
export function divergence(record: usize, other: i32, first: i32, count: i32, every: i32): void {
  divergenceRows(changetype<CalibrateRecord>(record), other, first, count, every);
}
