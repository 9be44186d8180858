/** Column norms and exact products of matrices in every layout against float64. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { kinds, product, randomMatrix, uniform } from '../helpers/matrices.ts';

for (const build of builds) {
  const test = suite(`norms (${build})`), k = new Kernels(build, 64);
  for (const kind of kinds) {
    test(kind.name, () => {
      k.reset();
      const rows = 19, cols = Math.max(kind.block, 32), random = new Random(7);
      const { ptr, values } = randomMatrix(k, kind, rows, cols, random);
      const scratch = k.alloc(4 * cols), out = k.alloc(4 * cols), y = k.alloc(4 * rows);
      k.call('columnNorms', kind.layout, ptr, rows, cols, scratch, out);
      for (let i = 0; i < cols; i++) {
        const want = Math.sqrt(values.reduce((sum, row) => sum + row[i]! ** 2, 0));
        assert.ok(Math.abs(k.f32(out, cols)[i]! - want) <= 2e-6 * want + 1e-12, `column ${i}`);
      }
      const x = Float32Array.from({ length: cols }, () => uniform(random));
      k.call('dequantMatvec', kind.layout, ptr, rows, cols, scratch, k.putF32(x), y);
      values.forEach((row, r) => {
        const { value, magnitude } = product(row, Float64Array.from(x));
        assert.ok(Math.abs(k.f32(y, rows)[r]! - value) <= 1.2e-7 * magnitude + 1e-12, `row ${r}`);
      });
      k.checkCanaries();
    });
  }
  test.run();
}
