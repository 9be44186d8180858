/**
 * The feed-forward part of a block for one token, over the neurons that it needs (arXiv 2502.19078; the method page docs/methods.md):
 *   S  a mask: a list made from the prompt, or scores held against a threshold now; gate and everything after it only there
 *   A  i in S with |g_i| * w1_i > t1, g = act(gate x); up only there
 *   K  i in A with |h_i| * w2_i > t2, h = g * up x;    down only there
 * or, of one stage, the largest share of all neurons instead of those above a threshold;
 *   y = down h over K,   with compensation b + down (h - mean) over K, b = down mean
 * Which stages there are is data (Stage). After each of them g and h are zero where nothing was selected, which is all that the next one
 * and `down` need to know; only rows are read by a list. A selection that turns out to be all neurons runs the dense kernel: full density
 * is dense, bit for bit. Where a layout has no form to read single neurons from, the dense kernel computes and the others are zeroed: the
 * same numbers, no speed.
 */
import { Stage } from '../abi/enums';
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { activate, activateGated, add, multiply, subtractKept } from '../kernels/activation/activation';
import { keepSome, markKept, multiplyAbove } from '../kernels/neurons/keep';
import { permute, permutedBytes } from '../kernels/neurons/permute';
import { rowBytes } from '../kernels/neurons/rows';
import { rowsFormat } from '../kernels/neurons/rowsWide';
import { selectAbove } from '../kernels/neurons/select';
import { Format } from '../layouts/kinds';
import { relist } from './columns';
import { compactFfn } from './compact';
import { DensePass } from './dense';
import { columnProduct, finishProducts, formatOf, linear, prepareInput, quantised } from './linear';
import { listedRows } from './listed';
import { rowStride } from './norms';
import { byNeuron, orderedFfn } from './order';
import { down, enterFfn, gateAndUp, leave } from './parts';
import { sequenceOf } from './tokens';

/** Where x is permuted for rows in a layout: both kinds lie in scratch. */
@inline export function permutedX(work: WorkspaceRecord, layout: i32, hidden: i32): usize {
  return <usize>work.scratchPtr + (rowsFormat(layout) == Format.x8 ? permutedBytes(Format.x4, hidden) : 0);
}

/** The normed x, permuted for rows that read `formats`; `prepared`: those that it has been quantised to. */
export function permuteInput(work: WorkspaceRecord, hidden: i32, formats: i32, prepared: i32): void {
  prepareInput(work, work.normedPtr, rowStride(hidden), hidden, 1, formats & ~prepared);
  if (formats & Format.x4) permute(Format.x4, quantised(work, Format.x4), hidden, work.scratchPtr);
  const second = <usize>work.scratchPtr + permutedBytes(Format.x4, hidden);
  if (formats & Format.x8) permute(Format.x8, quantised(work, Format.x8), hidden, second);
}

/** Zeros in [ffn] values where they are not listed. */
export function keepListed(work: WorkspaceRecord, ffn: i32, list: usize, count: i32, values: usize): void {
  const kept = <usize>work.hPtr, bytes = <usize>ffn << 2;
  memory.fill(kept, 0, bytes);
  for (const end = list + (<usize>count << 1); list < end; list += 2) {
    const at = <usize>load<u16>(list) << 2;
    store<f32>(kept + at, load<f32>(values + at));
  }
  memory.copy(values, kept, bytes);
}

/**
 * What a stage keeps of the `nList` neurons of `list`, by the rule of the sequence: returns how many, their list at `out`; other values
 * become zero. Those outside `list` are zero.
 */
export function choose(
  work: WorkspaceRecord, adapt: AdaptRecord, ffn: i32, list: usize, nList: i32, values: usize, weights: usize, threshold: f32, out: usize,
): i32 {
  if (adapt.share > 0 || threshold >= 0) return keepSome(values, weights, adapt.share, threshold, ffn, work.hPtr, out);
  if (nList < ffn) memory.copy(out, list, <usize>nList << 1); // keeps all
  return nList;
}

/** The neurons whose score is above the threshold now. */
export function chooseByScore(adapt: AdaptRecord, ffn: i32, own: AdaptLayer, out: usize): i32 {
  const threshold = own.scoreBase * adapt.factor;
  return threshold < 0 ? ffn : selectAbove(own.scoresPtr, 0, threshold, ffn, out);
}

/**
 * y = the listed rows of a matrix times x [+ bias]: row by row where there is a form for that (x permuted in scratch), else all of them.
 * Those that are not listed are zero where `clear` asks for it.
 */
@inline function someRows(
  model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, layout: i32, whole: usize, bias: usize, rows: usize, list: usize,
  count: i32, y: usize, clear: bool,
): void {
  const hidden = model.hidden, ffn = layer.ffn, stride = rowStride(ffn);
  if (rows && count < min(ffn, model.rowsBelow)) {
    memory.fill(y, 0, stride);
    listedRows(work, layout, rows, hidden, list, count, permutedX(work, layout, hidden), y);
    work.weightWords += <u32>(<usize>count * rowBytes(layout, hidden) >> 2);
    if (!bias) return;
    add(y, bias, (ffn + 7) & ~7);
  } else {
    linear(work, layout, whole, bias, ffn, hidden, work.normedPtr, rowStride(hidden), 1, y, stride);
  }
  if (layer.orderFor) byNeuron(layer, y, stride, ffn, 1, y + stride); // the rows of a chunk's other tokens are free
  if (clear && count < ffn) keepListed(work, ffn, list, count, y);
}

/**
 * out = down times h [+ biases]; h is zero but for `count` neurons. Compensation takes zero for dropped: it needs a product stage with a
 * threshold >= 0.
 */
function downPart(
  model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer, h: usize, count: i32,
): void {
  const hidden = model.hidden, ffn = layer.ffn, out = <usize>work.outPtr, xStride = rowStride(hidden), layout = layer.downLayout;
  const compensate = count < ffn && adapt.compensate && layer.meanPtr != 0;
  if (compensate) subtractKept(h, layer.meanPtr, ffn);
  if (layer.downColumnsPtr && adapt.stages != Stage.mask && count < min(ffn, model.columnsBelow)) {
    relist(work, count);
    columnProduct(work, 0, layout, layer.downColumnsPtr, layer.downBiasPtr, hidden, ffn, h, out);
    finishProducts(work, 1);
  } else {
    prepareInput(work, h, rowStride(ffn), ffn, 1, formatOf(layout));
    linear(work, layout, layer.downPtr, layer.downBiasPtr, hidden, ffn, h, rowStride(ffn), 1, out, xStride);
  }
  if (compensate) add(out, layer.meanOutPtr, hidden);
  own.nDown = count;
}

/** Sets the bits of the listed neurons, clears the others. */
function markUsed(bits: usize, list: usize, count: i32, ffn: i32): void {
  const bytes = <usize>((ffn + 7) >> 3);
  if (count == ffn) { memory.fill(bits, 0xff, bytes); return; }
  memory.fill(bits, 0, bytes);
  for (const end = list + (<usize>count << 1); list < end; list += 2) {
    const i = <usize>load<u16>(list), at = bits + (i >> 3);
    store<u8>(at, load<u8>(at) | <u8>((<u32>1) << (<u32>i & 7)));
  }
}

/** out = the feed-forward part of the normed and prepared x over what the stages select. */
function selected(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer, used: usize): void {
  const stages = adapt.stages, hidden = model.hidden, ffn = layer.ffn, hStride = rowStride(ffn), width = <i32>(hStride >> 2);
  const gate = <usize>work.gatePtr, up = <usize>work.upPtr, gated = layer.gatePtr != 0, h = gated ? gate : up;
  const listBytes = <usize>(ffn + 8) << 1; // each stage writes a list of its own: S, A, K
  let list = <usize>work.listPtr, count = ffn;
  // a mask asks for no forms: those that others have asked for, rounded otherwise, would change what it gives
  const gateRows = stages == Stage.mask ? 0 : <usize>layer.gateRowsPtr, upRows = stages == Stage.mask ? 0 : <usize>layer.upRowsPtr;
  const formats = (gateRows ? rowsFormat(layer.gateLayout) : 0) | (upRows ? rowsFormat(layer.upLayout) : 0);
  if (formats) permuteInput(work, hidden, formats, formatOf(layer.gateLayout) | formatOf(layer.upLayout));

  if (stages & Stage.mask) {
    list = own.maskPtr;
    count = own.nMask;
  } else if (stages & Stage.scores) {
    count = chooseByScore(adapt, ffn, own, list);
  }
  own.nGate = gated ? count : 0;

  if (gated) {
    someRows(model, work, layer, layer.gateLayout, layer.gatePtr, layer.gateBiasPtr, gateRows, list, count, gate, true);
    if (stages & Stage.gate) {
      const next = <usize>work.listPtr + listBytes;
      activate(layer.activation, gate, width);
      count = choose(work, adapt, ffn, list, count, gate, own.gateWeightPtr, own.gateBase * adapt.factor, next);
      list = next;
    }
  }
  own.nUp = count;
  someRows(model, work, layer, layer.upLayout, layer.upPtr, layer.upBiasPtr, upRows, list, count, up, !gated);
  const threshold = own.productBase * adapt.factor, product = (stages & Stage.product) != 0;
  if (product && gated && (stages & Stage.gate) && !(adapt.share > 0) && threshold >= 0) {
    count = multiplyAbove(gate, up, own.productWeightPtr, threshold, ffn);
    if (used) markKept(used, gate, ffn);
  } else {
    if (!gated) activate(layer.activation, up, width);
    else if (stages & Stage.gate) multiply(gate, up, width);
    else activateGated(layer.activation, gate, up, width);
    if (product) {
      const next = <usize>work.listPtr + 2 * listBytes;
      count = choose(work, adapt, ffn, list, count, h, own.productWeightPtr, threshold, next);
      list = next;
    }
    if (used) markUsed(used, list, count, ffn);
  }
  downPart(model, work, layer, adapt, own, h, count);
}

/** The same where products leave out inputs: which, is chosen where they are made ready. */
function overInputs(pass: DensePass, model: ModelRecord, layer: LayerRecord, own: AdaptLayer, used: usize): void {
  const ffn = layer.ffn, gated = layer.gatePtr != 0, h = <usize>(gated ? pass.gatePtr : pass.upPtr), width = <i32>(rowStride(ffn) >> 2);
  gateAndUp<DensePass>(pass, model, layer, pass.ffnInput(layer), 1);
  if (gated) activateGated(layer.activation, h, pass.upPtr, width);
  else activate(layer.activation, h, width);
  down<DensePass>(pass, model, layer, h, 1);
  if (used) markKept(used, h, ffn);
  own.nGate = gated ? ffn : 0; own.nUp = ffn;
}

export function sparseFfn(work: DensePass, model: ModelRecord, layer: LayerRecord, iLayer: i32): void {
  const adapt = adaptOf(sequenceOf(work, 0)), own = adaptLayer(adapt, iLayer), ffn = layer.ffn;
  const used: usize = work.usedPtr ? <usize>work.usedPtr + <usize>iLayer * <usize>((model.ffn + 7) >> 3) : 0;
  if (adapt.stages & Stage.inputs) {
    overInputs(work, model, layer, own, used);
    leave(model, layer, work.xPtr, work.outPtr, layer.ffnPostNormPtr, 1, work.normedPtr);
    return;
  }
  enterFfn<DensePass>(work, model, layer, work.ffnInput(layer), 1);
  if (adapt.stages == Stage.mask && own.compactGatePtr) {
    if (used) markUsed(used, own.maskPtr, own.nMask, ffn);
    compactFfn(model, work, layer, adapt, own);
  } else if (adapt.stages == Stage.mask && layer.orderFor == <u32>changetype<usize>(own)) {
    if (used) markUsed(used, own.maskPtr, own.nMask, ffn);
    orderedFfn(model, work, layer, adapt, own);
  } else {
    selected(model, work, layer, adapt, own, used);
  }
  leave(model, layer, work.xPtr, work.outPtr, layer.ffnPostNormPtr, 1, work.normedPtr);
}
