/** The feed-forward part of a block, whole: x += down(act(gate norm(x)) * up norm(x)), or down(act(up norm(x))) where the family has no gate. */
import { LayerRecord, ModelRecord, SessionRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { gather } from '../adapt/statistics';
import { activate, activateGated, add } from '../kernels/activation/activation';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';
import { byNeuron } from './order';
import { probe } from './probe';

/** Hands h and u of the tokens of this pass to the statistics of the sequence. */
function collect(session: SessionRecord, iLayer: i32, h: usize, up: usize, stride: usize, ffn: i32, nTokens: i32): void {
  const adapt = adaptOf(session);
  if (!adapt.collect) return;
  const skip = max(0, min(nTokens, adapt.skipTokens - session.position));
  gather(adaptLayer(adapt, iLayer), h, up, stride, ffn, skip, nTokens);
}

export function ffnPart(model: ModelRecord, session: SessionRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const hidden = model.hidden, ffn = model.ffn;
  const xStride = rowStride(hidden), hStride = rowStride(ffn), width = <i32>(hStride >> 2);
  const normed = <usize>session.normedPtr, up = <usize>session.upPtr;
  const gated = layer.gatePtr != 0;
  const h = gated ? <usize>session.gatePtr : up;

  normRows(model, session.xPtr, layer.ffnNormPtr, layer.ffnNormBiasPtr, nTokens, normed);
  prepareInput(session, normed, xStride, hidden, nTokens, formatOf(layer.gateLayout) | formatOf(layer.upLayout));
  if (gated) linear(session, layer.gateLayout, layer.gatePtr, layer.gateBiasPtr, ffn, hidden, normed, xStride, nTokens, h, hStride);
  linear(session, layer.upLayout, layer.upPtr, layer.upBiasPtr, ffn, hidden, normed, xStride, nTokens, up, hStride);
  if (layer.orderFor) { // the prepared input has been used: its room is free
    byNeuron(layer, h, hStride, ffn, nTokens, session.quantPtr);
    byNeuron(layer, up, hStride, ffn, nTokens, session.quantPtr);
  }
  const adapt = adaptOf(session), probed = adapt.probePtr != 0 && nTokens == 1;
  if (probed && gated) { // the gate alone, beside h
    memory.copy(adapt.scratchPtr, h, hStride);
    activate(model.activation, adapt.scratchPtr, width);
  }
  if (gated) activateGated(model.activation, h, up, width * nTokens);
  else activate(model.activation, up, width * nTokens);
  collect(session, iLayer, h, up, hStride, ffn, nTokens);
  if (probed) probe(model, session, layer, adapt, adaptLayer(adapt, iLayer), iLayer, gated ? <usize>adapt.scratchPtr : 0, h);

  prepareInput(session, h, hStride, ffn, nTokens, formatOf(layer.downLayout));
  linear(session, layer.downLayout, layer.downPtr, layer.downBiasPtr, hidden, ffn, h, hStride, nTokens, session.outPtr, xStride);
  add(session.xPtr, session.outPtr, <i32>(xStride >> 2) * nTokens);
}
