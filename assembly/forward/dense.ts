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
import { sequenceOf, tokenOf } from './tokens';

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

  /** attn = attention of each token's q over the cache of its sequence, to which its k and v are appended. */
  attend(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    const headDim = model.headStride, heads = layer.heads, kvHeads = layer.kvHeads, qStride = headsStride(model, heads);
    const kvStride = headsStride(model, kvHeads);
    let q = <usize>this.qPtr, k = <usize>this.kPtr, v = <usize>this.vPtr, out = <usize>this.attnPtr;
    for (let t = 0; t < nTokens; t++, q += qStride, k += kvStride, v += kvStride, out += qStride) {
      const sequence = sequenceOf(this, t), position = tokenOf(this, t).position, kind = sequence.kvKind, capacity = sequence.capacity;
      const own = <usize>layer.kvBefore * headBytes(kind, headDim, capacity), keys = <usize>sequence.keysPtr + own;
      const values = <usize>sequence.valuesPtr + own;
      storeKv(kind, k, v, keys, values, kvHeads, headDim, capacity, position);
      attend(
        kind, q, keys, values, heads, kvHeads, headDim, capacity, firstSeen(layer, position), position + 1, layer.attnScale,
        layer.attnCap, this.scoresPtr, out,
      );
    }
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
