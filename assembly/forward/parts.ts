/**
 * What a transformer block consists of, in the order in which papers draw it: the one description, for every family and for every kind of
 * pass. What a family does not have (a norm, a bias, a gate, rotation) is a null pointer of the layer's record, never a branch on its name.
 * `P` is who multiplies and attends, and in which buffers: DensePass (forward/dense.ts) with quantised activations and a cache,
 * DocumentPass (backward/document.ts) in f32 without.
 */
import { Place } from '../abi/enums';
import { LayerRecord, ModelRecord } from '../abi/records';
import { add, scale } from '../kernels/activation/activation';
import { joinHeads, padHeads } from './heads';
import { formatOf } from './linear';
import { headsStride, normHeads, normRows, rowStride } from './norms';
import { rotate } from './rotate';

/** x += out, which is normed and scaled first where the family does that to what a part gives; `scratch` [nTokens, hidden] is free. */
export function leave(model: ModelRecord, layer: LayerRecord, x: usize, out: usize, postNorm: usize, nTokens: i32, scratch: usize): void {
  const cols = <i32>(rowStride(model.hidden) >> 2) * nTokens;
  if (postNorm) {
    normRows(model, out, postNorm, 0, nTokens, scratch);
    out = scratch;
  }
  if (layer.residualScale != 1) scale(out, layer.residualScale, cols);
  add(x, out, cols);
}

/** The feed-forward part's input, norm(x), ready for the products that read it. */
export function enterFfn<P>(pass: P, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32): void {
  const formats = formatOf(layer.gateLayout) | formatOf(layer.upLayout);
  pass.enter(model, layer, Place.ffn, x, layer.ffnNormPtr, layer.ffnNormBiasPtr, nTokens, formats);
}

/** gate and up [nTokens, ffn] of norm(x), before the nonlinearity. */
export function gateAndUp<P>(pass: P, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32): void {
  const hidden = model.hidden, ffn = layer.ffn, xStride = rowStride(hidden), hStride = rowStride(ffn), input = <usize>pass.normedPtr;
  enterFfn<P>(pass, model, layer, x, nTokens);
  pass.product(
    0, layer.upLayout, layer.upPtr, layer.upColumnsPtr, layer.upBiasPtr, ffn, hidden, input, xStride, nTokens, pass.upPtr, hStride,
  );
  if (layer.gatePtr) {
    pass.product(
      1, layer.gateLayout, layer.gatePtr, layer.gateColumnsPtr, layer.gateBiasPtr, ffn, hidden, input, xStride, nTokens, pass.gatePtr,
      hStride,
    );
  }
  pass.finish(layer.gatePtr ? 2 : 1);
}

/** out = down h. */
export function down<P>(pass: P, model: ModelRecord, layer: LayerRecord, h: usize, nTokens: i32): void {
  const hStride = rowStride(layer.ffn);
  pass.choose(model, layer, Place.h, h, hStride, layer.ffn);
  pass.prepare(h, hStride, layer.ffn, nTokens, formatOf(layer.downLayout));
  pass.product(
    0, layer.downLayout, layer.downPtr, layer.downColumnsPtr, layer.downBiasPtr, model.hidden, layer.ffn, h, hStride, nTokens, pass.outPtr,
    rowStride(model.hidden),
  );
  pass.finish(1);
}

/** q, k and v of norm(x), as the products give them. */
export function queryKeyValue<P>(pass: P, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32): void {
  const hidden = model.hidden, qWidth = layer.heads * model.headDim, kvWidth = layer.kvHeads * model.headDim, xStride = rowStride(hidden);
  const qStride = headsStride(model, layer.heads), kvStride = headsStride(model, layer.kvHeads), input = <usize>pass.normedPtr;
  const formats = formatOf(layer.qLayout) | formatOf(layer.kLayout) | formatOf(layer.vLayout);
  pass.enter(model, layer, Place.attention, x, layer.attnNormPtr, layer.attnNormBiasPtr, nTokens, formats);
  pass.product(
    0, layer.qLayout, layer.qPtr, layer.qColumnsPtr, layer.qBiasPtr, qWidth, hidden, input, xStride, nTokens, pass.qPtr, qStride,
  );
  pass.product(
    1, layer.kLayout, layer.kPtr, layer.kColumnsPtr, layer.kBiasPtr, kvWidth, hidden, input, xStride, nTokens, pass.kPtr, kvStride,
  );
  pass.product(
    2, layer.vLayout, layer.vPtr, layer.vColumnsPtr, layer.vBiasPtr, kvWidth, hidden, input, xStride, nTokens, pass.vPtr, kvStride,
  );
  pass.finish(3);
}

function normQueryKey<P>(pass: P, model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
  normHeads(model, layer, pass.qPtr, layer.qNormPtr, layer.heads, nTokens);
  normHeads(model, layer, pass.kPtr, layer.kNormPtr, layer.kvHeads, nTokens);
}

/** q and k turned by the angles of their rows. */
export function turnQueryKey<P>(pass: P, model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
  rotate(model, layer, pass.qPtr, layer.heads, nTokens, pass.anglesPtr, pass.rows);
  rotate(model, layer, pass.kPtr, layer.kvHeads, nTokens, pass.anglesPtr, pass.rows);
}

/** x += attention(norm(x)). `last`: keys and values of all, the rest for rows that matter; returns how many go on. */
export function attentionPart<P>(pass: P, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32, last: bool): i32 {
  const hidden = model.hidden, heads = layer.heads, kvHeads = layer.kvHeads, qWidth = heads * model.headDim;
  const qStride = headsStride(model, heads);
  queryKeyValue<P>(pass, model, layer, x, nTokens);
  if (!layer.normTurned) normQueryKey<P>(pass, model, layer, nTokens);
  turnQueryKey<P>(pass, model, layer, nTokens);
  if (layer.normTurned) normQueryKey<P>(pass, model, layer, nTokens);
  padHeads(model, pass.qPtr, heads, nTokens);
  padHeads(model, pass.kPtr, kvHeads, nTokens);
  padHeads(model, pass.vPtr, kvHeads, nTokens);
  pass.store(model, layer, nTokens);
  if (last) nTokens = pass.narrow(model, nTokens, pass.qPtr, qStride);
  if (nTokens == 0) return 0;
  pass.attend(model, layer, nTokens);
  joinHeads(model, pass.attnPtr, heads, nTokens);
  pass.choose(model, layer, Place.heads, pass.attnPtr, qStride, qWidth);
  pass.prepare(pass.attnPtr, qStride, qWidth, nTokens, formatOf(layer.oLayout));
  pass.product(
    0, layer.oLayout, layer.oPtr, layer.oColumnsPtr, layer.oBiasPtr, hidden, qWidth, pass.attnPtr, qStride, nTokens, pass.outPtr,
    rowStride(hidden),
  );
  pass.finish(1);
  leave(model, layer, x, pass.outPtr, layer.attnPostNormPtr, nTokens, pass.normedPtr);
  return nTokens;
}
