/**
 * What a few rows, now exact, say of the many that are only nearly known (forward/stages.ts). The deviations of a first plane take errors
 * to be independent and every column to count the same. They are not quite: rows share what their columns have in common, and x has a few
 * large elements. Of rows drawn evenly the mean error, in deviations, is taken off all, and their spread measures what a deviation is.
 * Test: test/kernels/sweep.test.ts.
 */
import { hsum } from '../../base/simd';

/** Lists `count` of `groups` groups, evenly spread. */
export function spread(groups: i32, count: i32, list: usize): void {
  for (let i = 0; i < count; i++) store<i32>(list + (<usize>i << 2), (2 * i + 1) * groups / (2 * count));
}

/** 8 values each of the listed groups, one behind the other at `to`. */
export function copyGroups(values: usize, list: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i++, to += 32) memory.copy(to, values + (<usize>load<i32>(list + (<usize>i << 2)) << 5), 32);
}

/**
 * Of the listed groups, whose logits are exact by now and were `near`, with deviations `was`: mean and deviation of the errors, counted in
 * deviations, to two f32 at `to`; 0 and 1 where nothing was left out, or not all are finite.
 */
export function errorsOf(logits: usize, list: usize, count: i32, near: usize, was: usize, to: usize): void {
  let sum = f32x4.splat(0), square = sum;
  for (let i = 0; i < count; i++) {
    const exact = logits + (<usize>load<i32>(list + (<usize>i << 2)) << 5);
    for (let half: usize = 0; half < 32; half += 16, near += 16, was += 16) {
      const known = f32x4.gt(v128.load(was), f32x4.splat(0)), error = f32x4.sub(v128.load(exact + half), v128.load(near));
      const z = v128.and(f32x4.div(error, v128.load(was)), known);
      sum = f32x4.add(sum, z);
      square = f32x4.add(square, f32x4.mul(z, z));
    }
  }
  const n: f32 = <f32>(count << 3), mean = hsum(sum) / n, sd = sqrt<f32>(max<f32>(0, hsum(square) / n - mean * mean));
  store<f32>(to, sd > 0 ? mean : 0);
  store<f32>(to, sd > 0 ? sd : 1, 4);
}

/** Of `groups` groups those that are not exact move by `mean` deviations, and their deviations become `sd` times as large. */
export function settle(logits: usize, deviations: usize, groups: i32, mean: f32, sd: f32): void {
  for (const end = logits + (<usize>groups << 5); logits < end; logits += 16, deviations += 16) {
    const deviation = v128.load(deviations);
    v128.store(logits, f32x4.add(v128.load(logits), f32x4.mul(deviation, f32x4.splat(mean))));
    v128.store(deviations, f32x4.mul(deviation, f32x4.splat(sd)));
  }
}
