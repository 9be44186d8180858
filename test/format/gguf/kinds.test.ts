/** What people load that is no model: each gets the sentence that fits, and none is told to fetch again what would come the same. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { planModel } from '../../../src/model/plan.ts';
import { MemorySource } from '../../../src/bytes/memory.ts';
import { CladaError } from '../../../src/errors.ts';
import { readGguf } from '../../../src/format/gguf/read.ts';
import type { WriteTensor, WriteValue } from '../../../src/format/gguf/write.ts';
import { writeGguf } from '../../../src/format/gguf/write.ts';
import { load } from '../../../src/text/load.ts';
import { codeOf } from '../../helpers/errors.ts';
import { tinyPath } from '../../helpers/models.ts';

const test = suite('kinds of files');
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const f32 = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const vector = (name: string, dims = [8]): WriteTensor => ({ name, dims, dtype: 'f32', data: f32(...new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(1)) });
const latin = (content: string, length = 64): Uint8Array => Uint8Array.from({ length }, (_, i) => (i < content.length ? content.charCodeAt(i) : (i * 37 + 129) & 255));

async function failure(bytes: Uint8Array | ReadableStream<Uint8Array>): Promise<CladaError> {
  try { await load(bytes, { tier: 'base' }); } catch (error) { if (error instanceof CladaError) return error; throw error; }
  throw new Error('it loaded');
}

const safetensors = (): Uint8Array => {
  const header = text(JSON.stringify({ 'model.embed': { dtype: 'F16', shape: [4], data_offsets: [0, 8] } })), bytes = new Uint8Array(16 + header.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes;
};
const tar = (): Uint8Array => { const bytes = new Uint8Array(1024); bytes.set(text('model.gguf')); bytes.set(text('ustar'), 257); return bytes; };

/** What else a file may be, by its bytes: what is found, and what can be done. */
const others: readonly (readonly [name: string, bytes: Uint8Array, found: RegExp, remedy: RegExp])[] = [
  ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 98362432\n'), /Git LFS pointer to 98362432 bytes/, /git lfs pull/],
  ['a page', text('<!DOCTYPE html>\n<html><head><title>Sign in – Hub</title></head><body>…</body></html>'), /web page.*Sign in/, /address of the download/],
  ['XML', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /AccessDenied/, /have it/],
  ['an error in JSON', text('{"error":"Access to model owner/repo is restricted"}'), /JSON: .*Access to model/, /server answered with an error/],
  ['a configuration', text('{\n  "architectures": ["LlamaForCausalLM"],\n  "hidden_size": 576\n}'), /JSON: .*architectures/, /name the \.gguf file/],
  ['a text', text('Entry not found'), /a text: .*Entry not found/, /address/],
  ['a byte order mark before it', Uint8Array.from([0xef, 0xbb, 0xbf, ...text('Invalid username or password.')]), /Invalid username/, /access/],
  ['safetensors', safetensors(), /safetensors/, /convert_hf_to_gguf/],
  ['zip', latin('PK\x03\x04'), /zip archive.*PyTorch/, /convert_hf_to_gguf/],
  ['pickle', latin('\x80\x02}q'), /pickle/, /convert_hf_to_gguf/],
  ['gzip', latin('\x1f\x8b\x08'), /gzip/, /Unpack/],
  ['tar', tar(), /tar archive/, /Unpack/],
  ['GGML', latin('lmgg'), /GGML.*ancestor/, /Convert the original/],
  ['GGMF', latin('fmgg'), /GGMF/, /Convert the original/],
  ['GGJT', latin('tjgg'), /GGJT/, /Convert the original/],
  ['an old adapter', latin('algg'), /LoRA.*GGLA/, /export-lora/],
  ['swapped magic', latin('FUGG'), /big-endian/, /little-endian/],
  ['a snapshot', latin('CLADAKV\0'), /saved conversation/, /restore/],
  ['zeros', new Uint8Array(5000), /zeros/, /fetch it again/],
  ['noise', latin('\xde\xad\xbe\xef'), /de ad be ef/, /checksum/],
];

test('files of other formats', async () => {
  for (const [name, bytes, found, remedy] of others) {
    const error = await failure(bytes);
    assert.is(error.code, 'E_GGUF_MAGIC', name);
    assert.match(error.found, found, name);
    assert.match(error.remedy, remedy, name);
    if (name !== 'zeros') assert.not.match(error.message, /(fetch|download) it again/i, name);
    assert.ok(error.found.length < 160, 'a sentence, not the file');
  }
});

test('a character that is cut at the edge of what is looked at is text all the same', async () => {
  for (const pad of [0, 1, 2]) assert.match((await failure(text(`${'x'.repeat(pad)}${'é€'.repeat(400)}`))).found, /^a text: /);
});

function withVersion(write: (view: DataView) => void): Uint8Array {
  const bytes = writeGguf({}, [vector('t')]);
  write(new DataView(bytes.buffer));
  return bytes;
}

test('versions that are not read', async () => {
  for (const [version, littleEndian, found, remedy] of [
    [3, false, /big-endian/, /little-endian/], [2, false, /big-endian/, /little-endian/], [1, true, /version 1, of August 2023/, /Convert/],
    [4, true, /version 4, newer/, /Update clada/], [0, true, /version 0/, /damaged/], [77_777, true, /version 77777/, /damaged/],
  ] as const) {
    const error = await failure(withVersion((view) => { view.setUint32(4, version, littleEndian); }));
    assert.is(error.code, 'E_GGUF_VERSION');
    assert.match(error.found, found);
    assert.match(error.remedy, remedy);
  }
});

test('cut short: how many bytes there are, and how many there should be', async () => {
  const whole = new Uint8Array(readFileSync(tinyPath('llama.gguf')));
  const { size } = await readGguf(new MemorySource(whole));
  const data = await failure(whole.subarray(0, size - 1000));
  assert.is(data.code, 'E_GGUF_TRUNCATED');
  assert.match(data.message, new RegExp(`a file of ${size - 1000} bytes; expected ${size}: 1000 are missing.*fetch it again`));
  const header = await failure(whole.subarray(0, 300));
  assert.is(header.code, 'E_GGUF_TRUNCATED');
  assert.match(header.found, /the end of the file at byte 300/);
  for (const nothing of [new Uint8Array(0), new Blob([]).stream()]) {
    const error = await failure(nothing);
    assert.is(error.code, 'E_GGUF_TRUNCATED');
    assert.match(error.found, /an empty file \(0 bytes\)/);
  }
});

const string = (value: string): WriteValue => ({ type: 'string', value });
const llama = { 'general.architecture': string('llama') };

/** Sound GGUF files that are no model by themselves. */
const companions: readonly (readonly [name: string, metadata: Record<string, WriteValue>, tensors: WriteTensor[], code: string, found: RegExp, remedy: RegExp])[] = [
  ['LoRA', { ...llama, 'general.type': string('adapter'), 'adapter.type': string('lora'), 'adapter.lora.alpha': { type: 'f32', value: 16 }, 'general.base_model.0.name': string('SmolLM2') }, [vector('blk.0.attn_q.weight.lora_a')], 'E_KIND', /LoRA for SmolLM2/, /llama-export-lora/],
  ['LoRA without a general type', { ...llama, 'adapter.type': string('lora') }, [vector('a')], 'E_KIND', /LoRA/, /Merge/],
  ['importance matrix', { 'general.type': string('imatrix'), 'imatrix.chunk_count': { type: 'u32', value: 3 } }, [vector('blk.0.ffn_up.weight.in_sum2')], 'E_KIND', /imatrix/, /measured/],
  ['projector', { 'general.architecture': string('clip'), 'general.type': string('mmproj') }, [vector('v.patch_embd.weight')], 'E_KIND', /mmproj/, /language model/],
  ['old projector', { 'general.architecture': string('clip') }, [vector('v.patch_embd.weight')], 'E_KIND', /mmproj/, /language model/],
  ['control vector', { 'general.architecture': string('controlvector') }, [vector('direction.1')], 'E_KIND', /control vector/, /model itself/],
  ['calibration', { 'general.architecture': string('clada-calibration') }, [vector('h_sq')], 'E_KIND', /calibration/, /lies beside/],
  ['encoder', { 'general.architecture': string('bert'), 'bert.pooling_type': { type: 'u32', value: 1 } }, [vector('a')], 'E_KIND', /embeddings of texts/, /writes text/],
  ['reranker', { 'general.architecture': string('qwen3'), 'qwen3.pooling_type': { type: 'u32', value: 4 } }, [vector('a')], 'E_KIND', /ranks of texts/, /writes text/],
  ['vocabulary', { ...llama, 'tokenizer.ggml.model': string('gpt2'), 'tokenizer.ggml.tokens': { type: 'strings', value: ['a'] } }, [], 'E_KIND', /vocabulary without weights/, /whole model/],
];

test('files of the GGUF family that are no model', async () => {
  for (const [name, metadata, tensors, code, found, remedy] of companions) {
    const error = await failure(writeGguf(metadata, tensors));
    assert.is(error.code, code, `${name}: ${error.message}`);
    assert.match(error.found, found, name);
    assert.match(error.remedy, remedy, name);
    assert.not.match(error.message, /(fetch|download|convert).* again/i, name);
  }
});

test('a tensor type that ggml has withdrawn names what took its place; one that is not known may be new', async () => {
  const bytes = writeGguf({}, [vector('t')]), at = 24 + 8 + 1 + 4 + 8;
  for (const [id, found, remedy] of [[31, /Q4_0_4_4.*withdrawn/, /Take the Q4_0 file/], [36, /IQ4_NL_4_4/, /IQ4_NL/], [99, /tensor type 99/, /update clada/]] as const) {
    new DataView(bytes.buffer).setUint32(at, id, true);
    const error = await failure(bytes);
    assert.is(error.code, 'E_GGUF_TYPE');
    assert.match(error.found, found);
    assert.match(error.remedy, remedy);
  }
});

test('ones behind a shape do not count', async () => {
  const original = readFileSync(tinyPath('llama.gguf')), file = await readGguf(new MemorySource(original));
  const metadata = Object.fromEntries([...file.metadata].flatMap(([key, value]) => (typeof value === 'string' ? [[key, string(value)]] : typeof value === 'number' ? [[key, { type: Number.isInteger(value) ? 'u32' : 'f32', value }]] : []))) as Record<string, WriteValue>;
  const tensors = [...file.tensors.values()].map(({ name, dims, dtype, offset, bytes }) => ({ name, dims, dtype, data: original.subarray(offset, offset + bytes) }));
  const model = (change: (tensor: WriteTensor) => WriteTensor): Uint8Array<ArrayBuffer> => writeGguf(metadata, tensors.map(change));
  const planned = async (bytes: Uint8Array): Promise<number> => planModel(await readGguf(new MemorySource(bytes))).weightBytes;
  const weightBytes = await planned(model((tensor) => tensor));
  assert.is(await planned(model((tensor) => ({ ...tensor, dims: [...tensor.dims, 1, 1] }))), weightBytes);
  const norm = (dims: number[]) => model((tensor) => (tensor.name === 'output_norm.weight' ? vector(tensor.name, dims) : tensor)), { dims: [hidden] } = file.tensors.get('output_norm.weight')!;
  for (const wrong of [[hidden!, 2], [1, hidden!]]) assert.is(await codeOf(() => planned(norm(wrong))), 'E_TENSOR_SHAPE');
});

test.run();
