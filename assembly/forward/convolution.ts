/**
 * What stands in the place of attention where a layer has taps (LFM2): x += out(c * convolution(b * x')), b, c and x' parts of in(norm(x)),
 * each [hidden]. As in parts.ts `P` is who multiplies and convolves, and rows that do not matter end in the last layer.
 */
import { Place } from '../abi/enums';
import { LayerRecord, ModelRecord } from '../abi/records';
import { formatOf } from './linear';
import { rowStride } from './norms';
import { leave } from './parts';

/** Bytes from row to row of b, c and x' side by side, in the room of the gate. */
@inline export function mixedStride(model: ModelRecord): usize { return rowStride(3 * model.hidden); }

/** b, c and x' [nTokens, 3 * hidden]. */
export function convolutionInput<P>(pass: P, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32): void {
  const hidden = model.hidden, stride = rowStride(hidden), input = <usize>pass.normedPtr;
  pass.enter(model, layer, Place.none, x, layer.attnNormPtr, layer.attnNormBiasPtr, nTokens, formatOf(layer.convInLayout));
  pass.multiply(
    layer.convInLayout, layer.convInPtr, 0, 3 * hidden, hidden, input, stride, nTokens, pass.gatePtr, mixedStride(model),
  );
}

export function convolutionPart<P>(pass: P, model: ModelRecord, layer: LayerRecord, x: usize, nTokens: i32, last: bool): i32 {
  const hidden = model.hidden, stride = mixedStride(model), y = <usize>pass.gatePtr;
  convolutionInput<P>(pass, model, layer, x, nTokens);
  pass.convolve(model, layer, nTokens); // in place of b
  if (last) nTokens = pass.narrow(model, nTokens, y, stride);
  if (nTokens == 0) return 0;
  pass.prepare(y, stride, hidden, nTokens, formatOf(layer.convOutLayout));
  pass.multiply(layer.convOutLayout, layer.convOutPtr, 0, hidden, hidden, y, stride, nTokens, pass.outPtr, rowStride(hidden));
  leave(model, layer, x, pass.outPtr, layer.attnPostNormPtr, nTokens, pass.normedPtr);
  return nTokens;
}
