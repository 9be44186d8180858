/** The container of snapshots: sections come back as they went in, and no damage of the bytes goes unnoticed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fingerprintOf } from '../../src/bytes/fingerprint.ts';
import { CladaError } from '../../src/errors.ts';
import { Random } from '../../src/sampler/random.ts';
import { packSnapshot, unpackSnapshot } from '../../src/session/format.ts';
import { codeOf } from '../helpers/errors.ts';
import { Kernels, builds } from '../helpers/kernels.ts';

const test = suite('snapshot format');
const random = new Random(11), noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.uint32() & 255);

test('the fingerprint is that of the kernel, for every length and alignment', () => {
  for (const build of builds) {
    const k = new Kernels(build, 16);
    for (const length of [0, 1, 15, 16, 17, 100, 4096, 5001]) {
      const bytes = noise(length + 3).subarray(3), state = k.alloc(16);
      k.call('fingerprint', k.putBytes(bytes, 4), length, state);
      assert.is(fingerprintOf(bytes), Buffer.from(k.u8(state, 16)).toString('hex'), `${build}, ${length} bytes`);
    }
  }
});

test('header and sections come back, also from bytes that lie askew', () => {
  const floats = Float32Array.of(1.5, -0, Infinity, 1e-42), ids = Int32Array.of(-1, 7), odd = noise(13);
  const packed = packSnapshot({ kind: 'x', text: 'ä\uD800' }, [{ name: 'floats', data: floats }, { name: 'ids', data: ids }, { name: 'odd', data: odd }, { name: 'none', data: new Uint8Array(0) }]);
  const askew = new Uint8Array(packed.length + 1).subarray(1);
  askew.set(packed);
  for (const bytes of [packed, packed.buffer, askew, Buffer.from(packed)]) {
    const { header, section } = unpackSnapshot<{ kind: string; text: string }>(bytes);
    assert.is(header.kind, 'x');
    assert.is(header.text, 'ä\uD800');
    const read = section('floats')!;
    assert.equal(new Float32Array(read.buffer, read.byteOffset, 4), floats);
    assert.equal(new Int32Array(Uint8Array.from(section('ids')!).buffer), ids);
    assert.equal(new Uint8Array(section('odd')!), odd);
    assert.is(section('none')!.length, 0);
    assert.is(section('other'), undefined);
  }
});

test('every flipped bit, every cut and every addition is noticed', async () => {
  const packed = packSnapshot({ kind: 'x' }, [{ name: 'a', data: noise(40) }]);
  for (let bit = 0; bit < 8 * packed.length; bit++) {
    const bytes = packed.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.match(await codeOf(() => unpackSnapshot(bytes)), /^E_SNAPSHOT(_VERSION)?$/, `bit ${bit}`);
  }
  for (let length = 0; length < packed.length; length++) assert.is(await codeOf(() => unpackSnapshot(packed.slice(0, length))), 'E_SNAPSHOT');
  assert.is(await codeOf(() => unpackSnapshot(Buffer.concat([packed, Buffer.alloc(1)]))), 'E_SNAPSHOT');
});

test('bytes that were changed with care are refused or read within bounds', async () => {
  const refuse = (header: object, change: (bytes: Uint8Array) => void = () => undefined): Promise<string> => codeOf(() => {
    const bytes = packSnapshot(header, []);
    change(bytes);
    bytes.set(new TextEncoder().encode(fingerprintOf(bytes.subarray(48))), 16);
    unpackSnapshot(bytes);
  });
  assert.is(await refuse({ kind: 'x' }), 'none');
  for (const length of [0, 3, 2 ** 31, 2 ** 32 - 1]) assert.is(await refuse({}, (bytes) => { new DataView(bytes.buffer).setUint32(48, length, true); }), 'E_SNAPSHOT');
  for (const text of ['{"sections":[["a",99]]}', '{"sections":[["a",-8]]}', '{"sections":[["a",1e300]]}', '{"sections":[[3,0]]}', '{"sections":[0]}', '{"sections":{}}', 'null', '[]', '{"a":']) {
    const filler = { filler: 'x'.repeat(40) };
    assert.is(await refuse(filler, (bytes) => {
      const own = new TextEncoder().encode(text);
      bytes.set(own, 64);
      new DataView(bytes.buffer).setUint32(48, own.length, true);
    }), 'E_SNAPSHOT', text);
  }
});

test('a later version says so', () => {
  const bytes = packSnapshot({}, []);
  bytes[8] = 2;
  assert.throws(() => unpackSnapshot(bytes), (error: unknown) => error instanceof CladaError && error.code === 'E_SNAPSHOT_VERSION' && /update/.test(error.message));
  for (const value of [undefined, null, 'text', 5, [1, 2]]) assert.throws(() => unpackSnapshot(value as never), (error: unknown) => (error as CladaError).code === 'E_OPTION');
});

test.run();
