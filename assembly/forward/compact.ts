/**
 * Copies of the neurons that a mask keeps, made once a prompt, when a token is first decoded alone, and the feed-forward part over them:
 * gate and up as smaller interleaved matrices, down with only the columns that are there. Every byte is read in sequence, which is what
 * makes a mask fast (kernels/neurons/copies.ts).
 */
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptLayer, layerOf } from '../adapt/state';
import { activateGated, add } from '../kernels/activation/activation';
import { compactFormat } from '../kernels/neurons/compactMatvec';
import { compactRows } from '../kernels/neurons/copyRows';
import { compactBytes, compactColumns } from '../kernels/neurons/copies';
import { scatter, scatterPositions } from '../kernels/neurons/scatter';
import { Format } from '../layouts/kinds';
import { layoutBytes } from '../layouts/sizes';
import { formatOf, linear, prepareInput, quantised } from './linear';
import { compactColumnsTimes } from './listed';
import { rowStride } from './norms';
import { orderLayer, unorderLayer } from './order';

@inline function aligned(bytes: usize): usize { return (bytes + 63) & ~63; }

/** A copy of down is made where it has fewer than so many twentieths of its bytes: a byte of it costs more. */
const WORTH: usize = 17;

/** Copies of one layer from `ptr` on, as long as they end before `end`; returns the first free address. */
function copyLayer(model: ModelRecord, layer: LayerRecord, own: AdaptLayer, ptr: usize, end: usize): usize {
  const n = own.nMask, hidden = model.hidden, ffn = layer.ffn, downLayout = layer.downLayout;
  own.compactGatePtr = 0;
  // all or nothing: no copy; a bias would have to be copied too
  if (n == ffn || n == 0 || !layer.gatePtr || layer.gateBiasPtr || layer.upBiasPtr) return ptr;
  const gate = ptr, up = gate + aligned(layoutBytes(layer.gateLayout, n, hidden));
  const positions = up + aligned(layoutBytes(layer.upLayout, n, hidden)), pieces = positions + aligned(<usize>n << 1);
  const down = pieces + aligned(<usize>(ffn >> 4) + 1), bytes = compactBytes(downLayout, hidden, ffn, own.maskPtr, n);
  const copied = bytes < layoutBytes(downLayout, hidden, ffn) / 20 * WORTH, last = copied ? down + aligned(bytes) : positions;
  if (last > end) return ptr;
  compactRows(layer.gateLayout, layer.gatePtr, hidden, own.maskPtr, n, gate);
  compactRows(layer.upLayout, layer.upPtr, hidden, own.maskPtr, n, up);
  own.compactGatePtr = <u32>gate;
  own.compactUpPtr = <u32>up;
  own.compactDownPtr = 0; // down is read whole where its copy would be no faster
  own.positionsPtr = own.maskPtr;
  if (!copied) return last;
  compactColumns(downLayout, layer.downPtr, hidden, ffn, own.maskPtr, n, down, pieces);
  scatterPositions(downLayout, own.maskPtr, n, positions);
  own.compactDownPtr = <u32>down;
  own.compactDownBytes = <u32>bytes;
  own.positionsPtr = <u32>positions;
  own.piecesPtr = <u32>pieces;
  return last;
}

/** Copies of all layers, in the room that the host has made; a layer that finds none is ordered in place, or else read through its list. */
export function copyMasked(model: ModelRecord, work: WorkspaceRecord, adapt: AdaptRecord): void {
  adapt.copied = 1;
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
  const whole = !own.compactDownPtr, format = whole ? formatOf(layer.downLayout) : compactFormat(layer.downLayout);
  if (format == Format.f32 && !whole) {
    linear(work, layer.downLayout, own.compactDownPtr, layer.downBiasPtr, hidden, n, h, stride, 1, out, xStride);
    return;
  }
  scatter(h, own.positionsPtr, n, ffn, work.hPtr);
  prepareInput(work, work.hPtr, stride, ffn, 1, format);
  if (whole) {
    linear(work, layer.downLayout, layer.downPtr, layer.downBiasPtr, hidden, ffn, work.hPtr, stride, 1, out, xStride);
    return;
  }
  compactColumnsTimes(
    work, layer.downLayout, own.compactDownPtr, own.compactDownBytes, (hidden + 7) >> 3, ffn >> 5, own.piecesPtr, quantised(work, format),
    out,
  );
  work.weightWords += own.compactDownBytes >> 2;
  if (layer.downBiasPtr) add(out, layer.downBiasPtr, hidden);
}
