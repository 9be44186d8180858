/** Fewer experts for a token: which are kept, with which weights, what is read and counted, and what a budget of nothing must equal. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection, withForcedCogLoad } from '../../src/adapt/selection.ts';
import type { EngineOptions } from '../../src/engine/engine.ts';
import { Stage } from '../../src/model/enums.ts';
import { RecordView, expertFields, recordBytes, workspaceFields } from '../../src/model/records.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { openSequence } from '../helpers/models.ts';
import { arenaOf } from '../helpers/taps.ts';
import { asked, tinyModelPath, tinyModels, u32 } from '../helpers/tiny-models.ts';

const within = (expertBase: number, own: Partial<Selection> = {}): Selection => ({ ...denseSelection, stages: Stage.experts, expertBase, ...own });
const exactly = (share: number): Selection => ({ ...denseSelection, stages: Stage.experts, share });
const bits = (row: Float32Array): Buffer => Buffer.from(row.slice().buffer);
/** Models whose weights are normed, and not; with one expert for all tokens, and without; one that every token goes to alone. */
const names = ['olmoe', 'qwen2moe', 'qwen3moe', 'granitemoe: a shared expert', 'llama: one expert used', 'llama: all experts used'];

interface Stepped { row: Buffer; cost: number; weightBytes: number; experts: number[]; weights: number[] }

/** The last of the tokens asked, decoded by a selection behind a dense prompt. `weights`: of the last layer's experts. */
async function step(sequence: Sequence, selection: Selection): Promise<Stepped> {
  const { engine } = sequence, { count } = engine.plan.hparams.experts!, arena = arenaOf(sequence);
  await sequence.evaluate([1], () => undefined);
  return sequence.evaluate(asked, ({ logits, report: { cost, weightBytes } }) => {
    const ptr = new RecordView(arena.memory, engine.workspace, workspaceFields).get('expertWeightsPtr');
    const experts = selection.stages === 0 ? [] : sequence.adapt.counts().map((layer) => layer.experts!);
    return { row: bits(logits), cost, weightBytes, experts, weights: [...arena.f32(ptr, count)] };
  }, { selection, decodeFrom: asked.length - 1 });
}

const open = async (name: string, options: Partial<EngineOptions> = {}): Promise<Sequence> => openSequence(await tinyModelPath(name), options);
/** The same of one layer, whose router sees the same whatever is left out, and without a shared expert, whose weight lies where theirs do. */
const oneLayer = async (name: string): Promise<Sequence> => {
  const model = tinyModels[name]!, path = await tinyModelPath(`${name.split(':')[0]}: one layer`, { ...model, keys: { ...model.keys, 'block_count': u32(1), 'expert_shared_feed_forward_length': undefined } });
  return openSequence(path);
};

const test = suite('experts');

for (const name of names) {
  test(`${name}: a budget of nothing, a share of one, and one so small that no weight fits are dense, bit for bit`, async () => {
    const sequence = await open(name), dense = await step(sequence, denseSelection);
    for (const selection of [within(-1), within(0), within(1e-30), exactly(1)]) {
      const { row, cost, weightBytes, experts } = await step(sequence, selection), { used, count } = sequence.engine.plan.hparams.experts!;
      assert.equal([row, cost, weightBytes], [dense.row, 1, dense.weightBytes]);
      assert.ok(count > 0 && experts.every((kept) => kept === used), experts.join());
    }
  });

  test(`${name}: what is used and what is read follow the experts that are kept; never none`, async () => {
    const sequence = await open(name), { plan } = sequence.engine, { used, sharedFfn } = plan.hparams.experts!, { ffn } = plan.hparams.layers[0]!;
    const each = plan.tensors.filter(({ role, layer }) => role.count && layer === 0).reduce((sum, { bytes, matrices }) => sum + bytes / matrices, 0);
    const found = new Set<number>();
    const much = within(50);
    for (const selection of [within(0.1), within(0.3), within(0.6), within(0.999), much, exactly(0.5), exactly(1e-9)]) {
      const { cost, weightBytes, experts } = await step(sequence, selection), layers = experts.length, kept = experts.reduce((sum, n) => sum + n, 0);
      assert.ok(experts.every((n) => n >= 1 && n <= used));
      assert.is(cost, Math.fround((kept * ffn + layers * sharedFfn) / (layers * (used * ffn + sharedFfn))));
      assert.is(weightBytes, plan.weightBytesPerToken - (layers * used - kept) * each);
      assert.equal(sequence.adapt.counts().map(({ down }) => down), experts.map((n) => n * ffn + sharedFfn));
      if (selection.share > 0) assert.ok(experts.every((n) => n === Math.max(1, Math.round(selection.share * used))));
      if (selection === much) assert.is(kept, layers);
      found.add(kept);
    }
    assert.ok(used === 1 || found.size > 2, 'budgets differ');
  });
}

for (const name of ['olmoe', 'qwen3moe', 'granitemoe']) {
  test(`${name}: the fewest experts that hold the rest of the weight are kept; weights are made to add up to 1 where the router does that`, async () => {
    const sequence = await oneLayer(name), { normed } = sequence.engine.plan.hparams.experts!, { weights: all } = await step(sequence, denseSelection);
    const order = [...all.keys()].filter((e) => all[e]! > 0).sort((a, b) => all[b]! - all[a]! || a - b), sum = order.reduce((total, e) => total + all[e]!, 0);
    for (const budget of [0.05, 0.2, 0.4, 0.7, 0.95]) {
      let kept = 0, held = 0;
      while (kept === 0 || held < (1 - budget) * sum) held += all[order[kept++]!]!;
      const { weights, experts } = await step(sequence, within(budget));
      assert.equal(experts, [kept], `budget ${budget}`);
      const want = all.map((weight, e) => (order.indexOf(e) >= 0 && order.indexOf(e) < kept ? weight / (normed ? held : 1) : 0));
      if (normed) weights.forEach((weight, e) => assert.ok(Math.abs(weight - want[e]!) <= 3e-7 * want[e]!, `expert ${e}: ${weight}, ${want[e]}`));
      else assert.equal(weights, want);
    }
  });
}

test('experts that are left out are not looked at: they may hold NaN', async () => {
  for (const name of ['olmoe', 'qwen3moe']) {
    const sequence = await oneLayer(name), { row, weights } = await step(sequence, within(0.5)), arena = arenaOf(sequence), layer = sequence.engine.forms.layer(0);
    const dense = (await step(sequence, denseSelection)).weights, left = weights.flatMap((weight, e) => (weight === 0 && dense[e]! > 0 ? [e] : []));
    assert.ok(left.length > 0);
    await sequence.evaluate(asked.slice(0, -1), () => undefined);
    for (const e of left) {
      const record = new RecordView(arena.memory, layer.get('expertsPtr') + e * recordBytes(expertFields), expertFields);
      for (const field of ['gatePtr', 'upPtr', 'downPtr'] as const) arena.f32(record.get(field), sequence.engine.plan.hparams.hidden * record.get('ffn')).fill(NaN);
    }
    assert.equal(await sequence.evaluate(asked, ({ logits }) => bits(logits), { selection: within(0.5), decodeFrom: asked.length - 1 }), row);
  }
});

test('a high load lowers the budget, a low one raises it; what held is told', async () => {
  const sequence = await open('qwen3moe'), cogLoad = { ...denseSelection.cogLoad, mode: 'measured', gain: 1, clamp: 2 } as const;
  const selection = withForcedCogLoad(within(0.3, { cogLoad })), kept: number[] = [];
  for (const load of [2, 0, -2]) {
    sequence.adapt.forceCogLoad(load);
    const { experts } = await step(sequence, selection), factor = Math.fround(Math.exp(-load));
    kept.push(experts.reduce((sum, n) => sum + n, 0));
    assert.ok(Math.abs((sequence.adapt.thresholds(factor).experts as number) - 0.3 * factor) < 1e-7);
    assert.equal(experts, (await step(sequence, within(0.3 * factor))).experts, `load ${load}`);
  }
  assert.ok(kept[0]! > kept[1]! && kept[1]! > kept[2]!, kept.join());
});

test('a prompt stays dense, and a step that is computed again is', async () => {
  const sequence = await open('granitemoe: a shared expert'), run = (selection: Selection): Promise<Buffer> => sequence.evaluate([1], () => undefined).then(() => sequence.evaluate(asked, ({ logits }) => bits(logits), { selection, decodeFrom: asked.length }));
  assert.equal(await run(within(0.9)), await run(denseSelection));
  const dense = await step(sequence, denseSelection), again = await step(sequence, within(0.9, { rerunAbove: 0 }));
  assert.equal(again.row, dense.row);
  assert.ok(again.cost > 1 && again.weightBytes > dense.weightBytes);
});

test.run();
