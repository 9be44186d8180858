/**
 * Y = X W^T (+ bias) for whatever layout W has, one token or many. Chooses the kernel once a matrix; a float layout reads X as it is, a
 * quantised one reads the records that `prepareInput` made. All sums are taken in the same order for one token and for many.
 */
import { Layout } from '../abi/enums';
import { WorkspaceRecord } from '../abi/records';
import { add } from '../kernels/activation/activation';
import { matmulBF16, matmulF16, matmulF32 } from '../kernels/matmul/floats';
import { matmulQ40, matmulQ41, matmulQ4K } from '../kernels/matmul/q4';
import { matmulQ5K, matmulQ6K, matmulQ80, matmulQ81 } from '../kernels/matmul/q8';
import { matvecBF16, matvecF16, matvecF32 } from '../kernels/matvec/floats';
import { matvecQ40, matvecQ41, matvecQ4K } from '../kernels/matvec/q4';
import { matvecQ5K, matvecQ6K, matvecQ80, matvecQ81 } from '../kernels/matvec/q8';
import { FORMAT_X4, FORMAT_X8, X8_STRIDE, quantize, x4Stride } from '../kernels/quantize/quantize';
import { layoutBytes } from '../kernels/repack/repack';

/** The activation format (bit) that a weight layout multiplies with; 0 = plain f32. */
@inline export function formatOf(layout: i32): i32 {
  if (layout == Layout.q4_0 || layout == Layout.q4_1 || layout == Layout.q4_k) return FORMAT_X4;
  if (layout >= Layout.q8_0) return FORMAT_X8;
  return 0;
}

/** Where the X8 records begin: behind room for the X4 records of a whole chunk. */
@inline function x8Records(work: WorkspaceRecord): usize {
  return <usize>work.quantPtr + (<usize>work.quantBytes >> 1);
}

/** The records of the first token in a format. */
@inline export function quantised(work: WorkspaceRecord, format: i32): usize {
  return format == FORMAT_X8 ? x8Records(work) : <usize>work.quantPtr;
}

/** Quantises X [nTokens, cols] (rows `xStride` bytes apart) into the formats that the matrices about to read it want. */
export function prepareInput(work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {
  if (!formats) return;
  const nBlocks = <usize>(cols >> 5);
  let x4 = <usize>work.quantPtr, x8 = x8Records(work);
  for (let t = 0; t < nTokens; t++) {
    quantize(x, cols, formats, x4, x8);
    x += xStride;
    x4 += nBlocks * x4Stride();
    x8 += nBlocks * X8_STRIDE;
  }
}

@inline function oneToken(layout: i32, w: usize, groups: i32, cols: i32, x: usize, x4: usize, x8: usize, y: usize): void {
  switch (layout) {
    case Layout.f32: matvecF32(w, groups, cols, x, y); break;
    case Layout.f16: matvecF16(w, groups, cols, x, y); break;
    case Layout.bf16: matvecBF16(w, groups, cols, x, y); break;
    case Layout.q4_0: matvecQ40(w, groups, cols, x4, y); break;
    case Layout.q4_1: matvecQ41(w, groups, cols, x4, y); break;
    case Layout.q4_k: matvecQ4K(w, groups, cols, x4, y); break;
    case Layout.q8_0: matvecQ80(w, groups, cols, x8, y); break;
    case Layout.q8_1: matvecQ81(w, groups, cols, x8, y); break;
    case Layout.q5_k: matvecQ5K(w, groups, cols, x8, y); break;
    case Layout.q6_k: matvecQ6K(w, groups, cols, x8, y); break;
    default: unreachable();
  }
}

@inline function manyTokens(
  layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, x4: usize, x8: usize, nTokens: i32, y: usize, yStride: usize,
): void {
  const s4 = <usize>(cols >> 5) * x4Stride(), s8 = <usize>(cols >> 5) * X8_STRIDE;
  switch (layout) {
    case Layout.f32: matmulF32(w, groups, cols, x, xStride, nTokens, y, yStride); break;
    case Layout.f16: matmulF16(w, groups, cols, x, xStride, nTokens, y, yStride); break;
    case Layout.bf16: matmulBF16(w, groups, cols, x, xStride, nTokens, y, yStride); break;
    case Layout.q4_0: matmulQ40(w, groups, cols, x4, s4, nTokens, y, yStride); break;
    case Layout.q4_1: matmulQ41(w, groups, cols, x4, s4, nTokens, y, yStride); break;
    case Layout.q4_k: matmulQ4K(w, groups, cols, x4, s4, nTokens, y, yStride); break;
    case Layout.q8_0: matmulQ80(w, groups, cols, x8, s8, nTokens, y, yStride); break;
    case Layout.q8_1: matmulQ81(w, groups, cols, x8, s8, nTokens, y, yStride); break;
    case Layout.q5_k: matmulQ5K(w, groups, cols, x8, s8, nTokens, y, yStride); break;
    case Layout.q6_k: matmulQ6K(w, groups, cols, x8, s8, nTokens, y, yStride); break;
    default: unreachable();
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
  const groups = (rows + 7) >> 3;
  const x4 = <usize>work.quantPtr, x8 = x8Records(work);
  if (nTokens == 1) oneToken(layout, w, groups, cols, x, x4, x8, y);
  else manyTokens(layout, w, groups, cols, x, xStride, x4, x8, nTokens, y, yStride);
  if (bias) {
    for (let t = 0; t < nTokens; t++, y += yStride) add(y, bias, groups << 3);
  }
  work.weightWords += <u32>(layoutBytes(layout, rows, cols) >> 2);
}
