/**
 * Several streams: the rows of a matrix in so many runs, a superblock of each in turn or as much, and y holds the sums meanwhile. The
 * numbers are the same for any number of them. Some processors read memory faster from several places at once (an Intel Xeon 1.2 to 1.5
 * times from four), others slower, so the host asks the clock (src/engine/streams.ts).
 */
import { times32 } from '../../base/simd';

/**
 * Blocks of 32 columns that a stream is read for before it is another's turn, where they stand alone: half a KB to one. Twice as many take
 * up to a seventh longer.
 */
export const RUN: i32 = 4;

/** Groups of rows of a stream, of which the last may have fewer; one stream where fewer are asked for. */
@inline export function groupsEach(groups: i32, streams: i32): i32 { return streams > 1 ? (groups + streams - 1) / streams : groups; }

/** Where y ends of those streams that have a group `g`; `y` is of that group of the first. */
@inline export function endOfStreams(y: usize, g: i32, groups: i32, each: i32): usize {
  return y + (<usize>((groups - g + each - 1) / each) * <usize>each << 5);
}

/** Sums of a 32nd, one group of each stream, become whole. */
@inline export function wholeSums(y: usize, end: usize, across: usize): void {
  for (; y < end; y += across) {
    v128.store(y, times32(v128.load(y)));
    v128.store(y, times32(v128.load(y, 16)), 16);
  }
}
