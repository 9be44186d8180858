import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Convolution } from '../../src/model/enums.ts';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

const { block, ring } = Convolution;

for (const build of builds) {
  const test = suite(`convolution (${build})`);
  const k = new Kernels(build, 64);

  test('every tap of every channel, from the first position on and across blocks', () => {
    const random = new Random(5);
    for (const taps of [2, 3, 5, ring]) for (const width of [4, 20, 64]) {
      k.reset();
      const capacity = 2 * block + 8, positions = capacity, rowBytes = 4 * width + 16;
      const weights = Float32Array.from({ length: width * taps }, () => uniform(random)), w = k.putF32(weights), y = k.alloc(4 * width);
      const rows = k.alloc(k.call('convolutionRows', capacity, taps) * rowBytes), z: Float32Array[] = [];
      for (let position = 0; position < positions; position++) {
        const own = z[position] = Float32Array.from({ length: width }, () => uniform(random));
        k.f32(rows + k.call('convolutionRow', capacity, taps, position) * rowBytes, width).set(own);
        k.call('convolve', w, taps, rows, rowBytes, capacity, position, width, y);
        k.f32(y, width).forEach((got, i) => {
          let want = 0;
          for (let j = 0; j < taps; j++) want += weights[i * taps + j]! * (z[position - (taps - 1) + j]?.[i] ?? 0);
          assert.ok(Math.abs(got - want) < 1e-6 * taps, `taps ${taps}, position ${position}, channel ${i}: ${got} instead of ${want}`);
        });
      }
      k.checkCanaries();
    }
  });

  test('rows: the last of each block have places of their own, the latest others too', () => {
    for (const taps of [2, 3, ring]) for (const capacity of [8, block, 3 * block + 8]) {
      const row = (position: number): number => k.call('convolutionRow', capacity, taps, position), all = k.call('convolutionRows', capacity, taps);
      const kept = (position: number): boolean => position % block >= block - (taps - 1), forGood = new Map<number, number>();
      for (let position = 0; position < capacity; position++) {
        assert.ok(row(position) < all);
        if (kept(position)) forGood.set(row(position), position);
      }
      assert.is(forGood.size, Array.from({ length: capacity }, (_, i) => i).filter(kept).length, 'nobody shares them');
      for (let end = 1; end <= capacity; end++) {
        const latest = Array.from({ length: Math.min(ring, end) }, (_, i) => end - 1 - i);
        assert.is(new Set(latest.map(row)).size, latest.length, `the ${latest.length} before ${end}`);
        for (const position of latest) if (!kept(position)) assert.not(forGood.has(row(position)));
      }
    }
  });

  test.run();
}
