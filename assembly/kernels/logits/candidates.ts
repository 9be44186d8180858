/** Which logits may matter, where each has a deviation (forward/head.ts). Test: test/kernels/sweep.test.ts. */
import { hmax } from '../../base/simd';

/** The largest of [vocab] f32; where some are NaN, of others. */
export function maximum(p: usize, vocab: i32): f32 {
  let a = f32x4.splat(-Infinity), b = a, c = a, d = a;
  const end16 = p + (<usize>(vocab & ~15) << 2), end = p + (<usize>vocab << 2);
  for (; p < end16; p += 64) { // pmax keeps the accumulator where a logit is NaN
    a = f32x4.pmax(a, v128.load(p)); b = f32x4.pmax(b, v128.load(p, 16));
    c = f32x4.pmax(c, v128.load(p, 32)); d = f32x4.pmax(d, v128.load(p, 48));
  }
  let m = hmax(f32x4.max(f32x4.max(a, b), f32x4.max(c, d)));
  for (; p < end; p += 4) m = max(m, load<f32>(p));
  return m;
}

/** The first of [vocab] f32 that is `value`; `vocab`: none is. */
export function indexOf(p: usize, vocab: i32, value: f32): i32 {
  const v = f32x4.splat(value);
  const start = p, end4 = p + (<usize>(vocab & ~3) << 2), end = p + (<usize>vocab << 2);
  while (p < end4 && !v128.any_true(f32x4.eq(v128.load(p), v))) p += 16;
  while (p < end && load<f32>(p) != value) p += 4;
  return <i32>((p - start) >> 2);
}

/** Of 4 logits, which may reach `floor` and are not exact. */
@inline function mayReach(l: usize, s: usize, times: v128, floor: v128): v128 {
  const deviation = v128.load(s);
  return v128.and(f32x4.ge(f32x4.add(v128.load(l), f32x4.mul(deviation, times)), floor), f32x4.gt(deviation, f32x4.splat(0)));
}

/** The groups of 8 of which some logit plus `times` deviations reaches `floor`, into `list` (i32); how many. */
export function candidates(logits: usize, deviations: usize, groups: i32, times: f32, floor: f32, list: usize): i32 {
  const t = f32x4.splat(times), f = f32x4.splat(floor), start = list;
  for (let g = 0; g < groups; g++, logits += 32, deviations += 32) {
    if (!v128.any_true(v128.or(mayReach(logits, deviations, t, f), mayReach(logits + 16, deviations + 16, t, f)))) continue;
    store<i32>(list, g);
    list += 4;
  }
  return <i32>((list - start) >> 2);
}

/** Of `count` listed groups those of which some logit plus `times` deviations reaches `floor`, to the list's front; how many. */
export function among(logits: usize, deviations: usize, times: f32, floor: f32, list: usize, count: i32): i32 {
  const t = f32x4.splat(times), f = f32x4.splat(floor), start = list;
  for (let p = list, end = list + (<usize>count << 2); p < end; p += 4) {
    const g = load<i32>(p), l = logits + (<usize>g << 5), s = deviations + (<usize>g << 5);
    if (!v128.any_true(v128.or(mayReach(l, s, t, f), mayReach(l + 16, s + 16, t, f)))) continue;
    store<i32>(list, g);
    list += 4;
  }
  return <i32>((list - start) >> 2);
}
