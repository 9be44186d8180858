/** Reading GGUF: round trips, the oracle package, every truncation, hostile counts, split files, streams. */
import { readFileSync } from 'node:fs';
import { gguf as oracle } from '@huggingface/gguf';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../../src/bytes/memory.ts';
import { StreamSource } from '../../../src/bytes/stream.ts';
import type { CladaError } from '../../../src/errors.ts';
import { openFile } from '../../../src/bytes/file.ts';
import { readGguf } from '../../../src/format/gguf/read.ts';
import { splitNames } from '../../../src/format/gguf/split.ts';
import { StringArray } from '../../../src/format/gguf/types.ts';
import type { WriteTensor, WriteValue } from '../../../src/format/gguf/write.ts';
import { writeGguf } from '../../../src/format/gguf/write.ts';
import { embeddedModel, tinyPath } from '../../helpers/models.ts';

const test = suite('gguf');
const read = (bytes: Uint8Array) => readGguf(new MemorySource(bytes, 'test.gguf'));
const f32 = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const tensor = (name: string, dims: number[], data = f32(...new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(1))): WriteTensor => ({ name, dims, dtype: 'f32', data });

async function code(bytes: Uint8Array | (() => Promise<unknown>)): Promise<string> {
  try {
    await (typeof bytes === 'function' ? bytes() : read(bytes));
  } catch (error) {
    return (error as CladaError).code ?? String(error);
  }
  return 'none';
}

const sample: Record<string, WriteValue> = {
  'general.architecture': { type: 'string', value: 'llama' }, a: { type: 'u8', value: 200 }, b: { type: 'i8', value: -3 }, c: { type: 'u16', value: 60_000 }, d: { type: 'i16', value: -300 },
  e: { type: 'u32', value: 4e9 }, f: { type: 'i32', value: -5 }, g: { type: 'f32', value: 0.5 }, h: { type: 'bool', value: true }, i: { type: 'u64', value: 2n ** 60n }, j: { type: 'i64', value: -7n },
  k: { type: 'f64', value: Math.PI }, l: { type: 'strings', value: ['x', '', 'ü', Uint8Array.of(0xff, 0xfe)] }, m: { type: 'f32s', value: [1, 2.5] }, n: { type: 'i32s', value: [-1, 7] },
};

test('every type of array comes back; a number that its type does not hold is refused', async () => {
  const { metadata } = await read(writeGguf({
    a: { type: 'u8s', value: [0, 255] }, b: { type: 'i16s', value: Int16Array.of(-300, 7) }, c: { type: 'u32s', value: [4e9] }, d: { type: 'f64s', value: [Math.PI] },
    e: { type: 'u64s', value: [2n ** 60n] }, f: { type: 'i64s', value: BigInt64Array.of(-7n) }, g: { type: 'bools', value: [true, false] }, h: { type: 'i8s', value: [] },
  }, []));
  assert.equal(Object.fromEntries([...metadata].map(([key, value]) => [key, [...(value as Iterable<unknown>)]])), { a: [0, 255], b: [-300, 7], c: [4e9], d: [Math.PI], e: [2n ** 60n], f: [-7n], g: [1, 0], h: [] });
  for (const value of [{ type: 'u8', value: 256 }, { type: 'i32', value: 0.5 }, { type: 'u32s', value: [1, -1] }, { type: 'u16', value: NaN }] as const) {
    assert.is(await code(() => Promise.resolve().then(() => writeGguf({ value }, []))), 'E_OPTION');
  }
  assert.is(await code(() => Promise.resolve().then(() => writeGguf({}, [], { alignment: 3 }))), 'E_OPTION');
});

test('every type of value comes back, in both versions', async () => {
  for (const version of [2, 3] as const) for (const alignment of [1, 32, 4096]) {
    const { metadata, tensors, version: found } = await read(writeGguf(sample, [tensor('t', [3, 2], f32(1, 2, 3, 4, 5, 6)), tensor('u', [1])], { version, alignment }));
    assert.is(found, version);
    for (const key of 'abcdefghk') assert.is(metadata.get(key), (sample[key] as { value: number }).value);
    assert.is(metadata.get('i'), 2n ** 60n);
    assert.is(metadata.get('j'), -7);
    const strings = metadata.get('l') as StringArray;
    assert.equal(strings.toArray(), ['x', '', 'ü', '\uFFFD\uFFFD']);
    assert.equal([...strings.bytesAt(3)], [0xff, 0xfe]);
    assert.equal([...(metadata.get('m') as Float32Array)], [1, 2.5]);
    assert.equal([...(metadata.get('n') as Int32Array)], [-1, 7]);
    assert.is(tensors.get('t')!.offset % alignment, 0);
    assert.is(tensors.get('t')!.bytes, 24);
  }
});

test('random files round-trip', async () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }).filter((s) => !/^\d+$/.test(s) && !s.startsWith('split.') && s !== 'general.alignment'), { maxLength: 8 });
  await fc.assert(fc.asyncProperty(names, fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })), { maxLength: 5 }), async (keys, shapes) => {
    const metadata = Object.fromEntries(keys.map((key, i) => [key, { type: 'string', value: key.repeat(i) } as const]));
    const file = await read(writeGguf(metadata, shapes.map((dims, i) => tensor(`t${i}`, dims))));
    assert.equal([...file.metadata], keys.map((key, i) => [key, key.repeat(i)]));
    assert.equal([...file.tensors.values()].map(({ dims }) => dims), shapes);
  }), { numRuns: 60, seed: 2 });
});

test('the oracle reads the same', async () => {
  for (const name of ['llama.gguf', 'gpt2.gguf']) {
    const path = tinyPath(name);
    const ours = await read(new Uint8Array(readFileSync(path)));
    const theirs = await oracle(path, { allowLocalFile: true });
    assert.equal([...ours.tensors.keys()], theirs.tensorInfos.map((t) => t.name));
    for (const info of theirs.tensorInfos) {
      const own = ours.tensors.get(info.name)!;
      assert.equal(own.dims, info.shape.map(Number));
      assert.is(own.offset, Number(info.offset) + Number((theirs as unknown as { tensorDataOffset: bigint }).tensorDataOffset));
    }
    for (const [key, value] of ours.metadata) {
      const their = (theirs.metadata as Record<string, unknown>)[key];
      if (value instanceof StringArray) assert.equal(value.toArray(), their);
      else if (typeof value !== 'object') assert.is(String(value), String(their), key);
    }
  }
});

test('the embedded model', async () => {
  const source = await openFile(embeddedModel);
  const file = await readGguf(source);
  await source.close();
  assert.is(file.tensors.size, 272);
  assert.is(file.size, 98_362_432);
  assert.is((file.metadata.get('tokenizer.ggml.tokens') as StringArray).length, 49_152);
});

test('cut at any byte: truncated, and nothing else', async () => {
  const whole = writeGguf(sample, [tensor('t', [8, 4])]);
  for (let length = 0; length < whole.length; length++) assert.is(await code(whole.slice(0, length)), 'E_GGUF_TRUNCATED', `at ${length}`);
  assert.is(await code(whole), 'none');
});

/** The sample with a number overwritten. */
function patched(offset: number, write: (view: DataView, at: number) => void): Uint8Array {
  const bytes = writeGguf({ k: { type: 'string', value: 'v' } }, [tensor('t', [8, 4])]);
  write(new DataView(bytes.buffer), offset);
  return bytes;
}

test('hostile headers', async () => {
  const big = (view: DataView, at: number): void => view.setBigUint64(at, 2n ** 63n, true);
  assert.is(await code(patched(0, (v, at) => v.setUint32(at, 0x12345678))), 'E_GGUF_MAGIC');
  assert.is(await code(patched(4, (v, at) => v.setUint32(at, 1, true))), 'E_GGUF_VERSION');
  assert.is(await code(patched(4, (v, at) => v.setUint32(at, 3))), 'E_GGUF_VERSION'); // big-endian
  for (const at of [8, 16, 24]) assert.is(await code(patched(at, big)), 'E_GGUF_LIMIT', `count at ${at}`); // tensors, keys, key length
  assert.is(await code(patched(33, (v, at) => v.setUint32(at, 99, true))), 'E_GGUF_TYPE'); // value type of k
  assert.is(await code(writeGguf({ a: { type: 'u32', value: 1 } }, [tensor('t', [4]), { ...tensor('t', [4]) }])), 'E_GGUF_TENSOR'); // twice
  assert.is(await code(writeGguf({ 'general.alignment': { type: 'u32', value: 33 } }, [])), 'E_GGUF_KEY');
  const tensorInfo = 24 + (8 + 1) + 4 + (8 + 1); // behind the header, key and value
  const dims = tensorInfo + 8 + 1;
  assert.is(await code(patched(dims, (v, at) => v.setUint32(at, 5, true))), 'E_GGUF_LIMIT');
  assert.is(await code(patched(dims + 4, big)), 'E_GGUF_LIMIT');
  assert.is(await code(patched(dims + 4, (v, at) => v.setBigUint64(at, 2n ** 39n, true))), 'E_GGUF_TENSOR'); // product
  assert.is(await code(patched(dims + 4, (v, at) => v.setBigUint64(at, 0n, true))), 'E_GGUF_TENSOR');
  assert.is(await code(patched(dims + 20, (v, at) => v.setUint32(at, 77, true))), 'E_GGUF_TYPE');
  assert.is(await code(patched(dims + 20, (v, at) => v.setUint32(at, 2, true))), 'E_GGUF_TENSOR'); // q4_0 rows of 8 values
  assert.is(await code(patched(dims + 24, (v, at) => v.setBigUint64(at, 5n, true))), 'E_GGUF_TENSOR'); // misaligned
  assert.is(await code(patched(dims + 24, (v, at) => v.setBigUint64(at, 2n ** 62n, true))), 'E_GGUF_TENSOR');
  assert.is(await code(patched(dims + 24, (v, at) => v.setBigUint64(at, 3200n, true))), 'E_GGUF_TENSOR'); // a gap before it
});

test('tensors lie one behind the other, on multiples of the alignment, as llama.cpp demands', async () => {
  const bytes = writeGguf({}, [tensor('a', [8]), tensor('b', [8])]);
  const view = new DataView(bytes.buffer);
  const second = 24 + (8 + 1 + 4 + 8 + 4 + 8) + (8 + 1 + 4 + 8 + 4); // offset field of b
  assert.is(view.getBigUint64(second, true), 32n);
  for (const wrong of [0n, 8n, 64n]) { // overlapping, off the alignment, behind a gap
    view.setBigUint64(second, wrong, true);
    assert.is(await code(bytes), 'E_GGUF_TENSOR', `${wrong}`);
  }
  view.setBigUint64(second, 32n, true);
  bytes[24 + 8 + 1 + 4] = 4; // a of half its size, which leaves a gap only where the alignment shows it
  assert.is(await code(bytes), 'none');
  const halved = writeGguf({}, [tensor('a', [32]), tensor('b', [8])]);
  halved[24 + 8 + 1 + 4] = 16;
  assert.is(await code(halved), 'E_GGUF_TENSOR');
});

test('alignment: a u32 and a power of two, however large', async () => {
  for (const value of [0, 3, 33, 96]) assert.is(await code(writeGguf({ 'general.alignment': { type: 'u32', value } }, [])), 'E_GGUF_KEY', `${value}`);
  for (const type of ['u16', 'i32', 'u64', 'f32'] as const) {
    const value = type === 'u64' ? { type, value: 32n } as const : { type, value: 32 } as const;
    assert.is(await code(writeGguf({ 'general.alignment': value }, [])), 'E_GGUF_KEY', type);
  }
  for (const alignment of [1, 8, 2 ** 21]) assert.is(await code(writeGguf({}, [tensor('a', [3]), tensor('b', [5])], { alignment })), 'none', `${alignment}`);
  const file = await read(writeGguf({ 'general.alignment': { type: 'u32', value: 4096 }, 'tokenizer.ggml.model': { type: 'string', value: 'gpt2' } }, []));
  assert.is(file.size, file.metadataEnd, 'a file without tensors needs no padding');
});

test('names: none empty, none twice; a long one harms nobody', async () => {
  assert.is(await code(writeGguf({ '': { type: 'u8', value: 1 } }, [])), 'E_GGUF_KEY');
  assert.is(await code(writeGguf({}, [tensor('a', [4]), tensor('a', [4])])), 'E_GGUF_TENSOR');
  assert.is(await code(writeGguf({}, [tensor('n'.repeat(200), [4])])), 'none');
  const twice = writeGguf({ a: { type: 'u8', value: 1 }, b: { type: 'u8', value: 1 } }, []);
  twice[24 + 9 + 5 + 8] = 0x61;
  assert.is(await code(twice), 'E_GGUF_KEY');
});

test('arrays keep their type: what may differ by layer stands in one', async () => {
  const values: Record<string, WriteValue> = {
    u8: { type: 'u8s', value: [1, 255] }, i8: { type: 'i8s', value: [-1, 5] }, u16: { type: 'u16s', value: [65535, 0] }, i16: { type: 'i16s', value: [-300, 2] },
    u32: { type: 'u32s', value: [4e9, 8] }, i32: { type: 'i32s', value: [-7, 32] }, f64: { type: 'f64s', value: [Math.PI] }, bool: { type: 'bools', value: [true, false, true] },
    u64: { type: 'u64s', value: [2n ** 60n] }, i64: { type: 'i64s', value: [-9n] }, none: { type: 'u32s', value: [] },
  };
  const { metadata } = await read(writeGguf(values, []));
  const expected = {
    u8: Uint8Array.of(1, 255), i8: Int8Array.of(-1, 5), u16: Uint16Array.of(65535, 0), i16: Int16Array.of(-300, 2), u32: Uint32Array.of(4e9, 8), i32: Int32Array.of(-7, 32),
    f64: Float64Array.of(Math.PI), bool: Uint8Array.of(1, 0, 1), u64: BigUint64Array.of(2n ** 60n), i64: BigInt64Array.of(-9n), none: new Uint32Array(0),
  };
  for (const [key, value] of Object.entries(expected)) {
    assert.is(metadata.get(key)!.constructor, value.constructor, key);
    assert.equal(metadata.get(key), value, key);
  }
});

test('invalid UTF-8 in a key is an error, in a value it is not', async () => {
  const bytes = writeGguf({ key: { type: 'string', value: 'abc' } }, []);
  const value = bytes.slice();
  value[bytes.length - 1] = 0xff;
  assert.is(await code(value), 'none');
  bytes[24 + 8] = 0xff;
  assert.is(await code(bytes), 'E_GGUF_KEY');
});

test('split models: in order, complete, each part once', async () => {
  const part = (no: number, count: number, name: string, total = 2): Uint8Array => writeGguf({
    ...(no === 0 ? sample : {}), 'split.no': { type: 'u16', value: no }, 'split.count': { type: 'u16', value: count }, 'split.tensors.count': { type: 'i32', value: total },
  }, [tensor(name, [4])]);
  const sources = (...parts: Uint8Array[]) => parts.map((bytes, i) => new MemorySource(bytes, `part ${i}`));
  const file = await readGguf(sources(part(0, 2, 'a'), part(1, 2, 'b')));
  assert.equal([...file.tensors.values()].map(({ name, part: index }) => [name, index]), [['a', 0], ['b', 1]]);
  assert.is(file.metadata.get('general.architecture'), 'llama');
  assert.is(await code(() => readGguf(sources(part(1, 2, 'b'), part(0, 2, 'a')))), 'E_GGUF_SPLIT');
  assert.is(await code(() => readGguf(sources(part(0, 2, 'a')))), 'E_GGUF_SPLIT');
  assert.is(await code(() => readGguf(sources(part(0, 2, 'a'), part(1, 2, 'a')))), 'E_GGUF_TENSOR');
  assert.is(await code(() => readGguf(sources(part(0, 2, 'a', 5), part(1, 2, 'b', 5)))), 'E_GGUF_SPLIT');
  assert.is(await code(() => readGguf([])), 'E_GGUF_SPLIT');
  assert.is((await readGguf(sources(part(0, 0, 'a', 1)))).tensors.size, 1, 'parts that llama-gguf-split joined: a count of 0');
  await readGguf(sources(part(1, 3, 'b'))).then(() => assert.unreachable(), ({ message }: Error) => { assert.match(message, /found part 2 of 3 alone; expected all 3/); });
  assert.equal(splitNames('dir/m-00001-of-00003.gguf'), ['dir/m-00001-of-00003.gguf', 'dir/m-00002-of-00003.gguf', 'dir/m-00003-of-00003.gguf']);
  assert.is(splitNames('model.gguf'), undefined);
});

test('a stream of odd pieces reads like a file', async () => {
  const bytes = new Uint8Array(readFileSync(tinyPath('llama.gguf')));
  let at = 0, size = 1;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) { controller.close(); return; }
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
      size = (size * 7 + 3) % 9973 + 1;
    },
  });
  const source = new StreamSource(stream);
  const file = await readGguf(source), expected = await read(bytes);
  assert.equal([...file.tensors], [...expected.tensors]);
  const last = [...file.tensors.values()].at(-1)!;
  const data = new Uint8Array(last.bytes);
  assert.is(await source.read(last.offset, data), last.bytes);
  assert.equal(Buffer.from(data).equals(Buffer.from(bytes.subarray(last.offset, last.offset + last.bytes))), true);
  await source.close();
});

test.run();
