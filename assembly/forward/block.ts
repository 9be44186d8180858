/**
 * One transformer block over the residual stream x [nTokens, hidden], in the order in which papers draw it. What a family does not have
 * (a bias, a gate, rotation) is a null pointer or an enum value of the record, never a branch on the family's name.
 */
import { Rope } from '../abi/enums';
import { LayerRecord, ModelRecord, SessionRecord } from '../abi/records';
import { adaptOf } from '../adapt/state';
import { add } from '../kernels/activation/activation';
import { attend } from '../kernels/attention/attention';
import { storeKv } from '../kernels/attention/cache';
import { rope } from '../kernels/rope/rope';
import { ffnPart } from './ffn';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { sparseFfn } from './sparse';

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

export function block(model: ModelRecord, session: SessionRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  attentionPart(model, session, layer, iLayer, nTokens);
  if (adaptOf(session).active) sparseFfn(model, session, layer, iLayer);
  else ffnPart(model, session, layer, iLayer, nTokens);
}
