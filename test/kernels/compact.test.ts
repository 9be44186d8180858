/** Compact copies: bit for bit what the dense kernels give for the listed rows, and for a vector whose other neurons are zero. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { formed, kinds, putActivations, randomMatrix, uniform } from '../helpers/matrices.ts';
import { activations, getList, masked, putList, selections } from '../helpers/neurons.ts';

for (const build of builds) {
  const test = suite(`compact (${build})`);
  const k = new Kernels(build, 256);

  for (const kind of kinds) {
    test(`${kind.name}: compact rows are the listed rows`, () => {
      const random = new Random(51);
      for (const cols of kind.block === 1 ? [1, 5, 33] : kind.block === 32 ? [32, 96] : [256, 512]) for (const rows of [1, 8, 9, 40]) {
        for (const { name, list } of selections(random, rows)) {
          k.reset();
          const matrix = randomMatrix(k, kind, rows, cols, random);
          const { ptr } = putActivations(k, kind, [Float32Array.from({ length: cols }, () => uniform(random))]);
          const groups = (rows + 7) >> 3, n = list.length, nGroups = (n + 7) >> 3;
          const dst = k.alloc(k.call('layoutBytes', kind.layout, n, cols)), dense = k.alloc(groups * 32), compact = k.alloc(nGroups * 32);
          k.call('compactRows', kind.layout, matrix.ptr, cols, putList(k, list), n, dst);
          k.call('matvec', kind.layout, matrix.ptr, groups, cols, ptr, dense);
          k.call('matvec', kind.layout, dst, nGroups, cols, ptr, compact);
          const all = k.i32(dense, groups * 8);
          assert.equal([...k.i32(compact, nGroups * 8)], [...list.map((r) => all[r]!), ...new Array<number>(nGroups * 8 - n).fill(0)], `${rows}x${cols}, ${name}`);
          k.checkCanaries();
        }
      }
    });
  }

  for (const kind of [...kinds.filter(({ format }) => format === 0), ...formed]) {
    test(`${kind.name}: compact columns times h are the dense product with the others zero`, () => {
      const random = new Random(52);
      for (const cols of kind.block === 256 ? [256, 512] : [32, 64, 160, 512]) for (const rows of [1, 8, 20, 64]) {
        if (build === 'debug' && rows * cols > 6_000) continue;
        for (const { name, list } of selections(random, cols)) {
          k.reset();
          const matrix = randomMatrix(k, kind, rows, cols, random), h = activations(random, cols).map((v) => (rows === 8 ? 1e7 * v : v)), n = list.length;
          const groups = (rows + 7) >> 3, nBlocks = cols / 32, at = putList(k, list), bytes = k.call('compactBytes', kind.layout, rows, cols, at, n);
          const scaled = k.call('neuronsOfScale', kind.layout), pieces = k.alloc(cols / scaled); // neurons under one scale
          const want = k.alloc(groups * 32), y = k.alloc(groups * 32), w = k.alloc(bytes);
          assert.is(k.call('compactColumns', kind.layout, matrix.ptr, rows, cols, at, n, w, pieces), bytes);
          k.call('matvec', kind.layout, matrix.ptr, groups, cols, putActivations(k, kind, [masked(h, list)]).ptr, want);
          const compact = k.putF32(list.map((i) => h[i]!));
          if (kind.format === 0) {
            k.call('matvec', kind.layout, w, groups, n, compact, y);
            const near = k.f32(y, groups * 8), far = k.f32(want, groups * 8), scale = matrix.values.map((row) => row.reduce((s, v, i) => s + Math.abs(v * h[i]!), 0));
            near.forEach((v, r) => assert.ok(Math.abs(v - far[r]!) <= 2 ** -23 * cols * (scale[r] ?? 0), `${rows}x${cols}, ${name}, output ${r}`));
          } else {
            const positions = k.alloc(2 * n), slots = k.alloc(cols * 4), format = k.call('compactFormat', kind.layout), x = k.alloc(k.call('recordsBytes', format, cols));
            k.f32(slots, cols).fill(9);
            k.call('scatterPositions', kind.layout, at, n, positions);
            k.call('scatter', compact, positions, n, cols, slots);
            k.call('quantize', slots, cols, format, x, x, x);
            for (const streams of [1, 2, 3, 4]) {
              k.call('compactMatvec', kind.layout, w, groups, nBlocks, pieces, x, y, bytes / groups, streams);
              assert.equal([...k.i32(y, groups * 8)], [...k.i32(want, groups * 8)], `${rows}x${cols}, ${name}, from ${streams} places`);
            }
            // pieces of 16 B for 4 neurons x 8 rows: 1, 2, or 3 of 8 neurons in superblocks of more bits
            const piecesOf = (fours: number): number => (/^q4/.test(kind.name) ? fours : /^q[56]_k/.test(kind.name) ? 3 * (fours >> 1) + 2 * (fours & 1) : 2 * fours);
            const fours = Array.from({ length: cols / scaled }, (_, b) => Math.ceil(list.filter((i) => Math.floor(i / scaled) === b).length / 4));
            // of superblocks those of most pieces come first, each with its number
            const perSuper = 256 / scaled, inOrder = fours.map((n, b) => ({ count: piecesOf(n), b }));
            if (kind.block === 256) inOrder.sort((a, b) => Math.floor(a.b / perSuper) - Math.floor(b.b / perSuper) || b.count - a.count || a.b - b.b);
            assert.equal([...k.u8(pieces, cols / scaled)], inOrder.map(({ count, b }) => count + (kind.block === 256 ? 16 * (b % perSuper) : 0)));
          }
          k.checkCanaries();
        }
      }
    });
  }

  test('slots: the listed neurons of a block come first', () => {
    k.reset();
    const list = [3, 31, 32, 64, 65, 95], positions = k.alloc(12), out = k.alloc(96 * 4);
    k.call('scatterPositions', 6, putList(k, list), 6, positions);
    assert.equal(getList(k, positions, 6), [0, 1, 32, 64, 65, 66]);
    k.call('scatter', k.putF32([1, 2, 3, 4, 5, 6]), positions, 6, 96, out);
    assert.equal([...k.f32(out, 96)].flatMap((v, i) => (v ? [i, v] : [])), [0, 1, 1, 2, 32, 3, 64, 4, 65, 5, 66, 6]);
    k.checkCanaries();
  });

  test.run();
}
