/**
 * One transformer block of a whole document, forward and backward, with respect to activations only: the block of forward/parts.ts in f32.
 * What the backward pass needs is computed again from the layer's input (its slot) rather than kept: a quarter more time, ten times less
 * memory. Gradient at h: dh = dy W_down, where dy is the gradient at down's output y. Test: test/calibrate/gradient.test.ts.
 */
import { CalibrateRecord } from '../abi/calibrate';
import { LayerRecord, ModelRecord } from '../abi/records';
import { HeadNorm, Place } from '../abi/enums';
import { layerOf } from '../adapt/state';
import { convolutionInput, convolutionPart, mixedStride } from '../forward/convolution';
import { joinHeads, padHeads } from '../forward/heads';
import { headNormWidth, headsStride, rowStride } from '../forward/norms';
import { attentionPart, down, gateAndUp, leave, queryKeyValue, turnQueryKey } from '../forward/parts';
import { rotate } from '../forward/rotate';
import { activate, activateGated, add, scale } from '../kernels/activation/activation';
import { activationBackward, addSquares, observe, sumOfSquares } from './activation';
import { attentionBackward } from './attention';
import { convolutionBackward } from './convolution';
import { DocumentPass } from './document';
import { addInputSquares, nudge } from './inputs';
import { normBackward } from './norm';
import { transposed } from './product';

@inline export function modelOf(record: CalibrateRecord): ModelRecord { return changetype<ModelRecord>(<usize>record.modelPtr); }

@inline export function slot(record: CalibrateRecord, iSlot: i32): usize {
  return <usize>record.streamPtr + <usize>iSlot * <usize>record.capacity * rowStride(modelOf(record).hidden);
}

@inline function scoresBytes(record: CalibrateRecord): usize { return <usize>((record.capacity + 7) & ~7) << 2; }

/** mid = slot + attention, or convolution; leaves q, k (normed and turned), v and attention's output before o. */
function attentionInto(pass: DocumentPass, model: ModelRecord, layer: LayerRecord, x: usize): void {
  memory.copy(pass.midPtr, x, <usize>pass.nTokens * rowStride(model.hidden));
  if (layer.convTaps) convolutionPart<DocumentPass>(pass, model, layer, pass.midPtr, pass.nTokens, false);
  else attentionPart<DocumentPass>(pass, model, layer, pass.midPtr, pass.nTokens, false);
}

/** h = act(gate) up, or act(up); gate and up stay as they are. */
function activated(pass: DocumentPass, layer: LayerRecord): void {
  const bytes = <usize>pass.nTokens * rowStride(layer.ffn), h = <usize>pass.hPtr;
  memory.copy(h, layer.gatePtr ? pass.gatePtr : pass.upPtr, bytes);
  if (layer.gatePtr) activateGated(layer.activation, h, pass.upPtr, <i32>(bytes >> 2));
  else activate(layer.activation, h, <i32>(bytes >> 2));
}

/** Slot `from` through layer iLayer into slot `to` (may be the same). `collect`: the neurons' activations join their sums. */
export function layerForward(record: CalibrateRecord, iLayer: i32, from: i32, to: i32, collect: bool): void {
  const pass = changetype<DocumentPass>(record), model = modelOf(record), layer = layerOf(model, iLayer), n = record.nTokens;
  const gated = layer.gatePtr != 0;
  const xStride = rowStride(model.hidden), hStride = rowStride(layer.ffn), y = slot(record, to);
  const h = <usize>record.hPtr, out = <usize>record.outPtr;
  record.iLayer = iLayer;
  record.collect = collect ? 1 : 0;
  attentionInto(pass, model, layer, slot(record, from));
  gateAndUp<DocumentPass>(pass, model, layer, layer.parallel ? slot(record, from) : <usize>record.midPtr, n);
  activated(pass, layer);
  if (collect) {
    const sums = <usize>iLayer * rowStride(model.ffn);
    for (let t = record.skip; t < n; t++) {
      const row = <usize>t * hStride;
      observe(layer.activation, gated ? <usize>record.gatePtr + row : 0, <usize>record.upPtr + row, h + row, layer.ffn,
        <usize>record.hSumPtr + sums, <usize>record.hSqPtr + sums, <usize>record.hNormedSqPtr + sums, <usize>record.upSqPtr + sums,
        <usize>record.gateSqPtr + sums);
    }
  }
  down<DocumentPass>(pass, model, layer, h, n);
  nudge(record, Place.output, out, xStride);
  record.collect = 0; // the backward pass computes this again
  memory.copy(y, record.midPtr, <usize>n * xStride);
  leave(model, layer, y, out, layer.ffnPostNormPtr, n, record.normedPtr);
}

/** dx += gradient through a norm over [hidden] whose input was x, from the gradient d of its output; without a norm d itself. */
function throughNorm(record: CalibrateRecord, x: usize, weight: usize, d: usize, dx: usize): void {
  const model = modelOf(record), stride = rowStride(model.hidden);
  if (!weight) { add(dx, d, <i32>(stride >> 2) * record.nTokens); return; }
  for (let t = 0; t < record.nTokens; t++, x += stride, dx += stride, d += stride) {
    normBackward(model.norm, x, weight, d, model.hidden, model.normEps, dx);
  }
}

/** Gradient at a part's output before its post-norm and scale, from dx where it joins the residual: dx itself, or in dNormed. */
function beforeLeaving(record: CalibrateRecord, layer: LayerRecord, out: usize, weight: usize): usize {
  const bytes = <usize>record.nTokens * rowStride(modelOf(record).hidden), d = <usize>record.dNormedPtr;
  if (!weight && layer.residualScale == 1) return record.dxPtr;
  if (weight) {
    memory.fill(d, 0, bytes);
    throughNorm(record, out, weight, record.dxPtr, d);
  } else {
    memory.copy(d, record.dxPtr, bytes);
  }
  scale(d, layer.residualScale, <i32>(bytes >> 2));
  return d;
}

/** dx = gradient through the norms of q or k, whose inputs were x, from that of their outputs d. */
function throughHeadNorms(model: ModelRecord, layer: LayerRecord, x: usize, weight: usize, d: usize, heads: i32, n: i32, dx: usize): void {
  const width = headNormWidth(model, layer, heads), bytes = <usize>(heads * model.headDim) << 2, stride = headsStride(model, heads);
  const each: usize = layer.headNorm == HeadNorm.each ? 1 : 0;
  memory.fill(dx, 0, <usize>n * stride);
  for (let t = 0; t < n; t++, x += stride, d += stride, dx += stride) {
    for (let at: usize = 0; at < bytes; at += <usize>width << 2) {
      normBackward(model.norm, x + at, weight + each * at, d + at, width, model.normEps, dx + at);
    }
  }
}

/** Gradients of turned q and k → those before they were turned. */
function turnBack(pass: DocumentPass, model: ModelRecord, layer: LayerRecord, dq: usize, dk: usize): void {
  rotate(model, layer, dq, layer.heads, pass.nTokens, pass.anglesBackPtr, pass.rows);
  rotate(model, layer, dk, layer.kvHeads, pass.nTokens, pass.anglesBackPtr, pass.rows);
}

/** Gradient at the block's attention input, from dx at its output (x + o(attention)). */
function attentionBack(pass: DocumentPass, model: ModelRecord, layer: LayerRecord, iLayer: i32, x: usize): void {
  const n = pass.nTokens, hidden = model.hidden, scratch = <usize>pass.weightsPtr, heads = layer.heads, kvHeads = layer.kvHeads;
  const qWidth = heads * model.headDim, kvWidth = kvHeads * model.headDim, xStride = rowStride(hidden);
  const qStride = headsStride(model, heads), kvStride = headsStride(model, kvHeads);
  const dAttn = <usize>pass.attnPtr, dNormed = <usize>pass.dNormedPtr, dv = <usize>pass.dvPtr;
  let dq = <usize>pass.dqPtr, dk = <usize>pass.dkPtr;
  if (layer.attnPostNormPtr) {
    pass.multiply(layer.oLayout, layer.oPtr, layer.oBiasPtr, hidden, qWidth, pass.attnPtr, qStride, n, pass.outPtr, xStride);
  }
  const dOut = beforeLeaving(pass, layer, pass.outPtr, layer.attnPostNormPtr);
  memory.fill(dAttn, 0, <usize>n * qStride);
  transposed(layer.oLayout, layer.oPtr, hidden, qWidth, dOut, xStride, n, dAttn, qStride, scratch);
  addInputSquares(pass, pass.inputFisherPtr, iLayer, Place.heads, dAttn, qStride, qWidth);
  padHeads(model, dAttn, heads, n);
  memory.fill(dq, 0, <usize>n * qStride);
  memory.fill(dk, 0, <usize>n * kvStride);
  memory.fill(dv, 0, <usize>n * kvStride);
  attentionBackward(
    pass.qPtr, pass.kPtr, pass.vPtr, dAttn, qStride, kvStride, heads, kvHeads, model.headStride, layer.window, n, layer.attnScale,
    layer.attnCap, pass.scoresPtr, scoresBytes(pass), dq, dk, dv,
  );
  joinHeads(model, dq, heads, n);
  joinHeads(model, dk, kvHeads, n);
  joinHeads(model, dv, kvHeads, n);
  if (!layer.normTurned) turnBack(pass, model, layer, dq, dk);
  if (layer.qNormPtr) { // q and k as they were before their norms, and room that attention has done with
    queryKeyValue<DocumentPass>(pass, model, layer, x, n);
    if (layer.normTurned) turnQueryKey<DocumentPass>(pass, model, layer, n);
    throughHeadNorms(model, layer, pass.qPtr, layer.qNormPtr, dq, heads, n, dAttn);
    throughHeadNorms(model, layer, pass.kPtr, layer.kNormPtr, dk, kvHeads, n, pass.vPtr);
    dq = dAttn;
    dk = pass.vPtr;
  }
  if (layer.normTurned) turnBack(pass, model, layer, dq, dk);
  memory.fill(dNormed, 0, <usize>n * xStride);
  transposed(layer.qLayout, layer.qPtr, qWidth, hidden, dq, qStride, n, dNormed, xStride, scratch);
  transposed(layer.kLayout, layer.kPtr, kvWidth, hidden, dk, kvStride, n, dNormed, xStride, scratch);
  transposed(layer.vLayout, layer.vPtr, kvWidth, hidden, dv, kvStride, n, dNormed, xStride, scratch);
  addInputSquares(pass, pass.inputFisherPtr, iLayer, Place.attention, dNormed, xStride, hidden);
  throughNorm(pass, x, layer.attnNormPtr, dNormed, pass.dxPtr);
}

/** The same of a convolution, in room that the feed-forward part has done with. */
function convolutionBack(pass: DocumentPass, model: ModelRecord, layer: LayerRecord, x: usize): void {
  const n = pass.nTokens, hidden = model.hidden, xStride = rowStride(hidden), stride = mixedStride(model), scratch = <usize>pass.weightsPtr;
  const mixed = <usize>pass.gatePtr, dy = <usize>pass.outPtr, dNormed = <usize>pass.dNormedPtr;
  const dOut = beforeLeaving(pass, layer, 0, 0);
  convolutionInput<DocumentPass>(pass, model, layer, x, n);
  memory.fill(dy, 0, <usize>n * xStride);
  transposed(layer.convOutLayout, layer.convOutPtr, hidden, hidden, dOut, xStride, n, dy, xStride, scratch);
  convolutionBackward(layer.convPtr, layer.convTaps, mixed, stride, hidden, n, dy, xStride, pass.midPtr, pass.normedPtr);
  memory.fill(dNormed, 0, <usize>n * xStride);
  transposed(layer.convInLayout, layer.convInPtr, 3 * hidden, hidden, mixed, stride, n, dNormed, xStride, scratch);
  throughNorm(pass, x, layer.attnNormPtr, dNormed, pass.dxPtr);
}

/** dx: gradient at slot iLayer + 1 → at slot iLayer. Leaves dL/dh in hPtr; squares of gradients at inputs and at y join their sums. */
export function layerBackward(record: CalibrateRecord, iLayer: i32): void {
  const pass = changetype<DocumentPass>(record), model = modelOf(record), layer = layerOf(model, iLayer), n = record.nTokens;
  const hidden = model.hidden, ffn = layer.ffn;
  const xStride = rowStride(hidden), hStride = rowStride(ffn), scratch = <usize>record.weightsPtr;
  const x = slot(record, iLayer), dh = <usize>record.hPtr, dNormed = <usize>record.dNormedPtr;
  const ffnInput = layer.parallel ? x : <usize>record.midPtr;

  record.iLayer = iLayer;
  attentionInto(pass, model, layer, x);
  gateAndUp<DocumentPass>(pass, model, layer, ffnInput, n);
  if (layer.ffnPostNormPtr) {
    activated(pass, layer);
    down<DocumentPass>(pass, model, layer, dh, n);
  }
  const dy = beforeLeaving(record, layer, record.outPtr, layer.ffnPostNormPtr);
  memory.fill(dh, 0, <usize>n * hStride);
  transposed(layer.downLayout, layer.downPtr, hidden, ffn, dy, xStride, n, dh, hStride, scratch);
  const gradSq = <usize>record.layerGradSqPtr + (<usize>iLayer << 3);
  const fisher = <usize>record.fisherPtr + <usize>iLayer * rowStride(model.ffn);
  for (let t = record.skip; t < n; t++) {
    addSquares(dh + <usize>t * hStride, ffn, fisher);
    store<f64>(gradSq, load<f64>(gradSq) + sumOfSquares(dy + <usize>t * xStride, hidden));
  }

  activationBackward(layer.activation, layer.gatePtr ? <usize>record.gatePtr : 0, record.upPtr, dh, <i32>(hStride >> 2) * n);
  if (layer.parallel) attentionBack(pass, model, layer, iLayer, x); // both parts read x, and what is behind them is dx still
  memory.fill(dNormed, 0, <usize>n * xStride);
  if (layer.gatePtr) transposed(layer.gateLayout, layer.gatePtr, ffn, hidden, record.gatePtr, hStride, n, dNormed, xStride, scratch);
  transposed(layer.upLayout, layer.upPtr, ffn, hidden, record.upPtr, hStride, n, dNormed, xStride, scratch);
  addInputSquares(record, record.inputFisherPtr, iLayer, Place.ffn, dNormed, xStride, hidden);
  throughNorm(record, ffnInput, layer.ffnNormPtr, dNormed, record.dxPtr);
  if (layer.convTaps) convolutionBack(pass, model, layer, x);
  else if (!layer.parallel) attentionBack(pass, model, layer, iLayer, x);
}
