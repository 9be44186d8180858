/**
 * The decode step: one token, its load, the neurons it may skip, and what that cost. Everything between two samplings happens here.
 * A step whose answer turns out too uncertain is rerun dense in the same place of the cache, and its activations join the statistics.
 */
import { Stage, StepFlag } from '../abi/enums';
import { AdaptRecord, ModelRecord, SessionRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { moveLoad } from '../adapt/load';
import { refresh } from '../adapt/refresh';
import { clear } from '../adapt/statistics';
import { copyMasked } from './compact';
import { pass, reportOf, surprisalOf, token } from './pass';

/** Share of the feed-forward weights that the step used. */
function costOf(model: ModelRecord, adapt: AdaptRecord): f32 {
  let used = 0, gated = false;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    const own = adaptLayer(adapt, iLayer);
    used += own.nGate + own.nUp + own.nDown;
    gated = gated || own.nGate > 0;
  }
  return <f32>used / <f32>(model.ffn * model.nLayers * (gated ? 3 : 2));
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
function denseStep(session: SessionRecord, adapt: AdaptRecord): i32 {
  const collects = adapt.collect;
  adapt.collect = adapt.rule != 0 ? 1 : collects;
  const status = pass(session, 1, 1);
  adapt.collect = collects;
  return status;
}

/** Makes the selection of a session from its statistics as they are, outside of a step. */
export function selectNow(session: SessionRecord): void {
  const model = changetype<ModelRecord>(<usize>session.modelPtr), adapt = adaptOf(session);
  refresh(model, adapt);
  if (adapt.stages == Stage.mask) copyMasked(model, session, adapt);
}

/** The token in the session's buffer. Nothing has changed when a negative status is returned. */
export function decode(session: SessionRecord): i32 {
  const adapt = adaptOf(session), model = changetype<ModelRecord>(<usize>session.modelPtr);
  if (adapt.stages == 0 || session.position >= session.capacity || <u32>token(session, 0) >= <u32>model.vocab) return pass(session, 1, 1);

  const row = session.lastRow, known = row >= 0;
  const surprisal: f32 = known ? surprisalOf(model, session, row, token(session, 0)) : NaN;
  moveLoad(adapt, token(session, 0), surprisal, known ? reportOf(session, row).entropy : NaN);
  const report = reportOf(session, 0);
  let flags: i32 = 0, cost: f32 = 1;
  if (wantsRefresh(adapt)) {
    denseStep(session, adapt);
    flags = StepFlag.refreshed;
  } else {
    if (adapt.dirty) selectNow(session);
    adapt.active = 1;
    pass(session, 1, 1);
    adapt.active = 0;
    flags = StepFlag.sparse;
    cost = costOf(model, adapt);
    if (report.entropy > adapt.rerunAbove) {
      const bytes = report.weightBytes;
      session.position -= 1;
      denseStep(session, adapt);
      report.weightBytes += bytes;
      report.surprisal = surprisal;
      flags |= StepFlag.reran;
      cost += 1;
    }
  }
  if (adapt.rule != 0 && adapt.nStat == 0) flags |= StepFlag.prior;
  report.cogLoad = adapt.cogLoad;
  report.factor = adapt.factor;
  report.cost = cost;
  report.flags = flags;
  return 0;
}

/** Forgets the statistics and the load of the sequence. */
export function resetAdapt(session: SessionRecord): void {
  const adapt = adaptOf(session), model = changetype<ModelRecord>(<usize>session.modelPtr);
  adapt.nStat = 0;
  adapt.loadCount = 0;
  adapt.loadMean = 0;
  adapt.loadM2 = 0;
  adapt.highRun = 0;
  adapt.dirty = 1;
  if (adapt.layersPtr) for (let iLayer = 0; iLayer < model.nLayers; iLayer++) clear(adaptLayer(adapt, iLayer), model.ffn);
}
