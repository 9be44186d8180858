/**
 * One transformer block of a whole document, forward and backward, with respect to activations only. The same block as forward/block.ts, in
 * f32 throughout. What the backward pass needs is computed again from the layer's input (its slot) rather than kept: a quarter more time, ten
 * times less memory. Gradient at h: dh = dy W_down, where dy is the gradient at the residual stream that y joins.
 * Test: test/calibrate/gradient.test.ts.
 */
import { Rope } from '../abi/enums';
import { CalibrateRecord } from '../abi/calibrate';
import { LayerRecord, ModelRecord } from '../abi/records';
import { normRows, rowStride } from '../forward/norms';
import { activate, activateGated, add } from '../kernels/activation/activation';
import { rope } from '../kernels/rope/rope';
import { activationBackward, addSquares, observe, sumOfSquares } from './activation';
import { attention, attentionBackward } from './attention';
import { normBackward } from './norm';
import { product, transposed } from './product';

@inline export function modelOf(record: CalibrateRecord): ModelRecord { return changetype<ModelRecord>(<usize>record.modelPtr); }

@inline export function slot(record: CalibrateRecord, iSlot: i32): usize {
  return <usize>record.streamPtr + <usize>iSlot * <usize>record.capacity * rowStride(modelOf(record).hidden);
}

@inline function layerOf(model: ModelRecord, iLayer: i32): LayerRecord {
  return changetype<LayerRecord>(<usize>model.layersPtr + <usize>iLayer * offsetof<LayerRecord>());
}

@inline function scoresBytes(record: CalibrateRecord): usize { return <usize>((record.capacity + 7) & ~7) << 2; }

/** Turns all heads of all rows by the table's angles. */
function rotate(model: ModelRecord, x: usize, stride: usize, heads: i32, nTokens: i32, table: usize): void {
  if (model.rope == Rope.none) return;
  for (let t = 0; t < nTokens; t++, x += stride, table += <usize>model.ropeDim << 2) rope(model.rope, x, heads, model.headDim, model.ropeDim, table);
}

/** mid = x + o(attention(norm(x))); leaves normed, q, k, v (rotated). */
function attentionPart(record: CalibrateRecord, layer: LayerRecord, x: usize): void {
  const model = modelOf(record), n = record.nTokens, hidden = model.hidden, scratch = <usize>record.weightsPtr, normed = <usize>record.normedPtr;
  const qWidth = model.heads * model.headDim, kvWidth = model.kvHeads * model.headDim;
  const xStride = rowStride(hidden), qStride = rowStride(qWidth), kvStride = rowStride(kvWidth), mid = <usize>record.midPtr;
  normRows(model, x, layer.attnNormPtr, layer.attnNormBiasPtr, n, normed);
  product(layer.qLayout, layer.qPtr, layer.qBiasPtr, qWidth, hidden, normed, xStride, n, record.qPtr, qStride, scratch);
  product(layer.kLayout, layer.kPtr, layer.kBiasPtr, kvWidth, hidden, normed, xStride, n, record.kPtr, kvStride, scratch);
  product(layer.vLayout, layer.vPtr, layer.vBiasPtr, kvWidth, hidden, normed, xStride, n, record.vPtr, kvStride, scratch);
  rotate(model, record.qPtr, qStride, model.heads, n, record.ropePtr);
  rotate(model, record.kPtr, kvStride, model.kvHeads, n, record.ropePtr);
  attention(record.qPtr, record.kPtr, record.vPtr, qStride, kvStride, model.heads, model.kvHeads, model.headDim, n, model.attnScale, record.scoresPtr, record.attnPtr);
  product(layer.oLayout, layer.oPtr, layer.oBiasPtr, hidden, qWidth, record.attnPtr, qStride, n, mid, xStride, scratch);
  add(mid, x, <i32>(xStride >> 2) * n);
}

/** gate, up = their matrices times norm(mid). */
function ffnInputs(record: CalibrateRecord, layer: LayerRecord): void {
  const model = modelOf(record), n = record.nTokens, hidden = model.hidden, ffn = model.ffn, scratch = <usize>record.weightsPtr;
  const xStride = rowStride(hidden), hStride = rowStride(ffn), normed = <usize>record.normedPtr;
  normRows(model, record.midPtr, layer.ffnNormPtr, layer.ffnNormBiasPtr, n, normed);
  if (layer.gatePtr) product(layer.gateLayout, layer.gatePtr, layer.gateBiasPtr, ffn, hidden, normed, xStride, n, record.gatePtr, hStride, scratch);
  product(layer.upLayout, layer.upPtr, layer.upBiasPtr, ffn, hidden, normed, xStride, n, record.upPtr, hStride, scratch);
}

/** Slot `from` through layer iLayer into slot `to` (may be the same). `collect`: the neurons' activations join their sums. */
export function layerForward(record: CalibrateRecord, iLayer: i32, from: i32, to: i32, collect: bool): void {
  const model = modelOf(record), layer = layerOf(model, iLayer), n = record.nTokens, gated = layer.gatePtr != 0;
  const xStride = rowStride(model.hidden), hStride = rowStride(model.ffn), y = slot(record, to);
  const nudged = iLayer == record.nudgeLayer, h = <usize>record.hPtr, out = <usize>record.outPtr;
  attentionPart(record, layer, slot(record, from));
  ffnInputs(record, layer);
  memory.copy(h, gated ? record.gatePtr : record.upPtr, <usize>n * hStride);
  if (gated) activateGated(model.activation, h, record.upPtr, <i32>(hStride >> 2) * n);
  else activate(model.activation, h, <i32>(hStride >> 2) * n);
  if (nudged && record.nudgeHPtr) add(h, record.nudgeHPtr, <i32>(hStride >> 2) * n);
  if (collect) {
    const sums = <usize>iLayer * hStride;
    for (let t = record.skip; t < n; t++) {
      const row = <usize>t * hStride;
      observe(model.activation, gated ? <usize>record.gatePtr + row : 0, <usize>record.upPtr + row, h + row, model.ffn,
        <usize>record.hSumPtr + sums, <usize>record.hSqPtr + sums, <usize>record.hNormedSqPtr + sums, <usize>record.upSqPtr + sums, <usize>record.gateSqPtr + sums);
    }
  }
  product(layer.downLayout, layer.downPtr, layer.downBiasPtr, model.hidden, model.ffn, h, hStride, n, out, xStride, record.weightsPtr);
  if (nudged && record.nudgeYPtr) add(out, record.nudgeYPtr, <i32>(xStride >> 2) * n);
  memory.copy(y, record.midPtr, <usize>n * xStride);
  add(y, out, <i32>(xStride >> 2) * n);
}

/** dx += gradient through a norm whose input was x, from the gradient of its output in dNormed. */
function throughNorm(record: CalibrateRecord, x: usize, weight: usize): void {
  const model = modelOf(record), stride = rowStride(model.hidden);
  let dx = <usize>record.dxPtr, d = <usize>record.dNormedPtr;
  for (let t = 0; t < record.nTokens; t++, x += stride, dx += stride, d += stride) normBackward(model.norm, x, weight, d, model.hidden, model.normEps, dx);
}

/** Gradient at the block's attention input, from dx at its output (x + o(attention)). */
function attentionBack(record: CalibrateRecord, layer: LayerRecord, x: usize): void {
  const model = modelOf(record), n = record.nTokens, hidden = model.hidden, scratch = <usize>record.weightsPtr;
  const qWidth = model.heads * model.headDim, kvWidth = model.kvHeads * model.headDim;
  const xStride = rowStride(hidden), qStride = rowStride(qWidth), kvStride = rowStride(kvWidth);
  const dAttn = <usize>record.attnPtr, dNormed = <usize>record.dNormedPtr, dq = <usize>record.dqPtr, dk = <usize>record.dkPtr, dv = <usize>record.dvPtr;
  memory.fill(dAttn, 0, <usize>n * qStride);
  transposed(layer.oLayout, layer.oPtr, hidden, qWidth, record.dxPtr, xStride, n, dAttn, qStride, scratch);
  memory.fill(dq, 0, <usize>n * qStride);
  memory.fill(dk, 0, <usize>n * kvStride);
  memory.fill(dv, 0, <usize>n * kvStride);
  attentionBackward(record.qPtr, record.kPtr, record.vPtr, dAttn, qStride, kvStride, model.heads, model.kvHeads, model.headDim, n, model.attnScale,
    record.scoresPtr, scoresBytes(record), dq, dk, dv);
  rotate(model, dq, qStride, model.heads, n, record.ropeBackPtr);
  rotate(model, dk, kvStride, model.kvHeads, n, record.ropeBackPtr);
  memory.fill(dNormed, 0, <usize>n * xStride);
  transposed(layer.qLayout, layer.qPtr, qWidth, hidden, dq, qStride, n, dNormed, xStride, scratch);
  transposed(layer.kLayout, layer.kPtr, kvWidth, hidden, dk, kvStride, n, dNormed, xStride, scratch);
  transposed(layer.vLayout, layer.vPtr, kvWidth, hidden, dv, kvStride, n, dNormed, xStride, scratch);
  throughNorm(record, x, layer.attnNormPtr);
}

/** dx: gradient at slot iLayer + 1 → gradient at slot iLayer. Leaves dL/dh in hPtr; it and dL/dy join their sums. Layer 0 ends there. */
export function layerBackward(record: CalibrateRecord, iLayer: i32): void {
  const model = modelOf(record), layer = layerOf(model, iLayer), n = record.nTokens, hidden = model.hidden, ffn = model.ffn;
  const xStride = rowStride(hidden), hStride = rowStride(ffn), scratch = <usize>record.weightsPtr;
  const x = slot(record, iLayer), dx = <usize>record.dxPtr, dh = <usize>record.hPtr, dNormed = <usize>record.dNormedPtr;

  memory.fill(dh, 0, <usize>n * hStride);
  transposed(layer.downLayout, layer.downPtr, hidden, ffn, dx, xStride, n, dh, hStride, scratch);
  const gradSq = <usize>record.layerGradSqPtr + (<usize>iLayer << 3);
  for (let t = record.skip; t < n; t++) {
    addSquares(dh + <usize>t * hStride, ffn, <usize>record.fisherPtr + <usize>iLayer * hStride);
    store<f64>(gradSq, load<f64>(gradSq) + sumOfSquares(dx + <usize>t * xStride, hidden));
  }
  if (iLayer == 0) return;

  attentionPart(record, layer, x);
  ffnInputs(record, layer);
  activationBackward(model.activation, layer.gatePtr ? <usize>record.gatePtr : 0, record.upPtr, dh, <i32>(hStride >> 2) * n);
  memory.fill(dNormed, 0, <usize>n * xStride);
  if (layer.gatePtr) transposed(layer.gateLayout, layer.gatePtr, ffn, hidden, record.gatePtr, hStride, n, dNormed, xStride, scratch);
  transposed(layer.upLayout, layer.upPtr, ffn, hidden, record.upPtr, hStride, n, dNormed, xStride, scratch);
  throughNorm(record, record.midPtr, layer.ffnNormPtr);
  attentionBack(record, layer, x);
}
