/**
 * Softmax of a row, a stretch of positions at a time (arXiv 1805.02867): weights 2^(score - peak) relative to the largest score so far;
 * where that grows, what was summed before fades by 2^(old - new). Scores come in units of ln 2. Of q8 the weights, times the values'
 * scales, go to i16 by the largest of the stretch: they and the values sum exactly, 256 * 127 * 32767 < 2^31.
 * Test: test/kernels/attention.test.ts.
 */
import { KvKind } from '../../abi/enums';
import { powerNear2, powerOf2 } from '../../base/exp';
import { hmax, hsum, rounded, roundedInt } from '../../base/simd';
import { FADE, GAIN, PEAK, SCORES, SUM } from './scratch';

@inline function fillScores(s: usize, from: i32, to: i32, value: f32): void {
  for (let p = s + (<usize>from << 2), end = s + (<usize>to << 2); p < end; p += 4) store<f32>(p, value);
}

/** Weights f32 of positions `from` .. `to` (multiples of 8) → i16 in place, the i-th at 2 i; those around them up to `count` are 0. */
@inline function toInts(s: usize, from: i32, to: i32, count: i32, inverse: f32): void {
  const f = f32x4.splat(inverse);
  let at = s + (<usize>from << 1);
  for (let p = s + (<usize>from << 2), end = s + (<usize>to << 2); p < end; p += 32, at += 16) {
    const a = rounded(f32x4.mul(v128.load(p), f)), b = rounded(f32x4.mul(v128.load(p, 16), f));
    v128.store(at, i16x8.narrow_i32x4_s(roundedInt(a), roundedInt(b)));
  }
  if (from) memory.fill(s, 0, <usize>from << 1);
  if (count > to) memory.fill(at, 0, <usize>(count - to) << 1);
}

/**
 * Scores of `count` positions → weights, 0 but for positions lo .. hi - 1, which the row sees. `scales`: of the values, from the first on;
 * those that the row does not see may be anything.
 */
export function weigh(kind: i32, row: usize, lo: i32, hi: i32, count: i32, scales: usize): void {
  const s = row + SCORES, from = lo & ~7, to = (hi + 7) & ~7;
  if (lo >= hi) {
    memory.fill(s, 0, <usize>count << 2);
    store<f32>(row, 1, FADE);
    store<f32>(row, 0, GAIN);
    return;
  }
  fillScores(s, from, lo, -Infinity);
  fillScores(s, hi, to, -Infinity);
  const begin = s + (<usize>from << 2), end = s + (<usize>to << 2), before = load<f32>(row, PEAK);
  // pmax passes over a NaN, which comes to light in the sum; it is one instruction, max are eight
  let m = f32x4.splat(before), n = m;
  for (let p = begin; p < end; p += 32) { m = f32x4.pmax(m, v128.load(p)); n = f32x4.pmax(n, v128.load(p, 16)); }
  const peak = hmax(f32x4.pmax(m, n)), top = f32x4.splat(peak);
  let sum = f32x4.splat(0), more = sum, most = sum;
  if (kind == KvKind.q8) {
    for (let p = begin, c = scales + (<usize>from << 2); p < end; p += 32, c += 32) {
      const e = powerNear2(f32x4.sub(v128.load(p), top)), f = powerNear2(f32x4.sub(v128.load(p, 16), top));
      const w = f32x4.mul(e, v128.load(c)), x = f32x4.mul(f, v128.load(c, 16));
      sum = f32x4.add(sum, e);
      more = f32x4.add(more, f);
      most = f32x4.pmax(f32x4.pmax(most, w), x);
      v128.store(p, w);
      v128.store(p, x, 16);
    }
  } else {
    for (let p = begin; p < end; p += 32) {
      const e = powerOf2(f32x4.sub(v128.load(p), top)), f = powerOf2(f32x4.sub(v128.load(p, 16), top));
      sum = f32x4.add(sum, e);
      more = f32x4.add(more, f);
      v128.store(p, e);
      v128.store(p, f, 16);
    }
  }
  const fade = f32x4.extract_lane(powerOf2(f32x4.splat(before - peak)), 0);
  store<f32>(row, peak, PEAK);
  store<f32>(row, load<f32>(row, SUM) * fade + hsum(f32x4.add(sum, more)), SUM);
  store<f32>(row, fade, FADE);
  if (kind == KvKind.q8) {
    fillScores(s, from, lo, 0); // 0 times whatever scale lies there
    fillScores(s, hi, to, 0);
    const amax = hmax(most), live = amax > 1e-30;
    toInts(s, from, to, count, live ? <f32>32767 / amax : 0);
    store<f32>(row, live ? amax / 32767 : 0, GAIN);
  } else {
    fillScores(s, 0, from, 0);
    fillScores(s, to, count, 0);
  }
}
