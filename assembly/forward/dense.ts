/**
 * A pass as the engine runs it: activations quantised to what the weights want, keys and values appended to the caches of the tokens'
 * sequences.
 */
import { Place } from '../abi/enums';
import { LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { multiply as times } from '../kernels/activation/activation';
import { attend } from '../kernels/attention/attention';
import { headBytes, storeKv } from '../kernels/attention/kv';
import { convolutionRow, convolutionRows, convolve } from '../kernels/convolution/convolution';
import { mixedStride } from './convolution';
import { normInput, prepareInput } from './input';
import { chooseInputs, choosesInputs } from './inputs';
import { fewInputs } from './columns';
import { columnProduct, finishProducts, linear, product } from './linear';
import { headsStride, rowStride } from './norms';
import { narrowBuffer, narrowRows, noteLost, runFrom, sequenceOf, tokenOf } from './tokens';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';

@unmanaged export class DensePass extends WorkspaceRecord {
  /** Rows that a table of angles has. */
  @inline get rows(): i32 { return this.chunk; }

  /** What the feed-forward part of a layer reads. */
  @inline ffnInput(layer: LayerRecord): usize { return layer.parallel ? this.sidePtr : this.xPtr; }

  /** Before products read x: quantises it into the formats that they want. */
  @inline prepare(x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {
    prepareInput(this, x, xStride, cols, nTokens, formats);
  }

  /** What is left of x [cols] at a place of the layer where the token leaves out inputs. */
  @inline choose(model: ModelRecord, layer: LayerRecord, place: Place, x: usize, xStride: usize, cols: i32): void {
    if (choosesInputs(this)) chooseInputs(this, model, layer, place, x, cols);
  }

  /** Both of norm(x), which lies in `normedPtr` then. */
  @inline enter(
    model: ModelRecord, layer: LayerRecord, place: Place, x: usize, weight: usize, bias: usize, nTokens: i32, formats: i32,
  ): void {
    if (place != Place.none && choosesInputs(this)) {
      normInput(this, model, x, weight, bias, nTokens, 0);
      chooseInputs(this, model, layer, place, this.normedPtr, model.hidden);
      prepareInput(this, this.normedPtr, rowStride(model.hidden), model.hidden, nTokens, formats);
    } else normInput(this, model, x, weight, bias, nTokens, formats);
  }

  /** Product `i` of several that read the same, done once `finish` has been told how many there are. */
  @inline product(
    i: i32, layout: i32, w: usize, columns: usize, bias: usize, rows: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize,
    yStride: usize,
  ): void {
    if (columns && choosesInputs(this) && fewInputs(this, cols)) columnProduct(this, i, layout, columns, bias, rows, cols, x, y);
    else product(this, i, layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
  }

  @inline finish(count: i32): void { finishProducts(this, count); }

  @inline multiply(
    layout: i32, w: usize, bias: usize, rows: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
  ): void {
    linear(this, layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
  }

  /** k and v of every row join the cache of its sequence. */
  store(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    for (let t = 0, end = 0; t < nTokens; t = end) {
      end = runFrom(this, t, nTokens);
      this.append(model, layer, t, end);
    }
  }

  /** attn = attention of each row's q over the cache of its sequence, up to its own position. */
  attend(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    const kvHeads = layer.kvHeads;
    if (ASC_FEATURE_THREADS) {
      const slices = max(1, nTokens >> 3), positions = <usize>tokenOf(this, nTokens - 1).position + 1;
      const parts = partsOf(this, <usize>(layer.heads * model.headDim * nTokens) * positions, slices * kvHeads);
      if (parts > 1) {
        const a = changetype<Attention>(jobArgs(this));
        a.model = model; a.layer = layer; a.nTokens = nTokens; a.slices = slices;
        fork(this, attendPart, parts);
        return;
      }
    }
    this.attendRows(model, layer, 0, nTokens, 0, kvHeads, this.scoresPtr);
  }

  /** The same of rows t .. last - 1 and of `nKv` key/value heads from `firstKv` on. */
  attendRows(model: ModelRecord, layer: LayerRecord, t: i32, last: i32, firstKv: i32, nKv: i32, scratch: usize): void {
    for (let end = t; t < last; t = end) {
      end = runFrom(this, t, last);
      this.attendRun(model, layer, t, end, firstKv, nKv, scratch);
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

  /** k and v of tokens t .. end - 1, which belong to one sequence and follow each other, go into its cache. */
  append(model: ModelRecord, layer: LayerRecord, t: i32, end: i32): void {
    const sequence = sequenceOf(this, t), position = tokenOf(this, t).position, kind = sequence.kvKind, capacity = sequence.capacity;
    const headDim = model.headStride, own = <usize>layer.kvBefore * headBytes(kind, headDim, capacity);
    const stride = headsStride(model, layer.kvHeads), at = <usize>t * stride;
    storeKv(
      kind, end - t, position, this.kPtr + at, this.vPtr + at, stride, sequence.keysPtr + own, sequence.valuesPtr + own, layer.kvHeads,
      headDim, capacity,
    );
  }

  /** Attention of these tokens, of `nKv` key/value heads from `firstKv` on; `scratch` of attention's own is free. */
  attendRun(model: ModelRecord, layer: LayerRecord, t: i32, end: i32, firstKv: i32, nKv: i32, scratch: usize): void {
    const sequence = sequenceOf(this, t), kind = sequence.kvKind, capacity = sequence.capacity, headDim = model.headStride;
    const own = <usize>layer.kvBefore * headBytes(kind, headDim, capacity), stride = headsStride(model, layer.heads);
    const at = <usize>t * stride;
    attend(
      kind, end - t, tokenOf(this, t).position, this.qPtr + at, stride, sequence.keysPtr + own, sequence.valuesPtr + own, firstKv, nKv,
      layer.heads / layer.kvHeads, headDim, capacity, layer.window, layer.attnScale, layer.attnCap, scratch, this.attnPtr + at,
    );
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

/** What a job attends: pieces are a slice of the rows, of one key/value head. */
@unmanaged class Attention {
  model: ModelRecord;
  layer: LayerRecord;
  nTokens: i32;
  slices: i32;
}

function attendPart(ptr: usize, part: i32, parts: i32, thread: i32): void {
  const pass = changetype<DensePass>(ptr), a = changetype<Attention>(jobArgs(pass)), kvHeads = a.layer.kvHeads, slices = a.slices;
  const pieces = slices * kvHeads, scratch = <usize>pass.scoresPtr + <usize>thread * <usize>pass.scoresBytes;
  for (let i = beginOf(pieces, part, parts), end = beginOf(pieces, part + 1, parts); i < end; i++) {
    const slice = i / kvHeads, from = a.nTokens * slice / slices, to = a.nTokens * (slice + 1) / slices;
    pass.attendRows(a.model, a.layer, from, to, i - slice * kvHeads, 1, scratch);
  }
}
