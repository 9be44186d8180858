/**
 * The tokens of a pass, each with its sequence and position: those that it is asked for, and those whose rows are under way. In the last
 * layer they differ: once keys and values are in the cache, only what somebody wants is computed.
 */
import { ModelRecord, SequenceRecord, TokenRecord, WorkspaceRecord } from '../abi/records';
import { adaptOf } from '../adapt/state';
import { counts } from '../adapt/statistics';
import { energy } from '../kernels/norm/norm';
import { rowStride } from './norms';

@inline export function modelOf(work: WorkspaceRecord): ModelRecord { return changetype<ModelRecord>(<usize>work.modelPtr); }

@inline function recordAt(table: usize, t: i32): TokenRecord { return changetype<TokenRecord>(table + <usize>t * offsetof<TokenRecord>()); }

@inline export function ownerOf(token: TokenRecord): SequenceRecord { return changetype<SequenceRecord>(<usize>token.sequencePtr); }

/** A token that the pass is asked for. */
@inline export function askedOf(work: WorkspaceRecord, t: i32): TokenRecord { return recordAt(work.tokensPtr, t); }

/** The token of row t, and its sequence. */
@inline export function tokenOf(work: WorkspaceRecord, t: i32): TokenRecord { return recordAt(work.rowsPtr, t); }

@inline export function sequenceOf(work: WorkspaceRecord, t: i32): SequenceRecord { return ownerOf(tokenOf(work, t)); }

/** Every token asked for gets a row. */
export function fillRows(work: WorkspaceRecord, nTokens: i32): void {
  memory.copy(work.rowsPtr, work.tokensPtr, <usize>nTokens * offsetof<TokenRecord>());
  for (let t = 0; t < nTokens; t++) sequenceOf(work, t).lost = 0;
}

/** Sequences with a row of x that is not finite are lost: what comes of it is no distribution, nor are its keys and values any. */
export function noteLost(work: WorkspaceRecord, x: usize, nRows: i32): void {
  const hidden = modelOf(work).hidden;
  for (let t = 0; t < nRows; t++, x += rowStride(hidden)) if (!(energy(x, hidden) < Infinity)) sequenceOf(work, t).lost = 1;
}

/** Whether a row matters behind the cache of the last layer: for its logits, or (`counted`) for the statistics of a prompt. */
@inline function matters(work: WorkspaceRecord, token: TokenRecord, counted: bool): bool {
  return token.wanted != 0 || (counted && !work.sparse && counts(adaptOf(ownerOf(token)), token.position));
}

/** Rows of x [nRows], `stride` bytes each, without those that do not matter. */
export function narrowBuffer(work: WorkspaceRecord, x: usize, stride: usize, nRows: i32, counted: bool): void {
  let to = x;
  for (let t = 0; t < nRows; t++, x += stride) {
    if (!matters(work, tokenOf(work, t), counted)) continue;
    if (to != x) memory.copy(to, x, stride);
    to += stride;
  }
}

/** The same of the table of rows, after all buffers: returns how many are left. */
export function narrowRows(work: WorkspaceRecord, nRows: i32, counted: bool): i32 {
  let kept = 0;
  for (let t = 0; t < nRows; t++) {
    if (!matters(work, tokenOf(work, t), counted)) continue;
    if (kept != t) memory.copy(changetype<usize>(tokenOf(work, kept)), changetype<usize>(tokenOf(work, t)), offsetof<TokenRecord>());
    kept++;
  }
  return kept;
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
