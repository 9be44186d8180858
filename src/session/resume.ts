/** Where a sequence that holds some of what it is asked for goes on. */
import type { Selection } from '../adapt/selection.ts';

export interface Place {
  /** Tokens of the cache that may stay, of `length` in it. */
  readonly same: number;
  readonly length: number;
  /** Tokens from here on are decoded one by one. */
  readonly decodeFrom: number;
  /** Whether who asks has decoded what is there. */
  readonly isOwner: boolean;
}

/**
 * Sparse steps of somebody else are not one's own, and a load is of the tokens that were decoded last: where some of them are to go, all
 * are decoded again, from the last token of the prompt on, whose distribution the first load needs.
 */
export function goesOnAt({ stages, cogLoad, refreshAfter }: Selection, { same, length, decodeFrom, isOwner }: Place): number {
  if (stages === 0 || same < decodeFrom) return same;
  const foreign = same > decodeFrom && !isOwner, loads = cogLoad.mode === 'measured' || refreshAfter > 0;
  return foreign || (loads && same < length) ? Math.max(0, decodeFrom - 1) : same;
}
