/**
 * Copies of the neurons that a mask keeps, made once a prompt, and the feed-forward part over them: gate and up as smaller interleaved
 * matrices, down with only the columns that are there. Every byte is read in sequence, which is what makes a mask fast
 * (kernels/neurons/copies.ts).
 */
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, layerOf } from '../adapt/state';
import { activateGated, add } from '../kernels/activation/activation';
import { compactMatvec } from '../kernels/neurons/compactMatvec';
import { compactColumns, compactRows, scatter, scatterPositions } from '../kernels/neurons/copies';
import { Format } from '../layouts/kinds';
import { layoutBytes } from '../layouts/sizes';
import { formatOf, linear, prepareInput, quantised } from './linear';
import { rowStride } from './norms';
import { orderLayer, unorderLayer } from './order';

@inline function aligned(bytes: usize): usize { return (bytes + 63) & ~63; }

/** Copies of one layer from `ptr` on, as long as they end before `end`; returns the first free address. */
function copyLayer(model: ModelRecord, layer: LayerRecord, own: AdaptLayer, ptr: usize, end: usize): usize {
  const n = own.nMask, hidden = model.hidden, ffn = layer.ffn;
  own.compactGatePtr = 0;
  // all or nothing: no copy; a bias would have to be copied too
  if (n == ffn || n == 0 || !layer.gatePtr || layer.gateBiasPtr || layer.upBiasPtr) return ptr;
  const gate = ptr, up = gate + aligned(layoutBytes(layer.gateLayout, n, hidden));
  const down = up + aligned(layoutBytes(layer.upLayout, n, hidden));
  const positions = down + aligned(layoutBytes(layer.downLayout, hidden, ffn)), pieces = positions + aligned(<usize>n << 1);
  if (pieces + aligned(<usize>(ffn >> 5) + 1) > end) return ptr;
  compactRows(layer.gateLayout, layer.gatePtr, hidden, own.maskPtr, n, gate);
  compactRows(layer.upLayout, layer.upPtr, hidden, own.maskPtr, n, up);
  // the lists go in front of down, whose size is known only once it is written
  const lists = aligned(<usize>n << 1) + aligned(<usize>(ffn >> 5) + 1);
  const bytes = compactColumns(layer.downLayout, layer.downPtr, hidden, ffn, own.maskPtr, n, down + lists, down + aligned(<usize>n << 1));
  if (!bytes) return ptr; // a layout without such a copy
  scatterPositions(own.maskPtr, n, down);
  own.compactGatePtr = <u32>gate;
  own.compactUpPtr = <u32>up;
  own.compactDownPtr = <u32>(down + lists);
  own.compactDownBytes = <u32>bytes;
  own.positionsPtr = <u32>down;
  own.piecesPtr = <u32>(down + aligned(<usize>n << 1));
  return down + lists + aligned(bytes);
}

/** Copies of all layers, in the room that the host has made; a layer that finds none is ordered in place, or else read through its list. */
export function copyMasked(model: ModelRecord, work: WorkspaceRecord, adapt: AdaptRecord): void {
  let ptr = <usize>adapt.compactPtr;
  const end = ptr + <usize>adapt.compactBytes;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) {
    const layer = layerOf(model, iLayer), own = adaptLayer(adapt, iLayer);
    if (ptr < end) unorderLayer(model, layer, work.quantPtr);
    ptr = copyLayer(model, layer, own, ptr, end);
    if (!own.compactGatePtr && layer.orderPtr && layer.gatePtr && own.nMask > 0 && own.nMask < layer.ffn) {
      orderLayer(model, layer, own, work.scratchPtr, work.quantPtr);
    }
  }
}

/** out = down(act(gate x) * up x) over the copies; x is normed and prepared. */
export function compactFfn(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer): void {
  const n = own.nMask, hidden = model.hidden, ffn = layer.ffn, stride = rowStride(ffn), xStride = rowStride(hidden);
  const normed = <usize>work.normedPtr, h = <usize>work.gatePtr, up = <usize>work.upPtr, out = <usize>work.outPtr;
  linear(work, layer.gateLayout, own.compactGatePtr, 0, n, hidden, normed, xStride, 1, h, stride);
  linear(work, layer.upLayout, own.compactUpPtr, 0, n, hidden, normed, xStride, 1, up, stride);
  activateGated(layer.activation, h, up, (n + 7) & ~7);
  own.nGate = n;
  own.nUp = n;
  own.nDown = n;
  const format = formatOf(layer.downLayout);
  if (format == Format.f32) {
    linear(work, layer.downLayout, own.compactDownPtr, layer.downBiasPtr, hidden, n, h, stride, 1, out, xStride);
    return;
  }
  scatter(h, own.positionsPtr, n, ffn, work.hPtr);
  prepareInput(work, work.hPtr, stride, ffn, 1, format);
  compactMatvec(layer.downLayout, own.compactDownPtr, (hidden + 7) >> 3, ffn >> 5, own.piecesPtr, quantised(work, format), out);
  work.weightWords += own.compactDownBytes >> 2;
  if (layer.downBiasPtr) add(out, layer.downBiasPtr, hidden);
}
