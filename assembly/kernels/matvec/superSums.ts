/** What the kernels of superblocks (super.ts) share: scales as factors, where sums begin, minima, and the superblock's end. */
import { the } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { BLOCK_SUMS, HALF_SUMS } from '../quantize/superblocks';

/** The first (last) four i16 of v, twice each. */
@inline export function firstTwice(v: v128): v128 { return i16x8.shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3); }
@inline export function lastTwice(v: v128): v128 { return i16x8.shuffle(v, v, 4, 4, 5, 5, 6, 6, 7, 7); }

/** base: sums and a block's sums times its scales, the first (last) four of k. */
@inline export function addFirst(sums: v128, a: v128, k: v128): v128 {
  return i32x4.add(sums, i32x4.mul(a, i32x4.extend_low_i16x8_s(k)));
}
@inline export function addLast(sums: v128, a: v128, k: v128): v128 {
  return i32x4.add(sums, i32x4.mul(a, i32x4.extend_high_i16x8_s(k)));
}

/** A superblock's sum of minima times sums of x, of 4 rows. */
@inline export function minSums<L>(scales: usize, tail: usize, set: usize): v128 {
  if (!hasMinima<L>()) return i32x4.splat(0);
  if (!the<L>().halves) return fourMinima<L>(scales, tail + BLOCK_SUMS, 0, set);
  return i32x4.add(fourMinima<L>(scales, tail + HALF_SUMS, 0, set), fourMinima<L>(scales, tail + HALF_SUMS + 16, 4, set));
}

@inline function minimum<L>(scales: usize, sums: usize, i: usize, set: usize): v128 {
  return i32x4.dot_i16x8_s(the<L>().minima(scales, i, set), v128.load32_splat(sums));
}

@inline function fourMinima<L>(scales: usize, sums: usize, i: usize, set: usize): v128 {
  const near = i32x4.add(minimum<L>(scales, sums, i, set), minimum<L>(scales, sums + 4, i + 1, set));
  return i32x4.add(near, i32x4.add(minimum<L>(scales, sums + 8, i + 2, set), minimum<L>(scales, sums + 12, i + 3, set)));
}

/** relaxed, 7 bits: the middle is a minimum. */
@inline function hasMinima<L>(): bool { return the<L>().mins || (ASC_FEATURE_RELAXED_SIMD && the<L>().bits == 7); }

/** relaxed: where the sums of half a block begin, `at` = its starts. */
@inline export function narrowStart<L>(at: usize): v128 {
  if (the<L>().middle == 32) return v128.load32_splat(at);
  if (the<L>().middle == 4) return i16x8.shr_s(v128.load32_splat(at), 3);
  return i32x4.splat(0);
}

/** base: the same. */
@inline export function wideStart<L>(at: usize): v128 {
  if (the<L>().middle == 32) return v128.load32_splat(at);
  if (the<L>().middle == 4) return i32x4.shr_s(v128.load32_splat(at), 3);
  if (the<L>().middle == 64) return i32x4.shl(v128.load32_splat(at), 1);
  return i32x4.splat(0);
}

/** f + a superblock's term for 4 rows. */
@inline export function close<L>(w: usize, set: usize, sums: v128, tail: usize, f: v128): v128 {
  const mins = minSums<L>(w, tail, set);
  const whole = hasMinima<L>() && !the<L>().mins ? i32x4.sub(sums, i32x4.shl(mins, 6)) : sums;
  return the<L>().close(w + the<L>().scaleBytes, set, whole, mins, v128.load32_splat(tail), f);
}

/** Packed: vector i of the half at p, where those of `set` need it. */
@inline export function part<L>(set: usize, p: usize, i: usize): v128 {
  return the<L>().needs(set, i) ? partOf<L>(p, i) : i32x4.splat(0);
}
