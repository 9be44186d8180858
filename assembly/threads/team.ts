/**
 * Several threads on one memory: a job is cut into parts, and whoever is free takes the next one. The caller works too, so that a worker
 * which sleeps, or whose core does something else, holds nobody up: only a part that somebody has begun is waited for. Which thread does a
 * part makes no difference to what it writes.
 *
 * `left` counts the parts that nobody has begun. Who lowers it from n to n - 1 owns part n - 1, of the job that is under way at that
 * moment, and that job lives until the part is done: so what TeamRecord says of it may be read then, and not before.
 * Builds without threads fold all of this away.
 */
import { TeamRecord, WorkspaceRecord } from '../abi/records';

/** Does a part of a job: 0 .. parts - 1. `thread` has scratch of its own. */
export type Part = (work: usize, part: i32, parts: i32, thread: i32) => void;

/**
 * Times that the caller looks whether others are done before it sleeps, for up to 2 ms, and how often it does so before it gives up. Who
 * does not answer for so long has lost its core: parts that are begun last are small.
 */
const LOOKS: i32 = 40_000, SLEEP: i64 = 2_000_000, SLEEPS: i32 = 30_000;

@inline function teamOf(work: WorkspaceRecord): TeamRecord { return changetype<TeamRecord>(<usize>work.teamPtr); }

/**
 * Into how many parts a job is cut that reads or writes so many bytes, and has so many pieces that nothing can cut; 1: the caller does it.
 * Several for each thread: one that begins late, or is slowed down, does fewer.
 */
@inline export function partsOf(work: WorkspaceRecord, bytes: usize, pieces: i32): i32 {
  const team = teamOf(work), threads = team.threads;
  return threads == 1 ? 1 : min(min(pieces, threads * team.shares), <i32>(bytes / <usize>team.grain));
}

/**
 * Where a part of `pieces` pieces, at least as many as parts, begins; the next one's beginning is its end. Parts are taken from the last to
 * the first, so large ones come first, and small ones make up for what a thread was slower; none is empty. Test: test/kernels/team.test.ts.
 */
@inline export function beginOf(pieces: i32, part: i32, parts: i32): i32 {
  return part + <i32>(<i64>(pieces - parts) * <i64>part * <i64>part / (<i64>parts * <i64>parts));
}

/** Room for what a job is about. */
@inline export function jobArgs(work: WorkspaceRecord): usize { return <usize>teamOf(work).argsPtr; }

/** A part that the caller now has to do, -1 where none is left. */
function take(left: usize): i32 {
  let n = atomic.load<i32>(left);
  while (n > 0) {
    const found = atomic.cmpxchg<i32>(left, n, n - 1);
    if (found == n) return n - 1;
    n = found;
  }
  return -1;
}

/** Until workers have done `parts` parts. Traps where one of them has trapped, or does not answer for a minute. */
function join(team: TeamRecord, parts: i32): void {
  const done = <usize>team.donePtr;
  for (let looks = 0, sleeps = 0; atomic.load<i32>(done) < parts;) {
    if (++looks < LOOKS) continue;
    if (atomic.load<i32>(team.faultPtr) || ++sleeps > SLEEPS) unreachable();
    if (team.waits) {
      atomic.store<i32>(team.waitingPtr, 1);
      const n = atomic.load<i32>(done);
      if (n < parts && atomic.wait<i32>(done, n, SLEEP) == AtomicWaitResult.TIMED_OUT && --team.stalls == 0) team.threads = 1;
      atomic.store<i32>(team.waitingPtr, 0);
    } else looks = 0;
  }
}

/** Runs all parts of a job; returns when they are done. */
export function fork(work: WorkspaceRecord, job: Part, parts: i32): void {
  const team = teamOf(work), left = <usize>team.leftPtr, ptr = changetype<usize>(work);
  team.job = job.index;
  team.parts = parts;
  atomic.store<i32>(team.donePtr, 0);
  atomic.store<i32>(left, parts);
  if (atomic.load<i32>(team.asleepPtr) > 0) atomic.sub<i32>(team.asleepPtr, atomic.notify(left, parts - 1));
  let others = parts;
  for (let part = take(left); part >= 0; part = take(left)) {
    job(ptr, part, parts, 0);
    others--;
  }
  join(team, others);
}

/** A worker's life: does parts of jobs until it is told to end. */
export function serve(ptr: usize, thread: i32): void {
  const team = teamOf(changetype<WorkspaceRecord>(ptr)), left = <usize>team.leftPtr;
  for (let looks = 0; ;) {
    const part = take(left);
    if (part >= 0) {
      call_indirect<void>(team.job, ptr, part, team.parts, thread);
      atomic.add<i32>(team.donePtr, 1);
      if (atomic.load<i32>(team.waitingPtr)) atomic.notify(team.donePtr, 1);
      looks = 0;
    } else if (atomic.load<i32>(left) < 0) {
      return;
    } else if (++looks > team.patience) {
      atomic.add<i32>(team.asleepPtr, 1);
      // who was woken has been taken off the count by who woke it
      if (atomic.wait<i32>(left, 0, -1) == AtomicWaitResult.NOT_EQUAL) atomic.sub<i32>(team.asleepPtr, 1);
      looks = 0;
    }
  }
}
