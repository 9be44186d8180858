/**
 * Everything that the next tokens of a sequence depend on, apart from its engine: the cached positions and how each came to be, the logits
 * after them, and what sparse methods remember of the sequence. As an object, and as the sections of a snapshot (format.ts);
 * from those again: restored.ts.
 */
import type { Selection } from '../adapt/selection.ts';
import type { SequenceState } from '../engine/engine.ts';
import type { Section } from './format.ts';

/** How a row of the cache came to be: dense and counted in the statistics, dense and not counted, decoded sparsely. */
export const RowKind = { counted: 1, uncounted: 2, sparse: 3 } as const;

export interface SavedSequence {
  /** Ids of the cached positions, and a RowKind each. */
  readonly tokens: Int32Array;
  readonly rows: Uint8Array;
  /** Leading tokens that the statistics know. */
  readonly counted: number;
  /** Whether the cache was as its owner had left it: loads and sparse rows are the owner's. */
  readonly owned: boolean;
  readonly state: SequenceState;
}

/** A sequence outside the engine's memory: what its owner goes on from once there is room again. */
export interface Parked { readonly sequence: SavedSequence; readonly owner: object | undefined; readonly selection: Selection }

/** What of a sequence is JSON. */
export interface SequenceHeader {
  readonly cached: number;
  readonly counted: number;
  readonly owned: boolean;
  readonly load?: { readonly count: number; readonly mean: number; readonly m2: number; readonly highRun: number };
  readonly nStat?: number;
  readonly hasLogits: boolean;
  /** From where on convolutions have the rows of every position. */
  readonly convFrom?: number;
}

export function sequenceParts({ tokens, rows, counted, owned, state }: SavedSequence): { header: SequenceHeader; sections: Section[] } {
  const { keys, values, convolutions, logits, report, load, statistics } = state;
  return {
    header: {
      cached: tokens.length, counted, owned, hasLogits: logits !== undefined, ...(load ? { load } : {}),
      ...(statistics ? { nStat: statistics.nStat } : {}), ...(convolutions ? { convFrom: convolutions.low } : {}),
    },
    sections: [
      { name: 'rows', data: rows }, { name: 'keys', data: keys }, { name: 'values', data: values },
      ...(convolutions ? [{ name: 'convolutions', data: convolutions.rows }] : []),
      ...(logits && report ? [{ name: 'logits', data: logits }, { name: 'report', data: report }] : []),
      ...(statistics ? [{ name: 'statistics', data: statistics.sums }] : []),
    ],
  };
}
