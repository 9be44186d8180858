/**
 * A pass: tokens in, keys and values appended to the caches of their sequences, logits and reports out. Decode is a pass of one token;
 * prefill is a pass of many that keeps the last token's logits, or all of them. Whose tokens they are is data (TokenRecord): only
 * positions, attention, statistics and the rows of the head look at it.
 */
import { Status } from '../abi/enums';
import { ModelRecord, SequenceRecord, StepReport, WorkspaceRecord } from '../abi/records';
import { adaptOf, layerOf } from '../adapt/state';
import { counts } from '../adapt/statistics';
import { sweepLogits } from '../kernels/logits/sweep';
import { energy } from '../kernels/norm/norm';
import { block } from './block';
import { embedToken, finishLogits } from './embed';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { fillAngles } from './rotate';
import { modelOf, sequenceOf, tokenOf } from './tokens';

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

/** x and the angles of every token. */
function embedTokens(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): void {
  const stride = rowStride(model.hidden);
  let x = <usize>work.xPtr;
  for (let t = 0; t < nTokens; t++, x += stride) {
    const token = tokenOf(work, t);
    embedToken(model, token.id, token.position, x);
    fillAngles(model, work.anglesPtr, work.chunk, t, token.position);
  }
}

/** False where the residual stream of a token is not finite: what comes of it is no distribution, nor are its keys and values any. */
function finite(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): bool {
  let x = <usize>work.xPtr;
  for (let t = 0; t < nTokens; t++, x += rowStride(model.hidden)) if (!(energy(x, model.hidden) < Infinity)) return false;
  return true;
}

/**
 * Logits of the last `rows` tokens of the pass, and their reports. One row goes straight to its sequence; of several, in the workspace,
 * each sequence gets a copy of its last. False where they are no distribution: then those before are lost too.
 */
function head(model: ModelRecord, work: WorkspaceRecord, nTokens: i32, rows: i32): bool {
  const stride = rowStride(model.hidden), first = nTokens - rows, x = <usize>work.xPtr + <usize>first * stride, bytes = logitsBytes(model);
  const direct = rows == 1;
  const last = sequenceOf(work, nTokens - 1);
  let logits = <usize>(direct ? last.logitsPtr : work.logitsPtr), report = <usize>(direct ? last.reportPtr : work.reportsPtr);
  // known now, lost once the logits are overwritten: what the token cost under the distribution before it
  const follows = direct && nTokens == 1, surprisal: f32 = follows ? surprisalOf(last, tokenOf(work, 0).id) : NaN;

  normRows(model, x, model.outNormPtr, model.outNormBiasPtr, rows, work.normedPtr);
  prepareInput(work, work.normedPtr, stride, model.hidden, rows, formatOf(model.headLayout));
  linear(work, model.headLayout, model.headPtr, model.headBiasPtr, model.vocab, model.hidden, work.normedPtr, stride, rows, logits, bytes);
  for (let t = first; t < nTokens; t++, logits += bytes, report += offsetof<StepReport>()) {
    const token = tokenOf(work, t), sequence = sequenceOf(work, t), own = changetype<StepReport>(report);
    finishLogits(model, logits);
    sweepLogits(logits, model.vocab, own);
    if (!(own.logSumExp < Infinity)) { sequence.hasLogits = 0; return false; }
    own.token = token.id;
    own.position = token.position;
    own.weightWords = work.weightWords;
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
  return true;
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
 * No sequence has moved on when a negative status is returned; with `notFinite` logits and statistics are lost.
 */
export function pass(work: WorkspaceRecord, nTokens: i32, rows: i32): i32 {
  const model = modelOf(work), status = check(model, work, nTokens);
  if (status != Status.ok) return status;
  work.weightWords = 0;
  embedTokens(model, work, nTokens);
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) block(model, work, layerOf(model, iLayer), iLayer, nTokens);
  if (!finite(model, work, nTokens) || !head(model, work, nTokens, rows)) return Status.notFinite;
  advance(work, nTokens, rows);
  return Status.ok;
}
