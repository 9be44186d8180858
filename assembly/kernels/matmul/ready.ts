/**
 * What matmul makes ready and how it is multiplied, by what a layout says of itself.
 *   narrow  (`relaxed`, quants below 128) products of bytes in pairs, sums in i16
 *   wide    products of i16 in pairs, sums in i32; of superblocks, quants are multiplied by their scales first
 */
import { Format, isNibbles, isPacked, isSuper, the } from '../../layouts/kinds';

/** Blocks made ready at a time, when they stand alone; of superblocks one. */
export const BLOCKS: usize = 8;

@inline export function isNarrow<L>(): bool {
  if (!ASC_FEATURE_RELAXED_SIMD) return false;
  if (isSuper<L>()) return isNibbles<L>() || the<L>().bits < 7;
  return the<L>().format == Format.x4;
}

/** Quants of 5 bits that have no middle are multiplied as if they had: sums of 32 columns would not fit into i16. */
@inline export function isLifted<L>(): bool { return isNarrow<L>() && isPacked<L>() && the<L>().bits == 5 && the<L>().middle == 0; }

/** Narrow, superblocks: columns that have a scale together, at most what i16 can sum. */
@inline export function spanCols<L>(): usize { return the<L>().halves ? 16 : 32; }

/** Narrow: sums start at something. */
@inline export function hasStarts<L>(): bool { return the<L>().middle != 0 || isLifted<L>(); }

/** Superblocks: x's sums over blocks or halves are wanted, as so many pairs. */
@inline export function sumPairs<L>(): usize { return the<L>().mins || isLifted<L>() ? the<L>().halves ? 8 : 4 : 0; }
