/** Selection of neurons against plain filters and sorts: thresholds, weights, top k with ties and NaN. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';
import { getList } from '../helpers/neurons.ts';

const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 65, 1536];

for (const build of builds) {
  const test = suite(`select (${build})`);
  const k = new Kernels(build, 32);

  function above(values: Float32Array, weights: Float32Array | undefined, threshold: number, skew = 0): number[] {
    k.reset();
    const out = k.alloc(2 * (values.length + 8), skew), at = k.putF32(values, skew);
    const n = k.call('selectAbove', at, weights ? k.putF32(weights) : 0, threshold, values.length, out);
    k.checkCanaries();
    return getList(k, out, n);
  }

  test('selectAbove is a filter, with and without weights', () => {
    const random = new Random(21);
    for (const n of sizes) for (const threshold of [-1, 0, 0.1, 0.5, 0.9, 2]) {
      const values = Float32Array.from({ length: n }, () => uniform(random)), weights = Float32Array.from({ length: n }, () => random.float64());
      const t = Math.fround(threshold), all = [...values.keys()];
      assert.equal(above(values, undefined, t, [0, 2, 4, 6][n % 4]! * 2), all.filter((i) => Math.abs(values[i]!) > t));
      assert.equal(above(values, weights, t), all.filter((i) => Math.fround(Math.abs(values[i]!) * weights[i]!) > t));
    }
  });

  test('every pattern of eight neighbours', () => {
    for (let bits = 0; bits < 256; bits++) {
      const values = Float32Array.from({ length: 8 }, (_, i) => (bits >> i) & 1 ? -1 : 0);
      assert.equal(above(values, undefined, 0.5), [...values.keys()].filter((i) => values[i] !== 0));
    }
  });

  test('NaN is never selected, infinity is; equal to the threshold is not above it', () => {
    const values = Float32Array.of(NaN, Infinity, -Infinity, 0.5, 1, -1, NaN, 0, NaN);
    assert.equal(above(values, undefined, 0.5), [1, 2, 4, 5]);
    assert.equal(above(values, new Float32Array(9).fill(0), -1), [3, 4, 5, 7]); // infinity times zero is NaN
  });

  test('the largest number of neurons', () => {
    k.reset();
    const values = new Float32Array(65_535);
    for (const i of [0, 32_767, 32_768, 65_534]) values[i] = 1;
    const out = k.alloc(2 * (values.length + 8)), n = k.call('selectAbove', k.putF32(values), 0, 0.5, values.length, out);
    assert.equal(getList(k, out, n), [0, 32_767, 32_768, 65_534]);
  });

  /** Reference: by value, then by index. */
  const best = (scores: Float32Array, count: number): number[] =>
    [...scores.keys()].filter((i) => !Number.isNaN(scores[i]!)).sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, Math.max(0, count)).sort((a, b) => a - b);

  test('selectTop is a sort; the threshold separates where values differ', () => {
    const random = new Random(23);
    for (const n of sizes) for (const levels of [0, 1, 3, 17]) for (const count of [-1, 0, 1, 2, n >> 2, n >> 1, n - 1, n, n + 3]) {
      k.reset();
      const scores = Float32Array.from({ length: n }, () => (levels === 0 ? random.float64() * 10 ** (6 * uniform(random)) : Math.floor(random.float64() * levels)));
      const at = k.putF32(scores), out = k.alloc(2 * (n + 8));
      assert.equal(getList(k, out, k.call('selectTop', at, n, count, out)), best(scores, count), `${n} scores, ${levels} levels, top ${count}`);
      const t = k.call('topThreshold', at, n, count), more = scores.filter((v) => v > t).length, ties = scores.filter((v) => v === t).length;
      const wanted = Math.min(n, Math.max(0, count));
      assert.ok(more === wanted || (more < wanted && more + ties >= wanted), `${more} above ${t}, ${ties} equal, ${wanted} wanted`);
      k.checkCanaries();
    }
  });

  test('top of special values: NaN is absent, infinity first, subnormals and zeros in order', () => {
    k.reset();
    const scores = Float32Array.of(NaN, 1e-45, 0, Infinity, -0, 3e-45, NaN, 1e38, 0.5);
    const at = k.putF32(scores), out = k.alloc(2 * 17);
    for (let count = 0; count <= 9; count++) assert.equal(getList(k, out, k.call('selectTop', at, 9, count, out)), best(scores, count), `top ${count}`);
  });

  test.run();
}
