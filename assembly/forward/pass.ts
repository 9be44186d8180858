/**
 * A pass: tokens in, keys and values appended to the caches of their sequences, logits and reports out. Decode is a pass of one token; prefill is
 * a pass of many that keeps the last token's logits, or all of them. Whose tokens they are is data (TokenRecord): only positions, attention,
 * statistics and the rows of the head look at it.
 */
import { Rope, Status } from '../abi/enums';
import { ModelRecord, SequenceRecord, StepReport, WorkspaceRecord } from '../abi/records';
import { adaptOf } from '../adapt/state';
import { counts } from '../adapt/statistics';
import { add, scale } from '../kernels/activation/activation';
import { dequantRow } from '../kernels/embed/embed';
import { sweepLogits } from '../kernels/logits/sweep';
import { ropeTable } from '../kernels/rope/rope';
import { block } from './block';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { layerOf, modelOf, sequenceOf, tokenOf } from './tokens';

@inline function logitsBytes(model: ModelRecord): usize { return <usize>((model.vocab + 7) & ~7) << 2; }

@inline export function reportOf(sequence: SequenceRecord): StepReport { return changetype<StepReport>(<usize>sequence.reportPtr); }

/** -log p(id) under a row of logits with its report. */
@inline function surprisalIn(logits: usize, report: StepReport, id: i32): f32 {
  return report.logSumExp - load<f32>(logits + (<usize>id << 2));
}

/** -log p(id) under the distribution after a sequence's last token; NaN where that is lost. */
export function surprisalOf(sequence: SequenceRecord, id: i32): f32 {
  return sequence.hasLogits ? surprisalIn(sequence.logitsPtr, reportOf(sequence), id) : NaN;
}

/** x = embed(token) * embedScale [+ position], and the rotation of every position. */
function embedTokens(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): void {
  const stride = rowStride(model.hidden);
  let x = <usize>work.xPtr, table = <usize>work.ropePtr;
  for (let t = 0; t < nTokens; t++, x += stride, table += <usize>model.ropeDim << 2) {
    const token = tokenOf(work, t), position = token.position;
    dequantRow(model.embedLayout, model.embedPtr, model.hidden, token.id, x);
    if (model.embedScale != 1) scale(x, model.embedScale, <i32>(stride >> 2));
    if (model.positionPtr) add(x, <usize>model.positionPtr + <usize>position * (<usize>model.hidden << 2), model.hidden);
    if (model.rope != Rope.none) ropeTable(table, model.ropeFreqPtr, model.ropeDim, position);
  }
}

/**
 * Logits of the last `rows` tokens of the pass, and their reports. One row goes straight to its sequence; of several, in the workspace, each
 * sequence gets a copy of its last.
 */
function head(model: ModelRecord, work: WorkspaceRecord, nTokens: i32, rows: i32): void {
  const stride = rowStride(model.hidden), first = nTokens - rows, x = <usize>work.xPtr + <usize>first * stride, bytes = logitsBytes(model), direct = rows == 1;
  const last = sequenceOf(work, nTokens - 1);
  let logits = <usize>(direct ? last.logitsPtr : work.logitsPtr), report = <usize>(direct ? last.reportPtr : work.reportsPtr);
  // known now, lost once the logits are overwritten: what the token cost under the distribution before it
  const follows = direct && nTokens == 1, surprisal: f32 = follows ? surprisalOf(last, tokenOf(work, 0).id) : NaN;

  normRows(model, x, model.outNormPtr, model.outNormBiasPtr, rows, work.normedPtr);
  prepareInput(work, work.normedPtr, stride, model.hidden, rows, formatOf(model.headLayout));
  linear(work, model.headLayout, model.headPtr, model.headBiasPtr, model.vocab, model.hidden, work.normedPtr, stride, rows, logits, bytes);
  for (let t = first; t < nTokens; t++, logits += bytes, report += offsetof<StepReport>()) {
    const token = tokenOf(work, t), sequence = sequenceOf(work, t), own = changetype<StepReport>(report);
    sweepLogits(logits, model.vocab, own);
    own.token = token.id;
    own.position = token.position;
    own.weightBytes = work.weightBytes;
    own.cogLoad = 0;
    own.factor = 1;
    own.cost = 1;
    own.flags = 0;
    if (direct) own.surprisal = surprisal;
    else if (token.position == sequence.position) own.surprisal = surprisalOf(sequence, token.id);
    else if (t > first) own.surprisal = surprisalIn(logits - bytes, changetype<StepReport>(report - offsetof<StepReport>()), token.id);
    else own.surprisal = NaN;
    if (!direct && (t == nTokens - 1 || tokenOf(work, t + 1).sequencePtr != token.sequencePtr)) {
      memory.copy(sequence.logitsPtr, logits, bytes);
      memory.copy(sequence.reportPtr, report, offsetof<StepReport>());
    }
  }
}

/** What is wrong with the tokens asked for, or ok. */
function check(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): i32 {
  for (let t = 0; t < nTokens; t++) {
    const token = tokenOf(work, t);
    if (token.position >= sequenceOf(work, t).capacity) return Status.contextFull;
    if (<u32>token.id >= <u32>model.vocab) return Status.tokenRange;
  }
  return Status.ok;
}

/** The sequences have moved on by the tokens of the pass, whose last `rows` left their logits. */
function advance(work: WorkspaceRecord, nTokens: i32, rows: i32): void {
  for (let t = 0; t < nTokens; t++) {
    const sequence = sequenceOf(work, t), adapt = adaptOf(sequence);
    if (!work.sparse && adapt.collect) {
      if (counts(adapt, tokenOf(work, t).position)) adapt.nStat++;
      adapt.dirty = 1;
    }
    sequence.position = tokenOf(work, t).position + 1;
    sequence.hasLogits = t >= nTokens - rows ? 1 : 0;
  }
}

/**
 * Runs nTokens tokens (1 .. chunk) of the workspace's table. `rows`: how many of the last tokens get logits and a report (1 .. logitRows).
 * Nothing has changed when a negative status is returned.
 */
export function pass(work: WorkspaceRecord, nTokens: i32, rows: i32): i32 {
  const model = modelOf(work), status = check(model, work, nTokens);
  if (status != Status.ok) return status;
  work.weightBytes = 0;
  embedTokens(model, work, nTokens);
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) block(model, work, layerOf(model, iLayer), iLayer, nTokens);
  head(model, work, nTokens, rows);
  advance(work, nTokens, rows);
  return Status.ok;
}
