/** Routing and the weighted sum against float64. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

/** Weights in float64; the first of equal ones is chosen. */
function routed(logits: Float32Array, used: number, normed: boolean): number[] {
  const max = Math.max(...logits), e = Array.from(logits, (v) => Math.exp(v - max)), sum = e.reduce((a, b) => a + b, 0);
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b), chosen = new Set(order.slice(0, used));
  const ofChosen = [...chosen].reduce((all, i) => all + e[i]! / sum, 0), divisor = normed ? Math.max(ofChosen, 2 ** -14) : 1;
  return e.map((v, i) => (chosen.has(i) ? v / sum / divisor : 0));
}

for (const build of builds) {
  const test = suite(`experts (${build})`), k = new Kernels(build, 32);

  function route(logits: Float32Array, used: number, normed: boolean, budget = 0): number[] {
    k.reset();
    const padded = new Float32Array(8 * Math.ceil(logits.length / 8)).fill(99); // what padding holds does not count
    padded.set(logits);
    const ptr = k.putF32(padded);
    const chosen = k.call('route', ptr, logits.length, used, normed ? 1 : 0, budget), weights = [...k.f32(ptr, logits.length)];
    k.checkCanaries();
    assert.is(chosen, weights.filter((weight) => weight !== 0).length);
    return weights;
  }

  test('weights of the chosen, zero for the others', () => {
    const random = new Random(3);
    for (const count of [1, 2, 3, 7, 8, 9, 16, 60, 128]) for (const used of new Set([1, 2, Math.ceil(count / 2), count])) {
      if (used > count) continue;
      for (const spread of [0.1, 3, 30]) for (const normed of [false, true]) {
        const logits = Float32Array.from({ length: count }, () => spread * uniform(random)), want = routed(logits, used, normed), max = Math.max(...logits);
        const got = route(logits, used, normed);
        got.forEach((weight, i) => {
          assert.is(weight > 0, want[i]! > 0, `expert ${i} of ${count}, ${used} used`);
          assert.ok(Math.abs(weight - want[i]!) <= (4e-7 + 6e-8 * (max - logits[i]!)) * want[i]!, `expert ${i}: ${weight} for ${want[i]}`);
        });
      }
    }
  });

  test('of equal ones the first are chosen', () => {
    assert.equal(route(new Float32Array(8), 3, true).map((w) => w > 0), [true, true, true, false, false, false, false, false]);
    const logits = Float32Array.of(0, 2, 1, 2, 1, 1, 0, 2);
    assert.equal(route(logits, 2, false).map((w, i) => (w > 0 ? i : -1)).filter((i) => i >= 0), [1, 3]);
    assert.equal(route(logits, 4, false).map((w, i) => (w > 0 ? i : -1)).filter((i) => i >= 0), [1, 2, 3, 7]);
  });

  test('a budget keeps the fewest that hold the rest of the weight, with the weights of a router of so many', () => {
    const random = new Random(5);
    for (const count of [1, 2, 8, 9, 60, 128]) for (const used of new Set([1, Math.min(2, count), Math.min(8, count), count])) for (const spread of [0.1, 3, 30]) {
      const logits = Float32Array.from({ length: count }, () => spread * uniform(random));
      const largest = route(logits, used, false).filter((weight) => weight > 0).sort((a, b) => b - a), all = largest.reduce((a, b) => a + b, 0);
      for (const budget of [-1, 0, 0.01, 0.1, 0.3, 0.77, 0.999, 1, 20]) {
        const may = Math.fround(budget) * all;
        let kept = used, left = 0;
        while (budget > 0 && kept > 1 && (left += largest[kept - 1]!) <= may) kept--;
        for (const normed of [false, true]) assert.equal(route(logits, used, normed, budget), route(logits, kept, normed), `${count} ${used} ${spread} ${budget}`);
      }
    }
    assert.equal(route(new Float32Array(8), 4, true, 0.5), [0.5, 0.5, 0, 0, 0, 0, 0, 0], 'of equal ones the first stay');
    assert.equal(route(Float32Array.of(1, NaN, 2), 2, true, 0.3), [NaN, 0, 0]);
  });

  test('one expert that is all there is, or all that is used, weighs 1', () => {
    for (const logits of [Float32Array.of(-5), Float32Array.of(3, -40, 2)]) assert.is(Math.max(...route(logits, 1, true)), 1);
    assert.equal(route(Float32Array.of(7), 1, false), [1]);
  });

  test('experts that are out of reach are still chosen, in their order', () => {
    const got = route(Float32Array.of(-2000, 0, -1000, -3000), 3, false);
    assert.is(got[1], 1);
    assert.equal(got.map((w) => w > 0), [true, true, true, false]);
  });

  test('a logit that is not finite makes NaN, whatever the others are', () => {
    for (const wrong of [NaN, Infinity]) for (const at of [0, 2, 4]) {
      const logits = Float32Array.of(1, 2, 3, 4, 5);
      logits[at] = wrong;
      assert.equal(route(logits, 2, true), [NaN, 0, 0, 0, 0]);
    }
  });

  test('weighted sums', () => {
    const random = new Random(4);
    for (const cols of [4, 8, 36]) {
      k.reset();
      const [y, x] = [0, 1].map(() => Float32Array.from({ length: cols }, () => uniform(random))) as [Float32Array, Float32Array];
      const ptr = k.putF32(y);
      k.call('addWeighted', ptr, k.putF32(x), 0.37, cols);
      k.checkCanaries();
      k.f32(ptr, cols).forEach((v, i) => { assert.is(v, Math.fround(y[i]! + Math.fround(x[i]! * Math.fround(0.37)))); });
    }
    for (const x of [-100, -20, -1, 0, 0.5, 9, 100]) {
      const want = 1 / (1 + Math.exp(-x));
      assert.ok(Math.abs(k.call('sigmoid', x) - want) <= 4e-7 * want + 1e-37, `sigmoid(${x})`);
    }
  });

  test.run();
}
