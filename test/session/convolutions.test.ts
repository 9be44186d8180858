/** Sequences of a model whose layers convolve: whatever is kept, cut, parked or saved, what follows is what would have followed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SparsityOptions } from '../../src/adapt/methods.ts';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import { ConvolutionRows } from '../../src/engine/convCache.ts';
import type { GenerateOptions, GeneratedToken, LoadOptions, Model } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { Convolution, Stage, StepFlag } from '../../src/model/enums.ts';
import { Random } from '../../src/sampler/random.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { openSequence } from '../helpers/models.ts';
import { string, tinyModel, tinyModelPath, tinyModels } from '../helpers/tiny-models.ts';
import { temporary } from '../helpers/twin.ts';

const { block, ring } = Convolution;
const test = suite('convolutions of sequences');
const names = ['lfm2', 'lfm2: longer convolutions'] as const;
const text = (seed: number, length: number): number[] => Array.from({ length }, (_, i) => 3 + ((i * seed + (i >> 3) * 17) % 440));
const bits = (row: Float32Array): Buffer => Buffer.from(row.slice().buffer);

interface After { logits: Buffer; reused: number }
const after = (sequence: Sequence, tokens: readonly number[], selection: Selection = denseSelection, decodeFrom = tokens.length): Promise<After> =>
  sequence.evaluate(tokens, ({ logits, reused }) => ({ logits: bits(logits), reused }), { selection, decodeFrom });

test('rows: what resumable() promises is there, whatever was written and cut before', () => {
  const random = new Random(9);
  for (const taps of [2, 3, 5, ring]) {
    const rows = new ConvolutionRows(taps), places = new Map<string, number>(); // whose row lies where, as the kernel lays them out
    const place = (p: number): string => (p % block >= block - (taps - 1) ? `kept ${p}` : `ring ${p % ring}`);
    let length = 0, back = 0;
    for (let round = 0; round < 4_000; round++) {
      const wanted = random.uint32() % 3 === 0 ? random.uint32() % (length + 1) : Math.max(0, length - (random.uint32() % (ring + 4)));
      const from = rows.resumable(wanted);
      assert.ok(from <= wanted && from >= wanted - block + 1 && (wanted < length || from === wanted));
      if (from < wanted) back++;
      for (let p = Math.max(0, from - (taps - 1)); p < from; p++) assert.is(places.get(place(p)), p, `taps ${taps}, position ${p} before ${from}`);
      rows.truncate(from);
      const count = 1 + random.uint32() % 64;
      length = from + count > 1_000 ? from : from + count;
      rows.wrote(length);
      for (let p = from; p < length; p++) places.set(place(p), p);
    }
    assert.ok(back > 100);
  }
});

for (const name of names) for (const kv of ['f32', 'f16', 'q8'] as const) {
  test(`${name}, ${kv}: a sequence goes back to any position, and on, with the bits of one that was never there`, async () => {
    const path = await tinyModelPath(name), sequence = await openSequence(path, { kv, contextSize: 256 }), fresh = await openSequence(path, { kv, contextSize: 256 });
    const whole = text(89, 230), random = new Random(4);
    const all = (await after(sequence, whole)).logits;
    for (const common of [229, 228, 220, 216, 214, 213, 200, 193, 192, 191, 190, 129, 128, 127, 126, 65, 64, 63, 62, 61, 20, 17, 16, 15, 3, 2, 1, 0]) {
      const longer = Math.min(230, common + 1 + random.uint32() % 90), tokens = [...whole.slice(0, common), ...text(31, longer - common)];
      await after(fresh, [7]);
      const want = await after(fresh, tokens), got = await after(sequence, tokens);
      assert.equal(got.logits, want.logits, `${common} tokens in common of ${tokens.length}`);
      assert.ok(got.reused <= common && got.reused > common - block, `${got.reused} of ${common} reused`);
      assert.equal((await after(sequence, whole)).logits, all, 'and forth');
    }
    // near the end nothing is computed again
    await after(sequence, whole);
    for (const common of [229, 228, 226, 222]) {
      const { reused } = await after(sequence, [...whole.slice(0, common), 5]);
      assert.is(reused, common);
      await after(sequence, whole);
    }
  });
}

test('answers that are decoded sparsely: regenerated, and after a cut within them', async () => {
  const path = await tinyModelPath('lfm2'), prompt = text(53, 100), answer = text(71, 60);
  const methods: [string, Partial<Selection>][] = [
    ['statistics of the prompt', { stages: Stage.mask, rule: 'topK', density: 0.5 }], ['thresholds', { stages: Stage.product, productBase: 0.02 }],
    ['both, some steps rerun dense', { stages: Stage.mask, rule: 'topK', density: 0.5, rerunAbove: 2.5 }],
  ];
  for (const [name, own] of methods) {
    const selection = { ...denseSelection, ...own }, sequence = await openSequence(path, { contextSize: 256 }), states: Buffer[] = [];
    const once = async (s: Sequence, tokens: readonly number[]): Promise<After> => after(s, tokens, selection, prompt.length);
    for (let n = 1; n <= answer.length; n++) states.push((await once(sequence, [...prompt, ...answer.slice(0, n)])).logits);
    for (const n of [60, 59, 40, 30, 20, 2, 1]) { // the same answer again, after another one from there on
      const other = [...prompt, ...answer.slice(0, n - 1), ...text(5, 40).slice(0, 60 - n + 1)];
      for (let m = prompt.length + n; m <= other.length; m += 3) await once(sequence, other.slice(0, m));
      const again = await once(sequence, [...prompt, ...answer.slice(0, n)]);
      assert.equal(again.logits, states[n - 1], `${name}: ${n} tokens`);
      await once(sequence, [...prompt, ...answer]);
    }
  }
});

test('statistics: tokens that are computed again are not counted again', async () => {
  const selection: Selection = { ...denseSelection, stages: Stage.mask, rule: 'topK', density: 0.5 }, head = text(53, 100), answer = text(71, 40);
  const path = await tinyModelPath('lfm2'), sequence = await openSequence(path, { contextSize: 256 }), fresh = await openSequence(path, { contextSize: 256 });
  await after(sequence, [...head, ...answer], selection, head.length);
  // a longer prompt that begins like the first: of what the cache holds, 64 tokens can stay; 36 more are known
  const longer = [...head, ...text(5, 50)], want = await after(fresh, [...longer, 9, 8], selection, longer.length), got = await after(sequence, [...longer, 9, 8], selection, longer.length);
  assert.is(got.reused, block);
  assert.equal(got.logits, want.logits);
});

for (const name of ['llama', 'lfm2']) {
  test(`${name}: steps that were rerun dense and joined the statistics, decoded once more for another: as for the first`, async () => {
    const mask: Selection = { ...denseSelection, stages: Stage.mask, rule: 'topK', density: 0.5 }, head = text(53, 70), all = [...head, ...text(71, 30)], entropies: number[] = [];
    const sequence = await openSequence(await tinyModelPath(name), { contextSize: 256 });
    await sequence.evaluate(all, () => undefined, { selection: mask, decodeFrom: head.length, onStep: ({ report }) => { entropies.push(report.entropy); } });
    const own: Selection = { ...mask, rerunAbove: entropies.sort((a, b) => a - b)[15]! };
    const ask = async (): Promise<{ steps: Buffer[]; reran: number }> => {
      const steps: Buffer[] = [];
      let reran = 0;
      await sequence.evaluate(all, () => undefined, {
        selection: own, decodeFrom: head.length, owner: {}, onStep: ({ logits, report }) => { steps.push(bits(logits)); reran += report.flags & StepFlag.reran ? 1 : 0; },
      });
      return { steps, reran };
    };
    const first = await ask();
    assert.ok(first.reran > 0 && first.reran < 30, `${first.reran} of 30 steps were rerun`);
    assert.equal(await ask(), first);
  });
}

const calibrated = await (async () => {
  const path = join(temporary(), 'lfm2.gguf');
  writeFileSync(path, await tinyModel('lfm2', {
    ...tinyModels['lfm2'], change: ({ metadata }) => { metadata['tokenizer.chat_template'] = string('{% for m in messages %}<{{ m.role }}> {{ m.content }} {% endfor %}<assistant> '); },
  }));
  return (await calibratedCopy(path)).path;
})();
const open = (options: LoadOptions = {}): Promise<Model> => load(calibrated, { tier: 'base', contextSize: 200, ...options });
const prompt = text(89, 90);
const options: GenerateOptions = { seed: 5, ignoreEos: true, maxTokens: 60, repeatPenalty: 1.3, telemetry: true };
const told = (tokens: GeneratedToken[]): string => JSON.stringify(tokens);
async function take(source: AsyncIterable<GeneratedToken>, count: number): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of source) if (tokens.push(token) === count) break;
  return tokens;
}
const methods: SparsityOptions[] = [
  { method: 'dense' }, ...(['griffin', 'mask', 'tt', 'cats', 'clada-paper', 'clada'] as const).map((method) => ({ method, density: 0.6 })),
  { method: 'clada', density: 0.6, cogLoad: true, cogLoadWarmup: 2, refreshAfter: 3, refreshAbove: -0.7, rerunAbove: 2.5 }, { method: 'clada', maxKl: 0.02, checkEvery: 2 },
];

for (const sparsity of methods) {
  test(`saved anywhere, it goes on elsewhere bit for bit: ${JSON.stringify(sparsity)}`, async () => {
    const here = await open(), there = await open({ contextSize: 256 }), whole = await here.generate(prompt, { ...options, sparsity }).tokens();
    await there.generate(text(3, 120), { maxTokens: 30, ignoreEos: true }).text(); // something that has to give way
    for (const at of [1, 2, 17, 36, 37, 38, 39, 40, 55]) { // 90 + 38 is a block's end
      const generation = here.generate(prompt, { ...options, sparsity }), begun = await take(generation, at), snapshot = await generation.save();
      assert.ok(told(begun) === told(whole.slice(0, at)), 'repeatable here');
      assert.ok(told(await (await there.resume(snapshot)).tokens()) === told(whole.slice(at)), `after ${at} tokens`);
    }
    if (sparsity.checkEvery === undefined) { // what another left in the cache is neither saved nor missed
      const generation = here.generate(prompt, { ...options, sparsity });
      await take(generation, 9);
      await here.generate([...prompt.slice(0, 83), ...text(11, 40)], { maxTokens: 3, sparsity: { method: 'mask', density: 0.5 } }).text();
      assert.ok(told(await (await there.resume(await generation.save())).tokens()) === told(whole.slice(9)), 'after another');
    }
    here.close();
    there.close();
  });
}

test('a snapshot holds nothing of what others left, and is the same whatever lay there before', async () => {
  for (const cut of [5, 61, 64, 66, 90]) {
    const [used, fresh] = [await open(), await open()], own = prompt.slice(0, cut);
    await used.generate(text(41, 150), { maxTokens: 1 }).text();
    const [a, b] = await Promise.all([used, fresh].map(async (model) => { const g = model.generate(own, { ...options, maxTokens: 1 }); await g.text(); return g.save(); }));
    assert.equal(a, b, `${cut} tokens`);
  }
});

test('what was restored goes back as far as what was saved', async () => {
  const here = await open(), there = await open(), own: GenerateOptions = { temperature: 0, ignoreEos: true, maxTokens: 1 };
  for (const length of [64, 70, 90]) {
    const generation = here.generate(text(23, length), own);
    await generation.text();
    await there.generate(text(3, 150), own).text();
    await there.resume(await generation.save());
    for (const back of [1, 3, 9, 14, 20, 40]) {
      const other = [...text(23, length).slice(0, length - back), 7, 8], [a, b] = [there.generate(other, own), here.generate(other, { ...own, logprobs: 3 })];
      assert.is(await a.text(), await b.text());
      const anew = await (await open()).generate(other, { ...own, logprobs: 3 }).tokens();
      const again = await there.generate(other, { ...own, logprobs: 3 }).tokens();
      assert.ok(told(again) === told(anew), `${length} tokens, ${back} back`);
      await there.resume(await generation.save());
    }
  }
});

test('more requests than sequences, and chats that take turns: what each gives alone', async () => {
  const prompts = [5, 11, 17].map((seed) => text(seed, 70)), alone: string[] = [], own: GenerateOptions = { ...options, telemetry: false };
  for (const ids of prompts) { const model = await open(); alone.push(told(await model.generate(ids, own).tokens())); model.close(); }
  for (const sequences of [1, 2, 4]) {
    const model = await open({ sequences });
    assert.equal(await Promise.all(prompts.map(async (ids) => told(await model.generate(ids, own).tokens()))), alone);
    model.close();
  }
  const say: GenerateOptions = { maxTokens: 20, seed: 3, ignoreEos: true }, turns = ['Tell me a story.', 'Go on.', 'Why?'];
  const talk = async (chat: ReturnType<Model['chat']>, word: string): Promise<string> => chat.send(word, say).text();
  const [left, right, both] = [await open(), await open(), await open({ sequences: 1 })];
  const chats = [left.chat({ system: 'Be terse.' }), right.chat({ system: 'Be kind.' }), both.chat({ system: 'Be terse.' }), both.chat({ system: 'Be kind.' })] as const;
  for (const word of turns) {
    const expected = [await talk(chats[0], word), await talk(chats[1], word)];
    assert.equal([await talk(chats[2], word), await talk(chats[3], word)], expected, word);
  }
  const saved = await both.restore(await chats[2].save());
  assert.is(await talk(saved, 'And?'), await talk(chats[0], 'And?'));
  for (const model of [left, right, both]) model.close();
});

test('a full context that shifts goes on as one that is computed anew', async () => {
  const model = await open({ contextSize: 128 }), again = await open({ contextSize: 128 }), own: GenerateOptions = { temperature: 0, ignoreEos: true, overflow: 'shift' };
  const whole = await model.generate(prompt, { ...own, maxTokens: 150 }).tokens();
  for (const cut of [5, 38, 100]) {
    const begun = again.generate(prompt, { ...own, maxTokens: cut }), tokens = await begun.tokens();
    tokens.push(...await (await again.resume(await begun.save(), { maxTokens: 150 - cut })).tokens());
    assert.equal(tokens.map(({ id }) => id), whole.map(({ id }) => id), `saved after ${cut}`);
  }
});

test.run();
