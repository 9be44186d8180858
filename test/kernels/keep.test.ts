/** What stages leave of their values, against plain filters: thresholds, weights, products, padding and NaN. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';
import { getList } from '../helpers/neurons.ts';

const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 65, 1536], threshold = 0.3;

for (const build of builds) {
  const test = suite(`keep (${build})`);
  const k = new Kernels(build, 32);

  /** Values padded with what must not stay, their address, and that of the weights. */
  function put(n: number, weighted: boolean, random: Random): { values: Float32Array; weights: Float32Array; v: number; w: number } {
    k.reset();
    const room = (n + 7) & ~7, values = Float32Array.from({ length: room }, () => 4 * uniform(random)), weights = Float32Array.from({ length: room }, () => (weighted ? random.float64() : 1));
    if (n > 3) values[n - 2] = NaN;
    values.fill(1e9, n);
    return { values: values.subarray(0, n), weights, v: k.putF32(values), w: weighted ? k.putF32(weights) : 0 };
  }

  /** The values that stay of `got` and their indices. */
  function filtered(got: ArrayLike<number>, weights: Float32Array): { list: number[]; kept: number[] } {
    const stays = (v: number, i: number): boolean => Math.fround(Math.abs(v) * weights[i]!) > Math.fround(threshold);
    return { list: Array.from(got).flatMap((v, i) => (stays(v, i) ? [i] : [])), kept: Array.from(got, (v, i) => (stays(v, i) ? v : 0)) };
  }

  const cases = (run: (n: number, weighted: boolean, random: Random) => void): void => {
    const random = new Random(71);
    for (const n of sizes) for (const weighted of [false, true]) run(n, weighted, random);
  };

  test('keepAbove leaves what is above the threshold, and lists it', () => cases((n, weighted, random) => {
    const { values, weights, v, w } = put(n, weighted, random), out = k.alloc(2 * (n + 8)), want = filtered(values, weights);
    assert.equal(getList(k, out, k.call('keepAbove', v, w, threshold, n, out)), want.list);
    assert.equal([...k.f32(v, n)], want.kept);
    k.checkCanaries();
  }));

  test('multiplyAbove is a product and keepAbove; markKept has the bits of what stayed', () => cases((n, weighted, random) => {
    const { values, weights, v, w } = put(n, weighted, random), x = Float32Array.from({ length: (n + 7) & ~7 }, () => uniform(random));
    const want = filtered(values.map((value, i) => value * x[i]!), weights), bits = k.alloc((n + 7) >> 3);
    assert.is(k.call('multiplyAbove', v, k.putF32(x), w, threshold, n), want.list.length);
    assert.equal([...k.f32(v, n)], want.kept);
    k.call('markKept', bits, v, n);
    assert.equal(Array.from({ length: 8 * ((n + 7) >> 3) }, (_, i) => i).filter((i) => (k.u8(bits, (n + 7) >> 3)[i >> 3]! >> (i & 7)) & 1), want.list);
    k.checkCanaries();
  }));

  test.run();
}
