/**
 * Y = X W^T (+ bias) for whatever layout W has, one token or many. Chooses the kernel once a matrix; a float layout reads X as it is, a
 * quantised one reads the records that `prepareInput` made. All sums are taken in the same order for one token and for many.
 */
import { WorkspaceRecord } from '../abi/records';
import { add } from '../kernels/activation/activation';
import { matmul } from '../kernels/matmul/matmul';
import { matvec } from '../kernels/matvec/matvec';
import { quantize, recordsBytes } from '../kernels/quantize/quantize';
import { Format } from '../layouts/kinds';
import { formatOf, layoutBytes } from '../layouts/sizes';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';

export { formatOf };

/** The records of the first token in a format: there is room for a whole chunk's in each, one behind the other. */
@inline export function quantised(work: WorkspaceRecord, format: i32): usize {
  return <usize>work.quantPtr + <usize>work.quantBytes * <usize>(format >> 1);
}

/** What a job quantises. */
@unmanaged class Input {
  x: usize;
  xStride: usize;
  cols: i32;
  nTokens: i32;
  formats: i32;
}

function quantizeRows(work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, formats: i32, from: i32, to: i32): void {
  const at = <usize>from, bytes4 = recordsBytes(Format.x4, cols), bytes8 = recordsBytes(Format.x8, cols);
  const bytesK = recordsBytes(Format.xk, cols);
  let x4 = quantised(work, Format.x4) + at * bytes4, x8 = quantised(work, Format.x8) + at * bytes8;
  let xk = quantised(work, Format.xk) + at * bytesK;
  x += at * xStride;
  for (let t = from; t < to; t++, x += xStride, x4 += bytes4, x8 += bytes8, xk += bytesK) quantize(x, cols, formats, x4, x8, xk);
}

function quantizePart(ptr: usize, part: i32, parts: i32, _thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), input = changetype<Input>(jobArgs(work)), n = input.nTokens;
  quantizeRows(work, input.x, input.xStride, input.cols, input.formats, beginOf(n, part, parts), beginOf(n, part + 1, parts));
}

/** Quantises X [nTokens, cols] (rows `xStride` bytes apart) into the formats that the matrices about to read it want. */
export function prepareInput(work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {
  if (!formats) return;
  if (ASC_FEATURE_THREADS) {
    const parts = partsOf(work, <usize>cols * <usize>nTokens << 2, nTokens);
    if (parts > 1) {
      const input = changetype<Input>(jobArgs(work));
      input.x = x; input.xStride = xStride; input.cols = cols; input.nTokens = nTokens; input.formats = formats;
      fork(work, quantizePart, parts);
      return;
    }
  }
  quantizeRows(work, x, xStride, cols, formats, 0, nTokens);
}

/** What a job multiplies: `linear`, with X and its stride as the kernel reads them. */
@unmanaged class Product {
  layout: i32;
  w: usize;
  bias: usize;
  rows: i32;
  cols: i32;
  x: usize;
  xStride: usize;
  nTokens: i32;
  y: usize;
  yStride: usize;
}

/** `count` groups from `first` on. */
@inline function multiply(work: WorkspaceRecord, p: Product, first: i32, count: i32, thread: i32): void {
  const w = p.w + (first ? layoutBytes(p.layout, first << 3, p.cols) : 0), before = <usize>first << 5;
  let y = p.y + before;
  if (p.nTokens == 1) matvec(p.layout, w, count, p.cols, p.x, y);
  else {
    const scratch = <usize>work.unpackedPtr + <usize>thread * <usize>work.unpackedBytes;
    matmul(p.layout, w, count, p.cols, p.x, p.xStride, p.nTokens, y, p.yStride, scratch);
  }
  if (p.bias) for (let t = 0; t < p.nTokens; t++, y += p.yStride) add(y, p.bias + before, count << 3);
}

function multiplyPart(ptr: usize, part: i32, parts: i32, thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), p = changetype<Product>(jobArgs(work)), groups = (p.rows + 7) >> 3;
  const first = beginOf(groups, part, parts);
  multiply(work, p, first, beginOf(groups, part + 1, parts) - first, thread);
}

/**
 * Y [nTokens, rows] from X [nTokens, cols]; `prepareInput` was called for this X with `formatOf(layout)` among the formats.
 * Y's rows have room for `rows` padded to 8. `bias` [rows padded to 8] f32 or 0.
 */
export function linear(
  work: WorkspaceRecord, layout: i32, w: usize, bias: usize, rows: i32, cols: i32,
  x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
): void {
  const groups = (rows + 7) >> 3, format = formatOf(layout), bytes = layoutBytes(layout, rows, cols);
  if (format != Format.f32) { x = quantised(work, format); xStride = recordsBytes(format, cols); }
  work.weightWords += <u32>(bytes >> 2);
  if (ASC_FEATURE_THREADS) {
    const p = changetype<Product>(jobArgs(work)), parts = partsOf(work, bytes * <usize>nTokens, groups);
    p.layout = layout; p.w = w; p.bias = bias; p.rows = rows; p.cols = cols;
    p.x = x; p.xStride = xStride; p.nTokens = nTokens; p.y = y; p.yStride = yStride;
    if (parts > 1) fork(work, multiplyPart, parts);
    else multiply(work, p, 0, groups, 0);
    return;
  }
  if (nTokens == 1) matvec(layout, w, groups, cols, x, y);
  else matmul(layout, w, groups, cols, x, xStride, nTokens, y, yStride, work.unpackedPtr);
  if (bias) for (let t = 0; t < nTokens; t++, y += yStride) add(y, bias, groups << 3);
}
