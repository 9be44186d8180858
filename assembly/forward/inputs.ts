/**
 * What a token leaves out of the inputs of a layer's products, before they are quantised: |x_j| w_j <= threshold becomes zero (arXiv
 * 2408.14690 without weights, 2505.19427 with the norm of x_j's columns, here sqrt E (dL/dx_j)^2, under one budget for all places), or of
 * each product the largest share. Whoever multiplies may leave out columns whose input is zero: the same numbers, less time.
 */
import { Place, Stage } from '../abi/enums';
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { keepAbove } from '../kernels/neurons/keep';
import { selectTop } from '../kernels/neurons/select';
import { relist } from './columns';
import { sequenceOf } from './tokens';

/** True where the pass under way leaves out inputs. */
@inline export function choosesInputs(work: WorkspaceRecord): bool {
  return work.sparse != 0 && (adaptOf(sequenceOf(work, 0)).stages & Stage.inputs) != 0;
}

/** The `share` of n values with the largest |value_i| * weights_i stay, in `scores` their scores are left; the others become zero. */
export function keepTop(values: usize, weights: usize, share: f32, n: i32, scores: usize, list: usize): i32 {
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) {
    const v = abs(load<f32>(values + i));
    store<f32>(scores + i, weights ? v * load<f32>(weights + i) : v);
  }
  const count = selectTop(scores, n, max(1, <i32>nearest<f32>(share * <f32>n)), list);
  let from = 0;
  for (const end = list + (<usize>count << 1); list < end; list += 2) {
    const i = <i32>load<u16>(list);
    memory.fill(values + (<usize>from << 2), 0, <usize>(i - from) << 2);
    from = i + 1;
  }
  memory.fill(values + (<usize>from << 2), 0, <usize>(n - from) << 2);
  return count;
}

/** Of the n inputs at x those stay that the sequence's selection wants at this place of the layer. */
export function chooseInputs(work: WorkspaceRecord, model: ModelRecord, layer: LayerRecord, place: i32, x: usize, n: i32): void {
  const adapt = adaptOf(sequenceOf(work, 0));
  const iLayer = <i32>((changetype<usize>(layer) - <usize>model.layersPtr) / offsetof<LayerRecord>()), own = adaptLayer(adapt, iLayer);
  let threshold: f32 = 0, weights: usize = 0, count = n;
  if (place == Place.attention) { threshold = own.attentionBase; weights = own.attentionWeightPtr; }
  else if (place == Place.output) { threshold = own.outputBase; weights = own.outputWeightPtr; }
  else { threshold = own.ffnBase; weights = own.ffnWeightPtr; }
  if (adapt.inputShare > 0) { if (adapt.inputShare < 1) count = keepTop(x, weights, adapt.inputShare, n, work.hPtr, work.listPtr); }
  else if (threshold >= 0) count = keepAbove(x, weights, threshold * adapt.factor, n, work.listPtr);
  relist(work, count);
  if (place == Place.attention) own.nAttention = count;
  else if (place == Place.output) own.nOutput = count;
  else own.nFfn = count;
}

/** Weights of a layer that a token used, in elements; `whole`: that it has. */
export function inputsUsed(model: ModelRecord, layer: LayerRecord, own: AdaptLayer, whole: bool): f64 {
  const hidden = <f64>model.hidden, ffn = <f64>layer.ffn, q = <f64>(layer.heads * model.headDim), kv = <f64>(layer.kvHeads * model.headDim);
  const ffnRows = layer.gatePtr ? 2 * ffn : ffn;
  let used = whole ? hidden * ffnRows + ffn * hidden : <f64>own.nFfn * ffnRows + <f64>own.nDown * hidden;
  if (!layer.convTaps) used += whole ? hidden * (q + 2 * kv) + q * hidden : <f64>own.nAttention * (q + 2 * kv) + <f64>own.nOutput * hidden;
  return used;
}
