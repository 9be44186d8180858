/**
 * The feed-forward part of a block with experts: each token goes to a few of them (kernels/experts), and what they give is added up with
 * the router's weights. Tokens are gathered by expert, so that a chosen expert's weights are read once a pass and those of others never;
 * a token's sum is taken in the order of the experts, whoever else is in the pass. A step that skips goes to fewer of them: to so many as
 * its sequence's share says, or to those that its budget, moved by the load, needs (docs/methods.md).
 */
import { Stage } from '../abi/enums';
import { AdaptRecord, ExpertRecord, LayerRecord, ModelRecord } from '../abi/records';
import { adaptLayer, adaptOf, layerOf } from '../adapt/state';
import { addWeighted, route, sigmoid } from '../kernels/experts/experts';
import { activateGatedAll } from './activations';
import { DensePass } from './dense';
import { formatOf } from './linear';
import { normRows, rowStride } from './norms';
import { leave } from './parts';
import { sequenceOf } from './tokens';

/** Bytes from token to token of a router's rows. */
@inline function weightStride(experts: i32): usize { return <usize>((experts + 7) & ~7) << 2; }

/** Weights [nTokens, experts] of every expert for every token, 0 where it was not chosen; x is normed. */
function routeTokens(pass: DensePass, model: ModelRecord, layer: LayerRecord, iLayer: i32, x: usize, nTokens: i32): void {
  const hidden = model.hidden, stride = rowStride(hidden), experts = layer.experts, wStride = weightStride(experts);
  let weights = <usize>pass.expertWeightsPtr;
  pass.prepare(x, stride, hidden, nTokens, formatOf(layer.routerLayout));
  pass.multiply(layer.routerLayout, layer.routerPtr, 0, experts, hidden, x, stride, nTokens, weights, wStride);
  const adapt = adaptOf(sequenceOf(pass, 0));
  if (pass.sparse && adapt.stages & Stage.experts) { // a step: one token
    const own = adaptLayer(adapt, iLayer), share = adapt.share, some = max(1, <i32>nearest<f32>(share * <f32>layer.expertsUsed));
    const used = share > 0 ? min(some, layer.expertsUsed) : layer.expertsUsed, budget: f32 = share > 0 ? 0 : own.expertBase * adapt.factor;
    own.nExperts = route(weights, experts, used, layer.expertsNormed, budget);
    return;
  }
  for (let t = 0; t < nTokens; t++, weights += wStride) route(weights, experts, layer.expertsUsed, layer.expertsNormed, 0);
}

/** Share of the experts' weights, those that all tokens go to included, that a step used of what a dense one does. */
export function expertsCost(model: ModelRecord, adapt: AdaptRecord): f32 {
  let some: f64 = 0, whole: f64 = 0;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    const layer = layerOf(model, iLayer), ffn = <f64>layer.ffn;
    if (!layer.experts) continue;
    const shared: f64 = layer.sharedPtr ? <f64>changetype<ExpertRecord>(<usize>layer.sharedPtr).ffn : 0;
    some += shared + ffn * <f64>adaptLayer(adapt, iLayer).nExperts;
    whole += shared + ffn * <f64>layer.expertsUsed;
  }
  return <f32>(some / whole);
}

/** expertOut = down(act(gate x) * up x) of one expert for rows of x. */
function expertFfn(pass: DensePass, model: ModelRecord, layer: LayerRecord, expert: ExpertRecord, x: usize, nTokens: i32): void {
  const hidden = model.hidden, ffn = expert.ffn, xStride = rowStride(hidden), hStride = rowStride(ffn);
  const h = <usize>pass.gatePtr, up = <usize>pass.upPtr;
  pass.prepare(x, xStride, hidden, nTokens, formatOf(expert.gateLayout) | formatOf(expert.upLayout));
  pass.multiply(expert.gateLayout, expert.gatePtr, 0, ffn, hidden, x, xStride, nTokens, h, hStride);
  pass.multiply(expert.upLayout, expert.upPtr, 0, ffn, hidden, x, xStride, nTokens, up, hStride);
  activateGatedAll(pass, layer.activation, h, up, <i32>(hStride >> 2) * nTokens);
  pass.prepare(h, hStride, ffn, nTokens, formatOf(expert.downLayout));
  pass.multiply(expert.downLayout, expert.downPtr, 0, hidden, ffn, h, hStride, nTokens, pass.expertOutPtr, xStride);
}

/** The chosen experts' outputs, weighted, into out; x is normed. */
function chosenExperts(pass: DensePass, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32): void {
  const stride = rowStride(model.hidden), wStride = weightStride(layer.experts), width = <i32>(stride >> 2);
  let weights = <usize>pass.expertWeightsPtr;
  for (let e = 0; e < layer.experts; e++, weights += 4) {
    let to = <usize>pass.expertInPtr, n = 0;
    for (let t = 0; t < nTokens; t++) {
      if (load<f32>(weights + <usize>t * wStride) == 0) continue;
      memory.copy(to, x + <usize>t * stride, stride);
      to += stride;
      n++;
    }
    if (n == 0) continue;
    expertFfn(pass, model, layer, expertOf(layer, e), pass.expertInPtr, n);
    for (let t = 0, from = <usize>pass.expertOutPtr; t < nTokens; t++) {
      const weight = load<f32>(weights + <usize>t * wStride);
      if (weight == 0) continue;
      addWeighted(<usize>pass.outPtr + <usize>t * stride, from, weight, width);
      from += stride;
    }
  }
}

/** The expert that every token goes to, added to out, where the layer has one; x is normed. */
function sharedExpert(pass: DensePass, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32): void {
  if (!layer.sharedPtr) return;
  const hidden = model.hidden, stride = rowStride(hidden), weights = <usize>pass.expertWeightsPtr, wStride = weightStride(1);
  if (layer.sharedRouterPtr) {
    pass.prepare(x, stride, hidden, nTokens, formatOf(layer.sharedRouterLayout));
    pass.multiply(layer.sharedRouterLayout, layer.sharedRouterPtr, 0, 1, hidden, x, stride, nTokens, weights, wStride);
  }
  expertFfn(pass, model, layer, changetype<ExpertRecord>(<usize>layer.sharedPtr), x, nTokens);
  for (let t: usize = 0; t < <usize>nTokens; t++) {
    const weight: f32 = layer.sharedRouterPtr ? sigmoid(load<f32>(weights + t * wStride)) : 1;
    addWeighted(<usize>pass.outPtr + t * stride, <usize>pass.expertOutPtr + t * stride, weight, <i32>(stride >> 2));
  }
}

@inline function expertOf(layer: LayerRecord, e: i32): ExpertRecord {
  return changetype<ExpertRecord>(<usize>layer.expertsPtr + <usize>e * offsetof<ExpertRecord>());
}

/** x += experts(norm(x)). */
export function mixturePart(pass: DensePass, model: ModelRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const x = <usize>pass.normedPtr;
  normRows(model, pass.ffnInput(layer), layer.ffnNormPtr, layer.ffnNormBiasPtr, nTokens, x);
  routeTokens(pass, model, layer, iLayer, x, nTokens);
  memory.fill(pass.outPtr, 0, <usize>nTokens * rowStride(model.hidden));
  chosenExperts(pass, model, layer, x, nTokens);
  sharedExpert(pass, model, layer, x, nTokens);
  leave(model, layer, pass.xPtr, pass.outPtr, layer.ffnPostNormPtr, nTokens, pass.normedPtr);
}
