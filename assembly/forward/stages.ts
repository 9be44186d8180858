/** The two stages of a head with a sketch, over one x: which groups of 8 rows are read, and when (forward/head.ts). */
import { ModelRecord, SequenceRecord, WorkspaceRecord } from '../abi/records';
import { scale } from '../kernels/activation/activation';
import { among, candidates, indexOf, maximum } from '../kernels/logits/candidates';
import { copyGroups, settle, spread } from '../kernels/logits/tail';
import { matvec } from '../kernels/matvec/matvec';
import { sketchInput, sketchProduct } from '../kernels/sketch/product';
import { LIST, sketchBytes } from '../kernels/sketch/sketch';
import { Format } from '../layouts/kinds';
import { formatOf, layoutBytes } from '../layouts/sizes';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';
import { prepareInput, quantised } from './input';
import { rowStride } from './norms';
import { modelOf } from './tokens';

/** Which products a job takes: the sketch's of all groups, the matrix's of all, or of those in the list. */
const enum Rows { sketched, all, listed }

/** Groups of a sample; the workspace has room for what the sketch said of them. */
const SAMPLE = 32;

@unmanaged class Stage {
  rows: i32;
  count: i32;
  y: usize;
}

@inline function groupsOf(model: ModelRecord): i32 { return (model.vocab + 7) >> 3; }

/** The matrix itself times x, of `count` groups from g on. */
@inline function exact(work: WorkspaceRecord, model: ModelRecord, g: i32, count: i32, y: usize): void {
  const layout = model.headLayout, format = formatOf(layout), out = y + (<usize>g << 5);
  const x = format == Format.f32 ? <usize>work.normedPtr : quantised(work, format);
  const w = <usize>model.headPtr + <usize>g * layoutBytes(layout, 8, model.hidden);
  matvec(layout, w, count, model.hidden, x, out, work.streams);
  if (model.logitScale != 1) scale(out, model.logitScale, count << 3);
}

function run(work: WorkspaceRecord, rows: i32, from: i32, to: i32, y: usize): void {
  const model = modelOf(work), deviations = <usize>work.deviationsPtr, at = <usize>from;
  if (rows == Rows.all) exact(work, model, from, to - from, y);
  else if (rows == Rows.sketched) {
    const out = y + (at << 5), dev = deviations + (at << 5);
    const sketch = <usize>model.sketchPtr + LIST + at * sketchBytes(model.hidden);
    sketchProduct(sketch, to - from, model.hidden, work.sketchedPtr, out, dev, work.streams);
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
  run(work, job.rows, beginOf(job.count, at, parts), beginOf(job.count, at + 1, parts), job.y);
}

/** The products of `count` groups. */
function groups(work: WorkspaceRecord, model: ModelRecord, rows: i32, count: i32, y: usize): void {
  const cols = model.hidden;
  const bytes = <usize>count * (rows == Rows.sketched ? sketchBytes(cols) : layoutBytes(model.headLayout, 8, cols));
  work.weightWords += <u32>(bytes >> 2);
  if (ASC_FEATURE_THREADS) {
    const parts = count > 0 ? partsOf(work, bytes, count) : 1;
    if (parts > 1) {
      const job = changetype<Stage>(jobArgs(work));
      job.rows = rows; job.count = count; job.y = y;
      fork(work, part, parts);
      return;
    }
  }
  run(work, rows, 0, count, y);
}

/** The x of a sequence's last token as what the matrix multiplies. */
function prepare(work: WorkspaceRecord, model: ModelRecord): void {
  prepareInput(work, work.normedPtr, rowStride(model.hidden), model.hidden, 1, formatOf(model.headLayout));
}

/** The same of what the head read for the last token of a sequence, whoever has computed since. */
function again(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  memory.copy(work.normedPtr, sequence.normedPtr, <usize>model.hidden << 2);
  prepare(work, model);
}

/** Logits from the sketch with their deviations. */
export function stageOne(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  prepare(work, model);
  sketchInput(work.normedPtr, model.hidden, model.sketchPtr, work.outPtr, work.sketchedPtr);
  groups(work, model, Rows.sketched, groupsOf(model), sequence.logitsPtr);
  work.partialPtr = <u32>changetype<usize>(sequence);
  sequence.floor = Infinity;
  weighTail(work, model, sequence);
}

/** Corrects logits and deviations of the sketch by a sample. */
function weighTail(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  const count = min(SAMPLE, groupsOf(model) >> 4), list = <usize>work.groupsPtr;
  const near = <usize>work.samplePtr, was = near + (<usize>count << 5);
  const logits = <usize>sequence.logitsPtr, deviations = <usize>work.deviationsPtr;
  if (!count) return;
  spread(groupsOf(model), count, list);
  copyGroups(logits, list, count, near);
  copyGroups(deviations, list, count, was);
  groups(work, model, Rows.listed, count, logits);
  settle(logits, deviations, groupsOf(model), list, count, near, was);
}

/** The likeliest groups of the tail become exact, at most a 64th of all: they are most of its mass. */
export function refineTail(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  const all = groupsOf(model), logits = <usize>sequence.logitsPtr, deviations = <usize>work.deviationsPtr, list = <usize>work.groupsPtr;
  if (!work.partialPtr) return;
  const most = maximum(logits, model.vocab);
  let nats: f32 = 6, count = candidates(logits, deviations, all, 0, most - nats, list);
  while (count > all >> 6) count = --nats > 0 ? among(logits, deviations, list, count, most - nats) : 0;
  groups(work, model, Rows.listed, count, logits);
}

function wholly(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  groups(work, model, Rows.all, groupsOf(model), sequence.logitsPtr);
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
  groups(work, model, Rows.listed, count, sequence.logitsPtr);
  sequence.floor = floor;
}

/** The group of row `id`. */
function refineOne(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, id: i32): void {
  if (load<f32>(<usize>work.deviationsPtr + (<usize>id << 2)) == 0) return;
  store<i32>(work.groupsPtr, id >> 3);
  groups(work, model, Rows.listed, 1, sequence.logitsPtr);
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
