/**
 * The feed-forward part of a block for one token, over the neurons that it needs (arXiv 2502.19078; the method page docs/adaptive.md):
 *   S  a mask: a list made from the prompt, or scores held against a threshold now; gate and everything after it only there
 *   A  i in S with |g_i| * w1_i > t1, g = act(gate x); up only there
 *   K  i in A with |h_i| * w2_i > t2, h = g * up x;    down only there
 *   y = down h over K,   with compensation b + down (h - mean) over K, b = down mean
 * Which stages there are is data (Stage). A selection that turns out to be all neurons runs the dense kernel: full density is dense, bit for
 * bit. Where a layout has no form to read single neurons from, the dense kernel computes and the others are zeroed: the same numbers, no speed.
 */
import { Stage } from '../abi/enums';
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, SessionRecord } from '../abi/records';
import { activate, activateGated, add } from '../kernels/activation/activation';
import { selectAbove, selectAboveIn } from '../kernels/neurons/select';
import { adaptLayer, adaptOf } from './ffn';
import { formatOf, linear, prepareInput } from './linear';
import { normRows, rowStride } from './norms';

/** Of all `ffn` neurons or of those in `list` (nList < ffn), those above the threshold; returns how many, their list at `out`. */
@inline function narrow(ffn: i32, list: usize, nList: i32, values: usize, weights: usize, threshold: f32, out: usize): i32 {
  if (threshold < 0) { // keeps all
    if (nList < ffn) memory.copy(out, list, <usize>nList << 1);
    return nList;
  }
  return nList == ffn ? selectAbove(values, weights, threshold, ffn, out) : selectAboveIn(list, nList, values, weights, threshold, out);
}

/** h over the list, moved by `mean` if there is one, zeros elsewhere. */
function onlyListed(h: usize, mean: usize, list: usize, count: i32, ffn: i32, out: usize): void {
  memory.fill(out, 0, rowStride(ffn));
  for (const end = list + (<usize>count << 1); list < end; list += 2) {
    const at = <usize>load<u16>(list) << 2;
    const value = load<f32>(h + at);
    store<f32>(out + at, mean ? value - load<f32>(mean + at) : value);
  }
}

/** act(gate x) alone: gated activation with ones in the place of up. */
@inline function activateGate(model: ModelRecord, gate: usize): void {
  activate(model.activation, gate, <i32>(rowStride(model.ffn) >> 2));
}

function downPart(model: ModelRecord, session: SessionRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer, h: usize, list: usize, count: i32): void {
  const hidden = model.hidden, ffn = model.ffn, out = <usize>session.outPtr, xStride = rowStride(hidden);
  let input = h;
  const compensate = count < ffn && adapt.compensate && own.meanPtr != 0;
  if (count < ffn) {
    onlyListed(h, compensate ? <usize>own.meanPtr : 0, list, count, ffn, adapt.hPtr);
    input = adapt.hPtr;
  }
  prepareInput(session, input, rowStride(ffn), ffn, 1, formatOf(layer.downLayout));
  linear(session, layer.downLayout, layer.downPtr, layer.downBiasPtr, hidden, ffn, input, rowStride(ffn), 1, out, xStride);
  if (compensate) add(out, own.meanOutPtr, hidden);
  own.nDown = count;
}

/** Sets the bits of the listed neurons, clears the others. */
function markUsed(bits: usize, list: usize, count: i32, ffn: i32): void {
  const bytes = <usize>((ffn + 7) >> 3);
  if (count == ffn) { memory.fill(bits, 0xff, bytes); return; }
  memory.fill(bits, 0, bytes);
  for (const end = list + (<usize>count << 1); list < end; list += 2) {
    const i = <usize>load<u16>(list), at = bits + (i >> 3);
    store<u8>(at, load<u8>(at) | <u8>((<u32>1) << (<u32>i & 7)));
  }
}

export function sparseFfn(model: ModelRecord, session: SessionRecord, layer: LayerRecord, iLayer: i32): void {
  const adapt = adaptOf(session), own = adaptLayer(adapt, iLayer), stages = adapt.stages;
  const hidden = model.hidden, ffn = model.ffn, xStride = rowStride(hidden), hStride = rowStride(ffn);
  const normed = <usize>session.normedPtr, gate = <usize>session.gatePtr, up = <usize>session.upPtr;
  const gated = layer.gatePtr != 0;
  const h = gated ? gate : up;
  let list = <usize>adapt.listPtr, next = list + (<usize>(ffn + 8) << 1), count = ffn;

  normRows(model, session.xPtr, layer.ffnNormPtr, layer.ffnNormBiasPtr, 1, normed);
  prepareInput(session, normed, xStride, hidden, 1, formatOf(layer.gateLayout) | formatOf(layer.upLayout));

  if (stages & Stage.mask) {
    count = own.nMask;
    if (count < ffn) memory.copy(list, own.maskPtr, <usize>count << 1);
  } else if (stages & Stage.scores) {
    count = narrow(ffn, list, ffn, own.scoresPtr, 0, own.scoreBase * adapt.factor, list);
  }
  own.nGate = gated ? count : 0;

  if (gated) {
    linear(session, layer.gateLayout, layer.gatePtr, 0, ffn, hidden, normed, xStride, 1, gate, hStride);
    if (stages & (Stage.gate | Stage.product)) {
      activateGate(model, gate);
      if (stages & Stage.gate) {
        count = narrow(ffn, list, count, gate, own.gateWeightPtr, own.gateBase * adapt.factor, next);
        const other = list; list = next; next = other;
      }
    }
  }
  own.nUp = count;
  linear(session, layer.upLayout, layer.upPtr, layer.upBiasPtr, ffn, hidden, normed, xStride, 1, up, hStride);
  if (!gated) activate(model.activation, up, <i32>(hStride >> 2));
  else if (stages & (Stage.gate | Stage.product)) multiply(gate, up, <i32>(hStride >> 2));
  else activateGated(model.activation, gate, up, <i32>(hStride >> 2));

  if (stages & Stage.product) {
    count = narrow(ffn, list, count, h, own.productWeightPtr, own.productBase * adapt.factor, next);
    list = next;
  }
  if (adapt.usedPtr) markUsed(<usize>adapt.usedPtr + <usize>iLayer * <usize>((ffn + 7) >> 3), list, count, ffn);
  downPart(model, session, layer, adapt, own, h, list, count);
  add(session.xPtr, session.outPtr, <i32>(xStride >> 2));
}

/** y *= x over [cols] (padded to 4). */
function multiply(y: usize, x: usize, cols: i32): void {
  for (const end = y + (<usize>cols << 2); y < end; y += 16, x += 16) v128.store(y, f32x4.mul(v128.load(y), v128.load(x)));
}
