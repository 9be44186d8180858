/** The buffer through which weights stream into place: how much of a tensor lies in it at a time. */
import { layoutBytes } from './layouts.ts';
import type { ModelPlan, PlannedTensor } from './plan.ts';
import { aligned } from './plan.ts';

/** Bytes of file read at a time: large enough that a read costs nothing, small enough to stay in the last-level cache until repacked. */
const pieceBytes = 2 * 1024 * 1024;

/** Rows of a tensor that are staged together: a multiple of 8 (a group), or one stretch of a vector. */
export function rowsPerPiece({ rows, matrices, fileBytes }: PlannedTensor): number {
  const rowBytes = fileBytes / (matrices * rows);
  return Math.min(rows, Math.max(8, 8 * Math.floor(pieceBytes / rowBytes / 8)));
}

/** The pieces that a tensor is read in, in the order of the file: which of its matrices, its first row there, and how many. */
export function* piecesOf(tensor: PlannedTensor): Generator<{ matrix: number; row: number; rows: number }> {
  const step = rowsPerPiece(tensor);
  for (let matrix = 0; matrix < tensor.matrices; matrix++) {
    for (let row = 0; row < tensor.rows; row += step) yield { matrix, row, rows: Math.min(step, tensor.rows - row) };
  }
}

/**
 * Bytes of staging for a piece of file, and behind it for its repacked form, where that is expanded, and for one
 * row, for nine where there is a sketch.
 */
export function stagingOf(tensor: PlannedTensor): { piece: number; repacked: number; row: number } {
  const rows = rowsPerPiece(tensor), before = tensor.through;
  return {
    piece: aligned((tensor.fileBytes / (tensor.matrices * tensor.rows)) * rows),
    repacked: before ? aligned(layoutBytes(before, rows, tensor.cols)) : 0,
    row: tensor.sketch ? 36 * tensor.cols : before ? 4 * tensor.cols : 0,
  };
}

/** Bytes of the largest piece of a plan. Two are staged: one is repacked while the next is read. */
export function largestPiece(plan: ModelPlan): number {
  return Math.max(...plan.tensors.map((tensor) => stagingOf(tensor).piece));
}

/** Bytes of staging that a plan needs: two pieces, then the repacked form of one and a row. */
export function stagingBytes(plan: ModelPlan): number {
  return 2 * largestPiece(plan) + Math.max(...plan.tensors.map(stagingOf).map(({ repacked, row }) => repacked + row));
}
