/** The feed-forward part of a block, whole: x += down(act(gate norm(x)) * up norm(x)), or down(act(up norm(x))) where the family has no gate. */
import { LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { counts, gather } from '../adapt/statistics';
import { activate, activateGated, add } from '../kernels/activation/activation';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { byNeuron } from './order';
import { probe } from './probe';
import { sequenceOf, tokenOf } from './tokens';

/** Hands h and u of the tokens of this pass to the statistics of their sequences. */
function collect(work: WorkspaceRecord, iLayer: i32, h: usize, up: usize, stride: usize, ffn: i32, nTokens: i32): void {
  for (let t = 0; t < nTokens; t++, h += stride, up += stride) {
    const adapt = adaptOf(sequenceOf(work, t));
    if (counts(adapt, tokenOf(work, t).position)) gather(adaptLayer(adapt, iLayer), h, up, ffn);
  }
}

export function ffnPart(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const hidden = model.hidden, ffn = model.ffn;
  const xStride = rowStride(hidden), hStride = rowStride(ffn), width = <i32>(hStride >> 2);
  const normed = <usize>work.normedPtr, up = <usize>work.upPtr;
  const gated = layer.gatePtr != 0;
  const h = gated ? <usize>work.gatePtr : up;

  normRows(model, work.xPtr, layer.ffnNormPtr, layer.ffnNormBiasPtr, nTokens, normed);
  prepareInput(work, normed, xStride, hidden, nTokens, formatOf(layer.gateLayout) | formatOf(layer.upLayout));
  if (gated) linear(work, layer.gateLayout, layer.gatePtr, 0, ffn, hidden, normed, xStride, nTokens, h, hStride);
  linear(work, layer.upLayout, layer.upPtr, layer.upBiasPtr, ffn, hidden, normed, xStride, nTokens, up, hStride);
  if (layer.orderFor) { // the prepared input has been used: its room is free
    byNeuron(layer, h, hStride, ffn, nTokens, work.quantPtr);
    byNeuron(layer, up, hStride, ffn, nTokens, work.quantPtr);
  }
  const adapt = adaptOf(sequenceOf(work, 0)), probed = adapt.probePtr != 0 && nTokens == 1;
  if (probed && gated) { // the gate alone, beside h
    memory.copy(work.scratchPtr, h, hStride);
    activate(model.activation, work.scratchPtr, width);
  }
  if (gated) activateGated(model.activation, h, up, width * nTokens);
  else activate(model.activation, up, width * nTokens);
  collect(work, iLayer, h, up, hStride, ffn, nTokens);
  if (probed) probe(model, work, layer, adapt, adaptLayer(adapt, iLayer), iLayer, gated ? <usize>work.scratchPtr : 0, h);

  prepareInput(work, h, hStride, ffn, nTokens, formatOf(layer.downLayout));
  linear(work, layer.downLayout, layer.downPtr, layer.downBiasPtr, hidden, ffn, h, hStride, nTokens, work.outPtr, xStride);
  add(work.xPtr, work.outPtr, <i32>(xStride >> 2) * nTokens);
}
