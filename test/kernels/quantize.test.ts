/** Activation records: values, corrections and special inputs, field by field. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { quantised, uniform } from '../helpers/matrices.ts';

const f16Factor = 2 ** 80;

for (const build of builds) {
  const test = suite(`quantize (${build})`);
  const k = new Kernels(build, 32);
  const relaxed = build === 'relaxed';
  const x4Data = relaxed ? 32 : 64, x4Stride = relaxed ? 64 : 96, x4Times = relaxed ? 1 : 256;

  /** The 32 integers of a block, from an X4 record. */
  function x4Values(ptr: number): number[] {
    if (relaxed) return [...k.i8(ptr, 32)];
    const i16 = new Int16Array(k.memory.buffer, ptr, 32), out: number[] = [];
    for (let chunk = 0; chunk < 4; chunk++) {
      const v = i16.subarray(8 * chunk, 8 * chunk + 8);
      // [x0 x2]*256 [x4 x6]*16 [x1 x3] [x5 x7]*256
      out.push(v[0]! / 256, v[4]!, v[1]! / 256, v[5]!, v[2]! / 16, v[6]! / 256, v[3]! / 16, v[7]! / 256);
    }
    return out;
  }

  function x8Values(ptr: number): number[] {
    const i16 = new Int16Array(k.memory.buffer, ptr, 32), out: number[] = [];
    for (let i = 0; i < 32; i += 4) { // [x1 x3] [256 x0 - x1, 256 x2 - x3]
      out.push((i16[i + 2]! + i16[i]!) / 256, i16[i]!, (i16[i + 3]! + i16[i + 1]!) / 256, i16[i + 1]!);
    }
    return out;
  }

  test('both formats hold the same rounded integers, and their sums', () => {
    const random = new Random(3);
    for (const cols of [32, 64, 96, 576]) for (const skew of [0, 4, 8, 12]) {
      k.reset();
      const x = Float32Array.from({ length: cols }, () => uniform(random) * 10 ** (8 * uniform(random)));
      const src = k.putF32(x, skew), x4 = k.alloc((cols / 32) * x4Stride), x8 = k.alloc((cols / 32) * 96);
      k.call('quantize', src, cols, 3, x4, x8, 0);
      const want = quantised(x);
      for (let b = 0; b < cols / 32; b++) {
        const p = x4 + b * x4Stride, q = x8 + b * 96;
        const scale = k.f32(q + 64, 1)[0]! * 256;
        const ints = x8Values(q);
        assert.equal(x4Values(p), ints);
        ints.forEach((value, i) => {
          assert.ok(Math.abs(value) <= 127, 'never -128');
          assert.ok(Math.abs(value * scale - want[32 * b + i]!) <= 1e-6 * Math.abs(want[32 * b + i]!));
        });
        const sum = ints.reduce((s, v) => s + v, 0), even = (from: number): number => ints.filter((_, i) => i >= from && i < from + 16 && i % 2 === 0).reduce((s, v) => s + v, 0);
        assert.equal([...k.i32(q + 80, 2)], [-32768 * even(0), -32768 * even(16)].map((v) => v | 0));
        assert.is(k.i32(p + x4Data + 16, 1)[0], (-8 * x4Times * sum) | 0);
        const [near, far] = [0, 2].map((from) => ints.filter((_, i) => (i & 2) === from).reduce((s, v) => s + v, 0)) as [number, number];
        assert.equal([...new Int16Array(k.memory.buffer, p + x4Data + 20, 4)], [-8 * near, -8 * far, -16 * near, -16 * far].map((v) => v | 0));
        assert.is(k.i32(q + 88, 1)[0], (-4096 * sum) | 0);
        for (const [tail, times] of [[p + x4Data, x4Times], [q + 64, 256]] as const) {
          const [reduced, big, scaledSum, bigSum] = k.f32(tail, 4);
          assert.is(reduced, Math.fround(scale / times));
          assert.is(big, Math.fround(reduced! * f16Factor));
          assert.is(scaledSum, Math.fround(scale * sum));
          assert.is(bigSum, Math.fround(scaledSum! * f16Factor));
        }
      }
      k.checkCanaries();
    }
  });

  test('halves round to even; zeros and subnormals become zero blocks', () => {
    k.reset();
    const x = new Float32Array(96);
    x.set([127, 0.5, 1.5, 2.5, -0.5, -1.5]);
    x.set(new Array(32).fill(1e-40), 64);
    const x8 = k.alloc(3 * 96);
    k.call('quantize', k.putF32(x), 96, 2, 0, x8, 0);
    assert.equal(x8Values(x8).slice(0, 6), [127, 0, 2, 2, 0, -2].map((v) => v + 0));
    for (const b of [1, 2]) {
      assert.ok(x8Values(x8 + b * 96).every((v) => v === 0));
      assert.is(k.f32(x8 + b * 96 + 64, 1)[0], 0);
    }
  });

  test('a block that is not finite is NaN in every product, and no other block is', () => {
    for (const value of [NaN, Infinity, -Infinity]) for (const at of [32, 45, 63]) {
      k.reset();
      const x = new Float32Array(96).fill(1);
      x[at] = value;
      const x4 = k.alloc(3 * x4Stride), x8 = k.alloc(3 * 96);
      k.call('quantize', k.putF32(x), 96, 3, x4, x8, 0);
      for (const b of [0, 1, 2]) for (const tail of [x4 + b * x4Stride + x4Data, x8 + b * 96 + 64]) {
        assert.ok([...k.f32(tail, 4)].every((v) => Number.isNaN(v) === (b === 1) && Math.abs(v) !== Infinity), `${value} at ${at}, block ${b}`);
      }
      assert.equal(x4Values(x4 + x4Stride), new Array(32).fill(0));
      k.checkCanaries();
    }
  });

  /** The 256 integers of a superblock's record. */
  function superValues(ptr: number): number[] {
    if (relaxed) return [...k.i8(ptr, 256)];
    const pairs = new Int16Array(k.memory.buffer, ptr, 256); // [x0 x2] [x1 - 256 x0, x3 - 256 x2]
    return Array.from({ length: 256 }, (_, i) => { const at = (i & ~3) + (i >> 1 & 1), even = pairs[at]!; return i & 1 ? pairs[at + 2]! + 256 * even : even; });
  }

  test('superblocks: one scale for 256 values, and sums of their parts', () => {
    const random = new Random(4), data = relaxed ? 256 : 512, stride = k.call('recordsBytes', 4, 256);
    for (const cols of [256, 512, 1280]) for (const size of [1, 127 / 1e-29, 1e30]) {
      k.reset();
      const x = Float32Array.from({ length: cols }, (_, i) => (size === 1 ? uniform(random) * 10 ** (4 * uniform(random)) : (i & 1 ? -1 : 1) * size));
      const records = k.alloc(k.call('recordsBytes', 4, cols));
      k.call('quantize', k.putF32(x, 4), cols, 4, 0, 0, records);
      const want = quantised(x, 256);
      for (let u = 0; u < cols / 256; u++) {
        const tail = records + u * stride + data, ints = superValues(tail - data), scale = k.f32(tail, 1)[0]!;
        ints.forEach((value, i) => {
          assert.ok(Math.abs(value) <= 127, 'never -128');
          assert.ok(Math.abs(value * scale - want[256 * u + i]!) <= 1e-6 * Math.abs(want[256 * u + i]!));
        });
        const sum = (from: number, to: number, keep = (_: number): boolean => true): number => ints.reduce((s, v, i) => (i >= from && i < to && keep(i) ? s + v : s), 0);
        const i16 = new Int16Array(k.memory.buffer, tail, 64), i32 = k.i32(tail, relaxed ? 32 : 40);
        for (let b = 0; b < 8; b++) {
          assert.is(i16[8 + b], sum(32 * b, 32 * b + 32));
          if (relaxed) continue;
          assert.is(i32[32 + b], -128 * sum(32 * b, 32 * b + 32, (i) => i % 2 === 0) | 0);
          const nibbles = tail + 160 + 68 * b;
          assert.is(k.i32(nibbles, 1)[0], 128 * sum(32 * b, 32 * b + 32, (i) => (i & 5) === 5) | 0);
          for (let c = 0; c < 4; c++) {
            const [x0, x1, x2, x3, x4, x5, x6, x7] = ints.slice(32 * b + 8 * c, 32 * b + 8 * c + 8) as [number, number, number, number, number, number, number, number];
            assert.equal([...new Int16Array(k.memory.buffer, nibbles + 4 + 16 * c, 8)], [16 * x0 - x4, 16 * x2 - x6, x4, x6, 16 * x1 - x5, 16 * x3 - x7, x5 - 256 * x4, x7 - 256 * x6]);
          }
        }
        for (let h = 0; h < 16; h++) {
          assert.is(i16[16 + h], sum(16 * h, 16 * h + 16));
          if (relaxed) assert.equal([i16[32 + 2 * h], i16[33 + 2 * h]], [0, 2].map((pair) => -32 * sum(16 * h, 16 * h + 16, (i) => (i & 2) === pair) | 0));
          else assert.is(i32[16 + h], -32 * sum(16 * h, 16 * h + 16) | 0);
        }
      }
      k.checkCanaries();
    }
  });

  test('superblocks: what is not finite is NaN in its own record only; zeros and subnormals become zeros', () => {
    const data = relaxed ? 256 : 512, stride = k.call('recordsBytes', 4, 256);
    for (const value of [NaN, Infinity, -Infinity]) for (const at of [256, 300, 511]) {
      k.reset();
      const x = new Float32Array(1024).fill(1), records = k.alloc(4 * stride);
      x[at] = value;
      x.fill(1e-40, 768);
      k.call('quantize', k.putF32(x), 1024, 4, 0, 0, records);
      assert.equal([0, 1, 2, 3].map((u) => k.f32(records + u * stride + data, 1)[0]), [Math.fround(1 / 127), NaN, Math.fround(1 / 127), 0]);
      for (const u of [1, 3]) assert.equal(superValues(records + u * stride), new Array(256).fill(0));
      assert.ok(k.u8(records + stride + data + 4, stride - data - 4).subarray(12).every((v) => v === 0));
      k.checkCanaries();
    }
  });

  test.run();
}
