/** Mixtures of experts beyond what llama.cpp says of them (families.test.ts): which experts are read, and what must be equal to what. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineOptions } from '../../src/engine/engine.ts';
import type { GgufDtype } from '../../src/format/gguf/types.ts';
import type { WriteTensor } from '../../src/format/gguf/write.ts';
import type { Precision } from '../../src/model/plan.ts';
import { RecordView, expertFields, recordBytes, workspaceFields } from '../../src/model/records.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { codeOf } from '../helpers/errors.ts';
import { openSequence } from '../helpers/models.ts';
import { arenaOf } from '../helpers/taps.ts';
import { asked, tinyModel, u32, type TinyModel } from '../helpers/tiny-models.ts';
import { rewritten, temporary } from '../helpers/twin.ts';

const folder = temporary();
const made = new Map<TinyModel | string, string>();

async function open(name: string, model?: TinyModel, options: Partial<EngineOptions> & { precision?: Precision } = {}): Promise<Sequence> {
  const path = made.get(model ?? name) ?? join(folder, `${made.size}.gguf`);
  if (!made.has(model ?? name)) writeFileSync(path, await tinyModel(name, model));
  made.set(model ?? name, path);
  return openSequence(path, options);
}

async function tensorsOf(bytes: Uint8Array): Promise<WriteTensor[]> {
  let found: WriteTensor[] = [];
  await rewritten(bytes, ({ tensors }) => { found = tensors; });
  return found;
}

const bits = (row: Float32Array): Buffer => Buffer.from(row.slice().buffer);
const logits = (sequence: Sequence, ids: readonly number[]): Promise<Float32Array> => sequence.evaluate(ids, ({ logits: row }) => row.slice());
const long = Array.from({ length: 150 }, (_, i) => 3 + ((i * i * 7 + i) % 440));

/** Weights of the experts for token `t` of the last layer of the last pass. */
function weightsOf(sequence: Sequence, t = 0): number[] {
  const { engine } = sequence, { count } = engine.plan.hparams.experts!, arena = arenaOf(sequence);
  const ptr = new RecordView(arena.memory, engine.workspace, workspaceFields).get('expertWeightsPtr');
  return [...arena.f32(ptr + 4 * t * 8 * Math.ceil(count / 8), count)];
}

/** Overwrites the weights of experts of a layer with NaN. */
function spoil(sequence: Sequence, iLayer: number, experts: readonly number[]): void {
  const { engine } = sequence, arena = arenaOf(sequence), layer = engine.forms.layer(iLayer), { hidden } = engine.plan.hparams;
  for (const e of experts) {
    const record = new RecordView(arena.memory, layer.get('expertsPtr') + e * recordBytes(expertFields), expertFields);
    for (const field of ['gatePtr', 'upPtr', 'downPtr'] as const) arena.f32(record.get(field), hidden * record.get('ffn')).fill(NaN);
  }
}

/** A mixture whose expert matrices are blocks of a dtype, and the same with the values of those blocks. */
function withBlocks(dtype: GgufDtype, name: string): { blocks: TinyModel; values: TinyModel } {
  const read = (kind: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../fixtures/quants/${name}.${kind}`, import.meta.url)));
  const bytes = read('bin'), floats = read('f32'), unit = /_K$/.test(name) ? 256 : 32, nBlocks = floats.length / 4 / unit;
  const filled = (source: Uint8Array, size: number, count: number, seed: number): Uint8Array => {
    const out = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) out.set(source.subarray(((i * 5 + seed) % nBlocks) * size).subarray(0, size), i * size);
    return out;
  };
  const change = (asBlocks: boolean): NonNullable<TinyModel['change']> => (parts) => {
    parts.tensors = parts.tensors.map((tensor, k): WriteTensor => {
      if (!/_exps|_shexp/.test(tensor.name) || tensor.name.includes('gate_inp')) return tensor;
      const count = tensor.dims.reduce((a, b) => a * b, 1) / unit;
      if (asBlocks) return { ...tensor, dtype, data: filled(bytes, bytes.length / nBlocks, count, k) };
      return { ...tensor, data: filled(floats, 4 * unit, count, k) };
    });
  };
  const keys = {
    'embedding_length': u32(256), 'expert_count': u32(5), 'expert_used_count': u32(2), 'expert_feed_forward_length': u32(256),
    'expert_shared_feed_forward_length': u32(256),
  };
  return { blocks: { keys, change: change(true) }, values: { keys, change: change(false) } };
}

const test = suite('mixture');

for (const name of ['olmoe', 'qwen2moe', 'qwen3moe', 'llama: experts', 'llama: one expert used', 'llama: all experts used']) {
  test(`${name}: a step reads what the plan says, a prompt the experts that some token goes to, each once`, async () => {
    const sequence = await open(name), { plan } = sequence.engine, { count, used } = plan.hparams.experts!;
    await logits(sequence, asked.slice(0, -1));
    assert.is(await sequence.evaluate(asked, ({ report }) => report.weightBytes), plan.weightBytesPerToken);
    const experts = plan.tensors.filter(({ role }) => role.count), each = experts.reduce((sum, { bytes, matrices }) => sum + bytes / matrices, 0);
    assert.is(experts.length, 3 * plan.hparams.nLayers);
    const rest = plan.weightBytesPerToken - used * each, fresh = await open(name);
    const read = await fresh.evaluate(asked, ({ report }) => report.weightBytes);
    assert.ok(read <= rest + count * each && read >= rest + used * each, `${read} bytes`);
    if (plan.hparams.experts!.sharedFfn > 0) return; // its weight lies where theirs did
    const chosen = new Set(asked.flatMap((_, t) => weightsOf(fresh, t).flatMap((weight, e) => (weight > 0 ? [e] : []))));
    if (chosen.size < count) assert.ok(read < rest + count * each, 'those of the last layer that no token goes to are not read');
    for (const [t] of asked.entries()) assert.is(weightsOf(fresh, t).filter((weight) => weight > 0).length, used);
  });
}

test('experts that are not chosen are not looked at: they may hold NaN, those that are may not', async () => {
  const before = asked.slice(0, -1), last = 1;
  const begun = async (): Promise<Sequence> => {
    const sequence = await open('qwen3moe');
    await logits(sequence, before);
    return sequence;
  };
  const sound = await begun(), want = bits(await logits(sound, asked)), weights = weightsOf(sound);
  const of = (chosen: boolean): number[] => weights.flatMap((weight, e) => (weight > 0 === chosen ? [e] : []));
  assert.equal([of(true).length, of(false).length], [4, 12]);
  const spoilt = await begun();
  spoil(spoilt, last, of(false));
  assert.equal(bits(await logits(spoilt, asked)), want);
  for (const e of of(true)) {
    const broken = await begun();
    spoil(broken, last, [e]);
    assert.is(await codeOf(() => logits(broken, asked)), 'E_LOGITS', `expert ${e}`);
  }
});

const quantised = ([['q8_0', 'Q8_0'], ['q4_k', 'Q4_K'], ['q6_k', 'Q6_K'], ['q4_0', 'Q4_0'], ['f16', 'F16']] as const).map(
  ([dtype, name]) => ({ dtype, name, ...withBlocks(dtype, name) }),
);

for (const tier of ['base', 'relaxed'] as const) {
  test(`one expert is the dense model, bit for bit (${tier})`, async () => {
    const dense = await tinyModel('llama'), path = join(folder, `dense-${tier}.gguf`), tensors = await tensorsOf(dense);
    writeFileSync(path, dense);
    const named = (name: string): Uint8Array => tensors.find((tensor) => tensor.name === name)!.data;
    const lone: TinyModel = {
      architecture: 'llama', keys: { 'expert_count': u32(1), 'expert_used_count': u32(1) },
      change: (made) => { for (const tensor of made.tensors) if (tensor.name.includes('_exps')) tensor.data = named(tensor.name.replace('_exps', '')); },
    };
    const [mixture, plain] = [await open('llama: lone', lone, { tier }), await openSequence(path, { tier })];
    for (const ids of [asked, long, long.slice(0, 65)]) assert.equal(bits(await logits(mixture, ids)), bits(await logits(plain, ids)));
  });

  test(`equal experts are the dense model, however many are used (${tier})`, async () => {
    const dense = await tinyModel('llama'), path = join(folder, `dense-equal-${tier}.gguf`);
    writeFileSync(path, dense);
    const tensors = await tensorsOf(dense), plain = await openSequence(path, { tier }), want = await logits(plain, asked);
    for (const used of [1, 3, 5]) {
      const equal: TinyModel = {
        architecture: 'llama', keys: { 'expert_count': u32(5), 'expert_used_count': u32(used) },
        change: (made) => {
          for (const tensor of made.tensors) {
            if (!tensor.name.includes('_exps')) continue;
            const { data } = tensors.find(({ name }) => name === tensor.name.replace('_exps', ''))!;
            for (let e = 0; e < 5; e++) tensor.data.set(data, e * data.length);
          }
        },
      };
      const got = await logits(await open('llama: equal', equal, { tier }), asked), spread = Math.max(...want) - Math.min(...want);
      got.forEach((v, i) => { assert.ok(Math.abs(v - want[i]!) < 2e-5 * spread, `${used} used, logit ${i}: ${v}, ${want[i]}`); });
    }
  });

  for (const { dtype, name, blocks, values } of quantised) {
    test(`experts in ${name} (${tier}): exact is the model of their values, bit for bit; a prompt cut anywhere gives the same bits`, async () => {
      const want = await logits(await open('qwen2moe', values, { tier }), asked);
      if (dtype !== 'f16') assert.equal(bits(await logits(await open('qwen2moe', blocks, { tier, precision: 'exact' }), asked)), bits(want));
      const sequence = await open('qwen2moe', blocks, { tier }), fast = await logits(sequence, asked);
      const error = Math.sqrt(fast.reduce((sum, v, i) => sum + (v - want[i]!) ** 2, 0) / want.reduce((sum, v) => sum + v ** 2, 0));
      assert.ok(error < (dtype === 'f16' ? 1e-5 : 0.05), `8-bit activations: ${error}`);
      await logits(sequence, asked.slice(0, -1));
      assert.is(await sequence.evaluate(asked, ({ report }) => report.weightBytes), sequence.engine.plan.weightBytesPerToken);
      const whole = bits(await logits(sequence, long));
      for (const cut of [1, 2, 63, 64, 65, 100, 149]) {
        await logits(sequence, [1]);
        await logits(sequence, long.slice(0, cut));
        assert.equal(bits(await logits(sequence, long)), whole, `cut after ${cut}`);
      }
    });
  }
}

test.run();
