/**
 * One feed-forward product of a layer, dense or neuron by neuron, over `count` neurons drawn by lot, because at even distances the processor foresees
 * the next: what the host times to find out from which share on the dense kernel is faster on this machine. Overwrites the session's activation
 * buffers, nothing else.
 */
import { Stage } from '../abi/enums';
import { LayerRecord, ModelRecord, SessionRecord } from '../abi/records';
import { adaptLayer, adaptOf } from '../adapt/state';
import { columnsMatvec } from '../kernels/neurons/columnsMatvec';
import { permuteX4 } from '../kernels/neurons/permute';
import { rowsMatvec } from '../kernels/neurons/rowsMatvec';
import { formatOf, linear, prepareInput } from './linear';
import { rowStride } from './norms';
import { AHEAD, choose, chooseByScore, keepListed } from './sparse';

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

/** `part`: 0 up, dense; 1 up, listed rows; 2 down, dense; 3 down, listed columns; 4 draws `count` neurons for 1 and 3, another set
 * for another layer, and fills the inputs; 5 makes the lists of a step from what its buffers hold, where what is dropped stays dropped. */
export function runTrial(session: SessionRecord, iLayer: i32, part: i32, count: i32): void {
  const model = changetype<ModelRecord>(<usize>session.modelPtr), adapt = adaptOf(session), own = adaptLayer(adapt, iLayer);
  const layer = changetype<LayerRecord>(<usize>model.layersPtr + <usize>iLayer * offsetof<LayerRecord>()), hidden = model.hidden, ffn = model.ffn;
  const list = <usize>adapt.listPtr, h = <usize>session.upPtr, out = <usize>session.outPtr;
  if (part == 5) {
    const stages = adapt.stages, second = list + (<usize>(ffn + 8) << 1);
    let n = ffn;
    if (stages & Stage.scores) n = chooseByScore(adapt, ffn, own, list);
    if (stages & Stage.gate) n = choose(adapt, ffn, list, n, session.gatePtr, own.gateWeightPtr, own.gateBase * adapt.factor, second);
    if (stages & Stage.product) choose(adapt, ffn, stages & Stage.gate ? second : list, n, layer.gatePtr ? <usize>session.gatePtr : h, own.productWeightPtr, own.productBase * adapt.factor, second);
    return;
  }
  if (part == 4) {
    draw(list, ffn, count, iLayer);
    fill(session.normedPtr, hidden);
    fill(h, ffn);
    keepListed(adapt, ffn, list, count, h);
  } else if (part < 2) {
    prepareInput(session, session.normedPtr, rowStride(hidden), hidden, 1, formatOf(layer.upLayout));
    if (part == 0) linear(session, layer.upLayout, layer.upPtr, 0, ffn, hidden, session.normedPtr, rowStride(hidden), 1, h, rowStride(ffn));
    else {
      permuteX4(session.quantPtr, hidden, adapt.scratchPtr);
      rowsMatvec(layer.upLayout, own.upRowsPtr, hidden, list, count, adapt.scratchPtr, AHEAD, h);
    }
  } else if (part == 2) {
    prepareInput(session, h, rowStride(ffn), ffn, 1, formatOf(layer.downLayout));
    linear(session, layer.downLayout, layer.downPtr, 0, hidden, ffn, h, rowStride(ffn), 1, out, rowStride(hidden));
  } else {
    columnsMatvec(layer.downLayout, own.downColumnsPtr, hidden, ffn, h, adapt.scratchPtr, out);
  }
}
