/** Many tokens at once give bit for bit what one token at a time gives: a text does not depend on how its prompt was cut into chunks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { PACKED, matmulScratch, panelsBytes } from '../../src/model/memory.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { kinds, putActivations, randomMatrix, uniform } from '../helpers/matrices.ts';

/** Tokens, rows and columns: all tiles, blocks that are no multiple of what is made ready at once, and x that is made ready in two spans. */
function shapes(block: number): [number, number, number][] {
  const some = [1, 2, 3, 4, 5, 6, 7, 8, 9, 17].flatMap((nTokens): [number, number, number][] => [3, 24].map((rows) =>
    [nTokens, rows, block === 1 ? 33 + nTokens : block === 32 ? 96 : 512]));
  return block === 1 ? [...some, [3, 8, 600]] : [...some, [2, 8, 32 * 9 * 8], [69, 16, 4096]];
}

for (const build of builds) {
  const test = suite(`matmul (${build})`);
  const k = new Kernels(build, 256);
  for (const kind of kinds) {
    test(`${kind.name}: every token's row is the matvec's`, () => {
      const random = new Random(11);
      for (const [nTokens, rows, cols] of shapes(kind.block)) {
        k.reset();
        const matrix = randomMatrix(k, kind, rows, cols, random);
        const size = nTokens === 3 ? 1e7 : 1, x = Array.from({ length: nTokens }, () => Float32Array.from({ length: cols }, () => size * uniform(random)));
        const { ptr, stride } = putActivations(k, kind, x);
        const groups = Math.ceil(rows / 8), yStride = groups * 32 + 64;
        const y = k.alloc(nTokens * yStride), one = k.alloc(groups * 32), scratch = k.alloc(k.call('matmulScratch', cols, nTokens));
        k.u8(y, nTokens * yStride).fill(0x77);
        k.call('matmul', kind.layout, matrix.ptr, groups, cols, ptr, stride, nTokens, y, yStride, scratch);
        for (let t = 0; t < nTokens; t++) {
          k.call('matvec', kind.layout, matrix.ptr, groups, cols, ptr + t * stride, one);
          assert.equal([...k.i32(y + t * yStride, groups * 8)], [...k.i32(one, groups * 8)], `${kind.name}, ${nTokens} tokens, ${rows} rows, token ${t}`);
          assert.ok(k.u8(y + t * yStride + groups * 32, 64).every((b) => b === 0x77), 'the gap between rows is not written');
        }
        k.checkCanaries();
      }
    });
  }
  test('scratch as the host plans it', () => {
    for (const nTokens of [1, PACKED, PACKED + 1, 64]) assert.is(k.call('packs', nTokens), Number(nTokens > PACKED));
    for (const cols of [32, 576, 8960]) {
      for (const nTokens of [1, 64, 512]) {
        assert.is(k.call('matmulScratch', cols, nTokens), matmulScratch(cols, nTokens));
        assert.is(k.call('panelsBytes', cols, nTokens), panelsBytes(cols, nTokens));
      }
    }
  });
  test.run();
}
