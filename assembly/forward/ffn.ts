/**
 * The feed-forward part of a block, whole but for masks: x += down(act(gate norm(x)) * up norm(x)), or down(act(up norm(x))) where the
 * family has no gate.
 */
import { LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { counts, gather } from '../adapt/statistics';
import { activate } from '../kernels/activation/activation';
import { activateAll, activateGatedAll } from './activations';
import { DensePass } from './dense';
import { rowStride } from './norms';
import { byNeuron } from './order';
import { down, gateAndUp, leave } from './parts';
import { probe } from './probe';
import { keepListed } from './sparse';
import { sequenceOf, tokenOf } from './tokens';

/** Hands h and u of the tokens of this pass to the statistics of their sequences. */
function collect(work: WorkspaceRecord, iLayer: i32, h: usize, up: usize, stride: usize, ffn: i32, nTokens: i32): void {
  for (let t = 0; t < nTokens; t++, h += stride, up += stride) {
    const adapt = adaptOf(sequenceOf(work, t));
    if (counts(adapt, tokenOf(work, t).position)) gather(adaptLayer(adapt, iLayer), h, up, ffn);
  }
}

/** What masks leave out becomes zero in h: the same numbers as over copies, of weights that are read once for all tokens. */
function dropMasked(work: WorkspaceRecord, iLayer: i32, gated: bool, h: usize, stride: usize, ffn: i32, nTokens: i32): void {
  for (let t = 0; t < nTokens; t++, h += stride) {
    const adapt = adaptOf(sequenceOf(work, t));
    if (!adapt.masked) continue;
    const own = adaptLayer(adapt, iLayer), n = own.nMask;
    if (n < ffn) keepListed(work, ffn, own.maskPtr, n, h);
    own.nGate = gated ? n : 0;
    own.nUp = n;
    own.nDown = n;
  }
}

export function ffnPart(pass: DensePass, model: ModelRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const ffn = layer.ffn, hStride = rowStride(ffn), width = <i32>(hStride >> 2), up = <usize>pass.upPtr, gated = layer.gatePtr != 0;
  const h = gated ? <usize>pass.gatePtr : up;

  gateAndUp<DensePass>(pass, model, layer, pass.ffnInput(layer), nTokens);
  if (layer.orderFor) { // the prepared input has been used: its room is free
    byNeuron(layer, h, hStride, ffn, nTokens, pass.quantPtr);
    byNeuron(layer, up, hStride, ffn, nTokens, pass.quantPtr);
  }
  const adapt = adaptOf(sequenceOf(pass, 0)), probed = adapt.probePtr != 0 && nTokens == 1;
  if (probed && gated) { // the gate alone, beside h
    memory.copy(pass.scratchPtr, h, hStride);
    activate(layer.activation, pass.scratchPtr, width);
  }
  if (gated) activateGatedAll(pass, layer.activation, h, up, width * nTokens);
  else activateAll(pass, layer.activation, up, width * nTokens);
  collect(pass, iLayer, h, up, hStride, ffn, nTokens);
  dropMasked(pass, iLayer, gated, h, hStride, ffn, nTokens);
  if (probed) probe(model, pass, layer, adapt, adaptLayer(adapt, iLayer), iLayer, gated ? <usize>pass.scratchPtr : 0, h);

  down<DensePass>(pass, model, layer, h, nTokens);
  leave(model, layer, pass.xPtr, pass.outPtr, layer.ffnPostNormPtr, nTokens, pass.normedPtr);
}
