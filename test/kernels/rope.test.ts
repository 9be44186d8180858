import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

const adjacent = 1, halves = 2;

for (const build of builds) {
  const test = suite(`rope (${build})`);
  const k = new Kernels(build, 32);

  for (const kind of [adjacent, halves]) {
    test(kind === adjacent ? 'adjacent pairs' : 'halves', () => {
      const random = new Random(kind);
      for (const [headDim, ropeDim] of [[16, 16], [64, 64], [64, 32], [128, 96]] as const) for (const position of [0, 1, 17, 8191]) for (const withFactors of [false, true]) {
        k.reset();
        const heads = 3, pairs = ropeDim / 2;
        const x = Float32Array.from({ length: heads * headDim }, () => uniform(random));
        const factors = withFactors ? Float32Array.from({ length: pairs }, () => 1 + 7 * random.float64()) : undefined;
        const freq = k.alloc(pairs * 4), table = k.alloc(ropeDim * 4), ptr = k.putF32(x);
        k.call('ropeFrequencies', freq, ropeDim, 10_000, 1, factors ? k.putF32(factors) : 0);
        k.call('ropeTable', table, freq, ropeDim, position);
        k.call('rope', kind, ptr, heads, headDim, ropeDim, table);
        const got = k.f32(ptr, x.length), frequencies = k.f32(freq, pairs);
        for (let h = 0; h < heads; h++) for (let i = 0; i < headDim; i++) {
          const at = (j: number): number => x[h * headDim + j]!;
          let want = at(i);
          if (i < ropeDim) {
            const pair = kind === adjacent ? i >> 1 : i % pairs, isFirst = kind === adjacent ? i % 2 === 0 : i < pairs;
            const exact = 10_000 ** (-2 * pair / ropeDim) / (factors?.[pair] ?? 1);
            assert.ok(Math.abs(frequencies[pair]! - exact) <= 1e-7 * exact, 'frequency');
            const angle = Math.fround(position * frequencies[pair]!);
            const [a, b] = kind === adjacent ? [at(2 * pair), at(2 * pair + 1)] : [at(pair), at(pair + pairs)];
            want = isFirst ? a * Math.cos(angle) - b * Math.sin(angle) : a * Math.sin(angle) + b * Math.cos(angle);
          }
          assert.ok(Math.abs(got[h * headDim + i]! - want) < 3e-7, `head ${h}, dimension ${i}, position ${position}: ${got[h * headDim + i]} instead of ${want}`);
        }
        k.checkCanaries();
      }
    });
  }

  test('frequencies and tables are the nearest f32 to the true value', () => {
    const nearest = (got: number, exact: number): boolean => Math.abs(got - exact) <= 2 ** -24 * 1.00001 * Math.max(Math.abs(exact), 2 ** -126);
    const ropeDim = 256, pairs = ropeDim / 2;
    for (const base of [1.5, 10_000, 500_000, 1e6, 5e8]) {
      k.reset();
      const freq = k.alloc(pairs * 4), table = k.alloc(ropeDim * 4);
      k.call('ropeFrequencies', freq, ropeDim, base, 1, 0);
      const frequencies = k.f32(freq, pairs);
      for (let i = 0; i < pairs; i++) assert.ok(nearest(frequencies[i]!, base ** (-2 * i / ropeDim)), `base ${base}, pair ${i}`);
      for (const position of [0, 1, 2, 3, 100, 4095, 131_071, 1_048_575]) {
        k.call('ropeTable', table, freq, ropeDim, position);
        const turned = k.f32(table, ropeDim);
        for (let i = 0; i < pairs; i++) {
          const angle = Math.fround(position * frequencies[i]!);
          const what = `position ${position}, pair ${i}, angle ${angle}: ${turned[i]}, ${turned[pairs + i]}`;
          assert.ok(nearest(turned[i]!, Math.cos(angle)) && nearest(turned[pairs + i]!, Math.sin(angle)), what);
        }
      }
    }
  });

  test.run();
}
