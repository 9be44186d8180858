import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

const sizes = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 576, 4096];
const eps = 1e-5;

for (const build of builds) {
  const test = suite(`norm (${build})`);
  const k = new Kernels(build, 32);
  const draw = (n: number, random: Random): Float32Array => Float32Array.from({ length: n }, () => 4 * uniform(random) + 0.5);

  for (const layer of [false, true]) {
    test(layer ? 'layerNorm' : 'rmsNorm', () => {
      const random = new Random(5);
      for (const cols of sizes) for (const inPlace of [false, true]) {
        k.reset();
        const x = draw(cols, random), weight = draw(cols, random), bias = cols % 2 ? draw(cols, random) : undefined;
        const mean = layer ? x.reduce((s, v) => s + v, 0) / cols : 0;
        const variance = x.reduce((s, v) => s + (v - mean) ** 2, 0) / cols;
        const px = k.putF32(x, 4 * (cols % 4)), pw = k.putF32(weight), pb = bias ? k.putF32(bias) : 0;
        const y = inPlace ? px : k.alloc(cols * 4);
        if (layer) k.call('layerNorm', px, pw, pb, cols, eps, y);
        else k.call('rmsNorm', px, pw, cols, eps, y);
        k.f32(y, cols).forEach((got, i) => {
          const want = (x[i]! - mean) / Math.sqrt(variance + Math.fround(eps)) * weight[i]! + (layer && bias ? bias[i]! : 0);
          const tolerance = 4e-6 * (Math.abs(want) + Math.abs(mean * weight[i]!) / Math.sqrt(variance + eps) + 1e-3);
          assert.ok(Math.abs(got - want) <= tolerance, `${cols} columns, ${i}: ${got} instead of ${want}`);
        });
        k.checkCanaries();
      }
    });
  }

  test('a zero vector stays zero', () => {
    k.reset();
    const y = k.alloc(64);
    k.call('rmsNorm', k.alloc(64), k.putF32(new Float32Array(16).fill(2)), 16, eps, y);
    assert.ok(k.f32(y, 16).every((v) => v === 0));
  });

  test('energy: the sum of squares, finite where a norm is', () => {
    const random = new Random(6);
    for (const cols of sizes) {
      k.reset();
      const x = draw(cols, random), want = x.reduce((s, v) => s + v * v, 0), px = k.putF32(x, 4 * (cols % 4));
      assert.ok(Math.abs(k.call('energy', px, cols) - want) <= 1e-5 * want);
      for (const value of [NaN, Infinity, -Infinity, 2e19]) {
        k.f32(px, cols)[cols - 1] = value;
        assert.not.ok(k.call('energy', px, cols) < Infinity, `${value} in ${cols}`);
      }
    }
  });

  test.run();
}
