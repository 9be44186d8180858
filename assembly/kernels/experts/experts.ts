/**
 * Which experts of a mixture a token goes to, and the sum of what they give:
 *   p = softmax(logits);   S = the `used` largest p, of equal ones the first;   weight_i = p_i, or p_i / max(sum of S, 2^-14), in S; else 0
 *   y += weight * x
 * Shapes: logits [count], replaced by the weights, with room for `count` padded to 8; x, y [cols padded to 4], all f32.
 * Preconditions: 1 <= used <= count. Every weight in S is above 0, so 0 says that an expert was not chosen. Where a logit is NaN or
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

export function route(logits: usize, count: i32, used: i32, normed: i32): void {
  const end = logits + (<usize>count << 2), sum = exponentials(logits, count);
  if (!(sum < Infinity)) {
    memory.fill(logits, 0, <usize>count << 2);
    store<f32>(logits, NaN);
    return;
  }
  const share = <f32>(1 / sum);
  let ofChosen: f64 = 0;
  for (let p = logits; p < end; p += 4) store<f32>(p, load<f32>(p) * share);
  for (let i = 0; i < used; i++) { // the chosen turn negative
    let largest: f32 = 0, at = logits;
    for (let p = logits; p < end; p += 4) {
      const v = load<f32>(p);
      if (v > largest) { largest = v; at = p; }
    }
    ofChosen += <f64>largest;
    store<f32>(at, -largest);
  }
  const divisor: f32 = normed ? max<f32>(<f32>ofChosen, 6.103515625e-5) : 1;
  for (let p = logits; p < end; p += 4) store<f32>(p, max<f32>(-load<f32>(p), 0) / divisor);
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
