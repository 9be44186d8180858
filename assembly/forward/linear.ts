/**
 * Y = X W^T (+ bias) for whatever layout W has, one token or many. Chooses the kernel once a matrix; a float layout reads X as it is, a
 * quantised one reads the records that `prepareInput` made. All sums are taken in the same order for one token and for many.
 *
 * Products of one X are one job where threads share a pass. Of a prompt x is laid out once for all of its parts.
 */
import { WorkspaceRecord } from '../abi/records';
import { add } from '../kernels/activation/activation';
import { matmul, packs, panels } from '../kernels/matmul/matmul';
import { matvec } from '../kernels/matvec/matvec';
import { recordsBytes } from '../kernels/quantize/quantize';
import { Format } from '../layouts/kinds';
import { formatOf, layoutBytes } from '../layouts/sizes';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';
import { listed, multiplyColumns, noteColumns } from './columns';
import { quantised } from './input';

export { formatOf };
export { prepareInput, quantised } from './input';

/** What a job multiplies: products first .. last - 1 of those in its arguments. */
@unmanaged class Products {
  first: i32;
  last: i32;
  /** Groups of rows of all of them. */
  groups: i32;
}

/** One of them: `linear`, with X and its stride as the kernel reads them. */
@unmanaged class Product {
  layout: i32;
  w: usize;
  bias: usize;
  groups: i32;
  /** Groups of the job before these. */
  before: i32;
  cols: i32;
  x: usize;
  xStride: usize;
  nTokens: i32;
  y: usize;
  yStride: usize;
  /** In column form (then w is that, x a list), of so many rows; 0: not. */
  columnRows: i32;
}

@inline function productAt(work: WorkspaceRecord, i: i32): Product {
  return changetype<Product>(jobArgs(work) + offsetof<Products>() + <usize>i * offsetof<Product>());
}

/** `count` groups from `first` on. */
@inline function multiply(work: WorkspaceRecord, p: Product, first: i32, count: i32, thread: i32): void {
  if (p.columnRows) {
    const from = (first + 7) >> 3 << 8, to = (first + count + 7) >> 3 << 8, rows = <usize>p.groups << 5;
    multiplyColumns(work, p.layout, p.w, p.columnRows, p.cols, p.x, p.y, first, first + count, thread);
    const last = min<usize>(to, rows);
    if (p.bias && <usize>from < last) add(p.y + from, p.bias + from, <i32>((last - from) >> 2));
    return;
  }
  const w = p.w + (first ? layoutBytes(p.layout, first << 3, p.cols) : 0), before = <usize>first << 5;
  let y = p.y + before;
  if (p.nTokens == 1) matvec(p.layout, w, count, p.cols, p.x, y, work.streams);
  else {
    const scratch = <usize>work.unpackedPtr + <usize>thread * <usize>work.unpackedBytes;
    matmul(p.layout, w, count, p.cols, p.x, p.xStride, p.nTokens, y, p.yStride, scratch);
  }
  if (p.bias) for (let t = 0; t < p.nTokens; t++, y += p.yStride) add(y, p.bias + before, count << 3);
}

function multiplyPart(ptr: usize, part: i32, parts: i32, thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), job = changetype<Products>(jobArgs(work));
  const from = beginOf(job.groups, part, parts), to = beginOf(job.groups, part + 1, parts);
  for (let i = job.first, last = job.last; i < last; i++) {
    const p = productAt(work, i), first = max(from - p.before, 0), count = min(to - p.before, p.groups) - first;
    if (count > 0) multiply(work, p, first, count, thread);
  }
}

function packPart(ptr: usize, part: i32, parts: i32, _thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), p = productAt(work, changetype<Products>(jobArgs(work)).first), n = (p.nTokens + 3) >> 2;
  panels(p.layout, p.cols, p.x, p.xStride, p.nTokens, beginOf(n, part, parts), beginOf(n, part + 1, parts), work.panelsPtr);
}

/** Products first .. last - 1, all of one layout or of one token. */
function share(work: WorkspaceRecord, first: i32, last: i32): void {
  const job = changetype<Products>(jobArgs(work)), p = productAt(work, first), nTokens = p.nTokens, layout = p.layout;
  let groups = 0, bytes: usize = 0;
  for (let i = first; i < last; i++) {
    const own = productAt(work, i);
    own.before = groups;
    groups += own.groups;
    bytes += layoutBytes(own.layout, own.groups << 3, own.cols);
  }
  job.first = first; job.last = last; job.groups = groups;
  const parts = partsOf(work, bytes * <usize>nTokens, groups);
  if (packs(nTokens) && formatOf(layout) != Format.f32) { // for one thread too: its scratch has no room for so many
    const cuts = parts > 1 ? partsOf(work, <usize>p.cols * <usize>nTokens << 2, (nTokens + 3) >> 2) : 1;
    if (cuts > 1) fork(work, packPart, cuts);
    else packPart(changetype<usize>(work), 0, 1, 0);
    for (let i = first; i < last; i++) { productAt(work, i).x = work.panelsPtr; productAt(work, i).xStride = 0; }
  }
  if (parts > 1) fork(work, multiplyPart, parts);
  else for (let i = first; i < last; i++) multiply(work, productAt(work, i), 0, productAt(work, i).groups, 0);
}

/**
 * Y [nTokens, rows] from X [nTokens, cols]; `prepareInput` was called for this X with `formatOf(layout)` among the formats.
 * Y's rows have room for `rows` padded to 8. `bias` [rows padded to 8] f32 or 0. It is product `i` of those of this X, 3 at most, and done
 * once `finishProducts` returns; nothing else may run meanwhile.
 */
@inline export function product(
  work: WorkspaceRecord, i: i32, layout: i32, w: usize, bias: usize, rows: i32, cols: i32,
  x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
): void {
  if (ASC_FEATURE_THREADS) putProduct(work, i, layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
  else linear(work, layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
}

/** The same of a matrix in column form and one token, whose inputs {@link listed} lists. */
@inline export function columnProduct(
  work: WorkspaceRecord, i: i32, layout: i32, form: usize, bias: usize, rows: i32, cols: i32, x: usize, y: usize,
): void {
  const list = listed(work, layout, x, cols);
  noteColumns(work, layout, rows, cols);
  if (ASC_FEATURE_THREADS) {
    const p = productAt(work, i);
    p.layout = layout; p.w = form; p.bias = bias; p.groups = (rows + 7) >> 3; p.cols = cols;
    p.x = list; p.xStride = 0; p.nTokens = 1; p.y = y; p.yStride = 0; p.columnRows = rows;
    return;
  }
  multiplyColumns(work, layout, form, rows, cols, list, y, 0, (rows + 7) >> 3, 0);
  if (bias) add(y, bias, (rows + 7) & ~7);
}

function putProduct(
  work: WorkspaceRecord, i: i32, layout: i32, w: usize, bias: usize, rows: i32, cols: i32,
  x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
): void {
  const format = formatOf(layout), p = productAt(work, i);
  if (format != Format.f32) { x = quantised(work, format); xStride = recordsBytes(format, cols); }
  work.weightWords += <u32>(layoutBytes(layout, rows, cols) >> 2);
  p.layout = layout; p.w = w; p.bias = bias; p.groups = (rows + 7) >> 3; p.cols = cols;
  p.x = x; p.xStride = xStride; p.nTokens = nTokens; p.y = y; p.yStride = yStride; p.columnRows = 0;
}

/** Returns when the first `count` products are done. */
@inline export function finishProducts(work: WorkspaceRecord, count: i32): void {
  if (ASC_FEATURE_THREADS) shareAll(work, count);
}

function shareAll(work: WorkspaceRecord, count: i32): void {
  const one = productAt(work, 0).nTokens == 1;
  for (let first = 0, last = 0; first < count; first = last) {
    const layout = productAt(work, first).layout;
    do last++; while (last < count && (one || productAt(work, last).layout == layout));
    share(work, first, last);
  }
}

/** One product, done when it returns. */
export function linear(
  work: WorkspaceRecord, layout: i32, w: usize, bias: usize, rows: i32, cols: i32,
  x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
): void {
  if (ASC_FEATURE_THREADS) {
    putProduct(work, 0, layout, w, bias, rows, cols, x, xStride, nTokens, y, yStride);
    share(work, 0, 1);
    return;
  }
  const groups = (rows + 7) >> 3, format = formatOf(layout), bytes = layoutBytes(layout, rows, cols);
  if (format != Format.f32) { x = quantised(work, format); xStride = recordsBytes(format, cols); }
  work.weightWords += <u32>(bytes >> 2);
  if (nTokens == 1) matvec(layout, w, groups, cols, x, y, work.streams);
  else matmul(layout, w, groups, cols, x, xStride, nTokens, y, yStride, work.unpackedPtr);
  if (bias) for (let t = 0; t < nTokens; t++, y += yStride) add(y, bias, groups << 3);
}
