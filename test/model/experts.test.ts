/** Mixtures of experts in plans: sizes, what a token reads, and every contradiction refused by name. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { CladaError } from '../../src/errors.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { WriteTensor, WriteValue } from '../../src/format/gguf/write.ts';
import type { ModelPlan } from '../../src/model/plan.ts';
import { describePlan, planModel } from '../../src/model/plan.ts';
import { layoutWorkspace } from '../../src/model/memory.ts';
import { bool, f32, tinyModel, u32 } from '../helpers/tiny-models.ts';
import { rewritten } from '../helpers/twin.ts';

type Keys = Readonly<Record<string, WriteValue | undefined>>;

/** The plan of a tiny model with other keys or tensors than it has. */
async function planned(name: string, keys: Keys = {}, change: (tensors: WriteTensor[]) => WriteTensor[] = (tensors) => tensors): Promise<ModelPlan> {
  const architecture = name.split(':')[0]!;
  const bytes = await rewritten(await tinyModel(name), (parts) => {
    for (const [key, value] of Object.entries(keys)) {
      if (value) parts.metadata[`${architecture}.${key}`] = value;
      else delete parts.metadata[`${architecture}.${key}`];
    }
    parts.tensors = change(parts.tensors);
  });
  return planModel(await readGguf(new MemorySource(bytes)));
}

const refusal = (...args: Parameters<typeof planned>): Promise<string> =>
  planned(...args).then(() => 'none', (error: CladaError) => `${error.code} ${error.message}`);

const without = (pattern: RegExp) => (tensors: WriteTensor[]): WriteTensor[] => tensors.filter(({ name }) => !pattern.test(name));

const test = suite('experts in plans');

test('a matrix for each expert, and of them those that a token uses count as read', async () => {
  const plan = await planned('llama: experts'), { tensors, hparams } = plan;
  assert.equal(hparams.experts, { count: 8, used: 2, normed: true, sharedFfn: 0 });
  const up = tensors.find(({ role, layer }) => role.field === 'expertUp' && layer === 1)!;
  assert.equal([up.matrices, up.rows, up.cols, up.fileBytes, up.bytes], [8, 96, 64, 4 * 8 * 96 * 64, 4 * 8 * 96 * 64]);
  assert.is(plan.params, tensors.reduce((sum, { source }) => sum + source.dims.reduce((a, b) => a * b, 1), 0));
  const matrices = tensors.filter(({ role }) => role.kind === 'matrix' && role.field !== 'embed').reduce((sum, { bytes }) => sum + bytes, 0);
  assert.is(plan.weightBytesPerToken, matrices - 2 * 3 * 6 * 4 * 96 * 64);
  assert.match(describePlan(plan).at(-1)!, /read by each token .* MB \(2 of 8 experts\)/);
  assert.is((await planned('olmoe')).tensors.find(({ role }) => role.field === 'expertUp')!.bytes, 8 * 48 * 64 * 4, 'each expert begins with a group of 8 rows of its own');
});

test('widths: their own, a share of the whole, and of the shared expert', async () => {
  const widths = async (name: string, keys: Keys = {}): Promise<number[]> => {
    const { hparams } = await planned(name, keys);
    return [...hparams.layerFfn, hparams.experts!.sharedFfn, hparams.ffn];
  };
  assert.equal(await widths('qwen3moe'), [40, 40, 0, 40]);
  assert.equal(await widths('qwen3moe: experts that share the width out'), [32, 32, 0, 32]);
  assert.equal(await widths('qwen2moe'), [40, 40, 72, 72], 'buffers are made for the widest');
  assert.match(await refusal('qwen2moe', { expert_shared_feed_forward_length: undefined }), /^E_TENSOR_SHAPE tensor blk\.0\.ffn_gate_shexp\.weight: found \[64, 72\]; expected \[64, 96\]/);
  assert.match(await refusal('qwen3moe', { expert_feed_forward_length: { type: 'i32s', value: [40, 48] } }), /^E_TENSOR_SHAPE tensor blk\.1\.ffn_gate_exps\.weight: found \[64, 40, 16\]; expected \[64, 48, 16\]/);
  assert.match(await refusal('qwen3moe', { expert_feed_forward_length: undefined, feed_forward_length: u32(97) }), /^E_HPARAM .*feed_forward_length.*found 97; expected a multiple of the 4 experts/);
});

test('a dense model has no buffers of a mixture, a mixture has those of its widest part', async () => {
  const [dense, mixture] = [await planned('llama'), await planned('qwen2moe')].map((plan) => layoutWorkspace(plan).buffers) as [Record<string, number>, Record<string, number>];
  assert.not.ok(Object.keys(dense).some((name) => name.startsWith('expert')));
  assert.equal([mixture['expertWeightsPtr'], mixture['expertInPtr'], mixture['expertOutPtr'], mixture['gatePtr']], [64 * 8 * 4, 64 * 64 * 4, 64 * 64 * 4, 64 * 96 * 4]);
});

test('counts that cannot be', async () => {
  for (const [keys, message] of [
    [{ expert_used_count: u32(0) }, /expert_used_count: found 0; expected an integer from 1 to 8/], [{ expert_used_count: u32(9) }, /expert_used_count: found 9; expected an integer from 1 to 8/],
    [{ expert_count: u32(5000) }, /expert_count: found 5000; expected an integer from 1 to 1024/], [{ expert_count: f32(2.5) }, /expert_count: found 2\.5/],
    [{ expert_count: u32(0) }, /expert_count: found 0, or no such key; expected the number of experts that blk\.0\.ffn_gate_inp\.weight is of/],
    [{ expert_count: undefined }, /expert_count: found 0, or no such key/],
  ] as [Keys, RegExp][]) {
    const said = await refusal('llama: experts', keys);
    assert.match(said, /^E_HPARAM metadata key llama\./, said);
    assert.match(said, message);
  }
  assert.match(await refusal('llama: experts', { expert_used_count: undefined }), /^E_GGUF_KEY .*expert_used_count/);
  assert.match(await refusal('olmoe', { expert_count: u32(0) }), /^E_HPARAM metadata key olmoe\.expert_count/);
  assert.match(await refusal('llama: experts', { expert_count: u32(4) }), /^E_TENSOR_SHAPE tensor blk\.0\.ffn_gate_inp\.weight: found \[64, 8\]; expected \[64, 4\]/);
  assert.is(await refusal('llama', { expert_count: u32(0), expert_used_count: u32(0) }), 'none');
});

test('routers of another kind', async () => {
  for (const [keys, message] of [
    [{ expert_gating_func: u32(2) }, /expert_gating_func: found 2 \(sigmoid\); expected 1 \(softmax\)/], [{ expert_gating_func: u32(9) }, /found 9 \(unknown\)/],
    [{ expert_group_count: u32(4), expert_group_used_count: u32(2) }, /expert_group_count: found 4; expected 0 or 1/], [{ expert_weights_scale: f32(2.5) }, /expert_weights_scale: found 2\.5; expected 1/],
    [{ expert_weights_norm: bool(false) }, /expert_weights_norm: found false; expected true/], [{ expert_feed_forward_length: u32(32) }, /expert_feed_forward_length: found 32; expected the feed_forward_length 96/],
    [{ expert_shared_count: u32(1) }, /expert_shared_count: found 1; expected 0/], [{ expert_shared_feed_forward_length: u32(64) }, /expert_shared_feed_forward_length: found 64; expected 0/],
    [{ expert_latent_length: u32(64) }, /expert_latent_length: found 64; expected no such key/], [{ leading_dense_block_count: u32(1) }, /leading_dense_block_count: found 1/], [{ interleave_moe_layer_step: u32(2) }, /interleave_moe_layer_step/],
  ] as [Keys, RegExp][]) {
    const said = await refusal('llama: experts', keys);
    assert.match(said, /^E_HPARAM metadata key llama\./, said);
    assert.match(said, message);
  }
  const same: Keys = {
    expert_gating_func: u32(1), expert_group_count: u32(1), expert_group_used_count: u32(1), expert_weights_scale: f32(1), expert_weights_norm: bool(true), expert_feed_forward_length: u32(96), expert_shared_count: u32(0),
  };
  assert.is(await refusal('llama: experts', same), 'none');
});

test('tensors that contradict each other', async () => {
  assert.match(await refusal('llama: experts', {}, without(/blk\.1\.ffn_(gate|up|down)_exps/)), /^E_TENSOR_MISSING tensor blk\.1\.ffn_gate_exps\.weight/, 'a router without experts');
  assert.match(await refusal('llama: experts', {}, without(/gate_inp/)), /^E_TENSOR_MISSING tensor blk\.0\.ffn_gate_inp\.weight: found nothing; expected the router/, 'experts without a router');
  assert.match(await refusal('llama: experts', {}, (tensors) => tensors.map((one) => (one.name === 'blk.1.ffn_up_exps.weight' ? { ...one, dims: [64, 8, 96] } : one))), /^E_TENSOR_SHAPE tensor blk\.1\.ffn_up_exps\.weight: found \[64, 8, 96\]; expected \[64, 96, 8\]/);
  assert.match(await refusal('llama: experts', {}, (tensors) => [...tensors, { ...tensors.find(({ name }) => name === 'blk.0.attn_q.weight')!, name: 'blk.0.ffn_gate_shexp.weight' }]), /^E_TENSOR_UNKNOWN .*ffn_gate_shexp/s);
  assert.match(await refusal('llama', {}, (tensors) => tensors.map((one) => ({ ...one, name: one.name.replace('ffn_up.weight', 'ffn_up_exps.weight') }))), /^E_HPARAM metadata key llama\.expert_count/);
});

test('experts in tensors of their own, as old files have them, are refused with what to do', async () => {
  const split = (tensors: WriteTensor[]): WriteTensor[] => tensors.flatMap((one) => {
    if (!one.name.includes('_exps')) return [one];
    const size = one.data.length / 8;
    return Array.from({ length: 8 }, (_, e) => ({ ...one, name: one.name.replace('_exps', `.${e}`), dims: one.dims.slice(0, 2), data: one.data.slice(e * size, (e + 1) * size) }));
  });
  assert.match(await refusal('llama: experts', {}, split), /^E_TENSOR_UNKNOWN tensor blk\.0\.ffn_gate\.0\.weight: .*expected blk\.0\.ffn_gate_exps\.weight/);
});

test('families that have no mixture refuse one, and say which have', async () => {
  for (const name of ['qwen2', 'gpt2', 'smollm3']) {
    const said = await refusal(name, { expert_count: u32(8), expert_used_count: u32(2) });
    assert.match(said, /^E_FAMILY .*expert_count: found a mixture of 8 experts \(2 used at a time\).*are run of llama, .*olmoe, qwen2moe, qwen3moe/, name);
    assert.is(await refusal(name, { expert_count: u32(1), expert_used_count: u32(1) }), 'none', 'one expert is no choice');
  }
});

test.run();
