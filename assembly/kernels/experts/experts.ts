/**
 * Which experts of a mixture a token goes to, and the sum of what they give:
 *   p = softmax(logits);   S = the `used` largest p, of equal ones the first, and of those the fewest, largest first and at least one,
 *   whose sum is at least (1 - budget) of all;   weight_i = p_i, or p_i / max(sum of S, 2^-14), in S; else 0
 *   y += weight * x
 * So what a budget leaves has the weights, bit for bit, that a router of so many experts gives.
 * Shapes: logits [count], replaced by the weights, with room for `count` padded to 8; x, y [cols padded to 4], all f32.
 * Preconditions: 1 <= used <= count; a budget of 0 or less leaves out nothing.
 * Every weight in S is above 0, so 0 says that an expert was not chosen. Where a logit is NaN or
 * infinite there is no ranking: expert 0 gets NaN for a weight, which the pass finds in what comes of it.
 * Error of a weight: 4e-7 of it, and 6e-8 for every nat that its logit is below the largest. Test: test/kernels/experts.test.ts.
 */
import { exp4 } from '../../base/exp';

/** logits → e^(logit - largest); returns their sum. Padding is computed too. */
function exponentials(logits: usize, count: i32): f64 {
  const end = logits + (<usize>count << 2);
  let largest: f32 = -Infinity, sum: f64 = 0;
  for (let p = logits; p < end; p += 4) largest = max(largest, load<f32>(p)); // NaN where one is
  const offset = f32x4.splat(largest);
  for (let p = logits; p < end; p += 16) v128.store(p, exp4(f32x4.sub(v128.load(p), offset)));
  for (let p = logits; p < end; p += 4) sum += <f64>load<f32>(p);
  return sum;
}

/** Turns the `used` largest negative, which marks them as chosen; returns their sum. */
function choose(p: usize, end: usize, used: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < used; i++) {
    let largest: f32 = 0, at = p;
    for (let q = p; q < end; q += 4) {
      const v = load<f32>(q);
      if (v > largest) { largest = v; at = q; }
    }
    sum += <f64>largest;
    store<f32>(at, -largest);
  }
  return sum;
}

/** Of the `used` chosen, with sum `all`, the fewest, largest first and at least one, that hold 1 - budget of it. None is chosen then. */
function fewest(p: usize, end: usize, used: i32, all: f64, budget: f32): i32 {
  const may = <f64>budget * all;
  let left: f64 = 0;
  for (; used > 0; used--) {
    let smallest: f32 = -Infinity, at = p;
    for (let q = p; q < end; q += 4) {
      const v = load<f32>(q);
      if (v < 0 && v > smallest) { smallest = v; at = q; }
    }
    left -= <f64>smallest;
    if (used == 1 || left > may) break;
    store<f32>(at, -smallest);
  }
  for (let q = p; q < end; q += 4) store<f32>(q, abs<f32>(load<f32>(q)));
  return used;
}

/** Returns how many experts were chosen. */
export function route(logits: usize, count: i32, used: i32, normed: i32, budget: f32): i32 {
  const end = logits + (<usize>count << 2), sum = exponentials(logits, count);
  if (!(sum < Infinity)) {
    memory.fill(logits, 0, <usize>count << 2);
    store<f32>(logits, NaN);
    return 1;
  }
  const share = <f32>(1 / sum);
  for (let p = logits; p < end; p += 4) store<f32>(p, load<f32>(p) * share);
  let ofChosen = choose(logits, end, used);
  if (budget > 0) {
    used = fewest(logits, end, used, ofChosen, budget);
    ofChosen = choose(logits, end, used);
  }
  const divisor: f32 = normed ? max<f32>(<f32>ofChosen, 6.103515625e-5) : 1;
  for (let p = logits; p < end; p += 4) store<f32>(p, max<f32>(-load<f32>(p), 0) / divisor);
  return used;
}

/** y += weight * x over [cols] (padded to 4). */
export function addWeighted(y: usize, x: usize, weight: f32, cols: i32): void {
  const w = f32x4.splat(weight);
  for (const end = y + (<usize>cols << 2); y < end; y += 16, x += 16) {
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(v128.load(x), w)));
  }
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: f32): f32 { return 1 / (1 + f32x4.extract_lane(exp4(f32x4.splat(-x)), 0)); }
