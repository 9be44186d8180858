/** Plans: what is decided before a byte of weights is read, and what is refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import { openFile } from '../../src/bytes/file.ts';
import type { CladaError } from '../../src/errors.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { GgufFile } from '../../src/format/gguf/types.ts';
import { writeGguf, type WriteTensor, type WriteValue } from '../../src/format/gguf/write.ts';
import { describePlan, planModel } from '../../src/model/plan.ts';
import { layoutSequence, planMemory } from '../../src/model/memory.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';

async function header(path: string): Promise<GgufFile> {
  const source = await openFile(path);
  return readGguf(source).finally(() => source.close());
}

const meta: Record<string, WriteValue> = {
  'general.architecture': { type: 'string', value: 'llama' }, 'llama.block_count': { type: 'u32', value: 1 }, 'llama.context_length': { type: 'u32', value: 64 },
  'llama.embedding_length': { type: 'u32', value: 32 }, 'llama.feed_forward_length': { type: 'u32', value: 64 }, 'llama.attention.head_count': { type: 'u32', value: 2 },
  'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
};
const shapes: Record<string, number[]> = {
  'token_embd.weight': [32, 40], 'output_norm.weight': [32], 'blk.0.attn_norm.weight': [32], 'blk.0.attn_q.weight': [32, 32], 'blk.0.attn_k.weight': [32, 32],
  'blk.0.attn_v.weight': [32, 32], 'blk.0.attn_output.weight': [32, 32], 'blk.0.ffn_norm.weight': [32], 'blk.0.ffn_gate.weight': [32, 64], 'blk.0.ffn_up.weight': [32, 64], 'blk.0.ffn_down.weight': [64, 32],
};
const tensors = (changes: Record<string, number[] | undefined> = {}): WriteTensor[] => Object.entries({ ...shapes, ...changes }).flatMap(([name, dims]) =>
  (dims ? [{ name, dims, dtype: 'f32' as const, data: new Uint8Array(4 * dims.reduce((a, b) => a * b, 1)) }] : []));
const made = async (metadata: Record<string, WriteValue | undefined>, list = tensors()): Promise<GgufFile> =>
  readGguf(new MemorySource(writeGguf(Object.fromEntries(Object.entries({ ...meta, ...metadata }).filter(([, v]) => v !== undefined)) as Record<string, WriteValue>, list)));

function refusal(run: () => unknown): string {
  try { run(); } catch (error) { return `${(error as CladaError).code} ${(error as Error).message}`; }
  return 'none';
}

const test = suite('plan');

test('the embedded model: every tensor used, its size, its bytes a token', async () => {
  const plan = planModel(await header(embeddedModel));
  assert.is(plan.tensors.length, 272);
  assert.equal(plan.unused, []);
  assert.is(plan.tiedHead, true);
  assert.is(plan.params, 134_515_008);
  assert.is(plan.weightBytesPerToken, 96_436_224);
  assert.equal(plan.hparams, {
    architecture: 'llama', name: 'Smollm2 135M 8k Lc100K Mix1 Ep2', hidden: 576, ffn: 1536, nLayers: 30, heads: 9, kvHeads: 3, headDim: 64, vocab: 49_152, contextLength: 8192,
    normEps: plan.hparams.normEps, ropeDim: 64, ropeBase: 100_000, ropeScale: 1, embedScale: 1, attnScale: 0.125, activation: 'silu',
  });
  assert.ok(describePlan(plan).some((line) => line.includes('210 x q4_1 → q4_1')));
});

test('families: fused tensors are cut, absent heads are tied', async () => {
  const gpt2 = planModel(await header(tinyPath('gpt2.gguf')));
  const q = gpt2.tensors.find(({ role, layer }) => role.field === 'q' && layer === 0)!, v = gpt2.tensors.find(({ role, layer }) => role.field === 'v' && layer === 0)!;
  assert.is(v.offset - q.offset, 2 * 64 * 64 * 4);
  const vBias = gpt2.tensors.find(({ role, layer }) => role.field === 'vBias' && layer === 1)!;
  assert.is(vBias.offset - vBias.source.offset, 2 * 64 * 4);
  assert.is(planModel(await header(tinyPath('llama.gguf'))).tiedHead, false);
  assert.is(planModel(await header(tinyPath('llama-tied.gguf'))).tiedHead, true);
});

test('a family that is not known is refused with a list of those that are', async () => {
  assert.match(refusal(() => planModel({ ...({} as GgufFile), metadata: new Map([['general.architecture', 'gemma']]), tensors: new Map() })), /E_FAMILY.*"gemma".*llama.*qwen2.*gpt2/s);
  const gemma = await header(tinyPath('gemma.gguf'));
  assert.match(refusal(() => planModel(gemma)), /E_FAMILY/);
});

test('metadata that cannot be', async () => {
  for (const [key, value] of [
    ['llama.block_count', { type: 'u32', value: 0 }], ['llama.embedding_length', { type: 'u32', value: 1e6 }], ['llama.attention.head_count', { type: 'u32', value: 3 }],
    ['llama.attention.head_count_kv', { type: 'u32', value: 3 }], ['llama.attention.layer_norm_rms_epsilon', { type: 'f32', value: -1 }], ['llama.attention.key_length', { type: 'u32', value: 12 }],
    ['llama.rope.dimension_count', { type: 'u32', value: 7 }], ['llama.rope.scaling.type', { type: 'string', value: 'yarn' }], ['llama.context_length', { type: 'f32', value: 1.5 }],
  ] as [string, WriteValue][]) {
    const file = await made({ [key]: value });
    assert.match(refusal(() => planModel(file)), /^E_HPARAM/, key);
  }
  const noLayers = await made({ 'llama.block_count': undefined });
  assert.match(refusal(() => planModel(noLayers)), /^E_GGUF_KEY .*llama\.block_count/);
  const nan = await made({ 'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: NaN } });
  assert.match(refusal(() => planModel(nan)), /^E_(GGUF_KEY|HPARAM)/);
});

test('tensors that are missing, misshapen or of an unknown type', async () => {
  const missing = await made({}, tensors({ 'blk.0.ffn_up.weight': undefined }));
  assert.match(refusal(() => planModel(missing)), /^E_TENSOR_MISSING .*blk\.0\.ffn_up/);
  const noEmbedding = await made({}, tensors({ 'token_embd.weight': undefined }));
  assert.match(refusal(() => planModel(noEmbedding)), /^E_TENSOR_MISSING .*token_embd/);
  const shape = await made({}, tensors({ 'blk.0.attn_k.weight': [32, 16] }));
  assert.match(refusal(() => planModel(shape)), /^E_TENSOR_SHAPE .*\[32, 16\].*\[32, 32\]/);
  const dtype = await made({}, tensors().map((t) => (t.name === 'blk.0.ffn_up.weight' ? { ...t, dtype: 'f64' as const, data: new Uint8Array(8 * 32 * 64) } : t)));
  assert.match(refusal(() => planModel(dtype)), /^E_DTYPE .*f64.*q4_k/);
});

test('memory: bytes by part, and what would fit when it does not', async () => {
  const plan = planModel(await header(embeddedModel));
  const memory = planMemory(plan, { contextSize: 2048, kv: 'q8' });
  assert.equal([memory.sequences, memory.kv], [4, 4 * 2 * 30 * 3 * (64 + 4) * 2048]);
  assert.is(layoutSequence(plan.hparams, { contextSize: 2041, kv: 'f16' }).capacity, 2048);
  const tight = refusal(() => planMemory(plan, { contextSize: 8192, kv: 'f32' }, 200 * 2 ** 20));
  const [, f32, q8] = /^E_WONT_FIT .*contextSize (\d+) with kv "f32".*contextSize (\d+) with kv "q8"/s.exec(tight)!;
  for (const [contextSize, kv] of [[Number(f32), 'f32'], [Number(q8), 'q8']] as const) {
    assert.is(refusal(() => planMemory(plan, { contextSize, kv }, 200 * 2 ** 20)), 'none', 'what is offered does fit');
    if (contextSize < 8192) assert.match(refusal(() => planMemory(plan, { contextSize: contextSize + 8, kv }, 200 * 2 ** 20)), /E_WONT_FIT/, 'and is the largest');
  }
  assert.match(refusal(() => planMemory(plan, { contextSize: 8, kv: 'q8' }, 10 * 2 ** 20)), /E_WONT_FIT.*smaller model/s);
  for (const contextSize of [0, -1, 1.5, NaN, 8193]) assert.match(refusal(() => planMemory(plan, { contextSize, kv: 'q8' })), /^E_OPTION/);
  assert.match(refusal(() => planMemory(plan, { contextSize: 8, kv: 'int8' as 'q8' })), /^E_OPTION/);
});

test.run();
