/**
 * The decode step: one token, its load, the neurons it may skip, and what that cost. Everything between two samplings happens here.
 * A step whose answer turns out too uncertain is rerun dense in the same place of the cache, and its activations join the statistics.
 */
import { Stage, Status, StepFlag } from '../abi/enums';
import { AdaptRecord, ModelRecord, SequenceRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf, layerOf } from '../adapt/state';
import { moveCogLoad } from '../adapt/cogLoad';
import { refresh } from '../adapt/refresh';
import { clear } from '../adapt/statistics';
import { copyMasked } from './compact';
import { inputsUsed } from './inputs';
import { expertsCost } from './mixture';
import { reportOf, surprisalOf } from './head';
import { pass } from './pass';
import { askedOf, modelOf, ownerOf } from './tokens';

/** Share that the step used of the weights that its method may leave out: of the layers, the experts or the feed-forward parts. */
function costOf(model: ModelRecord, adapt: AdaptRecord): f32 {
  if (adapt.stages & Stage.experts) return expertsCost(model, adapt);
  if (adapt.stages & Stage.inputs) {
    let some: f64 = 0, whole: f64 = 0;
    for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
      const layer = layerOf(model, iLayer), own = adaptLayer(adapt, iLayer);
      some += inputsUsed(model, layer, own, false);
      whole += inputsUsed(model, layer, own, true);
    }
    return <f32>(some / whole);
  }
  let used = 0, all = 0, gated = false;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    const own = adaptLayer(adapt, iLayer);
    used += own.nGate + own.nUp + own.nDown;
    gated = gated || own.nGate > 0;
    all += layerOf(model, iLayer).ffn;
  }
  return <f32>used / <f32>(all * (gated ? 3 : 2));
}

/** True where high load has lasted long enough that the selection should be made from fresh activations. */
function wantsRefresh(adapt: AdaptRecord): bool {
  if (adapt.refreshAfter == 0) return false;
  adapt.highRun = adapt.cogLoad > adapt.refreshAbove ? adapt.highRun + 1 : 0;
  if (adapt.highRun < adapt.refreshAfter) return false;
  adapt.highRun = 0;
  return true;
}

/** One dense token whose activations are counted. */
function denseStep(work: WorkspaceRecord, adapt: AdaptRecord): i32 {
  const collects = adapt.collect;
  adapt.collect = adapt.rule != 0 ? 1 : collects;
  const status = pass(work, 1);
  adapt.collect = collects;
  return status;
}

/** One token that skips what its sequence's selection leaves out. */
function sparseStep(work: WorkspaceRecord): i32 {
  work.sparse = 1;
  const status = pass(work, 1);
  work.sparse = 0;
  return status;
}

/** Makes the selection of a sequence from its statistics as they are. */
export function selectNow(work: WorkspaceRecord, sequence: SequenceRecord): void {
  const model = modelOf(work), adapt = adaptOf(sequence);
  refresh(model, adapt, work.listPtr);
  adapt.copied = 0; // they take longer than a token that shares a pass, and are made when one is alone
}

/** The first token of the workspace's table. The sequence has not moved on when a negative status is returned. */
export function decode(work: WorkspaceRecord): i32 {
  const token = askedOf(work, 0), sequence = ownerOf(token), adapt = adaptOf(sequence), model = modelOf(work);
  if (adapt.stages == 0 || token.position >= sequence.capacity || <u32>token.id >= <u32>model.vocab) return pass(work, 1);

  const report = reportOf(sequence), surprisal = surprisalOf(sequence, token.id);
  moveCogLoad(adapt, token.id, surprisal, sequence.hasLogits ? report.entropy : NaN);
  let flags: i32 = 0, cost: f32 = 1, status: i32 = Status.ok;
  if (wantsRefresh(adapt)) {
    status = denseStep(work, adapt);
    flags = StepFlag.refreshed;
  } else {
    if (adapt.dirty) selectNow(work, sequence);
    if (adapt.stages == Stage.mask && !adapt.copied) copyMasked(model, work, adapt);
    status = sparseStep(work);
    flags = StepFlag.sparse;
    cost = costOf(model, adapt);
    if (status == Status.ok && report.entropy > adapt.rerunAbove) {
      const words = report.weightWords;
      sequence.position = token.position;
      status = denseStep(work, adapt);
      report.weightWords += words;
      report.surprisal = surprisal;
      flags |= StepFlag.reran;
      cost += 1;
    }
  }
  if (status != Status.ok) return status;
  if (adapt.rule != 0 && adapt.nStat == 0) flags |= StepFlag.prior;
  report.cogLoad = adapt.cogLoad;
  report.factor = adapt.factor;
  report.cost = cost;
  report.flags = flags;
  return Status.ok;
}

/** The loads of the sequences that are masked in the pass to come, by the first token of each. */
export function moveCogLoads(work: WorkspaceRecord, nTokens: i32): void {
  for (let t = 0; t < nTokens; t++) {
    const token = askedOf(work, t), sequence = ownerOf(token), adapt = adaptOf(sequence);
    if (!adapt.masked || token.position != sequence.position || <u32>token.id >= <u32>modelOf(work).vocab) continue;
    moveCogLoad(adapt, token.id, surprisalOf(sequence, token.id), sequence.hasLogits ? reportOf(sequence).entropy : NaN);
  }
}

/** Forgets the statistics and the load of a sequence. */
export function resetAdapt(model: ModelRecord, adapt: AdaptRecord): void {
  adapt.nStat = 0;
  adapt.cogLoadCount = 0;
  adapt.cogLoadMean = 0;
  adapt.cogLoadM2 = 0;
  adapt.highRun = 0;
  adapt.dirty = 1;
  if (adapt.layersPtr) for (let iLayer = 0; iLayer < model.nLayers; iLayer++) clear(adaptLayer(adapt, iLayer), model.ffn);
}
