/**
 * What a stage of the feed-forward part leaves of n values: those with |value_i| * weights_i > threshold stay, all others become zero (NaN too), which
 * the next stage and `down` understand without a list. Where the values are only now made, they are made in the same pass: what comes from
 * arithmetic is held against the threshold while it is in registers, and the comparisons fit into the time that a division takes.
 * Preconditions: threshold >= 0; values and weights are padded to a multiple of 4 (markKept: 8); `out` has room for n + 8 indices (select.ts).
 * Error: that of kernels/activation. Test: test/kernels/keep.test.ts.
 */
import { Activation } from '../../abi/enums';
import { apply } from '../activation/activation';
import { firstFour, nextFour, pack4 } from './select';

/** No value behind the n-th may stay. */
@inline function clearPadding(values: usize, n: i32): void {
  for (; n & 3; n++) store<f32>(values + (<usize>n << 2), 0);
}

/** Which of four values stay. */
@inline function stays(value: v128, weights: usize, limit: v128): v128 {
  const v = f32x4.abs(value);
  return f32x4.gt(weights ? f32x4.mul(v, v128.load(weights)) : v, limit);
}

/** `kind` is a literal; -1: the values are there already. */
@inline function keepFrom(kind: i32, values: usize, weights: usize, threshold: f32, n: i32, out0: usize): i32 {
  const limit = f32x4.splat(threshold), four = nextFour(), step: usize = weights ? 16 : 0;
  let out = out0, indices = firstFour();
  clearPadding(values, n);
  for (const end = values + (<usize>n << 2); values < end; values += 16, weights += step) {
    const value = kind < 0 ? v128.load(values) : apply(kind, v128.load(values)), kept = stays(value, weights, limit);
    v128.store(values, v128.and(value, kept));
    out = pack4(indices, i32x4.bitmask(kept), out);
    indices = i16x8.add(indices, four);
  }
  return <i32>((out - out0) >> 1);
}

/** Of n values; the sorted indices of those that stay at `out`. `weights` 0: all 1. Returns how many. */
export function keepAbove(values: usize, weights: usize, threshold: f32, n: i32, out: usize): i32 {
  return keepFrom(-1, values, weights, threshold, n, out);
}

/** The same of act(values), which replaces them (abi/enums.ts, Activation). */
export function activateAbove(kind: i32, values: usize, weights: usize, threshold: f32, n: i32, out: usize): i32 {
  if (kind == Activation.silu) return keepFrom(Activation.silu, values, weights, threshold, n, out);
  if (kind == Activation.gelu) return keepFrom(Activation.gelu, values, weights, threshold, n, out);
  return keepFrom(Activation.relu, values, weights, threshold, n, out);
}

/** Of values_i * x_i, which replace the values; without a list. Returns how many stay. */
export function multiplyAbove(values: usize, x: usize, weights: usize, threshold: f32, n: i32): i32 {
  const limit = f32x4.splat(threshold), step: usize = weights ? 16 : 0;
  let count = 0;
  clearPadding(values, n);
  for (const end = values + (<usize>n << 2); values < end; values += 16, x += 16, weights += step) {
    const value = f32x4.mul(v128.load(values), v128.load(x)), kept = stays(value, weights, limit);
    v128.store(values, v128.and(value, kept));
    count += popcnt(i32x4.bitmask(kept));
  }
  return count;
}

/** Sets the bits of the n values that are not zero, clears the others. */
export function markKept(bits: usize, values: usize, n: i32): void {
  const zero = f32x4.splat(0);
  for (const end = bits + <usize>((n + 7) >> 3); bits < end; bits++, values += 32, n -= 8) {
    const kept = i32x4.bitmask(f32x4.ne(v128.load(values), zero)) | i32x4.bitmask(f32x4.ne(v128.load(values, 16), zero)) << 4;
    store<u8>(bits, <u8>(n < 8 ? kept & ((1 << n) - 1) : kept));
  }
}
