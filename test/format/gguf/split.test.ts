/** Models cut into parts: every tensor whole and once, all metadata in the first part, and the model computes what it did. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../../src/bytes/memory.ts';
import { readGguf } from '../../../src/format/gguf/read.ts';
import { splitGguf } from '../../../src/format/gguf/split-model.ts';
import { splitName, splitNames } from '../../../src/format/gguf/split.ts';
import { writeGguf } from '../../../src/format/gguf/write.ts';
import { load } from '../../../src/text/load.ts';
import { codeOf } from '../../helpers/errors.ts';
import { tinyPath } from '../../helpers/models.ts';

const test = suite('split models');
const whole = readFileSync(tinyPath('llama.gguf'));

async function partsOf(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const parts = splitGguf(await readGguf(new MemorySource(bytes)), maxBytes), result: Uint8Array<ArrayBuffer>[] = [];
  for (const part of parts) {
    const pieces: Uint8Array[] = [];
    for await (const piece of part.read()) pieces.push(piece);
    const joined = new Uint8Array(Buffer.concat(pieces));
    assert.is(joined.length, part.bytes, 'the size promised is the size read');
    assert.ok(joined.length <= maxBytes, `${joined.length} bytes of ${maxBytes}`);
    result.push(joined);
  }
  return result;
}

test('parts hold every tensor once, in order, with all metadata in the first', async () => {
  const original = await readGguf(new MemorySource(whole));
  const largest = Math.max(...[...original.tensors.values()].map(({ bytes }) => bytes));
  const parts = await partsOf(whole, original.metadataEnd + largest + 4096);
  assert.ok(parts.length > 2, `${parts.length} parts`);
  const file = await readGguf(parts.map((part) => new MemorySource(part)));
  const own = [...file.metadata].filter(([key]) => !key.startsWith('split.'));
  assert.equal(own, [...original.metadata]);
  assert.equal([...file.tensors.keys()].sort(), [...original.tensors.keys()].sort());
  for (const [name, { part, offset, bytes, dims, dtype }] of file.tensors) {
    const before = original.tensors.get(name)!;
    assert.equal({ dims, dtype, bytes }, { dims: before.dims, dtype: before.dtype, bytes: before.bytes });
    assert.ok(Buffer.compare(parts[part]!.subarray(offset, offset + bytes), whole.subarray(before.offset, before.offset + bytes)) === 0, name);
  }
});

test('a split model computes what the whole one does, also from streams', async () => {
  const parts = await partsOf(whole, Math.ceil(whole.length / 2)), tokens = [1, 5, 9, 2];
  const logitsOf = async (source: Parameters<typeof load>[0]): Promise<Float32Array> => {
    const model = await load(source, { tier: 'base' });
    const { logits } = await model.evaluate(tokens);
    model.close();
    return logits;
  };
  const expected = await logitsOf(new Uint8Array(whole));
  assert.equal(await logitsOf(parts), expected);
  assert.equal(await logitsOf(parts.map((part) => new Blob([part]).stream())), expected);
});

test('an alignment of its own stays with the first part', async () => {
  const tensors = ['a', 'b', 'c'].map((name, i) => ({ name, dims: [300], dtype: 'f32' as const, data: new Uint8Array(1200).fill(i + 1) }));
  const bytes = writeGguf({ 'general.architecture': { type: 'string', value: 'x' } }, tensors, { alignment: 1024 });
  const parts = await partsOf(bytes, 3500), file = await readGguf(parts.map((part) => new MemorySource(part)));
  assert.is(file.tensors.get('a')!.offset % 1024, 0);
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    const { part, offset } = file.tensors.get(name)!;
    assert.equal(parts[part]!.subarray(offset, offset + 1200), new Uint8Array(1200).fill(i + 1));
  }
});

test('refused: parts too small for a tensor, a part split again', async () => {
  assert.is(await codeOf(async () => splitGguf(await readGguf(new MemorySource(whole)), 1000)), 'E_OPTION');
  const parts = await partsOf(whole, Math.ceil(whole.length / 2));
  assert.is(await codeOf(async () => splitGguf(await readGguf(parts.map((part) => new MemorySource(part))), 1e9)), 'E_OPTION');
  const joined = writeGguf({ 'split.no': { type: 'u16', value: 0 }, 'split.count': { type: 'u16', value: 0 } }, []);
  const file = await readGguf(new MemorySource(joined));
  assert.throws(() => splitGguf(file, 1e9), /was in parts.*clada split --by bytes/);
});

test('a part that is not there is told as one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clada-split-')), parts = await partsOf(whole, Math.ceil(whole.length / 2));
  const path = join(folder, splitName('m', 0, parts.length));
  await writeFile(path, parts[0]!);
  await load(path).then(() => assert.unreachable(), ({ message }: Error) => {
    assert.match(message, new RegExp(`${splitName('m', 1, parts.length)}: found ENOENT: part 2 of ${parts.length} of a split model; .*E_NOT_FOUND`));
  }).finally(() => rm(folder, { recursive: true }));
});

test('names', () => {
  assert.is(splitName('m', 0, 12), 'm-00001-of-00012.gguf');
  assert.equal(splitNames(splitName('a/m', 1, 2)), ['a/m-00001-of-00002.gguf', 'a/m-00002-of-00002.gguf']);
});

test.run();
