/** Products over some of the neurons, by slices where several threads share a pass. */
import { WorkspaceRecord } from '../abi/records';
import { compactMatvec } from '../kernels/neurons/compactMatvec';
import { rowBytes } from '../kernels/neurons/rows';
import { closeList, rowsMatvec, rowsSlice } from '../kernels/neurons/rowsMatvec';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';

/** Neurons whose lines are read ahead: the weights of a whole model are never in the cache (kernels/neurons/touch.ts). */
export const AHEAD: i32 = 32;

/** What a job multiplies: listed rows. */
@unmanaged class Listed {
  layout: i32;
  w: usize;
  cols: i32;
  list: usize;
  count: i32;
  x: usize;
  y: usize;
}

function rowsPart(ptr: usize, part: i32, parts: i32, _thread: i32): void {
  const p = changetype<Listed>(jobArgs(changetype<WorkspaceRecord>(ptr))), fours = (p.count + 3) >> 2;
  const from = beginOf(fours, part, parts) << 2, to = min(p.count, beginOf(fours, part + 1, parts) << 2);
  rowsSlice(p.layout, p.w, p.cols, p.list + (<usize>from << 1), to - from, p.x, AHEAD, p.y);
}

/** y[list_i] = row list_i of W times x, for the rows of the list; W in row form, x permuted. */
export function listedRows(work: WorkspaceRecord, layout: i32, w: usize, cols: i32, list: usize, count: i32, x: usize, y: usize): void {
  if (ASC_FEATURE_THREADS) {
    const parts = partsOf(work, <usize>count * rowBytes(layout, cols), (count + 3) >> 2);
    if (parts > 1) {
      const p = changetype<Listed>(jobArgs(work));
      p.layout = layout; p.w = w; p.cols = cols; p.list = list; p.count = count; p.x = x; p.y = y;
      closeList(list, count);
      fork(work, rowsPart, parts);
      return;
    }
  }
  rowsMatvec(layout, w, cols, list, count, x, AHEAD, y);
}

/** What a job multiplies: groups of rows of compact columns, all of them of as many bytes. */
@unmanaged class Compact {
  layout: i32;
  w: usize;
  groupBytes: usize;
  groups: i32;
  nBlocks: i32;
  pieces: usize;
  x: usize;
  y: usize;
}

function columnsPart(ptr: usize, part: i32, parts: i32, _thread: i32): void {
  const p = changetype<Compact>(jobArgs(changetype<WorkspaceRecord>(ptr))), from = beginOf(p.groups, part, parts), at = <usize>from;
  compactMatvec(
    p.layout, p.w + at * p.groupBytes, beginOf(p.groups, part + 1, parts) - from, p.nBlocks, p.pieces, p.x, p.y + (at << 5),
    p.groupBytes, changetype<WorkspaceRecord>(ptr).streams,
  );
}

/** y[8 * groups] = W x for compact columns of `bytes` in all. */
export function compactColumnsTimes(
  work: WorkspaceRecord, layout: i32, w: usize, bytes: usize, groups: i32, nBlocks: i32, pieces: usize, x: usize, y: usize,
): void {
  if (ASC_FEATURE_THREADS) {
    const parts = partsOf(work, bytes, groups);
    if (parts > 1) {
      const p = changetype<Compact>(jobArgs(work));
      p.layout = layout; p.w = w; p.groupBytes = bytes / <usize>groups; p.groups = groups;
      p.nBlocks = nBlocks; p.pieces = pieces; p.x = x; p.y = y;
      fork(work, columnsPart, parts);
      return;
    }
  }
  compactMatvec(layout, w, groups, nBlocks, pieces, x, y, bytes / <usize>groups, work.streams);
}
