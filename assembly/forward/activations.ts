/** Nonlinearities over all rows of a pass, by slices where several threads share it. */
import { WorkspaceRecord } from '../abi/records';
import { activate, activateGated } from '../kernels/activation/activation';
import { beginOf, fork, jobArgs, partsOf } from '../threads/team';

/** What a job bends: `values` f32, a multiple of 32, each times that of `up` where there is one. */
@unmanaged class Slices {
  activation: i32;
  h: usize;
  up: usize;
  values: i32;
}

function slice(ptr: usize, part: i32, parts: i32, _thread: i32): void {
  const s = changetype<Slices>(jobArgs(changetype<WorkspaceRecord>(ptr))), n = s.values >> 5;
  const from = beginOf(n, part, parts), count = beginOf(n, part + 1, parts) - from << 5, at = <usize>from << 7;
  if (s.up) activateGated(s.activation, s.h + at, s.up + at, count);
  else activate(s.activation, s.h + at, count);
}

@inline function share(work: WorkspaceRecord, activation: i32, h: usize, up: usize, values: i32): bool {
  const parts = partsOf(work, <usize>values << 3, values >> 5);
  if (parts <= 1) return false;
  const s = changetype<Slices>(jobArgs(work));
  s.activation = activation; s.h = h; s.up = up; s.values = values;
  fork(work, slice, parts);
  return true;
}

/** h = act(h) * up. `values`: of all rows, a multiple of 32. */
export function activateGatedAll(work: WorkspaceRecord, activation: i32, h: usize, up: usize, values: i32): void {
  if (ASC_FEATURE_THREADS) if (share(work, activation, h, up, values)) return;
  activateGated(activation, h, up, values);
}

/** h = act(h). */
export function activateAll(work: WorkspaceRecord, activation: i32, h: usize, values: i32): void {
  if (ASC_FEATURE_THREADS) if (share(work, activation, h, 0, values)) return;
  activate(activation, h, values);
}
