/**
 * What a stage of the feed-forward part leaves of n values: those with |value_i| * weights_i > threshold stay, all others become zero (NaN
 * too), which the next stage and `down` understand without a list. A product is held against the threshold in the pass that makes it. An
 * activation is not: its chain of dependent instructions is so long that what comes on top keeps the processor from seeing the next one.
 * Preconditions: threshold >= 0; values and weights are padded to a multiple of 4 (markKept: 8); `out` has room for n + 8 indices
 * (select.ts).
 * Error: none; the products are f32, rounded once. Test: test/kernels/keep.test.ts.
 */
import { hsumInt } from '../../base/simd';
import { firstFour, nextFour, pack4, selectTop } from './select';

/** No value behind the n-th may stay. */
@inline function clearPadding(values: usize, n: i32): void {
  for (; n & 3; n++) store<f32>(values + (<usize>n << 2), 0);
}

/** Which of four values stay; `weighted` is a literal. */
@inline function stays(weighted: bool, value: v128, weights: usize, limit: v128): v128 {
  const v = f32x4.abs(value);
  return f32x4.gt(weighted ? f32x4.mul(v, v128.load(weights)) : v, limit);
}

@inline function keepFrom(weighted: bool, values: usize, weights: usize, threshold: f32, n: i32, out0: usize): i32 {
  const limit = f32x4.splat(threshold), four = nextFour();
  let out = out0, indices = firstFour();
  for (const end = values + (<usize>n << 2); values < end; values += 16, weights += 16) {
    const value = v128.load(values), kept = stays(weighted, value, weights, limit);
    v128.store(values, v128.and(value, kept));
    out = pack4(indices, i32x4.bitmask(kept), out);
    indices = i16x8.add(indices, four);
  }
  return <i32>((out - out0) >> 1);
}

/** Of n values; the sorted indices of those that stay at `out`. `weights` 0: all 1. Returns how many. */
export function keepAbove(values: usize, weights: usize, threshold: f32, n: i32, out: usize): i32 {
  clearPadding(values, n);
  return weights ? keepFrom(true, values, weights, threshold, n, out) : keepFrom(false, values, 0, threshold, n, out);
}

/** The same of the `share` of n values with the largest |value_i| * weights_i, of equal ones the first; `scores` [n] is scratch. */
function keepTop(values: usize, weights: usize, share: f32, n: i32, scores: usize, out: usize): i32 {
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) {
    const v = abs(load<f32>(values + i));
    store<f32>(scores + i, weights ? v * load<f32>(weights + i) : v);
  }
  const count = selectTop(scores, n, max(1, <i32>nearest<f32>(share * <f32>n)), out);
  let from = 0;
  for (const end = out + (<usize>count << 1); out < end; out += 2) {
    const i = <i32>load<u16>(out);
    memory.fill(values + (<usize>from << 2), 0, <usize>(i - from) << 2);
    from = i + 1;
  }
  memory.fill(values + (<usize>from << 2), 0, <usize>(n - from) << 2);
  return count;
}

/** By a share above 0, else by a threshold >= 0; all n, and no list, where there is neither or the share is 1. */
export function keepSome(values: usize, weights: usize, share: f32, threshold: f32, n: i32, scores: usize, out: usize): i32 {
  if (share > 0) return share < 1 ? keepTop(values, weights, share, n, scores, out) : n;
  return threshold >= 0 ? keepAbove(values, weights, threshold, n, out) : n;
}

@inline function multiplyFrom(weighted: bool, values: usize, x: usize, weights: usize, threshold: f32, n: i32): i32 {
  const limit = f32x4.splat(threshold);
  let count = i32x4.splat(0);
  for (const end = values + (<usize>n << 2); values < end; values += 16, x += 16, weights += 16) {
    const value = f32x4.mul(v128.load(values), v128.load(x)), kept = stays(weighted, value, weights, limit);
    v128.store(values, v128.and(value, kept));
    count = i32x4.sub(count, kept);
  }
  return hsumInt(count);
}

/** Of values_i * x_i, which replace the values; without a list. Returns how many stay. */
export function multiplyAbove(values: usize, x: usize, weights: usize, threshold: f32, n: i32): i32 {
  clearPadding(values, n);
  return weights ? multiplyFrom(true, values, x, weights, threshold, n) : multiplyFrom(false, values, x, 0, threshold, n);
}

/** Sets the bits of the n values that are not zero, clears the others. */
export function markKept(bits: usize, values: usize, n: i32): void {
  const zero = f32x4.splat(0);
  for (const end = bits + <usize>((n + 7) >> 3); bits < end; bits++, values += 32, n -= 8) {
    const kept = i32x4.bitmask(f32x4.ne(v128.load(values), zero)) | i32x4.bitmask(f32x4.ne(v128.load(values, 16), zero)) << 4;
    store<u8>(bits, <u8>(n < 8 ? kept & ((1 << n) - 1) : kept));
  }
}
