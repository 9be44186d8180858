/**
 * A pass: tokens in, keys and values appended, logits and reports out. Decode is a pass of one token; prefill is a pass of many that keeps
 * the last token's logits, or all of them.
 */
import { Status } from '../abi/enums';
import { LayerRecord, ModelRecord, SessionRecord, StepReport } from '../abi/records';
import { adaptOf } from '../adapt/state';
import { sweepLogits } from '../kernels/logits/sweep';
import { block } from './block';
import { embedToken } from './embed';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { fillAngles } from './rotate';

@inline export function token(session: SessionRecord, t: i32): i32 {
  return load<i32>(<usize>session.tokensPtr + (<usize>t << 2));
}

@inline function logitsRow(model: ModelRecord, session: SessionRecord, row: i32): usize {
  return <usize>session.logitsPtr + <usize>row * (<usize>((model.vocab + 7) & ~7) << 2);
}

@inline export function reportOf(session: SessionRecord, row: i32): StepReport {
  return changetype<StepReport>(<usize>session.reportPtr + <usize>row * offsetof<StepReport>());
}

/** -log p(token) under the distribution in a row of logits. */
export function surprisalOf(model: ModelRecord, session: SessionRecord, row: i32, id: i32): f32 {
  return reportOf(session, row).logSumExp - load<f32>(logitsRow(model, session, row) + (<usize>id << 2));
}

/** x and the angles of every token. */
function embedTokens(model: ModelRecord, session: SessionRecord, nTokens: i32): void {
  const stride = rowStride(model.hidden);
  let x = <usize>session.xPtr;
  for (let t = 0; t < nTokens; t++, x += stride) {
    const position = session.position + t;
    embedToken(model, token(session, t), position, x);
    fillAngles(model, session.anglesPtr, session.chunk, t, position);
  }
}

/** Logits of the last `rows` tokens of the pass, and their reports. */
function head(model: ModelRecord, session: SessionRecord, nTokens: i32, rows: i32): void {
  const stride = rowStride(model.hidden), first = nTokens - rows;
  const x = <usize>session.xPtr + <usize>first * stride;
  normRows(model, x, model.outNormPtr, model.outNormBiasPtr, rows, session.normedPtr);
  prepareInput(session, session.normedPtr, stride, model.hidden, rows, formatOf(model.headLayout));
  linear(session, model.headLayout, model.headPtr, model.headBiasPtr, model.vocab, model.hidden,
    session.normedPtr, stride, rows, session.logitsPtr, <usize>((model.vocab + 7) & ~7) << 2);
  for (let row = 0; row < rows; row++) {
    const report = reportOf(session, row), t = first + row;
    sweepLogits(logitsRow(model, session, row), model.vocab, report);
    report.token = token(session, t);
    report.position = session.position + t;
    report.weightBytes = session.weightBytes;
    report.cogLoad = 0;
    report.factor = 1;
    report.cost = 1;
    report.flags = 0;
    if (row > 0) report.surprisal = surprisalOf(model, session, row - 1, report.token);
  }
}

/**
 * Runs nTokens tokens (1 .. chunk) from `tokensPtr`. `rows`: how many of the last tokens get logits and a report (1 .. logitRows).
 * Nothing has changed when a negative status is returned.
 */
export function pass(session: SessionRecord, nTokens: i32, rows: i32): i32 {
  const model = changetype<ModelRecord>(<usize>session.modelPtr);
  if (session.position + nTokens > session.capacity) return Status.contextFull;
  for (let t = 0; t < nTokens; t++) if (<u32>token(session, t) >= <u32>model.vocab) return Status.tokenRange;

  // known now, lost once the logits are overwritten: what the first reported token cost under the distribution before it
  const known = rows == nTokens && session.lastRow >= 0;
  const surprisal: f32 = known ? surprisalOf(model, session, session.lastRow, token(session, 0)) : NaN;

  session.weightBytes = 0;
  embedTokens(model, session, nTokens);
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    block(model, session, changetype<LayerRecord>(<usize>model.layersPtr + <usize>iLayer * offsetof<LayerRecord>()), iLayer, nTokens);
  }
  head(model, session, nTokens, rows);
  reportOf(session, 0).surprisal = surprisal;
  const adapt = adaptOf(session);
  if (adapt.collect && !adapt.active) {
    adapt.nStat += nTokens - max(0, min(nTokens, adapt.skipTokens - session.position));
    adapt.dirty = 1;
  }
  session.position += nTokens;
  session.lastRow = rows - 1;
  return Status.ok;
}
