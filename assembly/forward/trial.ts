/**
 * One feed-forward product of a layer, dense or neuron by neuron, over `count` neurons drawn by lot, because at even distances the
 * processor foresees the next: what the host times to find out from which share on the dense kernel is faster on this machine. Overwrites
 * the workspace's activation buffers, nothing else.
 */
import { Stage, Trial } from '../abi/enums';
import { AdaptLayer, AdaptRecord, LayerRecord, SequenceRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, adaptOf, layerOf } from '../adapt/state';
import { rowsFormat } from '../kernels/neurons/rowsWide';
import { relist } from './columns';
import { columnProduct, finishProducts, formatOf, linear, prepareInput } from './linear';
import { listedRows } from './listed';
import { rowStride } from './norms';
import { choose, chooseByScore, keepListed, permuteInput, permutedX } from './sparse';
import { modelOf } from './tokens';

/** Values of both signs, hardly any of which rounds to zero. */
function fill(x: usize, cols: i32): void {
  for (let i: u32 = 0; i < <u32>cols; i++, x += 4) store<f32>(x, <f32>(<i32>(i * 2654435761) >> 20) * 0.001 + 0.0005);
}

/** `count` of the neurons, sorted, any set as likely as any other; another one for another `seed`. */
function draw(list: usize, ffn: i32, count: i32, seed: u32): void {
  let state = seed * 2654435761;
  for (let i = 0; i < ffn && count > 0; i++) {
    state = state * 1664525 + 1013904223;
    if (<i32>((<u64>state * <u64>(ffn - i)) >> 32) >= count) continue;
    store<u16>(list, <u16>i);
    list += 2;
    count--;
  }
}

/** The lists of a step from what the buffers hold; what is dropped stays dropped. */
function chooseAgain(work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer, ffn: i32): void {
  const stages = adapt.stages, list = <usize>work.listPtr, second = list + (<usize>(ffn + 8) << 1);
  const h = <usize>(layer.gatePtr ? work.gatePtr : work.upPtr);
  let n = ffn;
  if (stages & Stage.scores) n = chooseByScore(adapt, ffn, own, list);
  if (stages & Stage.gate) n = choose(work, adapt, ffn, list, n, work.gatePtr, own.gateWeightPtr, own.gateBase * adapt.factor, second);
  if (stages & Stage.product) {
    choose(work, adapt, ffn, stages & Stage.gate ? second : list, n, h, own.productWeightPtr, own.productBase * adapt.factor, second);
  }
}

/** One `part` (Trial) of a layer, over `wanted` neurons where it is listed. The draw of a layer gives another set than that of the next. */
export function runTrial(work: WorkspaceRecord, sequence: SequenceRecord, iLayer: i32, part: i32, wanted: i32): void {
  const model = modelOf(work), layer = layerOf(model, iLayer), hidden = model.hidden, ffn = layer.ffn, count = min(wanted, ffn);
  const list = <usize>work.listPtr, h = <usize>work.upPtr, out = <usize>work.outPtr;
  switch (part) {
    case Trial.upWhole:
    case Trial.upListed:
      prepareInput(work, work.normedPtr, rowStride(hidden), hidden, 1, formatOf(layer.upLayout));
      if (part == Trial.upWhole) {
        linear(work, layer.upLayout, layer.upPtr, 0, ffn, hidden, work.normedPtr, rowStride(hidden), 1, h, rowStride(ffn));
      }
      else {
        permuteInput(work, hidden, rowsFormat(layer.upLayout), formatOf(layer.upLayout));
        listedRows(work, layer.upLayout, layer.upRowsPtr, hidden, list, count, permutedX(work, layer.upLayout, hidden), h);
      }
      break;
    case Trial.downWhole:
      prepareInput(work, h, rowStride(ffn), ffn, 1, formatOf(layer.downLayout));
      linear(work, layer.downLayout, layer.downPtr, 0, hidden, ffn, h, rowStride(ffn), 1, out, rowStride(hidden));
      break;
    case Trial.downListed:
      relist(work, count);
      columnProduct(work, 0, layer.downLayout, layer.downColumnsPtr, 0, hidden, ffn, h, out);
      finishProducts(work, 1);
      break;
    case Trial.draw:
      draw(list, ffn, count, iLayer);
      fill(work.normedPtr, hidden);
      fill(h, ffn);
      keepListed(work, ffn, list, count, h);
      break;
    case Trial.choose: {
      const adapt = adaptOf(sequence);
      chooseAgain(work, layer, adapt, adaptLayer(adapt, iLayer), ffn);
      break;
    }
    default: unreachable();
  }
}
