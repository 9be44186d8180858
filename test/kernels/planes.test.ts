/** Matrices in two planes: every bit comes back, both planes give the bits of the layout's own kernel, one plane errs as much as it says. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels } from '../helpers/kernels.ts';
import { kinds, putActivations, randomMatrix, uniform } from '../helpers/matrices.ts';

const build = 'relaxed', test = suite(`planes (${build})`), k = new Kernels(build, 1024);

for (const kind of kinds.filter(({ name }) => name === 'q8_0' || name === 'q6_k')) {
  const setUp = (rows: number, cols: number, random: Random) => {
    k.reset();
    const groups = Math.ceil(rows / 8), matrix = randomMatrix(k, kind, rows, cols, random);
    const first = k.alloc(groups * k.call('firstBytes', kind.layout, cols)), second = k.alloc(groups * k.call('secondBytes', kind.layout, cols));
    const sound = k.call('splitPlanes', kind.layout, matrix.ptr, groups, cols, first, second);
    return { groups, matrix, first, second, sound };
  };
  const putX = (x: Float32Array): number => {
    const { ptr } = putActivations(k, { ...kind, format: k.call('planesFormat', kind.layout) as 1 | 4 }, [x]);
    k.call('completeRecords', kind.layout, ptr, x.length);
    return ptr;
  };

  for (const cols of kind.name === 'q8_0' ? [32, 96, 576] : [256, 768]) {
    test(`${kind.name}, ${cols} columns: split and joined, every bit is there`, () => {
      for (const rows of [8, 13, 64]) {
        const { groups, matrix, first, second, sound } = setUp(rows, cols, new Random(rows));
        assert.is(sound, 1);
        const bytes = k.call('layoutBytes', kind.layout, rows, cols), joined = k.alloc(bytes), memory = new Uint8Array(k.memory.buffer);
        k.call('joinPlanes', kind.layout, first, second, groups, cols, joined);
        assert.equal(memory.slice(joined, joined + bytes), memory.slice(matrix.ptr, matrix.ptr + bytes));
        k.checkCanaries();
      }
    });

    test(`${kind.name}, ${cols} columns: both planes give what the layout gives, to the bit`, () => {
      const random = new Random(3);
      for (const rows of [8, 13, 64]) for (const scale of [1e-3, 1, 1e5]) {
        const { groups, matrix, first, second } = setUp(rows, cols, random);
        const x = Float32Array.from({ length: cols }, () => scale * uniform(random) ** 3), own = putActivations(k, kind, [x]);
        const records = putX(x), y = k.alloc(32 * groups), z = k.alloc(32 * groups);
        k.call('matvec', kind.layout, matrix.ptr, groups, cols, own.ptr, y);
        k.call('bothProduct', kind.layout, first, second, groups, cols, records, z);
        assert.equal(new Uint32Array(k.f32(z, 8 * groups).slice().buffer), new Uint32Array(k.f32(y, 8 * groups).slice().buffer));
        k.checkCanaries();
      }
    });

    test(`${kind.name}, ${cols} columns: one plane errs by its deviation`, () => {
      const random = new Random(5), rows = 512, ratios: number[] = [];
      for (let round = 0; round < 4; round++) {
        const { groups, first, second } = setUp(rows, cols, random);
        const records = putX(Float32Array.from({ length: cols }, (_, i) => uniform(random) * (i % 64 === 7 ? 30 : 1)));
        const [y, deviation, z] = [k.alloc(4 * rows), k.alloc(4 * rows), k.alloc(4 * rows)] as const;
        k.call('firstProduct', kind.layout, first, groups, cols, records, y, deviation);
        k.call('bothProduct', kind.layout, first, second, groups, cols, records, z);
        k.checkCanaries();
        for (let r = 0; r < rows; r++) ratios.push((k.f32(z, rows)[r]! - k.f32(y, rows)[r]!) / k.f32(deviation, rows)[r]!);
      }
      const rms = Math.sqrt(ratios.reduce((sum, v) => sum + v * v, 0) / ratios.length), mean = ratios.reduce((a, b) => a + b, 0) / ratios.length;
      assert.ok(rms > 0.8 && rms < 1.25, `root mean square of error over deviation ${rms}`);
      assert.ok(Math.abs(mean) < 0.1, `mean ${mean}`);
      assert.ok(Math.max(...ratios.map(Math.abs)) < 5.5, `largest ${Math.max(...ratios.map(Math.abs))}`);
    });
  }
}

test('rows of zeros are exact', () => {
  k.reset();
  const kind = kinds.find(({ name }) => name === 'q8_0')!, whole = k.alloc(272), first = k.alloc(k.call('firstBytes', kind.layout, 32)), second = k.alloc(128);
  new Uint8Array(k.memory.buffer).fill(0, whole, whole + 272);
  assert.is(k.call('splitPlanes', kind.layout, whole, 1, 32, first, second), 1);
  const x = putActivations(k, { ...kind, format: 1 }, [new Float32Array(32).fill(1)]).ptr, y = k.alloc(32), deviation = k.alloc(32);
  k.call('completeRecords', kind.layout, x, 32);
  k.call('firstProduct', kind.layout, first, 1, 32, x, y, deviation);
  assert.equal([...k.f32(y, 8), ...k.f32(deviation, 8)], Array.from({ length: 16 }, () => 0));
});

test.run();
