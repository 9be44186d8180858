/** The two stages of a head in two planes, over one x: which groups of 8 rows are read, and when (forward/head.ts). */
import { ModelRecord, SequenceRecord, WorkspaceRecord } from '../abi/records';
import { scale } from '../kernels/activation/activation';
import { candidates, indexOf, maximum } from '../kernels/logits/candidates';
import { copyGroups, settle, spread } from '../kernels/logits/tail';
import { firstBytes, planesFormat, secondBytes } from '../kernels/planes/planes';
import { bothProduct, firstProduct } from '../kernels/planes/product';
import { completeRecords } from '../kernels/planes/records';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';
import { prepareInput, quantised } from './input';
import { rowStride } from './norms';
import { modelOf } from './tokens';

/** Which products a job takes: the first plane of all groups, both of all, or of those in the list. */
const enum Planes { first, both, listed }

@unmanaged class Stage {
  planes: i32;
  count: i32;
  y: usize;
}

@inline function groupsOf(model: ModelRecord): i32 { return (model.vocab + 7) >> 3; }

/** Both planes of `count` groups from g on. */
@inline function exact(work: WorkspaceRecord, model: ModelRecord, g: i32, count: i32, y: usize): void {
  const layout = model.headLayout, cols = model.hidden, at = <usize>g, out = y + (at << 5);
  const first = <usize>model.headPtr + at * firstBytes(layout, cols), second = <usize>model.headRestPtr + at * secondBytes(layout, cols);
  bothProduct(layout, first, second, count, cols, quantised(work, planesFormat(layout)), out);
  if (model.logitScale != 1) scale(out, model.logitScale, count << 3);
}

function run(work: WorkspaceRecord, planes: i32, from: i32, to: i32, y: usize): void {
  const model = modelOf(work), layout = model.headLayout, deviations = <usize>work.deviationsPtr, at = <usize>from;
  if (planes == Planes.both) exact(work, model, from, to - from, y);
  else if (planes == Planes.first) {
    const first = <usize>model.headPtr + at * firstBytes(layout, model.hidden), out = y + (at << 5), dev = deviations + (at << 5);
    firstProduct(layout, first, to - from, model.hidden, quantised(work, planesFormat(layout)), out, dev);
    if (model.logitScale != 1) {
      scale(out, model.logitScale, (to - from) << 3);
      scale(dev, abs(model.logitScale), (to - from) << 3);
    }
  } else {
    for (let i = from; i < to; i++) {
      const g = load<i32>(<usize>work.groupsPtr + (<usize>i << 2));
      exact(work, model, g, 1, y);
      memory.fill(deviations + (<usize>g << 5), 0, 32);
    }
  }
}

function part(ptr: usize, at: i32, parts: i32, _thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), job = changetype<Stage>(jobArgs(work));
  run(work, job.planes, beginOf(job.count, at, parts), beginOf(job.count, at + 1, parts), job.y);
}

/** The products of `count` groups. */
function groups(work: WorkspaceRecord, model: ModelRecord, planes: i32, count: i32, y: usize): void {
  const layout = model.headLayout, cols = model.hidden;
  const bytes = <usize>count * (firstBytes(layout, cols) + (planes == Planes.first ? 0 : secondBytes(layout, cols)));
  work.weightWords += <u32>(bytes >> 2);
  if (ASC_FEATURE_THREADS) {
    const parts = count > 0 ? partsOf(work, bytes, count) : 1;
    if (parts > 1) {
      const job = changetype<Stage>(jobArgs(work));
      job.planes = planes; job.count = count; job.y = y;
      fork(work, part, parts);
      return;
    }
  }
  run(work, planes, 0, count, y);
}

/** The x of a sequence's last token as what planes multiply. */
function prepare(work: WorkspaceRecord, model: ModelRecord): void {
  const format = planesFormat(model.headLayout);
  prepareInput(work, work.normedPtr, rowStride(model.hidden), model.hidden, 1, format);
  completeRecords(model.headLayout, quantised(work, format), model.hidden);
}

/** The same of what the head read for the last token of a sequence, whoever has computed since. */
function again(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  memory.copy(work.normedPtr, sequence.normedPtr, <usize>model.hidden << 2);
  prepare(work, model);
}

/** Logits from the first plane with their deviations; not `partial`: exact ones from both. */
export function stageOne(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, partial: bool): void {
  prepare(work, model);
  if (!partial) { wholly(work, model, sequence); return; }
  groups(work, model, Planes.first, groupsOf(model), sequence.logitsPtr);
  work.partialPtr = <u32>changetype<usize>(sequence);
  sequence.floor = Infinity;
  weighTail(work, model, sequence);
}

/** Corrects logits and deviations of the first plane by a sample. */
function weighTail(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  const count = min(32, groupsOf(model) >> 4), list = <usize>work.groupsPtr, near = <usize>work.joinedPtr, was = near + (<usize>count << 5);
  const logits = <usize>sequence.logitsPtr, deviations = <usize>work.deviationsPtr;
  if (!count) return;
  spread(groupsOf(model), count, list);
  copyGroups(logits, list, count, near);
  copyGroups(deviations, list, count, was);
  groups(work, model, Planes.listed, count, logits);
  settle(logits, deviations, groupsOf(model), list, count, near, was);
}

/** The likeliest groups of the tail become exact, at most a 64th of all: they are most of its mass. */
export function refineTail(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  const all = groupsOf(model), logits = <usize>sequence.logitsPtr;
  if (!work.partialPtr) return;
  for (let nats: f32 = 6, most = maximum(logits, model.vocab); nats > 0; nats--) {
    const count = candidates(logits, work.deviationsPtr, all, 0, most - nats, work.groupsPtr);
    if (count > all >> 6) continue;
    groups(work, model, Planes.listed, count, logits);
    return;
  }
}

function wholly(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  groups(work, model, Planes.both, groupsOf(model), sequence.logitsPtr);
  work.partialPtr = 0;
  sequence.floor = -Infinity;
}

/** All logits of a sequence's last token. */
export function allExact(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  again(work, model, sequence);
  wholly(work, model, sequence);
}

/** What may reach `floor` becomes exact; all, where that is a third of the rows. */
function refineFrom(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, floor: f32): void {
  if (!(floor < sequence.floor)) return;
  const list = <usize>work.groupsPtr, all = groupsOf(model);
  const count = candidates(sequence.logitsPtr, work.deviationsPtr, all, model.deviations, floor, list);
  if (count * 3 > all) { wholly(work, model, sequence); return; }
  groups(work, model, Planes.listed, count, sequence.logitsPtr);
  sequence.floor = floor;
}

/** The group of row `id`. */
function refineOne(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, id: i32): void {
  if (load<f32>(<usize>work.deviationsPtr + (<usize>id << 2)) == 0) return;
  store<i32>(work.groupsPtr, id >> 3);
  groups(work, model, Planes.listed, 1, sequence.logitsPtr);
}

/**
 * Logits at most `margin` below the largest one. The one that is nearly the largest gives a floor that the largest one is above; once that
 * is known, the margin counts from there.
 */
export function refineTo(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, margin: f32): void {
  if (sequence.floor == -Infinity) return;
  const logits = <usize>sequence.logitsPtr, id = min(indexOf(logits, model.vocab, maximum(logits, model.vocab)), model.vocab - 1);
  refineOne(work, model, sequence, id);
  refineFrom(work, model, sequence, load<f32>(logits + (<usize>id << 2)));
  if (margin > 0 && sequence.floor > -Infinity) refineFrom(work, model, sequence, maximum(logits, model.vocab) - margin);
}

/** The logits after stage 2 from `floor` up, and those of `count` tokens at `ids`. */
export function refineRows(
  work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, floor: f32, ids: usize, count: i32,
): void {
  again(work, model, sequence);
  for (let i = 0; i < count; i++) refineOne(work, model, sequence, load<i32>(ids + (<usize>i << 2)));
  refineFrom(work, model, sequence, floor);
}

/** Rows whose logits are exact. */
export function refinedRows(work: WorkspaceRecord, model: ModelRecord): i32 {
  if (!work.partialPtr) return model.vocab;
  let count = 0;
  const zero = f32x4.splat(0), deviations = <usize>work.deviationsPtr;
  for (let p = deviations, end = deviations + (<usize>groupsOf(model) << 5); p < end; p += 32) {
    if (v128.any_true(f32x4.gt(v128.load(p), zero)) || v128.any_true(f32x4.gt(v128.load(p, 16), zero))) continue;
    count += 8;
  }
  return min(count, model.vocab);
}
