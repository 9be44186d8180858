/** Models whose layers convolve: what of their files is refused, and what their sequences take. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { WriteValue } from '../../src/format/gguf/write.ts';
import { CladaError } from '../../src/index.ts';
import { layoutSequence, layoutWorkspace, planMemory } from '../../src/model/memory.ts';
import type { ModelPlan } from '../../src/model/plan.ts';
import { planModel } from '../../src/model/plan.ts';
import { f32, i32s, randomTensor, string, tinyModel, tinyModels, u32 } from '../helpers/tiny-models.ts';
import type { GgufParts } from '../helpers/twin.ts';

const test = suite('convolutions of models');
const made = async (change: (parts: GgufParts) => void = () => undefined, keys: Record<string, WriteValue | undefined> = {}, name = 'lfm2'): Promise<ModelPlan> => {
  const model = tinyModels[name]!, bytes = await tinyModel(name, { ...model, keys: { ...model.keys, ...keys }, change });
  return planModel(await readGguf(new MemorySource(bytes)));
};

async function refused(code: string, found: RegExp, change: (parts: GgufParts) => void, keys: Record<string, WriteValue | undefined> = {}, name = 'lfm2'): Promise<void> {
  try {
    await made(change, keys, name);
  } catch (error) {
    if (!(error instanceof CladaError)) throw error;
    assert.is(error.code, code, error.message);
    assert.match(error.message, found);
    return;
  }
  assert.unreachable(`${code} ${String(found)}`);
}

const key = (name: string, value: WriteValue | undefined) => ({ metadata }: GgufParts): void => {
  if (value) metadata[`lfm2.${name}`] = value;
  else delete metadata[`lfm2.${name}`];
};
const without = (pattern: RegExp) => (parts: GgufParts): void => { parts.tensors = parts.tensors.filter(({ name }) => !pattern.test(name)); };
const instead = (name: string, dims: number[]) => (parts: GgufParts): void => {
  parts.tensors = [...parts.tensors.filter((tensor) => tensor.name !== name), randomTensor(name, dims, 0.1)];
};

test('taps that are none, or too many', async () => {
  for (const value of [u32(0), u32(1), u32(17), u32(2 ** 31), f32(2.5)]) await refused('E_HPARAM', /shortconv\.l_cache.*expected an integer from/, key('shortconv.l_cache', value));
  for (const value of [undefined, f32(NaN)]) await refused('E_GGUF_KEY', /shortconv\.l_cache/, key('shortconv.l_cache', value));
  await refused('E_GGUF_KEY', /shortconv\.l_cache/, key('shortconv.l_cache', string('3')));
});

test('layers without key/value heads: of this family, and not all of them', async () => {
  const heads = 'attention.head_count_kv';
  await refused('E_HPARAM', /head_count_kv.*expected one at least/, key(heads, i32s([0, 0, 0, 0, 0])));
  await refused('E_HPARAM', /head_count_kv/, key(heads, u32(0)));
  await refused('E_HPARAM', /head_count_kv.*integers from 0/, key(heads, i32s([0, 0, -2, 0, 2])));
  await refused('E_HPARAM', /head_count_kv.*4 values/, key(heads, i32s([0, 0, 2, 0])));
  await refused('E_HPARAM', /head_count_kv.*a divisor/, key(heads, i32s([0, 0, 3, 0, 2])));
  for (const name of ['llama', 'qwen3']) {
    await refused('E_HPARAM', /head_count_kv.*integers from 1/, ({ metadata }) => { metadata[`${name}.${heads}`] = i32s([0, 2]); }, {}, name);
  }
  await refused('E_HPARAM', /head_count\b.*integers from 1/, key('attention.head_count', i32s([0, 0, 4, 0, 4])));
});

test('tensors that are missing, too many, or of another shape', async () => {
  for (const name of ['in_proj', 'conv', 'out_proj']) await refused('E_TENSOR_MISSING', new RegExp(`blk\\.1\\.shortconv\\.${name}\\.weight`), without(new RegExp(`^blk.1.shortconv.${name}.weight`)));
  await refused('E_TENSOR_MISSING', /token_embd_norm/, without(/^token_embd_norm/));
  await refused('E_TENSOR_MISSING', /blk\.2\.attn_q_norm/, without(/^blk.2.attn_q_norm/));
  // a layer that says it attends and brings a convolution, and the other way round
  await refused('E_TENSOR_MISSING', /blk\.0\.attn_q\.weight/, key('attention.head_count_kv', i32s([2, 0, 2, 0, 2])));
  await refused('E_TENSOR_MISSING', /blk\.2\.shortconv/, key('attention.head_count_kv', i32s([0, 0, 0, 0, 2])));
  await refused('E_TENSOR_UNKNOWN', /blk\.0\.attn_q\.weight/, (parts) => { parts.tensors.push(randomTensor('blk.0.attn_q.weight', [64, 64], 0.1)); });
  await refused('E_TENSOR_UNKNOWN', /output_norm/, (parts) => { parts.tensors.push(randomTensor('output_norm.weight', [64], 0.1)); });
  await refused('E_TENSOR_SHAPE', /\[3, 64\]/, instead('blk.0.shortconv.conv.weight', [5, 64]));
  await refused('E_TENSOR_SHAPE', /\[3, 64\]/, instead('blk.0.shortconv.conv.weight', [64, 3]));
  await refused('E_TENSOR_SHAPE', /\[64, 192\]/, instead('blk.0.shortconv.in_proj.weight', [64, 128]));
  await refused('E_TENSOR_SHAPE', /\[64, 64\]/, instead('blk.3.shortconv.out_proj.weight', [64, 192]));
});

test('experts, and what reads both ways', async () => {
  await refused('E_FAMILY', /lfm2moe/, ({ metadata }) => { metadata['general.architecture'] = string('lfm2moe'); });
  await refused('E_HPARAM', /attention\.causal/, key('attention.causal', { type: 'bool', value: false }));
  await refused('E_HPARAM', /sliding_window/, key('attention.sliding_window', u32(32)));
});

test('a sequence takes the rows of every convolution, whatever type keys and values have', async () => {
  const plan = await made(), { hparams } = plan, { convTaps, layers } = hparams;
  assert.is(convTaps, 3);
  assert.equal(layers.map((layer) => [layer.heads, layer.kvHeads, layer.convTaps]), [[0, 0, 3], [0, 0, 3], [4, 2, undefined], [0, 0, 3], [4, 2, undefined]]);
  for (const kv of ['f32', 'f16', 'q8'] as const) for (const contextSize of [1, 64, 65, 256]) {
    const own = layoutSequence(hparams, { contextSize, kv }), memory = planMemory(plan, { contextSize, kv }, undefined, undefined, 2);
    assert.is(own.convBytes, 3 * (2 * Math.ceil(own.capacity / 64) + 16) * 4 * 64);
    assert.is(own.buffers['convPtr'], own.convBytes);
    assert.is(memory.kv, 2 * (2 * own.kvBytes + own.convBytes));
  }
  assert.is(layoutWorkspace(plan).buffers['gatePtr'], 4 * 64 * 192, 'b, c and x are wider than the feed-forward part');
  const other = await made(undefined, {}, 'llama');
  assert.not('convPtr' in layoutSequence(other.hparams, { contextSize: 64, kv: 'f32' }).buffers);
});

test.run();
