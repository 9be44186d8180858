/** Plans: what is decided before a byte of weights is read, and what is refused. */
import { readdirSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import { openFile } from '../../src/bytes/file.ts';
import type { CladaError } from '../../src/errors.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { GgufFile, GgufTensor } from '../../src/format/gguf/types.ts';
import { dtypes } from '../../src/format/gguf/types.ts';
import { writeGguf, type WriteTensor, type WriteValue } from '../../src/format/gguf/write.ts';
import { describePlan, planModel } from '../../src/model/plan.ts';
import { cacheBytes, defaultKv, layoutSequence, planMemory } from '../../src/model/memory.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';
import { rewritten } from '../helpers/twin.ts';
import { variantBytes } from '../helpers/variants.ts';

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
  assert.is(plan.tiedHead, true);
  assert.is(plan.params, 134_515_008);
  assert.is(plan.weightBytesPerToken, 96_436_224);
  const { layers, layerHeads, layerKvHeads, layerFfn, layerWindows, ...rest } = plan.hparams, rope = { dim: 64, base: 100_000, scale: 1, magnitude: 1 };
  assert.equal(rest, {
    architecture: 'llama', name: 'Smollm2 135M 8k Lc100K Mix1 Ep2', hidden: 576, ffn: 1536, nLayers: 30, heads: 9, kvHeads: 3, headDim: 64, vocab: 49_152, contextLength: 8192,
    headStride: 64, normEps: rest.normEps, rope, windowRope: rope, ropes: [{ kind: 'adjacent', ...rope }], activation: undefined, own: {}, embedScale: 1, logitScale: 1, logitCap: 0,
    pooling: -1, convTaps: 0,
  });
  assert.equal([layerHeads, layerKvHeads, layerFfn, layerWindows].map((values) => values.length), [30, 30, 30, 30]);
  for (const { tensors: roles, ...row } of layers) {
    assert.equal(row, {
      heads: 9, kvHeads: 3, ffn: 1536, activation: 'silu', rope: { kind: 'adjacent', ...rope }, attnScale: 0.125, attnCap: 0, window: 0, residualScale: 1, parallel: false, normTurned: false,
    });
    assert.is(roles.filter(({ optional }) => !optional).length, 9);
  }
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

test('the default cache: 8 bits for small heads whose keys have no bias, else f16', async () => {
  const kvOf = async (file: string): Promise<string> => defaultKv(planModel(await header(file)));
  assert.is(await kvOf(embeddedModel), 'q8');
  assert.is(await kvOf(tinyPath('gpt2.gguf')), 'f16', 'keys have a bias');
  const { hparams, ...rest } = planModel(await header(tinyPath('llama.gguf')));
  assert.is(defaultKv({ ...rest, hparams: { ...hparams, headDim: 64 } }), 'q8');
  assert.is(defaultKv({ ...rest, hparams: { ...hparams, headDim: 128 } }), 'f16', 'heads are wide');
});

test('a family that is not known is refused with a list of those that are', async () => {
  assert.match(refusal(() => planModel({ ...({} as GgufFile), metadata: new Map([['general.architecture', 'rwkv6']]), tensors: new Map([['token_embd.weight', {} as GgufTensor]]) })), /E_FAMILY.*"rwkv6".*llama.*qwen2.*gpt2/s);
});

test('metadata that cannot be', async () => {
  for (const [key, value] of [
    ['llama.block_count', { type: 'u32', value: 0 }], ['llama.embedding_length', { type: 'u32', value: 1e6 }], ['llama.attention.head_count', { type: 'u32', value: 3 }],
    ['llama.attention.head_count_kv', { type: 'u32', value: 3 }], ['llama.attention.layer_norm_rms_epsilon', { type: 'f32', value: -1 }], ['llama.attention.key_length', { type: 'u32', value: 0 }],
    ['llama.rope.dimension_count', { type: 'u32', value: 7 }], ['llama.rope.scaling.type', { type: 'string', value: 'longrope' }], ['llama.context_length', { type: 'f32', value: 1.5 }],
  ] as [string, WriteValue][]) {
    const file = await made({ [key]: value });
    assert.match(refusal(() => planModel(file)), /^E_HPARAM/, key);
  }
  const noLayers = await made({ 'llama.block_count': undefined });
  assert.match(refusal(() => planModel(noLayers)), /^E_GGUF_KEY .*llama\.block_count/);
  const nan = await made({ 'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: NaN } });
  assert.match(refusal(() => planModel(nan)), /^E_(GGUF_KEY|HPARAM)/);
});

test('keys that nobody reads: refused with their value, unless they say what is so anyway', async () => {
  const u32 = (value: number): WriteValue => ({ type: 'u32', value }), f32 = (value: number): WriteValue => ({ type: 'f32', value }), bool = (value: boolean): WriteValue => ({ type: 'bool', value });
  for (const [key, value] of [
    ['final_logit_softcapping', f32(30)], ['attn_logit_softcapping', f32(50)], ['logit_scale', f32(8)], ['residual_scale', f32(0.5)], ['embedding_scale', f32(12)], ['attention.scale', f32(0.5)],
    ['attention.sliding_window', u32(16)], ['attention.causal', bool(false)], ['pooling_type', u32(9)], ['attention.value_length', u32(32)], ['attention.max_alibi_bias', f32(8)],
    ['rope.scaling.attn_factor', f32(-1)], ['rope.scaling.yarn_beta_fast', f32(8)], ['rope.scaling.factor', f32(-2)], ['rope.scale_linear', f32(Infinity)], ['use_parallel_residual', bool(true)], ['a.new.key', u32(7)],
    ['rope.dimension_sections', { type: 'i32s', value: [8, 4, 4, 0] }],
  ] as [string, WriteValue][]) {
    const file = await made({ [`llama.${key}`]: value }), message = refusal(() => planModel(file));
    assert.ok(message.startsWith('E_HPARAM') && message.includes(`llama.${key}`), message);
    assert.ok(message.includes('value' in value && !Array.isArray(value.value) ? String(Math.fround(Number(value.value)) === Number(value.value) ? value.value : Math.fround(Number(value.value))) : '4 values'), message);
  }
  for (const [key, value] of [
    ['vocab_size', u32(40)], ['expert_count', u32(0)], ['expert_used_count', u32(0)], ['logit_scale', f32(1)], ['residual_scale', f32(0)], ['final_logit_softcapping', f32(0)], ['attention.causal', bool(true)],
    ['pooling_type', u32(0)], ['attention.sliding_window', u32(4096)], ['attention.sliding_window', u32(0)], ['rope.scaling.attn_factor', f32(1)], ['rope.scaling.type', { type: 'string', value: 'none' }],
    ['rope.scaling.original_context_length', u32(64)], ['rope.scaling.finetuned', bool(true)], ['tensor_data_layout', { type: 'string', value: 'Meta AI original pth' }],
    ['attention.layer_norm_epsilon', f32(1e-5)], ['attention.key_length', u32(16)], ['attention.value_length', u32(16)],
  ] as [string, WriteValue][]) {
    const file = await made({ [`llama.${key}`]: value, 'other.key': u32(1) });
    assert.is(refusal(() => planModel(file)), 'none', key);
  }
});

test('windows: in the periods that the file or its family says, else refused by name', async () => {
  const bytes = await variantBytes('olmo2: windows, and two tables of angles');
  const planned = async (keys: Record<string, WriteValue>): Promise<readonly number[]> => {
    const own = Object.fromEntries(Object.entries(keys).map(([key, value]) => [`olmo2.${key}`, value]));
    const changed = await rewritten(bytes, ({ metadata }) => { Object.assign(metadata, own); });
    return planModel(await readGguf(new MemorySource(changed))).hparams.layers.map(({ window }) => window);
  };
  const pattern = (...value: boolean[]): Record<string, WriteValue> => ({ 'attention.sliding_window_pattern': { type: 'bools', value } });
  const period = (value: number): Record<string, WriteValue> => ({ 'attention.sliding_window_pattern': { type: 'u32', value } });
  const base = (value: number): Record<string, WriteValue> =>
    ({ 'rope.freq_base': { type: 'f32', value: 5e5 }, 'rope.freq_base_swa': { type: 'f32', value } });
  for (const keys of [{}, period(4), pattern(true, true, true, false, true), base(5e5)]) assert.equal(await planned(keys), [5, 5, 5, 0, 5]);
  assert.equal(await planned(period(2)), [5, 0, 5, 0, 5]);
  assert.equal(await planned(pattern(true, false, false, true, true)), [5, 0, 0, 5, 5]);
  for (const [keys, name] of [
    [pattern(true, true, true, false), 'attention.sliding_window_pattern'],
    [period(0), 'attention.sliding_window_pattern'], [period(1), 'attention.sliding_window'], [base(1e4), 'rope.freq_base_swa'],
  ] as const) {
    const message = await planned(keys).then(String, (error: CladaError) => `${error.code} ${error.message}`);
    assert.ok(message.startsWith(`E_HPARAM metadata key olmo2.${name}:`), message);
  }
});

test('head counts and widths, one for all layers or one a layer', async () => {
  const i32s = (...value: number[]): WriteValue => ({ type: 'i32s', value }), two: WriteValue = { type: 'u32', value: 2 };
  const second = tensors({ 'blk.0.attn_k.weight': [32, 16], 'blk.0.attn_v.weight': [32, 16], 'blk.0.ffn_gate.weight': [32, 96], 'blk.0.ffn_up.weight': [32, 96], 'blk.0.ffn_down.weight': [96, 32] })
    .filter(({ name }) => name.startsWith('blk')).map((one) => ({ ...one, name: one.name.replace('blk.0', 'blk.1') }));
  const keys = { 'llama.block_count': two, 'llama.attention.head_count': i32s(2, 2), 'llama.attention.head_count_kv': i32s(2, 1), 'llama.feed_forward_length': i32s(64, 96) };
  const file = await made(keys, [...tensors(), ...second]), plan = planModel(file), { hparams } = plan;
  assert.equal([hparams.heads, hparams.kvHeads, hparams.ffn, hparams.layers.map(({ kvHeads, ffn }) => [kvHeads, ffn])], [2, 2, 96, [[2, 64], [1, 96]]]);
  assert.is(cacheBytes(hparams, 'f32', 64), 4 * 3 * 16 * 64, 'three heads in all, not four');
  for (const [key, value] of [
    ['attention.head_count_kv', i32s(2, 1, 1)], ['attention.head_count_kv', i32s(2, 0)], ['attention.head_count', i32s(3, 2)], ['feed_forward_length', i32s(64)], ['feed_forward_length', i32s(64, 1e6)],
  ] as const) {
    const wrong = await made({ ...keys, [`llama.${key}`]: value }, [...tensors(), ...second]);
    assert.match(refusal(() => planModel(wrong)), /^E_HPARAM/, key);
  }
  const swapped = await made({ ...keys, 'llama.feed_forward_length': i32s(96, 64) }, [...tensors(), ...second]);
  assert.match(refusal(() => planModel(swapped)), /^E_TENSOR_SHAPE .*blk\.0\.ffn_gate/);
});

test('RoPE scaling as llama.cpp reads it: linear unless said otherwise, the old key where the new one is absent', async () => {
  const f32 = (value: number): WriteValue => ({ type: 'f32', value }), type = (value: string): WriteValue => ({ type: 'string', value });
  for (const [keys, scale] of [
    [{ factor: f32(4) }, 0.25], [{ type: type('linear'), factor: f32(4) }, 0.25], [{ type: type('none'), factor: f32(4) }, 1], [{ factor: f32(0) }, 1], [{ type: type('linear') }, 1],
  ] as [Record<string, WriteValue>, number][]) {
    const file = await made(Object.fromEntries(Object.entries(keys).map(([key, value]) => [`llama.rope.scaling.${key}`, value])));
    assert.is(planModel(file).hparams.rope.scale, scale);
  }
  assert.is(planModel(await made({ 'llama.rope.scale_linear': f32(2) })).hparams.rope.scale, 0.5);
  assert.is(planModel(await made({ 'llama.rope.scale_linear': f32(2), 'llama.rope.scaling.factor': f32(4) })).hparams.rope.scale, 0.25);
  const both = await made({ 'llama.rope.scaling.type': type('yarn'), 'llama.rope.scaling.factor': f32(4) }, tensors({ 'rope_freqs.weight': [8] }));
  assert.match(refusal(() => planModel(both)), /^E_HPARAM .*yarn.*rope_freqs/);
});

test('tensors that no part of the family takes: refused with their names', async () => {
  for (const name of ['blk.0.attn_q_norm.weight', 'blk.0.attn_sinks.weight', 'blk.0.ffn_gate.scale', 'rope_factors_long.weight', 'output.bias', 'cls.weight', 'blk.1.attn_norm.weight']) {
    const file = await made({}, tensors({ [name]: [32] })), message = refusal(() => planModel(file));
    assert.ok(message.startsWith('E_TENSOR_UNKNOWN') && message.includes(name), message);
  }
  const biased = planModel(await made({}, tensors({ 'blk.0.attn_output.bias': [32], 'blk.0.ffn_gate.bias': [64] })));
  assert.equal(biased.tensors.filter(({ role }) => role.field.endsWith('Bias')).map(({ role }) => role.field), ['oBias', 'gateBias']);
});

test('every file of a known family loads', async () => {
  for (const file of readdirSync(new URL('../fixtures/tiny/', import.meta.url)).filter((name) => name.endsWith('.gguf') && !name.startsWith('gemma'))) {
    const gguf = await header(tinyPath(file));
    assert.is(refusal(() => planModel(gguf)), 'none', file);
  }
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

/** A llama of so many layers, as wide as those of 8B, from a header alone. */
async function large(nLayers: number, dtype: GgufTensor['dtype']): Promise<GgufFile> {
  const width: Record<number, number> = { 32: 4096, 40: 128_256, 64: 14_336 }, { blockSize, typeSize } = dtypes[dtype];
  const small = await made({}), layers = [...small.tensors.values()].flatMap((tensor) =>
    (tensor.name.startsWith('blk.') ? Array.from({ length: nLayers }, (_, i) => ({ ...tensor, name: tensor.name.replace('blk.0', `blk.${i}`) })) : [tensor]));
  const metadata = new Map([...small.metadata, ...Object.entries({
    'llama.block_count': nLayers, 'llama.context_length': 8192, 'llama.embedding_length': 4096, 'llama.feed_forward_length': 14_336, 'llama.attention.head_count': 32,
  })]);
  return { ...small, metadata, tensors: new Map(layers.map((tensor) => {
    const dims = tensor.dims.map((dim) => width[dim] ?? dim), values = dims.reduce((a, b) => a * b, 1), isVector = dims.length === 1;
    return [tensor.name, { ...tensor, dims, dtype: isVector ? 'f32' : dtype, bytes: isVector ? 4 * values : (values / blockSize) * typeSize }];
  })) };
}

test('memory: weights that do not fit are refused with what would', async () => {
  const asked = async (nLayers: number, dtype: GgufTensor['dtype'], precision: 'fast' | 'exact' = 'fast', maxBytes?: number): Promise<string> => {
    const plan = planModel(await large(nLayers, dtype), precision);
    return refusal(() => planMemory(plan, { contextSize: 4096, kv: 'q8' }, maxBytes));
  };
  assert.match(await asked(32, 'f16'), /^E_WONT_FIT .*Not even a context of one token fits\. What would fit, with contextSize 512 and kv "q8": this model in Q2_K or smaller \(about 3\.3 GB\)/);
  assert.match(await asked(160, 'q4_0'), /^E_WONT_FIT .*No usual quantisation of it would fit: use a smaller model, of at most about \d\.\d billion parameters in Q4_K_M/);
  assert.match(await asked(16, 'q4_0', 'exact'), /^E_WONT_FIT .*With precision "fast" the weights take 2\.\d GB, which fits/);
  assert.match(await asked(16, 'q4_0', 'fast', 1e9), /^E_WONT_FIT .*expected at most 1000000000.*No usual quantisation .* 1\.5 billion/);
  assert.match(await asked(16, 'q4_0', 'fast', 1e6), /^E_WONT_FIT .*Nothing of this kind fits/);
});

test('memory: bytes by part, and what would fit when it does not', async () => {
  const plan = planModel(await header(embeddedModel));
  const memory = planMemory(plan, { contextSize: 2048, kv: 'q8' });
  assert.equal([memory.sequences, memory.kv], [8, 8 * 2 * 30 * 3 * (64 + 4) * 2048]);
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
