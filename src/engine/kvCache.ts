/**
 * The first positions of a key/value cache, copied between caches of different capacity (the layout of assembly/kernels/attention/kv.ts
 * depends on it): what a snapshot holds is a cache whose capacity is its positions, rounded up to 8.
 */
import type { KvName } from '../model/enums.ts';
import type { Hparams } from '../model/types.ts';
import { allKvHeads } from '../model/hparams.ts';

/** Keys or values of all layers, one behind the other. */
export interface Cache { readonly bytes: Uint8Array; readonly capacity: number }

export const capacityOf = (positions: number): number => 8 * Math.ceil(positions / 8);
const cellBytes: Record<KvName, number> = { f32: 4, f16: 2, q8: 1 };

/** Copies the first `positions` (a multiple of 8) of every head of every layer. */
export function copyCache(h: Hparams, kv: KvName, part: 'keys' | 'values', positions: number, from: Cache, to: Cache): void {
  const cell = cellBytes[kv], { headStride } = h, nHeads = allKvHeads(h), isQ8 = kv === 'q8';
  const headBytes = (capacity: number): number => headStride * capacity * cell + (isQ8 ? 4 * capacity : 0);
  const run = (at: number, into: number, bytes: number): void => { to.bytes.set(from.bytes.subarray(at, at + bytes), into); };
  for (let head = 0; head < nHeads; head++) {
    const at = head * headBytes(from.capacity), into = head * headBytes(to.capacity);
    if (part === 'keys') run(at, into, headStride * positions * cell);
    else for (let tile = 0; tile < headStride / 16; tile++) {
      run(at + 16 * tile * from.capacity * cell, into + 16 * tile * to.capacity * cell, 16 * positions * cell);
    }
    if (isQ8) run(at + headStride * from.capacity, into + headStride * to.capacity, 4 * positions);
  }
}

/** Zeros in the positions from `positions` to the capacity (fewer than 8): what an earlier sequence left there is nobody's business. */
export function clearBehind(h: Hparams, kv: KvName, part: 'keys' | 'values', positions: number, { bytes, capacity }: Cache): void {
  const cell = cellBytes[kv], { headStride } = h, nHeads = allKvHeads(h), isQ8 = kv === 'q8';
  const headBytes = headStride * capacity * cell + (isQ8 ? 4 * capacity : 0);
  const keyCell = (position: number, dim: number): number =>
    (position >> 3) * 8 * headStride + (isQ8 ? (dim >> 1) * 16 + 2 * (position & 7) + (dim & 1) : 8 * dim + (position & 7));
  const valueCell = (position: number, dim: number): number =>
    (dim >> 4) * 16 * capacity + (isQ8 ? (position >> 1) * 32 + 2 * (dim & 15) + (position & 1) : 16 * position + (dim & 15));
  const index = part === 'keys' ? keyCell : valueCell;
  for (let head = 0; head < nHeads; head++) {
    for (let position = positions; position < capacity; position++) {
      for (let dim = 0; dim < headStride; dim++) {
        const at = head * headBytes + index(position, dim) * cell;
        bytes.fill(0, at, at + cell);
      }
      const scale = head * headBytes + headStride * capacity + 4 * position;
      if (isQ8) bytes.fill(0, scale, scale + 4);
    }
  }
}
