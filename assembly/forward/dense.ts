/**
 * A pass as the engine runs it: activations quantised to what the weights want, keys and values appended to the caches of the tokens'
 * sequences.
 */
import { LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { multiply as times } from '../kernels/activation/activation';
import { attend } from '../kernels/attention/attention';
import { headBytes, storeKv } from '../kernels/attention/kv';
import { convolutionRow, convolutionRows, convolve } from '../kernels/convolution/convolution';
import { mixedStride } from './convolution';
import { linear, prepareInput } from './linear';
import { headsStride, rowStride } from './norms';
import { firstSeen } from './parts';
import { narrowBuffer, narrowRows, noteLost, sequenceOf, tokenOf } from './tokens';

@unmanaged export class DensePass extends WorkspaceRecord {
  /** Rows that a table of angles has. */
  @inline get rows(): i32 { return this.chunk; }

  /** What the feed-forward part of a layer reads. */
  @inline ffnInput(layer: LayerRecord): usize { return layer.parallel ? this.sidePtr : this.xPtr; }

  /** Before products read x: quantises it into the formats that they want. */
  @inline prepare(x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {
    prepareInput(this, x, xStride, cols, nTokens, formats);
  }

  @inline multiply(
    layout: i32, w: usize, bias: usize, rows: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
  ): void {
    linear(this, layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
  }

  /** k and v of every row join the cache of its sequence. */
  store(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    const headDim = model.headStride, kvHeads = layer.kvHeads, stride = headsStride(model, kvHeads);
    let k = <usize>this.kPtr, v = <usize>this.vPtr;
    for (let t = 0; t < nTokens; t++, k += stride, v += stride) {
      const sequence = sequenceOf(this, t), kind = sequence.kvKind, capacity = sequence.capacity;
      const own = <usize>layer.kvBefore * headBytes(kind, headDim, capacity), keys = <usize>sequence.keysPtr + own;
      storeKv(kind, k, v, keys, <usize>sequence.valuesPtr + own, kvHeads, headDim, capacity, tokenOf(this, t).position);
    }
  }

  /** attn = attention of each row's q over the cache of its sequence, up to its own position. */
  attend(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    const headDim = model.headStride, heads = layer.heads, kvHeads = layer.kvHeads, stride = headsStride(model, heads);
    let q = <usize>this.qPtr, out = <usize>this.attnPtr;
    for (let t = 0; t < nTokens; t++, q += stride, out += stride) {
      const sequence = sequenceOf(this, t), position = tokenOf(this, t).position, kind = sequence.kvKind, capacity = sequence.capacity;
      const own = <usize>layer.kvBefore * headBytes(kind, headDim, capacity), keys = <usize>sequence.keysPtr + own;
      attend(
        kind, q, keys, <usize>sequence.valuesPtr + own, heads, kvHeads, headDim, capacity, firstSeen(layer, position), position + 1,
        layer.attnScale, layer.attnCap, this.scoresPtr, out,
      );
    }
  }

  /** Ends rows that nothing is wanted of, here and in y; returns how many go on. */
  narrow(model: ModelRecord, nTokens: i32, y: usize, stride: usize): i32 {
    const xStride = rowStride(model.hidden);
    noteLost(this, this.xPtr, nTokens);
    narrowBuffer(this, y, stride, nTokens, true);
    narrowBuffer(this, this.xPtr, xStride, nTokens, true);
    if (this.sidePtr) narrowBuffer(this, this.sidePtr, xStride, nTokens, true);
    return narrowRows(this, nTokens, true);
  }

  /** c * convolution(b * x) in place of b; b * x joins what each token's sequence keeps of them. */
  convolve(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    const hidden = model.hidden, taps = layer.convTaps, bytes = <usize>hidden << 2, rowBytes = <i32>rowStride(hidden);
    let b = <usize>this.gatePtr;
    for (let t = 0; t < nTokens; t++, b += mixedStride(model)) {
      const sequence = sequenceOf(this, t), position = tokenOf(this, t).position, capacity = sequence.capacity;
      const rows = <usize>sequence.convPtr + <usize>layer.convBefore * convolutionRows(capacity, taps) * rowBytes;
      const z = rows + <usize>convolutionRow(capacity, taps, position) * rowBytes;
      memory.copy(z, b, bytes);
      times(z, b + 2 * bytes, hidden);
      convolve(layer.convPtr, taps, rows, rowBytes, capacity, position, hidden, b);
      times(b, b + bytes, hidden);
    }
  }
}
