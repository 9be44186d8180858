/** Repacking and reading back: every file dtype against gguf-py's values, the byte layout against the description in assembly/layouts/kinds.ts. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dtypes } from '../../src/format/gguf/types.ts';
import type { DtypeName } from '../../src/model/layouts.ts';
import { Layout, heldAs } from '../../src/model/layouts.ts';
import { Kernels, builds } from '../helpers/kernels.ts';

const fixtures = new URL('../fixtures/quants/', import.meta.url);
const rows = 4, cols = 512;
const status = { ok: 0, badLayout: -1, nonFinite: -2 };

const names = Object.keys(heldAs) as DtypeName[];
const fileBytes = Object.fromEntries(names.map((n) => [n, new Uint8Array(readFileSync(new URL(`${n.toUpperCase()}.bin`, fixtures)))]));
const truth = Object.fromEntries(names.map((n) => [n, new Float32Array(new Uint8Array(readFileSync(new URL(`${n.toUpperCase()}.f32`, fixtures))).buffer)]));

for (const build of builds) {
  const test = suite(`repack (${build})`);
  const k = new Kernels(build, 64);

  /** Packs `count` rows (the fixture's four, over and over) and returns the address of the matrix. */
  function pack(name: DtypeName, count: number, layout: number = Layout[heldAs[name]]): { w: number; result: number } {
    const bytes = fileBytes[name]!, rowBytes = bytes.length / rows;
    const source = new Uint8Array(rowBytes * count);
    for (let r = 0; r < count; r++) source.set(bytes.subarray((r % rows) * rowBytes, (r % rows + 1) * rowBytes), r * rowBytes);
    k.reset();
    const src = k.putBytes(source, 4), w = k.alloc(k.call('layoutBytes', layout, count, cols));
    return { w, result: k.call('repack', dtypes[name].id, layout, src, w, count, cols) };
  }

  for (const name of names) {
    test(`${name}: every row reads back as gguf-py's values`, () => {
      for (const count of [1, 2, 3, 4, 7, 8, 9, 17]) {
        const { w, result } = pack(name, count);
        assert.is(result, status.ok);
        const out = k.alloc(cols * 4);
        for (let r = 0; r < Math.ceil(count / 8) * 8; r++) {
          k.call('dequantRow', Layout[heldAs[name]], w, cols, r, out);
          const got = k.f32(out, cols);
          for (let c = 0; c < cols; c++) {
            const want = r < count ? truth[name]![(r % rows) * cols + c]! : 0;
            // padding rows: scales are zero, so whatever the quants say the value is zero
            if (!Object.is(got[c], want) && !(got[c] === 0 && want === 0)) {
              assert.unreachable(`${name} row ${r} of ${count}, column ${c}: ${got[c]} instead of ${want}`);
            }
          }
        }
        k.checkCanaries();
      }
    });
  }

  for (const name of names) {
    test(`${name}: eight rows at once are those rows`, () => {
      const { w } = pack(name, 7), layout = Layout[heldAs[name]], group = k.alloc(32 * cols), out = k.alloc(4 * cols);
      k.call('dequantGroup', layout, w, cols, group);
      for (let r = 0; r < 8; r++) {
        k.call('dequantRow', layout, w, cols, r, out);
        assert.equal(k.f32(group + 4 * cols * r, cols).map((v) => v + 0), k.f32(out, cols).map((v) => v + 0), `row ${r}`); // + 0: no -0
      }
      k.checkCanaries();
    });
  }

  for (const name of ['f32', 'f16', 'bf16'] as const) {
    test(`${name} to a plain vector`, () => {
      const { w, result } = pack(name, rows, Layout.vector);
      assert.is(result, status.ok);
      assert.equal([...k.f32(w, rows * cols)], [...truth[name]!]);
      k.checkCanaries();
    });
  }

  test('the bytes lie where kinds.ts says', () => {
    const at = (r: number, chunk: number, j: number): number => chunk * 32 + (r >> 2) * 16 + (r & 3) * 4 + j;
    const q4 = pack('q4_1', 8), blocks = cols / 32, q4Bytes = fileBytes['q4_1']!;
    const nibble = (r: number, b: number, c: number): number => {
      const byte = q4Bytes[((r % rows) * blocks + b) * 20 + 4 + (c & 15)]!;
      return c < 16 ? byte & 15 : byte >> 4;
    };
    for (let b = 0; b < blocks; b++) for (let r = 0; r < 8; r++) for (let c = 0; c < 32; c++) {
      const byte = k.u8(q4.w + b * 160, 160)[at(r, c >> 3, c & 3)]!;
      assert.is(c & 4 ? byte >> 4 : byte & 15, nibble(r, b, c));
    }
    const q8 = pack('q8_0', 8), q8Bytes = new Int8Array(fileBytes['q8_0']!.buffer);
    for (let b = 0; b < blocks; b++) for (let r = 0; r < 8; r++) for (let c = 0; c < 32; c++) {
      const byte = k.u8(q8.w + b * 272, 272)[at(r, c >> 2, c & 3)]!;
      const value = q8Bytes[((r % rows) * blocks + b) * 34 + 2 + c]!;
      assert.is(byte, c & 1 ? value & 255 : (value + 128) & 255);
    }
  });

  test('packed quants: the first in the low bits of a vector each, the others above them, as differences', () => {
    const q6 = pack('q6_k', 8), file = fileBytes['q6_k']!;
    const quant = (r: number, b: number, c: number): number => {
      const block = (r % rows) * 2 * 210 + (b >> 3) * 210, in128 = (b & 7) >> 2, i = b & 3;
      const low = file[block + 64 * in128 + 32 * (i & 1) + c]! >> (i & 2 ? 4 : 0) & 15, high = file[block + 128 + 32 * in128 + c]! >> 2 * i & 3;
      return low | high << 4;
    };
    for (const b of [0, 3, 7, 10]) for (let r = 0; r < 8; r++) for (let c = 0; c < 32; c++) {
      const block = k.u8(q6.w + (b >> 3) * 1680 + 144 + (b & 7) * 192, 192), i = c >> 2 & 3;
      const word = (v: number): number => { const at = (c >> 4) * 96 + v * 32 + (r >> 2) * 16 + (r & 3) * 4 + (c & 2); return block[at]! | block[at + 1]! << 8; };
      const pair = i < 3 ? word(i) : word(0) >> 2 ^ word(1) >> 4 ^ word(2) >> 6; // 16-bit shifts, as the kernels'
      assert.is(pair >> (c & 1 ? 8 : 0) & 63, quant(r, b, c), `block ${b}, row ${r}, column ${c}`);
    }
  });

  test('scales and weights that are not finite are counted', () => {
    for (const name of names) {
      const bytes = fileBytes[name]!.slice();
      const at = { f32: 2, q2_k: 80, q3_k: 108, q6_k: 208, iq1_m: 53, tq1_0: 52, tq2_0: 64 }[name as string] ?? 0; // of the first number that can be infinite: its two high bytes
      bytes.set(name === 'mxfp4' ? [255] : name === 'iq1_m' ? [0xc0, 0, 0x70] : name === 'f32' || name === 'bf16' ? [0x80, 0x7f] : [0, 0x7c], at);
      k.reset();
      const src = k.putBytes(bytes), w = k.alloc(k.call('layoutBytes', Layout[heldAs[name]], rows, cols));
      assert.is(k.call('repack', dtypes[name].id, Layout[heldAs[name]], src, w, rows, cols), status.nonFinite, name);
    }
  });

  test('a pair that does not exist is refused', () => {
    assert.is(pack('q4_0', 8, Layout.q4_1).result, status.badLayout);
    assert.is(pack('q4_0', 8, Layout.vector).result, status.badLayout);
    assert.throws(() => k.call('layoutBytes', 99, 8, 32), /unreachable/i);
  });

  test.run();
}
