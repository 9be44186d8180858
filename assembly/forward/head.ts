/**
 * The head: logits of the rows that are wanted, and their reports.
 *
 * A head with a sketch (kernels/sketch) is read in two stages where one row is wanted, and not all of its logits. Stage 1 reads the sketch:
 * its coarse plane of all rows, which says every logit nearly, and the deviation of what that leaves out, for this very x; then its fine
 * plane of those that are in doubt. Stage 2 reads the matrix itself, of those rows whose logit may still matter, by so many deviations as
 * the model was loaded with: the same bits as the whole head's. What matters the sequence's `margin` says: all that is at most so far below
 * the largest logit (0: which one is the largest). From `floor` up logits are then exact and none is missing; those below stand as they are
 * nearly, and `deviationsPtr` has how nearly.
 *   report   maxLogit and topToken are exact. Log-sum-exp and entropy take a logit l with deviation s at its mean: E e^(l + err) =
 *            e^(l + s^2/2), E e^(l + err) (l + err) = e^(l + s^2/2) (l + s^2). Rows drawn evenly correct l and s (kernels/logits/tail), and
 *            of the likeliest of the others the fine plane is read, of some the matrix; `tailError` is the standard error that this
 *            leaves in the first (kernels/logits/sweep), `refined` how many rows were read whole
 *   later    a reader that wants more (a sampler's top k, log-probabilities, a snapshot) asks `refineLogits`: while the deviations are
 *            those of its sequence it reads further rows, else the whole head anew from what the head read (`normedPtr`), which is kept
 *   many     of several rows, and where a third of the rows would be refined, all are read from the matrix, as if there were no sketch
 * Rows of a pass that wants several lie in the workspace, and each sequence gets a copy of its last; a single one goes to its sequence.
 */
import { StepFlag } from '../abi/enums';
import { AdaptRecord, ModelRecord, SequenceRecord, StepReport, TokenRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf, layerOf } from '../adapt/state';
import { sweepLogits } from '../kernels/logits/sweep';
import { finishLogits } from './embed';
import { formatOf, linear, prepareInput } from './linear';
import { rowStride } from './norms';
import { allExact, refineRows, refineTail, refineTo, refinedRows, stageOne } from './stages';
import { modelOf, ownerOf, sequenceOf, tokenOf } from './tokens';

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

/** Share of all neurons that the mask of a sequence keeps. */
function maskCost(model: ModelRecord, adapt: AdaptRecord): f32 {
  let kept = 0, all = 0;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    kept += adaptLayer(adapt, iLayer).nMask;
    all += layerOf(model, iLayer).ffn;
  }
  return <f32>kept / <f32>all;
}

/** Its logits and its report are the row's: known now is what the token cost under the distribution before it. */
function report(model: ModelRecord, work: WorkspaceRecord, token: TokenRecord, logits: usize, own: StepReport, surprisal: f32): void {
  if (!(own.logSumExp < Infinity)) ownerOf(token).lost = 1;
  own.token = token.id;
  own.position = token.position;
  own.surprisal = surprisal;
  own.weightWords = work.weightWords;
  const adapt = adaptOf(ownerOf(token)), masked = adapt.masked != 0;
  own.cogLoad = masked ? adapt.cogLoad : 0;
  own.factor = masked ? adapt.factor : 1;
  own.cost = masked ? maskCost(model, adapt) : 1;
  own.flags = masked ? StepFlag.sparse | (adapt.nStat ? 0 : StepFlag.prior) : 0;
}

/** A row whose logits are all exact. */
function finishRow(model: ModelRecord, work: WorkspaceRecord, token: TokenRecord, logits: usize, own: StepReport, surprisal: f32): void {
  finishLogits(model, logits);
  sweepLogits(logits, model.vocab, own, 0);
  own.refined = model.vocab;
  report(model, work, token, logits, own, surprisal);
}

/** Y [rows, vocab], not finished, from x normed. */
function products(model: ModelRecord, work: WorkspaceRecord, rows: i32, logits: usize): void {
  const stride = rowStride(model.hidden), layout = model.headLayout, bytes = logitsBytes(model);
  prepareInput(work, work.normedPtr, stride, model.hidden, rows, formatOf(layout));
  linear(work, layout, model.headPtr, model.headBiasPtr, model.vocab, model.hidden, work.normedPtr, stride, rows, logits, bytes);
}

/** One row in two stages. */
function staged(model: ModelRecord, work: WorkspaceRecord, token: TokenRecord, sequence: SequenceRecord, surprisal: f32): void {
  const own = reportOf(sequence);
  memory.copy(sequence.normedPtr, work.normedPtr, <usize>model.hidden << 2);
  stageOne(work, model, sequence);
  refineTo(work, model, sequence, sequence.margin);
  refineTail(work, model, sequence);
  sweepLogits(sequence.logitsPtr, model.vocab, own, work.partialPtr ? work.deviationsPtr : 0);
  own.refined = refinedRows(work, model);
  report(model, work, token, sequence.logitsPtr, own, surprisal);
}

/** Of the first `rows` rows, normed already. */
export function head(model: ModelRecord, work: WorkspaceRecord, rows: i32): void {
  const bytes = logitsBytes(model), direct = rows == 1, only = sequenceOf(work, 0);
  let logits = <usize>(direct ? only.logitsPtr : work.logitsPtr), own = <usize>(direct ? only.reportPtr : work.reportsPtr);
  let surprisal: f32 = NaN; // of the row under way
  // lost once the logits are overwritten
  if (direct && tokenOf(work, 0).position == only.position) surprisal = surprisalOf(only, tokenOf(work, 0).id);

  if (ASC_FEATURE_RELAXED_SIMD) if (direct && model.sketchPtr && only.margin < Infinity) {
    staged(model, work, tokenOf(work, 0), only, surprisal);
    return;
  }
  products(model, work, rows, logits);
  for (let t = 0; t < rows; t++, logits += bytes, own += offsetof<StepReport>()) {
    const token = tokenOf(work, t), sequence = ownerOf(token), row = changetype<StepReport>(own);
    if (!direct) {
      if (token.position == sequence.position) surprisal = surprisalOf(sequence, token.id);
      else if (t > 0 && tokenOf(work, t - 1).sequencePtr == token.sequencePtr) {
        surprisal = surprisalIn(logits - bytes, changetype<StepReport>(own - offsetof<StepReport>()), token.id);
      } else surprisal = NaN;
    }
    finishRow(model, work, token, logits, row, surprisal);
    if (!direct && (t == rows - 1 || tokenOf(work, t + 1).sequencePtr != token.sequencePtr)) {
      memory.copy(sequence.logitsPtr, logits, bytes);
      memory.copy(sequence.reportPtr, own, offsetof<StepReport>());
    }
    sequence.floor = -Infinity;
  }
}

/**
 * Logits of a sequence from `floor` up become exact, those of the `count` tokens at `ids` (i32) as well, and its report is made anew; with
 * -infinity all of them are.
 */
export function refineLogits(work: WorkspaceRecord, sequence: SequenceRecord, floor: f32, ids: usize, count: i32): void {
  if (!ASC_FEATURE_RELAXED_SIMD || sequence.floor == -Infinity || !sequence.hasLogits) return;
  const model = modelOf(work), own = reportOf(sequence), words = work.weightWords;
  work.weightWords = own.weightWords;
  if (floor > -Infinity && <usize>work.partialPtr == changetype<usize>(sequence)) {
    refineRows(work, model, sequence, floor, ids, count);
  } else allExact(work, model, sequence);
  sweepLogits(sequence.logitsPtr, model.vocab, own, work.partialPtr ? work.deviationsPtr : 0);
  own.refined = refinedRows(work, model);
  own.weightWords = work.weightWords;
  work.weightWords = words;
}
