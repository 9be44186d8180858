/** What a pass is asked for: the table of its tokens, each with its sequence and position. */
import { ModelRecord, SequenceRecord, TokenRecord, WorkspaceRecord } from '../abi/records';

@inline export function modelOf(work: WorkspaceRecord): ModelRecord { return changetype<ModelRecord>(<usize>work.modelPtr); }

@inline export function tokenOf(work: WorkspaceRecord, t: i32): TokenRecord {
  return changetype<TokenRecord>(<usize>work.tokensPtr + <usize>t * offsetof<TokenRecord>());
}

/** The sequence of a token of the pass. */
@inline export function sequenceOf(work: WorkspaceRecord, t: i32): SequenceRecord {
  return changetype<SequenceRecord>(<usize>tokenOf(work, t).sequencePtr);
}

/** The end of the run that begins at `t`: tokens of one sequence at consecutive positions. */
export function runFrom(work: WorkspaceRecord, t: i32, nTokens: i32): i32 {
  const first = tokenOf(work, t);
  let end = t + 1;
  while (
    end < nTokens && tokenOf(work, end).sequencePtr == first.sequencePtr && tokenOf(work, end).position == first.position + end - t
  ) end++;
  return end;
}
