/** Row form: listed rows against float64, integers the same as the dense kernel's, other rows untouched. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import type { Kind } from '../helpers/matrices.ts';
import { formed, kinds, product, putActivations, randomMatrix, uniform } from '../helpers/matrices.ts';
import { putList, selections, unitsOff } from '../helpers/neurons.ts';

const eps = 2 ** -23, untouched = 77;

for (const build of builds) {
  const test = suite(`rows (${build})`);
  const k = new Kernels(build, 256);

  function packed(kind: Kind, ptr: number, rows: number, cols: number, skew = 0): number {
    const dst = k.alloc(rows * k.call('rowBytes', kind.layout, cols), skew);
    k.call('packRows', kind.layout, ptr, rows, cols, dst);
    return dst;
  }

  /** What units change of a product of row r of the form at `w` at most. */
  function off(kind: Kind, w: number, cols: number, r: number, x: ArrayLike<number>): number {
    const bytes = k.call('rowBytes', kind.layout, cols), total = Array.from(x).reduce((sum, v) => sum + Math.abs(v), 0);
    return unitsOff(kind) * k.f32(w + (r + 1) * bytes - 8, 1)[0]! * total;
  }

  /** Activations as the form reads them, which on relaxed are bytes where the layout's own kernel wants 16 bits. */
  const putRows = (kind: Kind, rows: Float32Array[]): { ptr: number; used: Float64Array[] } =>
    putActivations(k, { ...kind, format: k.call('rowsFormat', kind.layout) as 1 | 2 }, rows);

  function permuted(kind: Kind, records: number, cols: number, skew = 0): number {
    const format = k.call('rowsFormat', kind.layout), dst = k.alloc(k.call('permutedBytes', format, cols), skew);
    k.call('permute', format, records, cols, dst);
    return dst;
  }

  for (const kind of formed) {
    const widths = kind.block === 32 ? [32, 64, 96, 128, 160, 192, 224, 256, 576] : [256, 512, 768];

    test(`${kind.name}: listed rows agree with float64, others stay`, () => {
      const random = new Random(31);
      for (const cols of widths) for (const rows of [1, 2, 7, 9, 40]) {
        if (build === 'debug' && rows * cols > 12_000) continue;
        for (const { name, list } of selections(random, rows)) {
          k.reset();
          const matrix = randomMatrix(k, kind, rows, cols, random);
          const { ptr, used } = putRows(kind, [Float32Array.from({ length: cols }, () => 3 * uniform(random) ** 3)]);
          const skew = [0, 4, 8, 12][rows % 4]!, w = packed(kind, matrix.ptr, rows, cols, skew), x = permuted(kind, ptr, cols, skew);
          const y = k.alloc(rows * 4, skew), got = k.f32(y, rows).fill(untouched);
          k.call('rowsMatvec', kind.layout, w, cols, putList(k, list, 3), list.length, x, [0, 1, 4, 100][list.length % 4]!, y);
          for (let r = 0; r < rows; r++) {
            if (!list.includes(r)) { assert.is(got[r], untouched); continue; }
            const { value, magnitude } = product(matrix.values[r]!, used[0]!), tolerance = eps * (4 + cols / 8) * magnitude + off(kind, w, cols, r, used[0]!) + 1e-30;
            assert.ok(Math.abs(got[r]! - value) <= tolerance, `${rows}x${cols}, ${name}, row ${r}: ${got[r]} instead of ${value} (tolerance ${tolerance})`);
          }
          k.checkCanaries();
        }
      }
    });

    test(`${kind.name}: the largest quants against the largest activations; a row does not depend on its neighbours in the list`, () => {
      const random = new Random(32), cols = kind.block === 32 ? 192 : 256;
      for (const sign of [1, -1]) {
        k.reset();
        const matrix = randomMatrix(k, kind, 8, cols, random, true);
        const { ptr, used } = putRows(kind, [new Float32Array(cols).fill(sign * 127)]);
        const w = packed(kind, matrix.ptr, 8, cols), x = permuted(kind, ptr, cols), y = k.alloc(32), one = k.alloc(32);
        k.call('rowsMatvec', kind.layout, w, cols, putList(k, [0, 1, 2, 3, 4, 5, 6, 7], 3), 8, x, 0, y);
        for (let r = 0; r < 8; r++) {
          const { value, magnitude } = product(matrix.values[r]!, used[0]!);
          assert.ok(Math.abs(k.f32(y, 8)[r]! - value) <= eps * 64 * magnitude + off(kind, w, cols, r, used[0]!), `row ${r}: ${k.f32(y, 8)[r]} instead of ${value}`);
          k.call('rowsMatvec', kind.layout, w, cols, putList(k, [r], 3), 1, x, 0, one);
          assert.is(k.i32(one, 8)[r], k.i32(y, 8)[r]);
        }
      }
    });

    test(`${kind.name}: packing holds exactly the matrix`, () => {
      // one activation of 127 at a time: products of one weight, so that nothing rounds away
      const random = new Random(33), cols = kind.block === 32 ? 224 : 256, rows = 3;
      k.reset();
      const matrix = randomMatrix(k, kind, rows, cols, random), w = packed(kind, matrix.ptr, rows, cols);
      const list = putList(k, [0, 1, 2], 3), y = k.alloc(12);
      const format = k.call('rowsFormat', kind.layout), dst = k.alloc(k.call('permutedBytes', format, cols));
      for (let c = 0; c < cols; c += build === 'debug' ? 5 : 1) {
        const x = new Float32Array(cols);
        x[c] = 127;
        k.call('permute', format, putRows(kind, [x]).ptr, cols, dst);
        k.call('rowsMatvec', kind.layout, w, cols, list, rows, dst, 0, y);
        for (let r = 0; r < rows; r++) {
          const value = 127 * matrix.values[r]![c]!;
          assert.ok(Math.abs(k.f32(y, rows)[r]! - value) <= 8 * eps * 127 * Math.max(...matrix.values[r]!.map(Math.abs)) + off(kind, w, cols, r, x), `row ${r}, column ${c}`);
        }
      }
      k.checkCanaries();
    });
  }

  test('a unit is 2^-14 of the power of two above all of a row\'s |d| and |m| / 8', () => {
    assert.is(k.call('unitFor', 1), 2 ** -13); // the power above it is 2
    assert.is(k.call('unitFor', 0.999), 2 ** -14);
    assert.is(k.call('unitFor', 0), 2 ** -37); // never below what the smallest f16 asks for
  });

  test('layouts without a row form say 0 bytes', () => {
    for (const kind of kinds) assert.is(k.call('rowBytes', kind.layout, 768) > 0, formed.includes(kind), kind.name);
    assert.is(k.call('rowBytes', 6, 576), 368);
    assert.is(k.call('rowBytes', 9, 576), 0);
    assert.is(k.call('rowBytes', 6, 33), 0);
  });

  test.run();
}
