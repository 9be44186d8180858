/**
 * Which neurons are worth computing: sorted lists of u16 indices i with |values_i| * weights_i > threshold (NaN is never selected), and the
 * exact top k of n scores >= 0. Four comparisons give a bitmask; a table of 16 shuffles packs the indices whose bit is set, eight bytes are
 * stored whatever their number, and the end moves on by their number: no branch depends on the data.
 * Preconditions: n <= 65535; `out` has room for n + 8 indices (what lies behind the result is overwritten, not used).
 * Error: none; the products are f32, rounded once. Test: test/kernels/select.test.ts.
 */
import { hmax, hsumInt, swizzle } from '../../base/simd';

// entry m: bytes that bring the 16-bit lanes of m's set bits to the front
const PACK: usize = memory.data<u64>([
  0xffffffffffffffff, 0xffffffffffff0100, 0xffffffffffff0302, 0xffffffff03020100,
  0xffffffffffff0504, 0xffffffff05040100, 0xffffffff05040302, 0xffff050403020100,
  0xffffffffffff0706, 0xffffffff07060100, 0xffffffff07060302, 0xffff070603020100,
  0xffffffff07060504, 0xffff070605040100, 0xffff070605040302, 0x0706050403020100,
], 16);

/** The indices of the first four values, and what leads to the next. */
@inline export function firstFour(): v128 { return i16x8(0, 1, 2, 3, 0, 0, 0, 0); }
@inline export function nextFour(): v128 { return i16x8.splat(4); }

/** Stores the indices (16-bit lanes 0..3 of `indices`) of the set bits of `mask` at `out`; the new end. */
@inline export function pack4(indices: v128, mask: i32, out: usize): usize {
  v128.store64_lane(out, swizzle(indices, v128.load64_zero(PACK + (<usize>mask << 3))), 0);
  return out + (<usize>popcnt(mask) << 1);
}

/** `weighted` is a literal. */
@inline function selectFrom(weighted: bool, values: usize, weights: usize, threshold: f32, n: i32, out0: usize): i32 {
  const limit = f32x4.splat(threshold), four = nextFour();
  let out = out0, indices = firstFour();
  for (const end = values + ((<usize>n >> 2) << 4); values < end; values += 16) {
    let v = f32x4.abs(v128.load(values));
    if (weighted) { v = f32x4.mul(v, v128.load(weights)); weights += 16; }
    out = pack4(indices, i32x4.bitmask(f32x4.gt(v, limit)), out);
    indices = i16x8.add(indices, four);
  }
  for (let i = n & ~3; i < n; i++, values += 4) {
    let v = abs(load<f32>(values));
    if (weighted) { v *= load<f32>(weights); weights += 4; }
    store<u16>(out, <u16>i);
    out += <usize>(v > threshold) << 1;
  }
  return <i32>((out - out0) >> 1);
}

/** Sorted indices i < n with |values_i| * weights_i > threshold; `weights` f32 [n], or 0 for none. Returns how many. */
export function selectAbove(values: usize, weights: usize, threshold: f32, n: i32, out: usize): i32 {
  return weights ? selectFrom(true, values, weights, threshold, n, out) : selectFrom(false, values, 0, threshold, n, out);
}

/** How many of the n scores are > t. */
function countAbove(scores: usize, n: i32, t: f32): i32 {
  const limit = f32x4.splat(t), end = scores + (<usize>n << 2);
  let a = i32x4.splat(0), b = a;
  for (const stop = scores + ((<usize>n >> 3) << 5); scores < stop; scores += 32) {
    a = i32x4.sub(a, f32x4.gt(v128.load(scores), limit));
    b = i32x4.sub(b, f32x4.gt(v128.load(scores, 16), limit));
  }
  let count = hsumInt(i32x4.add(a, b));
  for (; scores < end; scores += 4) count += i32(load<f32>(scores) > t);
  return count;
}

/** Largest of n scores >= 0, NaN passed over; 0 for none. */
function largest(scores: usize, n: i32): f32 {
  let a = f32x4.splat(0);
  const end = scores + (<usize>n << 2);
  // a stays where the new one is NaN
  for (const stop = scores + ((<usize>n >> 2) << 4); scores < stop; scores += 16) a = f32x4.pmax(a, v128.load(scores));
  let top = hmax(a);
  for (; scores < end; scores += 4) { const v = load<f32>(scores); top = v > top ? v : top; }
  return top;
}

/**
 * A threshold t for the k largest of n scores >= 0 (NaN counts as absent): exactly k scores are > t; where the k-th and the next are equal,
 * t is that value and fewer than k are > t. -1 (all) for k >= the number of scores, the largest score (none) for k <= 0.
 * Bisection on the bits of the float, which ascend as the values do; a round costs n / 8 steps, and the first t that separates ends it.
 */
export function topThreshold(scores: usize, n: i32, k: i32): f32 {
  const top = largest(scores, n);
  if (k <= 0) return top;
  if (k >= countAbove(scores, n, -1)) return -1;
  let low: i32 = -1, high = reinterpret<i32>(top); // more than k are > low (taken as "all"), at most k are > high
  while (high - low > 1) {
    const middle = low + ((high - low) >> 1), count = countAbove(scores, n, reinterpret<f32>(middle));
    if (count == k) return reinterpret<f32>(middle);
    if (count > k) low = middle; else high = middle;
  }
  return reinterpret<f32>(high);
}

/**
 * The sorted indices of the k largest of n scores >= 0, of equal ones the lowest index first. Returns k, or fewer where n or NaN leaves
 * fewer.
 */
export function selectTop(scores: usize, n: i32, k: i32, out: usize): i32 {
  const t = topThreshold(scores, n, k);
  if (k <= 0) return 0;
  let count = selectFrom(false, scores, 0, t, n, out);
  if (count >= k || t < 0) return count;
  const end = scores + (<usize>n << 2);
  let ties = k - count, last = out;
  for (let p = scores; p < end; p += 4) {
    const v = load<f32>(p);
    const tie = v == t && ties > 0;
    if (tie) ties--;
    store<u16>(last, <u16>((p - scores) >> 2));
    last += <usize>(v > t || tie) << 1;
  }
  return <i32>((last - out) >> 1);
}
