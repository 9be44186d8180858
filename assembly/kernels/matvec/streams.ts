/**
 * Several streams: the rows of a matrix in so many runs, a superblock of each in turn, and y holds the sums meanwhile. The numbers are the
 * same for any number of them. Some processors read memory faster from several places at once (an Intel Xeon by a fifth from two), others
 * slower, so the host asks the clock (src/engine/streams.ts).
 */

/** Groups of rows of a stream, of which the last may have fewer; one stream where fewer are asked for. */
@inline export function groupsEach(groups: i32, streams: i32): i32 { return streams > 1 ? (groups + streams - 1) / streams : groups; }

/** Where y ends of those streams that have a group `g`; `y` is of that group of the first. */
@inline export function endOfStreams(y: usize, g: i32, groups: i32, each: i32): usize {
  return y + (<usize>((groups - g + each - 1) / each) * <usize>each << 5);
}
