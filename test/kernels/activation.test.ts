import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

const functions: ((x: number) => number)[] = [
  (x) => x / (1 + Math.exp(-x)),
  (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  (x) => Math.max(x, 0),
  (x) => Math.max(x, 0) ** 2,
];
const names = ['silu', 'gelu', 'relu', 'relu2'];

for (const build of builds) {
  const test = suite(`activation (${build})`);
  const k = new Kernels(build, 32);
  const close = (got: number, want: number, what: string): void =>
    assert.ok(Math.abs(got - want) <= 1e-6 * Math.abs(want) + 1e-7, `${what}: ${got} instead of ${want}`);

  functions.forEach((f, kind) => {
    test(`${names[kind]}, gated and plain`, () => {
      const random = new Random(kind);
      for (const cols of [4, 8, 12, 32, 160, 1536]) {
        k.reset();
        const specials = [0, -0, 1e-20, -1e-20, 20, -20, 87, -87, 200, -200];
        const gate = Float32Array.from({ length: cols }, (_, i) => specials[i] ?? 8 * uniform(random));
        const up = Float32Array.from({ length: cols }, () => uniform(random));
        const pg = k.putF32(gate), pu = k.putF32(up), plain = k.putF32(gate);
        k.call('activateGated', kind, pg, pu, cols);
        k.call('activate', kind, plain, cols);
        for (let i = 0; i < cols; i++) {
          close(k.f32(pg, cols)[i]!, f(gate[i]!) * up[i]!, `gated ${gate[i]}`);
          close(k.f32(plain, cols)[i]!, f(gate[i]!), `plain ${gate[i]}`);
        }
        k.checkCanaries();
      }
    });
  });

  test('add, scale, multiply, subtract where not zero', () => {
    k.reset();
    const y = k.putF32([1, 2, 3, 4, 5, 6, 7, 8]), x = k.putF32([10, 20, 30, 40, 50, 60, 70, 80]);
    k.call('add', y, x, 8);
    k.call('scale', y, 0.5, 8);
    assert.equal([...k.f32(y, 8)], [5.5, 11, 16.5, 22, 27.5, 33, 38.5, 44]);
    k.call('multiply', y, k.putF32([2, 0, 0, 2, 0, 2, 2, 0]), 8);
    assert.equal([...k.f32(y, 8)], [11, 0, 0, 44, 0, 66, 77, 0]);
    k.call('subtractKept', y, x, 8);
    assert.equal([...k.f32(y, 8)], [1, 0, 0, 4, 0, 6, 7, 0]);
    k.checkCanaries();
  });

  test('a soft cap', () => {
    for (const cap of [0.5, 30, 50]) {
      k.reset();
      const x = Float32Array.from([0, 1e-6, -1e-3, 0.1, -0.7, 3, -20, 30, 49, -200, 1e9, -1e30].map((v) => v)), y = k.putF32(x);
      k.call('softCap', y, cap, x.length);
      k.f32(y, x.length).forEach((got, i) => assert.ok(Math.abs(got - cap * Math.tanh(x[i]! / cap)) <= 2e-7 * cap, `${cap}, ${x[i]}: ${got}`));
      k.checkCanaries();
    }
  });

  test.run();
}
