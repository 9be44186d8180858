/**
 * From the statistics of the prompt to the selection that the following steps use, once a prompt (and at a refresh). The prior, measured
 * offline, counts for `shrink` tokens; without any token it stands alone, without a prior the prompt does.
 *   topK     GRIFFIN: the `density` share of every layer by sum (h / |h|)^2
 *   global   the `density` share of the whole network by E h^2 * sensitivity^2, the damage that dropping a neuron would do; by fours
 *            where copies hold them so
 *   cett     sqrt(E h^2) * |down column|, held against a threshold a layer at every step; with a density, all thresholds are moved by one
 *            factor so that this prompt keeps that share: short prompts have small means
 *   cascade  weights of the gate: sensitivity * sqrt(E u^2)
 * Test: test/adapt/refresh.test.ts.
 */
import { Rule } from '../abi/enums';
import { AdaptRecord, ModelRecord } from '../abi/records';
import { scoreFours } from '../kernels/neurons/fours';
import { selectAbove, selectTop } from '../kernels/neurons/select';
import { adaptLayer, layerOf } from './state';

/** out_i = (sums_i + shrink * prior_i) / (nStat + shrink), the mean square of neuron i; a prior of 0: none, and no shrink. */
function meanSquares(adapt: AdaptRecord, sums: usize, prior: usize, ffn: i32, out: usize): void {
  const shrink: f32 = prior ? adapt.shrink : 0, count = <f32>adapt.nStat + shrink;
  const inverse: f32 = count > 0 ? <f32>1 / count : 0;
  for (let i: usize = 0, end = <usize>ffn << 2; i < end; i += 4) {
    const own = prior ? shrink * load<f32>(prior + i) : 0;
    store<f32>(out + i, (load<f32>(sums + i) + own) * inverse);
  }
}

/** scores = sqrt(scores) * weights * scale; weights of 0: ones. */
function rootTimes(scores: usize, weights: usize, ffn: i32, scale: f32 = 1): void {
  for (let i: usize = 0, end = <usize>ffn << 2; i < end; i += 4) {
    const root = sqrt<f32>(load<f32>(scores + i));
    store<f32>(scores + i, (weights ? root * load<f32>(weights + i) : root) * scale);
  }
}

/** Neurons over all layers whose score is above `threshold`. */
function countAbove(adapt: AdaptRecord, model: ModelRecord, spare: usize, threshold: f32): i32 {
  let count = 0;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    count += selectAbove(adaptLayer(adapt, iLayer).scoresPtr, 0, threshold, layerOf(model, iLayer).ffn, spare);
  }
  return count;
}

/** Neurons of all layers. */
function countAll(model: ModelRecord): i32 {
  let count = 0;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) count += layerOf(model, iLayer).ffn;
  return count;
}

/** The threshold that leaves at most `density` of all neurons: bisection over the bits of non-negative f32. */
function globalThreshold(adapt: AdaptRecord, model: ModelRecord, spare: usize): f32 {
  const wanted = <i32>nearest<f32>(adapt.density * <f32>countAll(model));
  let low: u32 = 0, high: u32 = 0x7f800000; // countAbove(high) = 0 <= wanted
  while (low < high) {
    const middle = low + ((high - low) >> 1);
    if (countAbove(adapt, model, spare, reinterpret<f32>(middle)) <= wanted) high = middle;
    else low = middle + 1;
  }
  return reinterpret<f32>(high);
}

/** Makes the selection anew from the sums as they are; `spare`: room for a list. */
export function refresh(model: ModelRecord, adapt: AdaptRecord, spare: usize): void {
  const rule = adapt.rule;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    const layer = adaptLayer(adapt, iLayer), known = layerOf(model, iLayer), ffn = known.ffn, scores = <usize>layer.scoresPtr;
    if (rule == Rule.topK) {
      const k = <i32>nearest<f32>(adapt.density * <f32>ffn);
      layer.nMask = selectTop(layer.sumNormedPtr, ffn, max(1, k), layer.maskPtr);
    } else if (rule == Rule.cascade) {
      meanSquares(adapt, layer.sumUpPtr, known.upSquarePtr, ffn, scores);
      rootTimes(scores, known.sensitivityPtr, ffn);
    } else if (rule == Rule.cett) {
      meanSquares(adapt, layer.sumHPtr, adapt.nStat > 0 ? 0 : known.hSquarePtr, ffn, scores);
      rootTimes(scores, known.columnNormPtr, ffn, layer.scoreScale);
    } else if (rule == Rule.global) {
      meanSquares(adapt, layer.sumHPtr, known.hSquarePtr, ffn, scores);
      rootTimes(scores, known.sensitivityPtr, ffn);
      scoreFours(known.downLayout, scores, ffn, spare);
    }
  }
  if (rule == Rule.cett && adapt.density < 1) {
    const threshold = globalThreshold(adapt, model, spare);
    for (let iLayer = 0; iLayer < model.nLayers; iLayer++) adaptLayer(adapt, iLayer).scoreBase = threshold;
  }
  if (rule == Rule.global) {
    const threshold = globalThreshold(adapt, model, spare);
    for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
      const layer = adaptLayer(adapt, iLayer);
      layer.nMask = selectAbove(layer.scoresPtr, 0, threshold, layerOf(model, iLayer).ffn, layer.maskPtr);
      layer.scoreBase = threshold; // for a mask that the load moves
    }
  }
  adapt.dirty = 0;
}
