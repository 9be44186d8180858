/**
 * A mask without a second copy, where there is no room for one: the rows of gate and up are ordered in place, the mask's neurons first, and
 * the mask is how many rows a product runs over. Down stays as it is and is read whole, with zeros for the others: its scales belong to 32
 * columns of the file, so its columns cannot be moved without loss. What is computed over all rows is put back into the file's order before
 * anybody looks at it, so dense gives the same bits. Test: test/engine/order.test.ts.
 */
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { activateGated } from '../kernels/activation/activation';
import { copyRow } from '../kernels/neurons/copyRows';
import { scatter } from '../kernels/neurons/scatter';
import { layoutBytes } from '../layouts/sizes';
import { formatOf, linear, prepareInput } from './linear';
import { rowStride } from './norms';

@inline function neuron(order: usize, row: i32): usize { return <usize>load<u16>(order + (<usize>row << 1)); }

/** Swaps two rows of a matrix; `spare`: room for a group of 8 rows. */
function swapRows(layout: i32, w: usize, cols: i32, i: i32, j: i32, spare: usize): void {
  const group = layoutBytes(layout, 8, cols), p = w + <usize>(i >> 3) * group, q = w + <usize>(j >> 3) * group;
  copyRow(layout, p, i & 7, spare, 0, cols);
  copyRow(layout, q, j & 7, p, i & 7, cols);
  copyRow(layout, spare, 0, q, j & 7, cols);
}

function swap(layer: LayerRecord, hidden: i32, i: i32, j: i32, spare: usize): void {
  swapRows(layer.gateLayout, layer.gatePtr, hidden, i, j, spare);
  swapRows(layer.upLayout, layer.upPtr, hidden, i, j, spare);
  const a = <usize>layer.orderPtr + (<usize>i << 1), b = <usize>layer.orderPtr + (<usize>j << 1), moved = load<u16>(a);
  store<u16>(a, load<u16>(b));
  store<u16>(b, moved);
}

/** The mask's neurons first. `kept` [ffn] u8 and `spare` are scratch. */
export function orderLayer(model: ModelRecord, layer: LayerRecord, own: AdaptLayer, kept: usize, spare: usize): void {
  const n = own.nMask, ffn = layer.ffn, order = <usize>layer.orderPtr;
  memory.fill(kept, 0, ffn);
  for (let k = 0; k < n; k++) store<u8>(kept + neuron(own.maskPtr, k), 1);
  for (let i = 0, j = n; i < n; i++) {
    if (load<u8>(kept + neuron(order, i))) continue;
    while (!load<u8>(kept + neuron(order, j))) j++;
    swap(layer, model.hidden, i, j++, spare);
  }
  layer.orderFor = <u32>changetype<usize>(own);
}

/** Back to the file's order. */
export function unorderLayer(model: ModelRecord, layer: LayerRecord, spare: usize): void {
  if (!layer.orderFor) return;
  for (let i = 0; i < layer.ffn; i++) {
    for (let at = <i32>neuron(layer.orderPtr, i); at != i; at = <i32>neuron(layer.orderPtr, i)) swap(layer, model.hidden, i, at, spare);
  }
  layer.orderFor = 0;
}

/** Rows of y [nTokens, ffn], as an ordered matrix gave them, by neuron; `spare` [ffn] f32. */
export function byNeuron(layer: LayerRecord, y: usize, stride: usize, ffn: i32, nTokens: i32, spare: usize): void {
  for (let t = 0; t < nTokens; t++, y += stride) {
    scatter(y, layer.orderPtr, ffn, ffn, spare);
    memory.copy(y, spare, <usize>ffn << 2);
  }
}

/** out = down(act(gate x) * up x) over the mask's neurons, which come first; x is normed and prepared. */
export function orderedFfn(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer): void {
  const n = own.nMask, hidden = model.hidden, ffn = layer.ffn, stride = rowStride(ffn), xStride = rowStride(hidden);
  const normed = <usize>work.normedPtr, h = <usize>work.gatePtr, up = <usize>work.upPtr;
  linear(work, layer.gateLayout, layer.gatePtr, 0, n, hidden, normed, xStride, 1, h, stride);
  linear(work, layer.upLayout, layer.upPtr, 0, n, hidden, normed, xStride, 1, up, stride);
  activateGated(layer.activation, h, up, (n + 7) & ~7);
  scatter(h, layer.orderPtr, n, ffn, work.hPtr);
  prepareInput(work, work.hPtr, stride, ffn, 1, formatOf(layer.downLayout));
  linear(work, layer.downLayout, layer.downPtr, layer.downBiasPtr, hidden, ffn, work.hPtr, stride, 1, work.outPtr, xStride);
  own.nGate = n;
  own.nUp = n;
  own.nDown = n;
}
