/**
 * kernels/matvec for superblocks (layouts/kinds.ts). With one scale for 256 values of x (kernels/quantize/superblocks.ts), all that a
 * superblock adds up is integers, scales and minima too: per row the sum over its blocks of sc * sum(x (q - middle)), and of mn * sum(x).
 * They are exact in i32 and the same numbers in both builds, in whichever order; then `close` is all that is f32, once a superblock.
 *
 * relaxed: dot products of bytes in pairs of columns, sums of several in i16 (below); one i32x4.dot_i16x8_s with the scales, each twice,
 *   widens and scales them.
 *     4 bits, 5 bits and fewer  |q x| of 8 (4) pairs fits: 8 * 2 * 127 * 15, 4 * 2 * 127 * 31
 *     6 bits                    8 * 2 * 127 * 63 does not, but x (q - 32) does: sums start at -32 sum(x) and wrap until they are whole
 *     7 bits                    one pair; middle * sum(x) comes off at the end, as minima do
 *     8 bits                    signed bytes; x is parted into what is positive of it and negative, seven bits each
 * base: i16 products (dots.ts), 256 times too large; shifted back, and times the scales.
 * Vector operations of V8 for 64 products (4 rows x 16 columns), of which Zen 4 does four a cycle, unpacking + products + ends of blocks:
 * relaxed 4 bits 6 + 8 + 1.75, 5 bits 9.5 + 7 + 2.75, 6 bits 9 + 8 + 3.5; base 4 bits 10 + 16 + 2.5, 6 bits 13 + 16 + 5. The end of a
 * superblock with minima is 56 for 8 rows, without 20. With loads, pointers and branches they are half as many again, of which six are
 * dispatched a cycle: both bounds are near each other.
 * Test: test/kernels/matvec.test.ts.
 */
import { isNibbles } from '../../layouts/kinds';
import { superNarrow } from './superNarrow';
import { superNibbles } from './superNibbles';
import { superWide } from './superWide';

/** y [8 groups] = W x, x records of 256. */
export function superMatvec<L>(w: usize, groups: i32, cols: i32, x: usize, y: usize, streams: i32): void {
  if (isNibbles<L>()) superNibbles<L>(w, groups, cols, x, y, streams);
  else if (ASC_FEATURE_RELAXED_SIMD) superNarrow<L>(w, groups, cols, x, y, streams);
  else superWide<L>(w, groups, cols, x, y, streams);
}
