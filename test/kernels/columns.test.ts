/** Column form of `down`: neurons that are not zero against float64, with h rounded in blocks of 64. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import type { Kind } from '../helpers/matrices.ts';
import { formed, kinds, product, quantised, randomMatrix } from '../helpers/matrices.ts';
import { activations, masked, selections, unitsOff } from '../helpers/neurons.ts';

const eps = 2 ** -23;
/** Neurons whose h is rounded under one scale; whether integers may outgrow 16 bits. */
const narrow = ({ name }: Kind): boolean => name.startsWith('q4_');

for (const build of builds) {
  const test = suite(`columns (${build})`);
  const k = new Kernels(build, 256);

  function packed(kind: Kind, ptr: number, rows: number, cols: number, skew = 0): number {
    const dst = k.alloc(k.call('columnBytes', kind.layout, rows, cols), skew);
    k.call('packColumns', kind.layout, ptr, rows, cols, dst);
    return dst;
  }

  /** y of the kernel; what is not listed is zero in h. */
  function run(kind: Kind, w: number, rows: number, h: Float32Array, list: number[], skew = 0): Float32Array {
    const padded = (rows + 31) & ~31, y = k.alloc(padded * 4, skew);
    k.f32(y, padded).fill(5);
    k.call('columnsMatvec', kind.layout, w, rows, h.length, k.putF32(masked(h, list), skew), k.alloc(k.call('columnsScratch', h.length), skew), y);
    k.checkCanaries();
    assert.ok(k.f32(y, padded).subarray(rows).every((v) => v === 0), 'padding is zero');
    return k.f32(y, rows).slice();
  }

  /** What units change of a product of output r of the form at `w` at most; `total` of |h|. */
  const off = (kind: Kind, w: number, r: number, total: number): number => unitsOff(kind) * k.f32(w, r + 1)[r]! * total;

  function check(kind: Kind, w: number, got: Float32Array, values: Float64Array[], h: Float32Array, list: number[], name: string): void {
    const used = quantised(masked(h, list), narrow(kind) ? 64 : 32), total = used.reduce((s, v) => s + Math.abs(v), 0);
    got.forEach((v, r) => {
      // d * q and m are added apart and may cancel: what rounds is as large as the row's largest weights
      const { value } = product(values[r]!, used), largest = Math.max(...values[r]!.map(Math.abs));
      const tolerance = eps * (8 + h.length / 8) * total * largest + off(kind, w, r, total) + 1e-30;
      assert.ok(Math.abs(v - value) <= tolerance, `${name}, output ${r}: ${v} instead of ${value} (tolerance ${tolerance})`);
    });
  }

  for (const kind of formed) {
    test(`${kind.name}: agrees with float64`, () => {
      const random = new Random(41);
      for (const rows of [1, 8, 9, 31, 32, 40, 64, 72, 96, 576]) for (const cols of kind.block === 256 ? [256, 512] : [32, 64, 96, 160, 512]) {
        if (rows * cols > (build === 'debug' ? 10_000 : 60_000)) continue;
        k.reset();
        const matrix = randomMatrix(k, kind, rows, cols, random), skew = [0, 4, 8, 12][rows % 4]!, w = packed(kind, matrix.ptr, rows, cols, skew);
        for (const { name, list } of selections(random, cols)) {
          const h = activations(random, cols);
          check(kind, w, run(kind, w, rows, h, list, skew), matrix.values, h, list, `${rows}x${cols}, ${name}`);
        }
      }
    });

    test(`${kind.name}: blocks whose integers outgrow 16 bits are cut`, () => {
      const random = new Random(42), rows = 40, cols = Math.max(64, kind.block);
      for (const extreme of [true, false]) for (const signs of ['+', '-', '+-', 'random']) {
        k.reset();
        const matrix = randomMatrix(k, kind, rows, cols, random, extreme), w = packed(kind, matrix.ptr, rows, cols);
        for (const { name, list } of selections(random, cols)) {
          const h = new Float32Array(cols).map((_, i) => (signs === '+' ? 127 : signs === '-' ? -127 : (signs === '+-' ? i & 1 : random.uint32() & 1) ? 127 : -127));
          check(kind, w, run(kind, w, rows, h, list), matrix.values, h, list, `${signs}, ${name}`);
        }
      }
    });

    test(`${kind.name}: packing holds exactly the matrix`, () => {
      const random = new Random(43), rows = 70, cols = Math.max(64, kind.block);
      k.reset();
      const matrix = randomMatrix(k, kind, rows, cols, random), w = packed(kind, matrix.ptr, rows, cols);
      for (let i = 0; i < cols; i += build === 'debug' && cols > 64 ? 5 : 1) {
        const h = new Float32Array(cols).fill(127);
        run(kind, w, rows, h, [i]).forEach((v, r) => {
          const d = 127 * Math.max(...matrix.values[r]!.map(Math.abs));
          assert.ok(Math.abs(v - 127 * matrix.values[r]![i]!) <= 8 * eps * d + off(kind, w, r, 127), `row ${r}, neuron ${i}`);
        });
      }
    });

    test(`${kind.name}: zeros and tiny values are what quantize makes of them`, () => {
      const random = new Random(44), rows = 32, cols = kind.block === 256 ? 256 : 224;
      k.reset();
      const matrix = randomMatrix(k, kind, rows, cols, random), w = packed(kind, matrix.ptr, rows, cols);
      const list = [1, 2, 65, 66, 200], h = new Float32Array(cols);
      h[1] = 1; h[2] = 0.001; h[65] = 1e-35; h[66] = -1e-36; h[131] = 7; h[200] = -3;
      const got = run(kind, w, rows, h, list);
      h[65] = 0; h[66] = 0;
      check(kind, w, got, matrix.values, h, list, 'special values');
    });
  }

  test('q4_1: scales far below the largest of their row are off by 2^-15 of the power of two above it at most, others exact', () => {
    const random = new Random(45), rows = 32, cols = 96, halves = new Uint16Array((rows * cols / 32) * 10).map(() => random.uint32() & 0xffff);
    for (let r = 0; r < rows; r++) for (let b = 0; b < 3; b++) { // exponents: 20, 17 (the last exact one) and 3
      const at = (3 * r + b) * 10, e = [20, 17, 3][b]! << 10;
      halves[at] = e | (random.uint32() & 0x83ff);
      halves[at + 1] = (e + 0xc00) | (random.uint32() & 0x83ff);
    }
    k.reset();
    const ptr = k.alloc(k.call('layoutBytes', 6, rows, cols));
    assert.is(k.call('repack', 3, 6, k.putBytes(new Uint8Array(halves.buffer)), ptr, rows, cols), 0);
    const w = packed(kinds.find(({ layout }) => layout === 6)!, ptr, rows, cols), row = k.alloc(cols * 4), unit = 2 ** (20 - 14 - 14);
    for (let i = 0; i < cols; i += 5) {
      const got = run(kinds.find(({ layout }) => layout === 6)!, w, rows, new Float32Array(cols).fill(1), [i]);
      got.forEach((v, r) => {
        k.call('dequantRow', 6, ptr, cols, r, row);
        const want = k.f32(row, cols)[i]!, bound = i < 64 ? 4 * eps * 24 * 2 ** (20 - 14) : (15 / 2 + 4) * unit;
        assert.ok(Math.abs(v - want) <= bound, `row ${r}, neuron ${i}: ${v} instead of ${want}`);
      });
    }
  });

  test('layouts without a column form say 0 bytes', () => {
    for (const kind of kinds) assert.is(k.call('columnBytes', kind.layout, 576, 768) > 0, formed.includes(kind), kind.name);
    assert.is(k.call('columnBytes', 6, 576, 1536), k.call('layoutBytes', 6, 576, 1536) + 4 * 576);
    assert.is(k.call('columnBytes', 6, 576, 96), k.call('layoutBytes', 6, 576, 128) + 4 * 576); // a pair of blocks is the least
  });

  for (const kind of formed) {
    test(`${kind.name}: a neuron that is not finite makes every output NaN`, () => {
      const random = new Random(47);
      for (const value of [NaN, Infinity, -Infinity]) for (const at of [0, 70, 159]) {
        k.reset();
        const cols = kind.block === 256 ? 256 : 160, matrix = randomMatrix(k, kind, 40, cols, random), w = packed(kind, matrix.ptr, 40, cols);
        const h = activations(random, cols);
        h[at] = value;
        const y = k.alloc(64 * 4);
        k.call('columnsMatvec', kind.layout, w, 40, cols, k.putF32(h), k.alloc(k.call('columnsScratch', cols)), y);
        assert.ok(k.f32(y, 40).every(Number.isNaN), `${value} at ${at}`);
        k.checkCanaries();
      }
    });
  }

  test.run();
}
