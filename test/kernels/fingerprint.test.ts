/** The fingerprint tells bytes apart: any one changed, moved or cut; and is the same on every build, however the bytes come in pieces of 16. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';

const random = new Random(3), bytes = Uint8Array.from({ length: 1000 }, () => random.uint32() & 255);

/** The same from its definition, in integers. */
function reference(data: Uint8Array): string {
  const padded = new Uint8Array(16 * Math.ceil(data.length / 16));
  padded.set(data);
  const words = new Uint32Array(padded.buffer), prime = 0x01000193 | 0x58000000;
  let s = [0, 0, 0, 0];
  for (let i = 0; i < words.length; i += 4) {
    s = s.map((lane, j) => Math.imul(lane ^ words[i + j]!, prime));
    if (16 * (i / 4 + 1) <= data.length) s = s.map((lane, j) => s[(j + 1) & 3]! ^ (lane >>> 15)); // the padded tail is not mixed on
  }
  return Buffer.from(Uint32Array.from(s).buffer).toString('hex');
}

function fingerprint(k: Kernels, pieces: readonly Uint8Array[]): string {
  const state = k.alloc(16);
  for (const piece of pieces) k.call('fingerprint', k.putBytes(piece, 4), piece.length, state);
  k.checkCanaries();
  return Buffer.from(k.u8(state, 16)).toString('hex');
}

for (const build of builds) {
  const test = suite(`fingerprint (${build})`), k = new Kernels(build, 16), whole = fingerprint(k, [bytes]);
  test('one value for the same bytes, whole or in pieces', () => {
    assert.is(whole, reference(bytes));
    assert.is(fingerprint(k, [bytes.subarray(0, 480), bytes.subarray(480)]), whole);
  });
  test('another for every change', () => {
    const seen = new Set([whole, fingerprint(k, [bytes.subarray(0, 999)])]);
    for (let i = 0; i < bytes.length; i += 7) {
      const other = bytes.slice();
      other[i]! ^= 1 << (i & 7);
      seen.add(fingerprint(k, [other]));
      k.reset();
    }
    const swapped = bytes.slice();
    swapped.copyWithin(0, 16, 32);
    swapped.set(bytes.subarray(0, 16), 16);
    seen.add(fingerprint(k, [swapped]));
    assert.is(seen.size, 2 + Math.ceil(1000 / 7) + 1);
  });
  test.run();
}
