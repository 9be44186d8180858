/**
 * A matrix in two planes: the upper bits of every quant in one, as nibbles in the walk of the fast 4-bit kernels, the bits below in the
 * other. The first says nearly what a product is and by how much that may be off, both say it to the last bit; no byte is held twice. Which
 * rows of the second are read is the caller's affair (forward/head.ts). Groups of 8 rows and their lanes are those of layouts/kinds.ts.
 *
 *   first plane   a quant is n s + r, s a power of two, 0 <= r < s: the n. A group begins with its `head`, then comes unit after unit
 *   second plane  the r
 * of
 *   Eights  q8_0, r of 4 bits. head: 8 f32, the root mean square of what is left of a row's quants once r is taken at its mean. Unit (32
 *           columns): 128 B of nibbles, 8 f16 d. Second plane: 128 B of nibbles.
 *   Sixes   q6_k, r of 2 bits. No head. Unit (256 columns): 128 B scales, 8 f16 d, 8 f16 the root mean square of what is left of a row's
 *           weights there, 8 blocks of 128 B of nibbles. Second plane: 8 blocks of 64 B, of a half block vectors of set 0 and 1 (`Twos`)
 *
 * What is left is as good as random: x times it has a mean of 0 and the variance  sum over units of |left|^2 |x|^2 / columns.
 * Only `relaxed` has these kernels: there four bits cost half the time of eight; without its dot product of bytes they cost nearly as much.
 */
import { Format, groupBytes } from '../../layouts/kinds';
import { Q6_K } from '../../layouts/q6_k';
import { Q8_0 } from '../../layouts/q8_0';
import { recordsBytes } from '../quantize/quantize';

export const EIGHT_HEAD: usize = 32, EIGHT_UNIT: usize = 144, EIGHT_REST: usize = 128;
export const SIX_UNIT: usize = 1184, SIX_REST: usize = 512, SIX_RMS: usize = 144, SIX_QUANTS: usize = 160;

/** Whether a layout has planes. */
@inline export function isEights(layout: i32): bool { return layout == 7; }

/** Bytes of a group in the first plane, in the second, and in one piece. */
@inline export function firstBytes(layout: i32, cols: i32): usize {
  return isEights(layout) ? EIGHT_HEAD + <usize>(cols >> 5) * EIGHT_UNIT : <usize>(cols >> 8) * SIX_UNIT;
}
@inline export function secondBytes(layout: i32, cols: i32): usize {
  return isEights(layout) ? <usize>(cols >> 5) * EIGHT_REST : <usize>(cols >> 8) * SIX_REST;
}
@inline export function wholeBytes(layout: i32, cols: i32): usize {
  return isEights(layout) ? groupBytes<Q8_0>(cols) : groupBytes<Q6_K>(cols);
}

/** The Format (layouts/kinds.ts) of the x that both planes multiply. */
@inline export function planesFormat(layout: i32): i32 { return isEights(layout) ? Format.x4 : Format.xk; }
@inline export function planesRecords(layout: i32, cols: i32): usize { return recordsBytes(planesFormat(layout), cols); }
