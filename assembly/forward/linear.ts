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

export { formatOf };

/** The records of the first token in a format: there is room for a whole chunk's in each, one behind the other. */
@inline export function quantised(work: WorkspaceRecord, format: i32): usize {
  return <usize>work.quantPtr + <usize>work.quantBytes / 3 * <usize>(format >> 1);
}

/** Quantises X [nTokens, cols] (rows `xStride` bytes apart) into the formats that the matrices about to read it want. */
export function prepareInput(work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {
  if (!formats) return;
  let x4 = quantised(work, Format.x4), x8 = quantised(work, Format.x8), xk = quantised(work, Format.xk);
  for (let t = 0; t < nTokens; t++) {
    quantize(x, cols, formats, x4, x8, xk);
    x += xStride;
    x4 += recordsBytes(Format.x4, cols);
    x8 += recordsBytes(Format.x8, cols);
    xk += recordsBytes(Format.xk, cols);
  }
}

/**
 * Y [nTokens, rows] from X [nTokens, cols]; `prepareInput` was called for this X with `formatOf(layout)` among the formats.
 * Y's rows have room for `rows` padded to 8. `bias` [rows padded to 8] f32 or 0.
 */
export function linear(
  work: WorkspaceRecord, layout: i32, w: usize, bias: usize, rows: i32, cols: i32,
  x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
): void {
  const groups = (rows + 7) >> 3, format = formatOf(layout);
  if (format != Format.f32) { x = quantised(work, format); xStride = recordsBytes(format, cols); }
  if (nTokens == 1) matvec(layout, w, groups, cols, x, y);
  else matmul(layout, w, groups, cols, x, xStride, nTokens, y, yStride, work.unpackedPtr);
  if (bias) {
    for (let t = 0; t < nTokens; t++, y += yStride) add(y, bias, groups << 3);
  }
  work.weightWords += <u32>(layoutBytes(layout, rows, cols) >> 2);
}
