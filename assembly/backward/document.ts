/** A pass over a whole document in f32: nothing is quantised, keys and values are rows beside the queries. */
import { CalibrateRecord } from '../abi/calibrate';
import { Place } from '../abi/enums';
import { LayerRecord, ModelRecord } from '../abi/records';
import { mixedStride } from '../forward/convolution';
import { headsStride, normRows, rowStride } from '../forward/norms';
import { attention } from './attention';
import { convolveRows } from './convolution';
import { meetInput } from './inputs';
import { product } from './product';

@unmanaged export class DocumentPass extends CalibrateRecord {
  /** Rows that a table of angles has. */
  @inline get rows(): i32 { return this.capacity; }

  @inline prepare(x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {}

  @inline choose(model: ModelRecord, layer: LayerRecord, place: Place, x: usize, xStride: usize, cols: i32): void {
    meetInput(this, place, x, xStride, cols);
  }

  @inline enter(
    model: ModelRecord, layer: LayerRecord, place: Place, x: usize, weight: usize, bias: usize, nTokens: i32, formats: i32,
  ): void {
    normRows(model, x, weight, bias, nTokens, this.normedPtr);
    meetInput(this, place, this.normedPtr, rowStride(model.hidden), model.hidden);
  }

  @inline product(
    i: i32, layout: i32, w: usize, columns: usize, bias: usize, rows: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize,
    yStride: usize,
  ): void {
    this.multiply(layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
  }

  @inline finish(count: i32): void {}

  @inline multiply(
    layout: i32, w: usize, bias: usize, rows: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
  ): void {
    product(layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride, this.weightsPtr);
  }

  /** There is no cache, and every row goes on. */
  @inline store(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {}
  @inline narrow(model: ModelRecord, nTokens: i32, y: usize, stride: usize): i32 { return nTokens; }

  attend(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    const heads = layer.heads, kvHeads = layer.kvHeads;
    attention(
      this.qPtr, this.kPtr, this.vPtr, headsStride(model, heads), headsStride(model, kvHeads), heads, kvHeads, model.headStride,
      layer.window, nTokens, layer.attnScale, layer.attnCap, this.scoresPtr, this.attnPtr,
    );
  }

  /** c * convolution(b * x) in place of b. */
  convolve(model: ModelRecord, layer: LayerRecord, nTokens: i32): void {
    convolveRows(layer.convPtr, layer.convTaps, this.gatePtr, mixedStride(model), model.hidden, nTokens);
  }
}
