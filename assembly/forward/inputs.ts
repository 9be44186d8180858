/**
 * What a token leaves out of the inputs of a layer's products, before they are quantised: |x_j| w_j <= threshold becomes zero (arXiv
 * 2408.14690 without weights, 2505.19427 with the norm of x_j's columns, here sqrt E (dL/dx_j)^2, under one budget for all places), or of
 * each product the largest share. Whoever multiplies may leave out columns whose input is zero: the same numbers, less time.
 */
import { Place, Stage } from '../abi/enums';
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { keepSome } from '../kernels/neurons/keep';
import { relist } from './columns';
import { sequenceOf } from './tokens';

/** True where the pass under way leaves out inputs. */
@inline export function choosesInputs(work: WorkspaceRecord): bool {
  return work.sparse != 0 && (adaptOf(sequenceOf(work, 0)).stages & Stage.inputs) != 0;
}

/** Of the n inputs at x those stay that the sequence's selection wants at this place of the layer. */
export function chooseInputs(work: WorkspaceRecord, model: ModelRecord, layer: LayerRecord, place: Place, x: usize, n: i32): void {
  const adapt = adaptOf(sequenceOf(work, 0));
  const iLayer = <i32>((changetype<usize>(layer) - <usize>model.layersPtr) / offsetof<LayerRecord>()), own = adaptLayer(adapt, iLayer);
  let base = own.productBase, weights = <usize>own.productWeightPtr, share = adapt.inputShare;
  if (place == Place.attention) { base = own.attentionBase; weights = own.attentionWeightPtr; }
  else if (place == Place.heads) { base = own.outputBase; weights = own.outputWeightPtr; }
  else if (place == Place.ffn) { base = own.ffnBase; weights = own.ffnWeightPtr; }
  else share = adapt.share;
  const count = keepSome(x, weights, share, base < 0 ? base : base * adapt.factor, n, work.hPtr, work.listPtr);
  relist(work, count);
  if (place == Place.attention) own.nAttention = count;
  else if (place == Place.heads) own.nOutput = count;
  else if (place == Place.ffn) own.nFfn = count;
  else own.nDown = count;
}

/** Weights of a layer that a token used, in elements; `whole`: that it has. */
export function inputsUsed(model: ModelRecord, layer: LayerRecord, own: AdaptLayer, whole: bool): f64 {
  const hidden = <f64>model.hidden, ffn = <f64>layer.ffn, q = <f64>(layer.heads * model.headDim), kv = <f64>(layer.kvHeads * model.headDim);
  const ffnRows = layer.gatePtr ? 2 * ffn : ffn;
  let used = whole ? hidden * ffnRows + ffn * hidden : <f64>own.nFfn * ffnRows + <f64>own.nDown * hidden;
  if (!layer.convTaps) used += whole ? hidden * (q + 2 * kv) + q * hidden : <f64>own.nAttention * (q + 2 * kv) + <f64>own.nOutput * hidden;
  return used;
}
