/** A head in two planes times several rows: a few groups at a time, joined into the layout they came from, for matmul. */
import { ModelRecord, WorkspaceRecord } from '../abi/records';
import { matmul } from '../kernels/matmul/matmul';
import { matvec } from '../kernels/matvec/matvec';
import { firstBytes, secondBytes, wholeBytes } from '../kernels/planes/planes';
import { joinPlanes } from '../kernels/planes/split';
import { recordsBytes } from '../kernels/quantize/quantize';
import { formatOf } from '../layouts/sizes';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';
import { quantised } from './input';
import { modelOf } from './tokens';

@unmanaged class Joined {
  rows: i32;
  y: usize;
  yStride: usize;
}

function groups(work: WorkspaceRecord, from: i32, to: i32, thread: i32, rows: i32, y: usize, yStride: usize): void {
  const model = modelOf(work), layout = model.headLayout, cols = model.hidden, format = formatOf(layout);
  const one = firstBytes(layout, cols), two = secondBytes(layout, cols), x = quantised(work, format), xStride = recordsBytes(format, cols);
  const room = <usize>work.joinedPtr + <usize>thread * <usize>work.joinedBytes;
  const step = <i32>(<usize>work.joinedBytes / wholeBytes(layout, cols));
  const scratch = <usize>work.unpackedPtr + <usize>thread * <usize>work.unpackedBytes;
  for (let g = from; g < to; g += step) {
    const count = min(step, to - g), at = <usize>g, out = y + (at << 5);
    joinPlanes(layout, <usize>model.headPtr + at * one, <usize>model.headRestPtr + at * two, count, cols, room);
    if (rows == 1) matvec(layout, room, count, cols, x, out);
    else matmul(layout, room, count, cols, x, xStride, rows, out, yStride, scratch);
  }
}

function part(ptr: usize, at: i32, parts: i32, thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), job = changetype<Joined>(jobArgs(work)), all = (modelOf(work).vocab + 7) >> 3;
  groups(work, beginOf(all, at, parts), beginOf(all, at + 1, parts), thread, job.rows, job.y, job.yStride);
}

/** Y [rows, vocab] of the rows of x that are quantised. */
export function joinedProduct(work: WorkspaceRecord, model: ModelRecord, rows: i32, y: usize, yStride: usize): void {
  const all = (model.vocab + 7) >> 3, bytes = <usize>all * wholeBytes(model.headLayout, model.hidden);
  work.weightWords += <u32>(bytes >> 2);
  if (ASC_FEATURE_THREADS) {
    const parts = partsOf(work, bytes * <usize>rows, all);
    if (parts > 1) {
      const job = changetype<Joined>(jobArgs(work));
      job.rows = rows; job.y = y; job.yStride = yStride;
      fork(work, part, parts);
      return;
    }
  }
  groups(work, 0, all, 0, rows, y, yStride);
}
