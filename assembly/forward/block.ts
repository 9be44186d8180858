/**
 * One transformer block over the residual stream x [nTokens, hidden], in the order in which papers draw it. What a family does not have
 * (a bias, a gate, rotation) is a null pointer or an enum value of the record, never a branch on the family's name.
 */
import { Norm, Rope } from '../abi/enums';
import { LayerRecord, ModelRecord, SessionRecord } from '../abi/records';
import { activate, activateGated, add } from '../kernels/activation/activation';
import { attend } from '../kernels/attention/attention';
import { storeKv } from '../kernels/attention/cache';
import { layerNorm, rmsNorm } from '../kernels/norm/norm';
import { rope } from '../kernels/rope/rope';
import { formatOf, linear, prepareInput } from './linear';

/** Bytes from row to row of a buffer [nTokens, width] f32: widths are padded to 32. */
@inline export function rowStride(width: i32): usize { return <usize>((width + 31) & ~31) << 2; }

/** y = norm(x) for every row; both have the residual stream's width. */
export function normRows(model: ModelRecord, x: usize, weight: usize, bias: usize, nTokens: i32, y: usize): void {
  const stride = rowStride(model.hidden);
  for (let t = 0; t < nTokens; t++, x += stride, y += stride) {
    if (model.norm == Norm.rms) rmsNorm(x, weight, model.hidden, model.normEps, y);
    else layerNorm(x, weight, bias, model.hidden, model.normEps, y);
  }
}

@inline function addRows(x: usize, y: usize, stride: usize, nTokens: i32): void {
  add(x, y, <i32>(stride >> 2) * nTokens);
}

/** x += attention(norm(x)); the positions of these tokens are appended to the cache. */
function attentionPart(model: ModelRecord, session: SessionRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const hidden = model.hidden, headDim = model.headDim, heads = model.heads, kvHeads = model.kvHeads;
  const xStride = rowStride(hidden), qWidth = heads * headDim, kvWidth = kvHeads * headDim;
  const qStride = rowStride(qWidth), kvStride = rowStride(kvWidth);
  const normed = <usize>session.normedPtr, q = <usize>session.qPtr, k = <usize>session.kPtr, v = <usize>session.vPtr;

  normRows(model, session.xPtr, layer.attnNormPtr, layer.attnNormBiasPtr, nTokens, normed);
  prepareInput(session, normed, xStride, hidden, nTokens, formatOf(layer.qLayout) | formatOf(layer.kLayout) | formatOf(layer.vLayout));
  linear(session, layer.qLayout, layer.qPtr, layer.qBiasPtr, qWidth, hidden, normed, xStride, nTokens, q, qStride);
  linear(session, layer.kLayout, layer.kPtr, layer.kBiasPtr, kvWidth, hidden, normed, xStride, nTokens, k, kvStride);
  linear(session, layer.vLayout, layer.vPtr, layer.vBiasPtr, kvWidth, hidden, normed, xStride, nTokens, v, kvStride);

  const keys = <usize>session.keysPtr + <usize>iLayer * <usize>session.kvBytes;
  const values = <usize>session.valuesPtr + <usize>iLayer * <usize>session.kvBytes;
  let table = <usize>session.ropePtr, qRow = q, kRow = k, vRow = v, out = <usize>session.attnPtr;
  for (let t = 0; t < nTokens; t++) {
    if (model.rope != Rope.none) {
      rope(model.rope, qRow, heads, headDim, model.ropeDim, table);
      rope(model.rope, kRow, kvHeads, headDim, model.ropeDim, table);
    }
    const position = session.position + t;
    storeKv(session.kvKind, kRow, vRow, keys, values, kvHeads, headDim, session.capacity, position);
    attend(session.kvKind, qRow, keys, values, heads, kvHeads, headDim, session.capacity, position + 1, model.attnScale, session.scoresPtr, out);
    qRow += qStride; kRow += kvStride; vRow += kvStride; out += qStride;
    table += <usize>model.ropeDim << 2;
  }

  prepareInput(session, session.attnPtr, qStride, qWidth, nTokens, formatOf(layer.oLayout));
  linear(session, layer.oLayout, layer.oPtr, layer.oBiasPtr, hidden, qWidth, session.attnPtr, qStride, nTokens, session.outPtr, xStride);
  addRows(session.xPtr, session.outPtr, xStride, nTokens);
}

/** x += down(act(gate norm(x)) * up norm(x)), or down(act(up norm(x))) where the family has no gate. */
function ffnPart(model: ModelRecord, session: SessionRecord, layer: LayerRecord, nTokens: i32): void {
  const hidden = model.hidden, ffn = model.ffn;
  const xStride = rowStride(hidden), hStride = rowStride(ffn), width = <i32>(hStride >> 2);
  const normed = <usize>session.normedPtr, up = <usize>session.upPtr;
  const gated = layer.gatePtr != 0;
  const h = gated ? <usize>session.gatePtr : up;

  normRows(model, session.xPtr, layer.ffnNormPtr, layer.ffnNormBiasPtr, nTokens, normed);
  prepareInput(session, normed, xStride, hidden, nTokens, formatOf(layer.gateLayout) | formatOf(layer.upLayout));
  if (gated) linear(session, layer.gateLayout, layer.gatePtr, 0, ffn, hidden, normed, xStride, nTokens, h, hStride);
  linear(session, layer.upLayout, layer.upPtr, layer.upBiasPtr, ffn, hidden, normed, xStride, nTokens, up, hStride);
  if (gated) activateGated(model.activation, h, up, width * nTokens);
  else activate(model.activation, up, width * nTokens);

  prepareInput(session, h, hStride, ffn, nTokens, formatOf(layer.downLayout));
  linear(session, layer.downLayout, layer.downPtr, layer.downBiasPtr, hidden, ffn, h, hStride, nTokens, session.outPtr, xStride);
  addRows(session.xPtr, session.outPtr, xStride, nTokens);
}

export function block(model: ModelRecord, session: SessionRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  attentionPart(model, session, layer, iLayer, nTokens);
  ffnPart(model, session, layer, nTokens);
}
