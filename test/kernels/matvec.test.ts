/**
 * Matrix times vector in every layout against float64. For quantised layouts the reference multiplies the same rounded activations, so that
 * what is left is f32 rounding: a few units in the last place for each block of the sum.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { kinds, product, putActivations, randomMatrix, uniform } from '../helpers/matrices.ts';

const eps = 2 ** -23;

for (const build of builds) {
  const test = suite(`matvec (${build})`);
  const k = new Kernels(build, 512);

  for (const kind of kinds) {
    const widths = kind.block === 1 ? [1, 2, 3, 7, 16, 31, 32, 33, 64, 65, 576] : kind.block === 32 ? [32, 64, 96, 576, 1536] : [256, 512, 1536];

    test(`${kind.name}: agrees with float64`, () => {
      const random = new Random(7);
      for (const cols of widths) for (const rows of [1, 2, 7, 8, 9, 17, 64]) {
        if (build === 'debug' && rows * cols > 20_000) continue;
        k.reset();
        const matrix = randomMatrix(k, kind, rows, cols, random);
        const x = Float32Array.from({ length: cols }, () => 3 * uniform(random) ** 3);
        const { ptr, used } = putActivations(k, kind, [x], [0, 4, 8, 12][rows % 4]!);
        const y = k.alloc(Math.ceil(rows / 8) * 32, [0, 4, 8, 12][cols % 4]!);
        k.call('matvec', kind.layout, matrix.ptr, Math.ceil(rows / 8), cols, ptr, y);
        const got = k.f32(y, Math.ceil(rows / 8) * 8), bits = [...k.i32(y, got.length)];
        for (const streams of [2, 3, 4]) {
          const again = k.alloc(Math.ceil(rows / 8) * 32);
          k.call('matvec', kind.layout, matrix.ptr, Math.ceil(rows / 8), cols, ptr, again, streams);
          assert.equal([...k.i32(again, got.length)], bits, `${kind.name} ${rows}x${cols} from ${streams} places`);
        }
        for (let r = 0; r < got.length; r++) {
          const { value, magnitude } = r < rows ? product(matrix.values[r]!, used[0]!) : { value: 0, magnitude: 0 };
          // one rounding a term (floats) or a few a block; minima add terms of the size of the block's sum of |x|
          const tolerance = eps * (4 + cols / (kind.block === 1 ? 2 : 8)) * magnitude + 1e-30;
          assert.ok(Math.abs(got[r]! - value) <= tolerance, `${kind.name} ${rows}x${cols} row ${r}: ${got[r]} instead of ${value} (tolerance ${tolerance})`);
        }
        k.checkCanaries();
      }
    });

    if (kind.block > 1) {
      test(`${kind.name}: largest and least quants against largest activations do not overflow`, () => {
        const random = new Random(8);
        const cols = kind.block === 32 ? 64 : 256;
        for (const sign of [1, -1]) for (const extreme of [true, 'least'] as const) {
          k.reset();
          const matrix = randomMatrix(k, kind, 8, cols, random, extreme);
          const { ptr, used } = putActivations(k, kind, [new Float32Array(cols).fill(sign * 127)]);
          const y = k.alloc(32);
          k.call('matvec', kind.layout, matrix.ptr, 1, cols, ptr, y);
          for (let r = 0; r < 8; r++) {
            const { value, magnitude } = product(matrix.values[r]!, used[0]!);
            assert.ok(Math.abs(k.f32(y, 8)[r]! - value) <= eps * 64 * magnitude, `row ${r}: ${k.f32(y, 8)[r]} instead of ${value}`);
          }
        }
      });
    }

    if (kind.block === 256) {
      test(`${kind.name}: quants of all patterns against largest activations of all patterns do not overflow`, () => {
        const random = new Random(12), cols = 256;
        for (const quant of [0, 0x0f, 0xf0, 0x55, 0xff]) for (const signs of [0, 1, 2, 3]) {
          k.reset();
          const bytes = new Uint8Array(8 * kind.blockBytes).fill(quant);
          for (let at = 0; at < bytes.length; at += kind.blockBytes) {
            for (let i = 0; i < kind.blockBytes; i++) if (random.uint32() & 1) bytes[at + i] = quant ^ (random.uint32() & 1 ? 0x80 : 0);
            for (const half of kind.halves) { bytes[at + half] = 0; bytes[at + half + 1] = 0x2c; }
            if (kind.name === 'q6_k') bytes.fill(0x80, at + 192, at + 208); // the largest scales, and negative
          }
          const ptr = k.alloc(k.call('layoutBytes', kind.layout, 8, cols)), row = k.alloc(cols * 4), y = k.alloc(32);
          assert.is(k.call('repack', kind.dtype, kind.layout, k.putBytes(bytes), ptr, 8, cols), 0);
          const x = Float32Array.from({ length: cols }, (_, i) => (signs === 0 ? 127 : signs === 1 ? -127 : (i >> (signs - 2)) & 1 ? -127 : 127));
          const activations = putActivations(k, kind, [x]);
          k.call('matvec', kind.layout, ptr, 1, cols, activations.ptr, y);
          for (let r = 0; r < 8; r++) {
            k.call('dequantRow', kind.layout, ptr, cols, r, row);
            const { value, magnitude } = product(Float64Array.from(k.f32(row, cols)), activations.used[0]!);
            assert.ok(Math.abs(k.f32(y, 8)[r]! - value) <= eps * 64 * magnitude, `${quant}, ${signs}, row ${r}: ${k.f32(y, 8)[r]} instead of ${value}`);
          }
        }
      });
    }

    test(`${kind.name}: activations far beyond the range of f16`, () => {
      const random = new Random(10), cols = kind.block === 1 ? 33 : kind.block === 32 ? 96 : 512;
      for (const size of [2100, 1e5, 1e9, 1e12]) for (const sign of [0, 1]) { // of one sign the sums of blocks are 32 times as large
        k.reset();
        const matrix = randomMatrix(k, kind, 9, cols, random);
        const { ptr, used } = putActivations(k, kind, [Float32Array.from({ length: cols }, () => size * (sign ? Math.abs(uniform(random)) : uniform(random)))]);
        const y = k.alloc(64);
        k.call('matvec', kind.layout, matrix.ptr, 2, cols, ptr, y);
        matrix.values.forEach((row, r) => {
          const { value, magnitude } = product(row, used[0]!), got = k.f32(y, 9)[r]!;
          assert.ok(Math.abs(got - value) <= eps * (4 + cols / (kind.block === 1 ? 2 : 8)) * magnitude, `${size}, row ${r}: ${got} instead of ${value}`);
        });
      }
    });

    test(`${kind.name}: zero activations give zeros`, () => {
      const random = new Random(9);
      const cols = kind.block === 1 ? 33 : kind.block;
      k.reset();
      const matrix = randomMatrix(k, kind, 8, cols, random);
      const { ptr } = putActivations(k, kind, [new Float32Array(cols)]);
      const y = k.alloc(32);
      k.f32(y, 8).fill(5);
      k.call('matvec', kind.layout, matrix.ptr, 1, cols, ptr, y);
      assert.ok(k.f32(y, 8).every((v) => v === 0));
    });
  }

  test('f16: a row each of subnormal, largest and other weights, small and huge activations', () => {
    const f16 = kinds.find(({ name }) => name === 'f16')!, cols = 34;
    const bits = [0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x8000, 0x3c00]; // 2^-24 .. 65504
    for (const size of [1e-9, 1, 1e9, 1e15]) {
      k.reset();
      const file = new Uint16Array(8 * cols).map((_, i) => bits[i / cols | 0]!), w = k.alloc(k.call('layoutBytes', f16.layout, 8, cols));
      assert.is(k.call('repack', f16.dtype, f16.layout, k.putBytes(new Uint8Array(file.buffer)), w, 8, cols), 0);
      const row = k.alloc(4 * cols), x = Float32Array.from({ length: cols }, (_, c) => size * (1 + c % 3)), y = k.alloc(32);
      k.call('matvec', f16.layout, w, 1, cols, k.putF32(x), y);
      for (let r = 0; r < 8; r++) {
        k.call('dequantRow', f16.layout, w, cols, r, row);
        const { value, magnitude } = product(Float64Array.from(k.f32(row, cols)), Float64Array.from(x));
        assert.ok(Math.abs(k.f32(y, 8)[r]! - value) <= eps * 20 * magnitude, `${size}, row ${r}: ${k.f32(y, 8)[r]} instead of ${value}`);
      }
    }
  });

  test.run();
}
