/** The column form of any matrix: inputs that are not zero against float64, x rounded as the layout's dense kernel rounds it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import type { Kind } from '../helpers/matrices.ts';
import { formed, kinds, product, putActivations, quantised, randomMatrix } from '../helpers/matrices.ts';
import { activations, masked, selections } from '../helpers/neurons.ts';

const eps = 2 ** -23;

for (const build of builds) {
  const test = suite(`column form (${build})`);
  const k = new Kernels(build, 256);

  function packed({ layout }: Kind, ptr: number, rows: number, cols: number, skew = 0): number {
    const dst = k.alloc(k.call('columnBytes', layout, rows, cols), skew);
    k.call('packColumns', layout, ptr, rows, cols, dst);
    return dst;
  }

  function listed({ layout }: Kind, x: Float32Array, skew = 0): number {
    const list = k.alloc(k.call('columnsScratch', x.length), skew);
    k.call('listColumns', k.call('columnsKind', layout), k.putF32(x, skew), x.length, list);
    return list;
  }

  /** y of the kernel, computed in ranges of tiles that end at `cuts`. */
  function run(kind: Kind, w: number, rows: number, x: Float32Array, skew = 0, cuts: number[] = []): Float32Array {
    const tiles = k.call('columnTiles', rows), y = k.alloc(tiles * 256, skew), list = listed(kind, x, skew), scratch = k.alloc(k.call('productScratch'), skew);
    k.f32(y, tiles * 64).fill(5);
    [0, ...cuts].forEach((from, i) => k.call('columnsProduct', kind.layout, w, rows, x.length, list, scratch, y, from, cuts[i] ?? tiles));
    k.checkCanaries();
    return k.f32(y, rows).slice();
  }

  function check(kind: Kind, got: Float32Array, values: Float64Array[], x: Float32Array, name: string): void {
    const used = quantised(x, kind.block === 256 ? 256 : 32), total = used.reduce((s, v) => s + Math.abs(v), 0);
    got.forEach((v, r) => {
      // d * q and m are added apart and may cancel: what rounds is as large as the row's largest weights
      const { value } = product(values[r]!, used), tolerance = eps * (8 + x.length / 16) * total * Math.max(...values[r]!.map(Math.abs)) + 1e-30;
      assert.ok(Math.abs(v - value) <= tolerance, `${name}, output ${r}: ${v} instead of ${value} (tolerance ${tolerance})`);
    });
  }

  for (const kind of formed) {
    test(`${kind.name}: agrees with float64`, () => {
      const random = new Random(51);
      for (const rows of [1, 8, 40, 64, 72, 192]) for (const cols of kind.block === 256 ? [256, 512] : [32, 64, 96, 256, 288, 544]) {
        if (rows * cols > (build === 'debug' ? 10_000 : 60_000)) continue;
        k.reset();
        const matrix = randomMatrix(k, kind, rows, cols, random), skew = [0, 4, 8, 12][rows % 4]!, w = packed(kind, matrix.ptr, rows, cols, skew);
        for (const { name, list } of selections(random, cols)) {
          const x = masked(activations(random, cols), list);
          check(kind, run(kind, w, rows, x, skew), matrix.values, x, `${rows}x${cols}, ${name}`);
        }
      }
    });

    test(`${kind.name}: blocks whose integers outgrow 16 bits are cut`, () => {
      const random = new Random(52), rows = 40, cols = Math.max(64, kind.block);
      for (const extreme of [true, false, 'least'] as const) for (const signs of ['+', '-', '+-', 'random']) {
        k.reset();
        const matrix = randomMatrix(k, kind, rows, cols, random, extreme), w = packed(kind, matrix.ptr, rows, cols);
        for (const { name, list } of selections(random, cols)) {
          const x = masked(new Float32Array(cols).map((_, i) => (signs === '+' ? 127 : signs === '-' ? -127 : (signs === '+-' ? i & 1 : random.uint32() & 1) ? 127 : -127)), list);
          check(kind, run(kind, w, rows, x), matrix.values, x, `${signs}, ${name}`);
        }
      }
    });

    test(`${kind.name}: the form holds exactly the matrix`, () => {
      const random = new Random(53), rows = 70, cols = Math.max(64, kind.block);
      k.reset();
      const matrix = randomMatrix(k, kind, rows, cols, random), w = packed(kind, matrix.ptr, rows, cols);
      for (let i = 0; i < cols; i += build === 'debug' && cols > 64 ? 5 : 1) {
        run(kind, w, rows, masked(new Float32Array(cols).fill(127), [i])).forEach((v, r) => {
          const d = 127 * Math.max(...matrix.values[r]!.map(Math.abs));
          assert.ok(Math.abs(v - 127 * matrix.values[r]![i]!) <= 8 * eps * d, `row ${r}, input ${i}`);
        });
      }
    });

    test(`${kind.name}: every input is the dense product but for the order of sums`, () => {
      const random = new Random(54), rows = 72, cols = 512;
      k.reset();
      const matrix = randomMatrix(k, kind, rows, cols, random), w = packed(kind, matrix.ptr, rows, cols), x = activations(random, cols), y = k.alloc(rows * 4);
      k.call('matvec', kind.layout, matrix.ptr, rows / 8, cols, putActivations(k, kind, [x]).ptr, y);
      const dense = k.f32(y, rows).slice(), total = x.reduce((s, v) => s + Math.abs(v), 0);
      run(kind, w, rows, x).forEach((v, r) => {
        assert.ok(Math.abs(v - dense[r]!) <= 8 * eps * total * Math.max(...matrix.values[r]!.map(Math.abs)), `output ${r}: ${v}, dense ${dense[r]}`);
      });
    });

    test(`${kind.name}: who computes which tiles changes no bit`, () => {
      const random = new Random(55), rows = 200, cols = 256;
      k.reset();
      const matrix = randomMatrix(k, kind, rows, cols, random), w = packed(kind, matrix.ptr, rows, cols), x = activations(random, cols), whole = run(kind, w, rows, x);
      for (const cuts of [[1], [3], [1, 2, 3]]) assert.equal(run(kind, w, rows, x, 0, cuts), whole, `${cuts}`);
    });

    test(`${kind.name}: what is not finite makes every output NaN`, () => {
      const random = new Random(56), cols = 256;
      for (const value of [NaN, Infinity, -Infinity]) for (const at of [0, 70, 255]) {
        k.reset();
        const matrix = randomMatrix(k, kind, 40, cols, random), x = activations(random, cols);
        x[at] = value;
        assert.ok(run(kind, packed(kind, matrix.ptr, 40, cols), 40, x).every(Number.isNaN), `${value} at ${at}`);
      }
    });
  }

  test('layouts without a column form say 0 bytes; others hold as many as their interleaved form', () => {
    for (const kind of kinds) {
      const bytes = k.call('columnBytes', kind.layout, 576, 768);
      assert.is(bytes, formed.includes(kind) ? k.call('layoutBytes', kind.layout, 576, 768) : 0, kind.name);
    }
  });

  test.run();
}
