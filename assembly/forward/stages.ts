/** The stages of a head with a sketch, over one x: which groups of 8 rows are read, and when (forward/head.ts). */
import { ModelRecord, SequenceRecord, WorkspaceRecord } from '../abi/records';
import { scale } from '../kernels/activation/activation';
import { among, candidates, indexOf, maximum } from '../kernels/logits/candidates';
import { copyGroups, errorsOf, settle, spread } from '../kernels/logits/tail';
import { matvec } from '../kernels/matvec/matvec';
import { coarseProduct, fineProduct, sketchInput } from '../kernels/sketch/product';
import { LIST, fineBytes, pairBytes } from '../kernels/sketch/sketch';
import { Format } from '../layouts/kinds';
import { formatOf, layoutBytes } from '../layouts/sizes';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';
import { prepareInput, quantised } from './input';
import { rowStride } from './norms';
import { modelOf } from './tokens';

/** What a product reads of its rows, and what of every group was read. */
const enum Read { coarse, fine, exact }

/** Groups of a sample; the workspace has room for what both planes said of them. */
const SAMPLE = 32;
/** Nats below the largest logit, beyond which a tail's mass is left as the planes say it. */
const NEAR: f32 = 8;

@unmanaged class Job {
  read: i32;
  list: usize; // 0: all groups
  count: i32;
  y: usize;
}

@inline function groupsOf(model: ModelRecord): i32 { return (model.vocab + 7) >> 3; }

@inline function pairsOf(model: ModelRecord): i32 { return (model.vocab + 15) >> 4; }

@inline function planeOf(model: ModelRecord): usize { return <usize>model.sketchPtr + LIST; }

@inline function listOf(work: WorkspaceRecord): usize { return work.groupsPtr; }

@inline function atGroup(y: usize, g: i32): usize { return y + (<usize>g << 5); }

/** The matrix itself times x, of `count` groups from g on. */
@inline function exact(work: WorkspaceRecord, model: ModelRecord, g: i32, count: i32, y: usize): void {
  const layout = model.headLayout, format = formatOf(layout), out = atGroup(y, g);
  const x = format == Format.f32 ? <usize>work.normedPtr : quantised(work, format);
  const w = <usize>model.headPtr + <usize>g * layoutBytes(layout, 8, model.hidden);
  matvec(layout, w, count, model.hidden, x, out, work.streams);
  if (model.logitScale != 1) scale(out, model.logitScale, count << 3);
}

/** The coarse plane, of `count` pairs of groups from one on. */
function coarse(work: WorkspaceRecord, model: ModelRecord, pair: i32, count: i32, y: usize): void {
  const out = atGroup(y, 2 * pair), deviation = atGroup(work.deviationsPtr, 2 * pair);
  const w = planeOf(model) + <usize>pair * pairBytes(model.hidden);
  coarseProduct(w, count, model.hidden, work.sketchedPtr, out, deviation, work.streams);
  if (model.logitScale == 1) return;
  scale(out, model.logitScale, count << 4);
  scale(deviation, abs(model.logitScale), count << 4);
}

/** The fine plane of a group, on what the coarse one said before errors were taken off. */
function fine(work: WorkspaceRecord, model: ModelRecord, g: i32, y: usize): void {
  const out = atGroup(y, g), deviation = atGroup(work.deviationsPtr, g), cols = model.hidden;
  const plane = planeOf(model), behind = plane + <usize>pairsOf(model) * pairBytes(cols);
  settle(out, deviation, 1, -work.coarseMean / work.coarseSd, 1);
  fineProduct(plane, behind, g, cols, work.sketchedPtr, out, deviation, model.logitScale);
  settle(out, deviation, 1, work.fineMean, work.fineSd);
}

function run(work: WorkspaceRecord, read: i32, list: usize, from: i32, to: i32, y: usize): void {
  const model = modelOf(work);
  if (list) {
    for (let i = from; i < to; i++) {
      const g = load<i32>(list + (<usize>i << 2));
      store<u8>(<usize>work.stagesPtr + g, <u8>read);
      if (read == Read.fine) { fine(work, model, g, y); continue; }
      exact(work, model, g, 1, y);
      memory.fill(atGroup(work.deviationsPtr, g), 0, 32);
    }
  } else if (read == Read.coarse) coarse(work, model, from, to - from, y);
  else exact(work, model, from, to - from, y);
}

function part(ptr: usize, at: i32, parts: i32, _thread: i32): void {
  const work = changetype<WorkspaceRecord>(ptr), job = changetype<Job>(jobArgs(work));
  run(work, job.read, job.list, beginOf(job.count, at, parts), beginOf(job.count, at + 1, parts), job.y);
}

/** The products of `count` groups, those of a list or, without one, the first; of the coarse plane of pairs of groups. */
function groups(work: WorkspaceRecord, model: ModelRecord, read: i32, list: usize, count: i32, y: usize): void {
  const cols = model.hidden, plane = read == Read.coarse ? pairBytes(cols) : fineBytes(cols);
  const bytes = <usize>count * (read == Read.exact ? layoutBytes(model.headLayout, 8, cols) : plane);
  work.weightWords += <u32>(bytes >> 2);
  if (ASC_FEATURE_THREADS) {
    const parts = count > 0 ? partsOf(work, bytes, count) : 1;
    if (parts > 1) {
      const job = changetype<Job>(jobArgs(work));
      job.read = read; job.list = list; job.count = count; job.y = y;
      fork(work, part, parts);
      return;
    }
  }
  run(work, read, list, 0, count, y);
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

/** Logits from the coarse plane with their deviations. */
export function stageOne(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  prepare(work, model);
  sketchInput(work.normedPtr, model.hidden, model.sketchPtr, work.outPtr, work.sketchedPtr);
  work.coarseMean = work.fineMean = 0;
  work.coarseSd = work.fineSd = 1;
  memory.fill(work.stagesPtr, <u8>Read.coarse, groupsOf(model));
  groups(work, model, Read.coarse, 0, pairsOf(model), sequence.logitsPtr);
  work.partialPtr = <u32>changetype<usize>(sequence);
  sequence.floor = Infinity;
  weighErrors(work, model, sequence);
}

/** A sample says what errors of either plane have in common, and how large they are. */
function weighErrors(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  const count = min(SAMPLE, groupsOf(model) >> 4), list = listOf(work), bytes = <usize>count << 5;
  const near = <usize>work.samplePtr, was = near + bytes, nearer = was + bytes, wasAfter = nearer + bytes;
  const logits = <usize>sequence.logitsPtr, deviations = <usize>work.deviationsPtr;
  if (!count) return;
  spread(groupsOf(model), count, list);
  copyGroups(logits, list, count, near);
  copyGroups(deviations, list, count, was);
  groups(work, model, Read.fine, list, count, logits);
  copyGroups(logits, list, count, nearer);
  copyGroups(deviations, list, count, wasAfter);
  groups(work, model, Read.exact, list, count, logits);
  errorsOf(logits, list, count, nearer, wasAfter, changetype<usize>(work) + offsetof<WorkspaceRecord>('fineMean'));
  errorsOf(logits, list, count, near, was, changetype<usize>(work) + offsetof<WorkspaceRecord>('coarseMean'));
  settle(logits, deviations, groupsOf(model), work.coarseMean, work.coarseSd);
}

/** Of `count` listed groups those of which only the coarse plane was read, to `to`; how many. */
function unread(work: WorkspaceRecord, list: usize, count: i32, to: usize): i32 {
  const start = to;
  for (const end = list + (<usize>count << 2); list < end; list += 4) {
    const g = load<i32>(list);
    if (load<u8>(<usize>work.stagesPtr + g) != Read.coarse) continue;
    store<i32>(to, g);
    to += 4;
  }
  return <i32>((to - start) >> 2);
}

/** Lists the groups that may reach `floor`, how many; those of which only the coarse plane was read are read from the fine one as well. */
function refineFine(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, floor: f32): i32 {
  const list = listOf(work), all = groupsOf(model), second = list + (<usize>all << 2);
  const count = candidates(sequence.logitsPtr, work.deviationsPtr, all, model.deviations, floor, list);
  groups(work, model, Read.fine, second, unread(work, list, count, second), sequence.logitsPtr);
  return count;
}

/** Of `count` listed groups the likeliest, at most `limit`: those that come within so many whole nats of `most`. */
function likeliest(work: WorkspaceRecord, sequence: SequenceRecord, most: f32, count: i32, limit: i32): i32 {
  for (let nats = NEAR - 1; count > limit; nats--) {
    count = nats > 0 ? among(sequence.logitsPtr, work.deviationsPtr, 0, most - nats, listOf(work), count) : 0;
  }
  return count;
}

/** The likeliest groups of the tail, which are most of its mass: a 16th of all from the fine plane, of these a 128th become exact. */
export function refineTail(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  const all = groupsOf(model), logits = <usize>sequence.logitsPtr, deviations = <usize>work.deviationsPtr, list = listOf(work);
  if (!work.partialPtr) return;
  const most = maximum(logits, model.vocab);
  let count = unread(work, list, candidates(logits, deviations, all, 0, most - NEAR, list), list);
  groups(work, model, Read.fine, list, likeliest(work, sequence, most, count, all >> 4), logits);
  count = candidates(logits, deviations, all, 0, most - NEAR, list);
  groups(work, model, Read.exact, list, likeliest(work, sequence, most, count, all >> 7), logits);
}

function wholly(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): void {
  groups(work, model, Read.exact, 0, groupsOf(model), sequence.logitsPtr);
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
  const list = listOf(work), logits = <usize>sequence.logitsPtr;
  const count = among(logits, work.deviationsPtr, model.deviations, floor, list, refineFine(work, model, sequence, floor));
  if (count * 3 > groupsOf(model)) { wholly(work, model, sequence); return; }
  groups(work, model, Read.exact, list, count, logits);
  sequence.floor = floor;
}

/** The group of row `id`. */
function refineOne(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, id: i32): void {
  if (load<f32>(<usize>work.deviationsPtr + (<usize>id << 2)) == 0) return;
  store<i32>(listOf(work), id >> 3);
  groups(work, model, Read.exact, listOf(work), 1, sequence.logitsPtr);
}

/** The exact logit of the row that is nearly the largest: one that the largest is not below. */
function refineTop(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord): f32 {
  const logits = <usize>sequence.logitsPtr, id = min(indexOf(logits, model.vocab, maximum(logits, model.vocab)), model.vocab - 1);
  refineOne(work, model, sequence, id);
  return load<f32>(logits + (<usize>id << 2));
}

/** Logits at most `margin` below the largest one, which is found plane by plane; once it is known, the margin counts from there. */
export function refineTo(work: WorkspaceRecord, model: ModelRecord, sequence: SequenceRecord, margin: f32): void {
  if (sequence.floor == -Infinity) return;
  const first = refineTop(work, model, sequence);
  refineFine(work, model, sequence, first);
  refineFrom(work, model, sequence, max(first, refineTop(work, model, sequence)));
  if (margin > 0 && sequence.floor > -Infinity) refineFrom(work, model, sequence, maximum(sequence.logitsPtr, model.vocab) - margin);
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
  for (let g = <usize>work.stagesPtr, end = g + groupsOf(model); g < end; g++) count += load<u8>(g) == Read.exact ? 8 : 0;
  return min(count, model.vocab);
}
