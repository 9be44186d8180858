/**
 * A pass: tokens in, keys and values appended to the caches of their sequences, logits and reports out. Decode is a pass of one token of
 * each sequence that is ready, prefill one of many tokens of which the last one's logits are wanted; a pass may be both. Whose tokens they
 * are is data (TokenRecord): only positions, attention, statistics and the rows of the head look at it.
 */
import { Status } from '../abi/enums';
import { ModelRecord, SequenceRecord, StepReport, TokenRecord, WorkspaceRecord } from '../abi/records';
import { adaptOf, layerOf } from '../adapt/state';
import { counts } from '../adapt/statistics';
import { sweepLogits } from '../kernels/logits/sweep';
import { block } from './block';
import { embedToken, finishLogits } from './embed';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { fillAngles } from './rotate';
import { askedOf, fillRows, modelOf, narrowBuffer, narrowRows, noteLost, ownerOf, sequenceOf, tokenOf } from './tokens';

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

/** Its logits and its report are the row's: known now is what the token cost under the distribution before it. */
function finishRow(model: ModelRecord, work: WorkspaceRecord, token: TokenRecord, logits: usize, report: StepReport, surprisal: f32): void {
  finishLogits(model, logits);
  sweepLogits(logits, model.vocab, report);
  if (!(report.logSumExp < Infinity)) ownerOf(token).lost = 1;
  report.token = token.id;
  report.position = token.position;
  report.surprisal = surprisal;
  report.weightWords = work.weightWords;
  report.cogLoad = 0;
  report.factor = 1;
  report.cost = 1;
  report.flags = 0;
}

/**
 * Logits of the rows that are wanted, and their reports. Of several, in the workspace, each sequence gets a copy of its last; a single one
 * goes straight to its sequence.
 */
function head(model: ModelRecord, work: WorkspaceRecord, rows: i32): void {
  const stride = rowStride(model.hidden), bytes = logitsBytes(model), direct = rows == 1, only = sequenceOf(work, 0);
  let logits = <usize>(direct ? only.logitsPtr : work.logitsPtr), report = <usize>(direct ? only.reportPtr : work.reportsPtr);
  let surprisal: f32 = NaN; // of the row under way
  // lost once the logits are overwritten
  if (direct && tokenOf(work, 0).position == only.position) surprisal = surprisalOf(only, tokenOf(work, 0).id);

  normRows(model, work.xPtr, model.outNormPtr, model.outNormBiasPtr, rows, work.normedPtr);
  prepareInput(work, work.normedPtr, stride, model.hidden, rows, formatOf(model.headLayout));
  linear(work, model.headLayout, model.headPtr, model.headBiasPtr, model.vocab, model.hidden, work.normedPtr, stride, rows, logits, bytes);
  for (let t = 0; t < rows; t++, logits += bytes, report += offsetof<StepReport>()) {
    const token = tokenOf(work, t), sequence = ownerOf(token), own = changetype<StepReport>(report);
    if (!direct) {
      if (token.position == sequence.position) surprisal = surprisalOf(sequence, token.id);
      else if (t > 0 && tokenOf(work, t - 1).sequencePtr == token.sequencePtr) {
        surprisal = surprisalIn(logits - bytes, changetype<StepReport>(report - offsetof<StepReport>()), token.id);
      } else surprisal = NaN;
    }
    finishRow(model, work, token, logits, own, surprisal);
    if (!direct && (t == rows - 1 || tokenOf(work, t + 1).sequencePtr != token.sequencePtr)) {
      memory.copy(sequence.logitsPtr, logits, bytes);
      memory.copy(sequence.reportPtr, report, offsetof<StepReport>());
    }
  }
}

/** What is wrong with the tokens asked for, or ok. */
function check(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): i32 {
  let rows = 0;
  for (let t = 0; t < nTokens; t++) {
    const token = askedOf(work, t);
    if (token.position >= ownerOf(token).capacity) return Status.contextFull;
    if (<u32>token.id >= <u32>model.vocab) return Status.tokenRange;
    rows += token.wanted;
  }
  return rows <= work.logitRows ? Status.ok : Status.badLayout;
}

/** The sequences have moved on by the tokens of the pass, but for those that are lost: they stand where they did, without logits. */
function advance(work: WorkspaceRecord, nTokens: i32): i32 {
  let status: i32 = Status.ok;
  for (let t = 0; t < nTokens; t++) {
    const token = askedOf(work, t), sequence = ownerOf(token), adapt = adaptOf(sequence);
    if (sequence.lost) {
      sequence.hasLogits = 0;
      status = Status.notFinite;
      continue;
    }
    if (!work.sparse && adapt.collect) {
      if (counts(adapt, token.position)) adapt.nStat++;
      adapt.dirty = 1;
    }
    sequence.position = token.position + 1;
    sequence.hasLogits = token.wanted;
  }
  return status;
}

/**
 * Runs the nTokens tokens (1 .. chunk) of the workspace's table, of which logits and a report are wanted of at most logitRows. With
 * `notFinite` some sequences are lost: they have not moved on, their logits and statistics are gone; others have. With any other negative
 * status none has.
 */
export function pass(work: WorkspaceRecord, nTokens: i32): i32 {
  const model = modelOf(work), status = check(model, work, nTokens);
  if (status != Status.ok) return status;
  work.weightWords = 0;
  fillRows(work, nTokens);
  embedTokens(model, work, nTokens);
  let rows = nTokens;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) rows = block(model, work, layerOf(model, iLayer), iLayer, rows);
  noteLost(work, work.xPtr, rows);
  narrowBuffer(work, work.xPtr, rowStride(model.hidden), rows, false);
  rows = narrowRows(work, rows, false);
  if (rows > 0) head(model, work, rows);
  return advance(work, nTokens);
}
