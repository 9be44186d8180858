/** Repacking and reading back: every file dtype against gguf-py's values, the byte layout against the description in enums.ts. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Kernels, builds } from '../helpers/kernels.ts';

const fixtures = new URL('../fixtures/quants/', import.meta.url);
const dtypeIds = { F32: 0, F16: 1, BF16: 30, Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q8_0: 8, Q4_K: 12, Q5_K: 13, Q6_K: 14 } as const;
/** File dtype → the layout (assembly/abi/enums.ts) that holds it. */
const layoutOf = { F32: 2, F16: 3, BF16: 4, Q4_0: 5, Q4_1: 6, Q5_0: 7, Q5_1: 8, Q8_0: 7, Q4_K: 9, Q5_K: 10, Q6_K: 11 } as const;
const rows = 4, cols = 512;
const status = { ok: 0, badLayout: -1, nonFinite: -2 };

const names = Object.keys(dtypeIds) as (keyof typeof dtypeIds)[];
const fileBytes = Object.fromEntries(names.map((n) => [n, new Uint8Array(readFileSync(new URL(`${n}.bin`, fixtures)))]));
const truth = Object.fromEntries(names.map((n) => [n, new Float32Array(new Uint8Array(readFileSync(new URL(`${n}.f32`, fixtures))).buffer)]));

for (const build of builds) {
  const test = suite(`repack (${build})`);
  const k = new Kernels(build, 64);

  /** Packs `count` rows (the fixture's four, over and over) and returns the address of the matrix. */
  function pack(name: keyof typeof dtypeIds, count: number, layout: number = layoutOf[name]): { w: number; result: number } {
    const bytes = fileBytes[name]!, rowBytes = bytes.length / rows;
    const source = new Uint8Array(rowBytes * count);
    for (let r = 0; r < count; r++) source.set(bytes.subarray((r % rows) * rowBytes, (r % rows + 1) * rowBytes), r * rowBytes);
    k.reset();
    const src = k.putBytes(source, 4), w = k.alloc(k.call('layoutBytes', layout, count, cols));
    return { w, result: k.call('repack', dtypeIds[name], layout, src, w, count, cols) };
  }

  for (const name of names) {
    test(`${name}: every row reads back as gguf-py's values`, () => {
      for (const count of [1, 2, 3, 4, 7, 8, 9, 17]) {
        const { w, result } = pack(name, count);
        assert.is(result, status.ok);
        const out = k.alloc(cols * 4);
        for (let r = 0; r < Math.ceil(count / 8) * 8; r++) {
          k.call('dequantRow', layoutOf[name], w, cols, r, out);
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

  for (const name of ['F32', 'F16', 'BF16'] as const) {
    test(`${name} to a plain vector`, () => {
      const { w, result } = pack(name, rows, 1);
      assert.is(result, status.ok);
      assert.equal([...k.f32(w, rows * cols)], [...truth[name]!]);
      k.checkCanaries();
    });
  }

  test('the bytes lie where enums.ts says', () => {
    const at = (r: number, chunk: number, j: number): number => chunk * 32 + (r >> 2) * 16 + (r & 3) * 4 + j;
    const q4 = pack('Q4_1', 8), blocks = cols / 32, q4Bytes = fileBytes['Q4_1']!;
    const nibble = (r: number, b: number, c: number): number => {
      const byte = q4Bytes[((r % rows) * blocks + b) * 20 + 4 + (c & 15)]!;
      return c < 16 ? byte & 15 : byte >> 4;
    };
    for (let b = 0; b < blocks; b++) for (let r = 0; r < 8; r++) for (let c = 0; c < 32; c++) {
      const byte = k.u8(q4.w + b * 160, 160)[at(r, c >> 3, c & 3)]!;
      assert.is(c & 4 ? byte >> 4 : byte & 15, nibble(r, b, c));
    }
    const q8 = pack('Q8_0', 8), q8Bytes = new Int8Array(fileBytes['Q8_0']!.buffer);
    for (let b = 0; b < blocks; b++) for (let r = 0; r < 8; r++) for (let c = 0; c < 32; c++) {
      const byte = k.u8(q8.w + b * 272, 272)[at(r, c >> 2, c & 3)]!;
      const value = q8Bytes[((r % rows) * blocks + b) * 34 + 2 + c]!;
      assert.is(byte, c & 1 ? value & 255 : (value + 128) & 255);
    }
  });

  test('scales and weights that are not finite are counted', () => {
    for (const name of names) {
      const bytes = fileBytes[name]!.slice();
      const at = { F32: 2, Q6_K: 208 }[name as string] ?? 0; // of the first number that can be infinite: its two high bytes
      bytes.set(name === 'F32' || name === 'BF16' ? [0x80, 0x7f] : [0, 0x7c], at);
      k.reset();
      const src = k.putBytes(bytes), w = k.alloc(k.call('layoutBytes', layoutOf[name], rows, cols));
      assert.is(k.call('repack', dtypeIds[name], layoutOf[name], src, w, rows, cols), status.nonFinite, name);
    }
  });

  test('a pair that does not exist is refused', () => {
    assert.is(pack('Q4_0', 8, layoutOf.Q4_1).result, status.badLayout);
    assert.is(pack('Q4_0', 8, 1).result, status.badLayout);
    assert.is(k.call('layoutBytes', 99, 8, 32), 0);
  });

  test.run();
}
