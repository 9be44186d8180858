/**
 * One transformer block over the residual stream x [nTokens, hidden], in the order in which papers draw it. What a family does not have
 * (a bias, a gate, rotation) is a null pointer or an enum value of the record, never a branch on the family's name.
 */
import { Rope } from '../abi/enums';
import { LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { add } from '../kernels/activation/activation';
import { attend } from '../kernels/attention/attention';
import { storeKv } from '../kernels/attention/cache';
import { rope } from '../kernels/rope/rope';
import { ffnPart } from './ffn';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { sparseFfn } from './sparse';
import { sequenceOf, tokenOf } from './tokens';

@inline function addRows(x: usize, y: usize, stride: usize, nTokens: i32): void {
  add(x, y, <i32>(stride >> 2) * nTokens);
}

/** x += attention(norm(x)); the positions of these tokens are appended to the caches of their sequences. */
function attentionPart(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const hidden = model.hidden, headDim = model.headDim, heads = model.heads, kvHeads = model.kvHeads;
  const xStride = rowStride(hidden), qWidth = heads * headDim, kvWidth = kvHeads * headDim;
  const qStride = rowStride(qWidth), kvStride = rowStride(kvWidth);
  const normed = <usize>work.normedPtr, q = <usize>work.qPtr, k = <usize>work.kPtr, v = <usize>work.vPtr;

  normRows(model, work.xPtr, layer.attnNormPtr, layer.attnNormBiasPtr, nTokens, normed);
  prepareInput(work, normed, xStride, hidden, nTokens, formatOf(layer.qLayout) | formatOf(layer.kLayout) | formatOf(layer.vLayout));
  linear(work, layer.qLayout, layer.qPtr, layer.qBiasPtr, qWidth, hidden, normed, xStride, nTokens, q, qStride);
  linear(work, layer.kLayout, layer.kPtr, layer.kBiasPtr, kvWidth, hidden, normed, xStride, nTokens, k, kvStride);
  linear(work, layer.vLayout, layer.vPtr, layer.vBiasPtr, kvWidth, hidden, normed, xStride, nTokens, v, kvStride);

  let table = <usize>work.ropePtr, qRow = q, kRow = k, vRow = v, out = <usize>work.attnPtr;
  for (let t = 0; t < nTokens; t++) {
    if (model.rope != Rope.none) {
      rope(model.rope, qRow, heads, headDim, model.ropeDim, table);
      rope(model.rope, kRow, kvHeads, headDim, model.ropeDim, table);
    }
    const sequence = sequenceOf(work, t), position = tokenOf(work, t).position, own = <usize>iLayer * <usize>sequence.kvBytes;
    const keys = <usize>sequence.keysPtr + own, values = <usize>sequence.valuesPtr + own;
    storeKv(sequence.kvKind, kRow, vRow, keys, values, kvHeads, headDim, sequence.capacity, position);
    attend(sequence.kvKind, qRow, keys, values, heads, kvHeads, headDim, sequence.capacity, position + 1, model.attnScale, work.scoresPtr, out);
    qRow += qStride; kRow += kvStride; vRow += kvStride; out += qStride;
    table += <usize>model.ropeDim << 2;
  }

  prepareInput(work, work.attnPtr, qStride, qWidth, nTokens, formatOf(layer.oLayout));
  linear(work, layer.oLayout, layer.oPtr, layer.oBiasPtr, hidden, qWidth, work.attnPtr, qStride, nTokens, work.outPtr, xStride);
  addRows(work.xPtr, work.outPtr, xStride, nTokens);
}

export function block(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  attentionPart(model, work, layer, iLayer, nTokens);
  if (work.sparse) sparseFfn(model, work, layer, iLayer);
  else ffnPart(model, work, layer, iLayer, nTokens);
}
