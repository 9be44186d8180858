/** What products read: norm(x) where the family has a norm there, quantised to what weights want; by tokens where threads share a pass. */
import { ModelRecord, WorkspaceRecord } from '../abi/records';
import { quantize, recordsBytes } from '../kernels/quantize/quantize';
import { Format } from '../layouts/kinds';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';
import { normRows, rowStride } from './norms';

/** The records of the first token in a format: there is room for a whole chunk's in each, one behind the other. */
@inline export function quantised(work: WorkspaceRecord, format: i32): usize {
  return <usize>work.quantPtr + <usize>work.quantBytes * <usize>(format >> 1);
}

/** What a job makes ready; `model` null: x is no subject to a norm. */
@unmanaged class Input {
  x: usize;
  xStride: usize;
  cols: i32;
  nTokens: i32;
  formats: i32;
  model: usize;
  weight: usize;
  bias: usize;
}

function quantizeRows(work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, formats: i32, from: i32, to: i32): void {
  const at = <usize>from, bytes4 = recordsBytes(Format.x4, cols), bytes8 = recordsBytes(Format.x8, cols);
  const bytesK = recordsBytes(Format.xk, cols);
  let x4 = quantised(work, Format.x4) + at * bytes4, x8 = quantised(work, Format.x8) + at * bytes8;
  let xk = quantised(work, Format.xk) + at * bytesK;
  x += at * xStride;
  for (let t = from; t < to; t++, x += xStride, x4 += bytes4, x8 += bytes8, xk += bytesK) quantize(x, cols, formats, x4, x8, xk);
}

function inputPart(ptr: usize, part: i32, parts: i32, _thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), input = changetype<Input>(jobArgs(work)), n = input.nTokens;
  const from = beginOf(n, part, parts), to = beginOf(n, part + 1, parts);
  let x = input.x;
  if (input.model) {
    const before = <usize>from * input.xStride, normed = <usize>work.normedPtr;
    normRows(changetype<ModelRecord>(input.model), x + before, input.weight, input.bias, to - from, normed + before);
    x = normed;
  }
  if (input.formats) quantizeRows(work, x, input.xStride, input.cols, input.formats, from, to);
}

@inline function share(
  work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32, model: usize, weight: usize, bias: usize,
): bool {
  const parts = partsOf(work, <usize>cols * <usize>nTokens << 2, nTokens);
  if (parts <= 1) return false;
  const input = changetype<Input>(jobArgs(work));
  input.x = x; input.xStride = xStride; input.cols = cols; input.nTokens = nTokens; input.formats = formats;
  input.model = model; input.weight = weight; input.bias = bias;
  fork(work, inputPart, parts);
  return true;
}

/** Quantises X [nTokens, cols] (rows `xStride` bytes apart) into the formats that the matrices about to read it want. */
export function prepareInput(work: WorkspaceRecord, x: usize, xStride: usize, cols: i32, nTokens: i32, formats: i32): void {
  if (!formats) return;
  if (ASC_FEATURE_THREADS) if (share(work, x, xStride, cols, nTokens, formats, 0, 0, 0)) return;
  quantizeRows(work, x, xStride, cols, formats, 0, nTokens);
}

/** The same of norm(x) [nTokens, hidden], which stays in the workspace. */
export function normInput(
  work: WorkspaceRecord, model: ModelRecord, x: usize, weight: usize, bias: usize, nTokens: i32, formats: i32,
): void {
  const stride = rowStride(model.hidden);
  if (ASC_FEATURE_THREADS) {
    if (share(work, x, stride, model.hidden, nTokens, formats, changetype<usize>(model), weight, bias)) return;
  }
  normRows(model, x, weight, bias, nTokens, work.normedPtr);
  if (formats) quantizeRows(work, work.normedPtr, stride, model.hidden, formats, 0, nTokens);
}
