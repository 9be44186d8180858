/** Skipping as users meet it: repeatable, measured, bounded, never in the way of dense, and without an allocation while tokens run. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Calibration } from '../../src/adapt/calibration.ts';
import { readCalibration, writeCalibration } from '../../src/adapt/calibration.ts';
import type { SparsityOptions } from '../../src/adapt/methods.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import { openFile } from '../../src/bytes/file.ts';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { GenerateOptions, GeneratedToken, GenerationStats, LoadOptions, Model } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import { PATIENCE_MS, SequencePool } from '../../src/session/pool.ts';
import { Sequence } from '../../src/session/sequence.ts';
import { Contract } from '../../src/text/contract.ts';
import { Generation } from '../../src/text/generate.ts';
import { Sparsity } from '../../src/text/sparsity.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { calibratedCopy, madeUpCalibration } from '../helpers/calibrated.ts';
import { codeOf } from '../helpers/errors.ts';
import { openEngine, tinyPath } from '../helpers/models.ts';
import { reluTwin } from '../helpers/relu.ts';
import { arenaOf } from '../helpers/taps.ts';
import { twin } from '../helpers/twin.ts';

const test = suite('sparsity');
const { path, file } = await calibratedCopy(tinyPath('llama256-q4_0.gguf'));
const calibration = await readCalibration(new MemorySource(readFileSync(file)));
const open = (options: LoadOptions = {}): Promise<Model> => load(path, { tier: 'base', ...options });
const model = await open();
const prompt = Array.from({ length: 30 }, (_, i) => 3 + ((i * 89) % 440));
const calibrated = ['griffin', 'mask', 'tt', 'cats', 'clada-paper', 'clada'] as const;

interface Run { ids: number[]; logprobs: number[]; tokens: GeneratedToken[]; stats: GenerationStats }

async function run(sparsity: SparsityOptions | undefined, options: GenerateOptions = {}, on = model, from: ArrayLike<number> = prompt): Promise<Run> {
  const generation = on.generate(from, { maxTokens: 24, seed: 5, ignoreEos: true, ...(sparsity ? { sparsity } : {}), ...options });
  const tokens = await generation.tokens();
  return { ids: tokens.map(({ id }) => id), logprobs: tokens.map(({ logprob }) => logprob), tokens, stats: generation.stats() };
}
const same = (a: Run, b: Run): void => {
  assert.equal(a.ids, b.ids);
  assert.equal(a.logprobs, b.logprobs);
};

test('a seed repeats a sparse text, for every method', async () => {
  for (const method of calibrated) same(await run({ method, density: 0.6 }), await run({ method, density: 0.6 }));
});

test('what ran before changes nothing', async () => {
  const alone = new Map<string, Run>();
  for (const method of calibrated) {
    const fresh = await open();
    alone.set(method, await run({ method, density: 0.6, cogLoad: true }, {}, fresh));
    fresh.close();
  }
  for (const method of [...calibrated].reverse()) same(await run({ method, density: 0.6, cogLoad: true }), alone.get(method)!);
});

test('sparse, then dense: exactly the dense text', async () => {
  const fresh = await open(), dense = await run(undefined, {}, fresh);
  const longer = await run(undefined, {}, fresh, [...prompt, ...dense.ids.slice(0, 10)]);
  fresh.close();
  for (const method of calibrated) {
    await run({ method, density: 0.5 });
    same(await run(undefined), dense);
    same(await run({ method, density: 1 }), dense);
  }
  await run({ method: 'griffin', density: 0.3 }, { temperature: 0, logitBias: new Map(), seed: 1 });
  same(await run({ method: 'dense' }), dense);
  assert.is(longer.ids.length, 24);
});

test('a dense answer to a prompt that a sparse answer is part of: computed dense', async () => {
  const { ids } = await run({ method: 'griffin', density: 0.3 });
  const continued = [...prompt, ...ids.slice(0, 12)];
  await run({ method: 'griffin', density: 0.3 }); // its keys are in the cache now
  const found = await run(undefined, {}, model, continued), fresh = await open();
  same(found, await run(undefined, {}, fresh, continued));
  fresh.close();
});

test('generations of different methods that take turns: each as alone', async () => {
  const settings: SparsityOptions[] = [{ method: 'clada', density: 0.6 }, { method: 'griffin', density: 0.4 }, { method: 'tt', density: 0.72 }, { method: 'dense' }, { method: 'cats', density: 0.55, cogLoad: true }];
  const options: GenerateOptions = { temperature: 0, maxTokens: 12 }, alone: Run[] = []; // all begin with the same token
  for (const setting of settings) alone.push(await run(setting, options));
  const together = await Promise.all(settings.map((setting) => run(setting, options)));
  together.forEach((found, i) => same(found, alone[i]!));
});

test('neurons that ran: as many bits a layer as down columns, only where asked for, never of a dense step', async () => {
  const bytes = Math.ceil(calibration.ffn / 8);
  const bits = (part: Uint8Array): number => part.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  for (const method of calibrated) {
    const density = method === 'tt' ? 0.75 : 0.6, watched = await run({ method, density }, { telemetry: 'neurons' });
    same(watched, await run({ method, density }));
    const maps = watched.tokens.slice(1).map(({ step }) => step!);
    for (const { neurons, layers } of maps) assert.equal(layers.map((_, i) => bits(neurons!.subarray(i * bytes, (i + 1) * bytes))), layers.map(({ down }) => down), method);
    const texts = maps.map(({ neurons }) => neurons!.join());
    assert.is(new Set(texts).size > 1, method !== 'griffin' && method !== 'mask', `${method}: a mask stays, a choice by token moves`);
  }
  const both = await Promise.all([run({ method: 'clada', density: 0.6 }, { telemetry: 'neurons' }), run({ method: 'cats', density: 0.6 }, { telemetry: true })]);
  assert.ok(both[0].tokens.slice(1).every(({ step }) => bits(step!.neurons!) === step!.layers.reduce((sum, { down }) => sum + down, 0)), 'another one in between');
  assert.ok(both[1].tokens.every(({ step }) => step?.neurons === undefined));
  for (const { step } of (await run({ method: 'dense' }, { telemetry: 'neurons' })).tokens) assert.is(step?.neurons, undefined);
  const full = Array.from({ length: model.info.contextSize }, (_, i) => 3 + (i % 200)), shifted = await run({ method: 'clada', density: 0.6 }, { overflow: 'shift', telemetry: true }, model, full);
  assert.equal(shifted.tokens.slice(1, 3).map(({ step }) => [step!.layers.length > 0, step!.thresholds.ffn !== undefined]), [[false, false], [true, true]], 'what a full context has pushed together is a prompt');
  const { tokens } = await run({ method: 'clada', density: 0.6, rerunAbove: 1e-9 }, { telemetry: 'neurons' });
  assert.ok(tokens.slice(1).every(({ step }) => step!.reran && step!.neurons === undefined), 'computed again, dense');
});

test('figures: method, promise, share used, nothing measured where no bound was asked for', async () => {
  for (const method of calibrated) {
    const density = method === 'tt' ? 0.75 : 0.6, { stats, tokens } = await run({ method, density }, { telemetry: true });
    assert.is(stats.method, method);
    assert.ok(Math.abs(stats.expected!.cost - density) < 1e-6, `${method}: ${stats.expected!.cost}`);
    assert.ok(stats.expected!.kl > 0 && stats.expected!.top1 <= 1);
    const mean = tokens.slice(1).reduce((sum, { step }) => sum + step!.density, 0) / (tokens.length - 1);
    assert.ok(Math.abs(stats.density - mean) < 1e-12);
    // random weights and tiny samples: the promise holds on average, not for 24 tokens; a mask goes by fours, of 512 neurons
    assert.ok(Math.abs(stats.density - density) < (method === 'griffin' ? 0.002 : method === 'mask' ? 0.008 : 0.2), `${method}: ${stats.density}`);
    assert.is(stats.measured, undefined);
    assert.equal(stats.warnings, []);
    assert.ok(method === 'griffin' || method === 'mask' ? stats.decideMs === 0 : stats.decideMs! > 0, `${method}: ${stats.decideMs} ms to decide`);
    const stages = { griffin: [], mask: [], tt: ['product'], cats: ['gate'], 'clada-paper': ['scores'], clada: ['attention', 'output', 'ffn', 'product'] }[method as string]!;
    for (const { step, surprisal, logprob } of tokens.slice(1)) {
      assert.is(surprisal, -logprob);
      assert.is(step!.level, stats.expected!.parameter);
      assert.equal(Object.keys(step!.thresholds), stages);
      const { ffn } = step!.thresholds; // of clada the budget itself, moved by the load's factor
      if (method === 'clada') assert.ok(Math.abs((ffn as number) - step!.level! * step!.factor) < 1e-6 * step!.level!, `${ffn}`);
      assert.is(step!.layers.length, 2);
      const used = step!.layers.reduce((sum, { gate, up, down }) => sum + gate + up + down, 0);
      if (method !== 'clada') assert.ok(Math.abs(used / (3 * 2 * calibration.ffn) - step!.density) < 1e-6);
      assert.ok(step!.layers.every(({ gate, up, down }) => gate >= up && up >= down), 'stages only narrow');
    }
  }
  const { stats } = await run(undefined);
  assert.equal([stats.method, stats.density, stats.expected, stats.measured], ['dense', 1, undefined, undefined]);
});

test('the model\'s own default, and a call that says otherwise', async () => {
  const own = await open({ sparsity: { method: 'cats', density: 0.7 } });
  assert.is((await run(undefined, {}, own)).stats.method, 'cats');
  assert.is((await run({ method: 'dense' }, {}, own)).stats.method, 'dense');
  own.close();
  assert.is(await codeOf(() => open({ sparsity: { method: 'exact' } })), 'E_METHOD', 'refused while loading');
  assert.is(await codeOf(() => open({ sparsity: { densty: 1 } as object })), 'E_OPTION');
  assert.is(await codeOf(() => model.generate(prompt, { sparsity: { method: 'clada', level: 99 } })), 'E_OPTION', 'at once, not at the first token');
});

test('auto: a bound that nothing keeps is dense, and says so', async () => {
  for (const bound of [{ maxKl: 1e-9 }, { minTop1: 1 }]) {
    const { stats, ids } = await run({ ...bound });
    if ('minTop1' in bound && stats.method !== 'dense') continue; // a level may have agreed everywhere
    assert.is(stats.method, 'dense');
    assert.match(stats.warnings[0]!, /no level of any method keeps the bound/);
    assert.equal(ids, (await run(undefined)).ids);
  }
  const bare = await load(path, { tier: 'base', calibration: false }), { stats } = await run({ maxKl: 1 }, {}, bare);
  assert.is(stats.method, 'dense');
  assert.match(stats.warnings[0]!, /no calibration/);
  bare.close();
});

test('auto: a loose bound picks what keeps it, or dense where that is as fast', async () => {
  const { stats } = await run({ method: 'auto', maxKl: 0.5, checkEvery: 4 }, { maxTokens: 32 });
  if (stats.method === 'dense') assert.match(stats.warnings[0]!, /dense is the fastest/);
  else {
    assert.ok(stats.expected!.kl + 2 * stats.expected!.klError <= 0.5 + 1e-6);
    assert.ok(stats.measured!.checks > 0);
  }
  assert.is((await run({ method: 'auto', maxKl: 0.5, checkEvery: 4 }, { maxTokens: 32 })).stats.method, stats.method, 'decided once');
});

test('auto: a ReLU model with a calibration has exact among its choices', async () => {
  const relu = await reluTwin('llama256-q4_0.gguf'), engine = await openEngine(relu), made = madeUpCalibration(engine);
  const lenient: Calibration = { ...made, levels: new Map([...made.levels, ['novel', made.levels.get('tt')!]]) }; // and a method that this version does not know
  for (const known of [writeCalibration(lenient), false] as const) {
    const loaded = await load(relu, { tier: 'base', calibration: known as Uint8Array<ArrayBuffer> | false });
    const { stats } = await run({ maxKl: 5, checkEvery: 0 }, {}, loaded);
    assert.ok(['dense', 'exact', 'cascade', 'teal', 'wina', ...calibrated].includes(stats.method!), stats.method);
    loaded.close();
  }
});

/** A calibration that promises too much: the hardest levels at no loss. */
const liar: Calibration = { ...calibration, levels: new Map(['clada', 'mask'].map((method) => [method, [{ ...calibration.levels.get(method)!.at(-1)!, kl: 1e-6, klError: 0 }]])) };

test('spot checks: every checkEvery tokens one is measured, and a broken bound makes the selection gentler', async () => {
  const hard: SparsityOptions = { method: 'clada', maxKl: 0.05, checkEvery: 4 };
  const loaded = await load(path, { tier: 'base', calibration: writeCalibration(liar) as Uint8Array<ArrayBuffer> });
  for (const method of ['clada', 'mask'] as const) {
    const { stats, tokens } = await run({ ...hard, method }, { maxTokens: 120, telemetry: true }, loaded), { measured } = stats;
    assert.is(measured!.checks, 29, 'tokens 4, 8, … 116');
    assert.ok(measured!.kl > 0.05 && measured!.klError > 0 && measured!.top1 <= 1);
    assert.ok(measured!.adjustments >= 3, `${method}: ${measured!.adjustments}`);
    const share = (from: number, to: number): number => tokens.slice(from, to).reduce((sum, { step }) => sum + step!.density, 0) / (to - from);
    assert.ok(share(100, 120) > share(1, 12) + 0.05, `${method}: ${share(1, 12)} at the beginning, ${share(100, 120)} at the end`);
  }
  const kept = await run({ ...hard, maxKl: 100 }, { maxTokens: 40 }, loaded);
  assert.equal([kept.stats.measured!.checks, kept.stats.measured!.adjustments], [9, 0]);
  const never = await run({ ...hard, checkEvery: 0 }, { maxTokens: 40 }, loaded);
  assert.is(never.stats.measured!.checks, 0);
  assert.ok(Number.isNaN(never.stats.measured!.kl));
  loaded.close();
});

test('requests at once, each token of each checked: the tokens and figures that each has alone', async () => {
  const asked = (checkEvery: number): SparsityOptions => ({ method: 'mask', maxKl: 0.05, checkEvery });
  for (const every of [1, 4]) for (const sequences of [1, 4]) {
    const loaded = await load(path, { tier: 'base', sequences, calibration: writeCalibration(liar) as Uint8Array<ArrayBuffer> });
    const one = async (from: number): Promise<unknown> => {
      const generation = loaded.generate(prompt.slice(from), { sparsity: asked(every), maxTokens: 12, temperature: 0, ignoreEos: true });
      return [(await generation.tokens()).map(({ id }) => id), generation.stats().measured];
    };
    const alone = [];
    for (const from of [0, 3, 5]) alone.push(await one(from));
    assert.equal(await Promise.all([0, 3, 5].map(one)), alone, `every ${every}, ${sequences} sequences`);
    loaded.close();
  }
});

test('a reader that was away while another took its sequence goes on as if nothing had been', async () => {
  const bounds: SparsityOptions[] = [{ method: 'mask', maxKl: 0.05, checkEvery: 2 }, { method: 'clada', maxKl: 0.05, checkEvery: 2 }, { method: 'clada', density: 0.6 }];
  const loaded = await load(path, { tier: 'base', sequences: 1, calibration: writeCalibration(liar) as Uint8Array<ArrayBuffer> });
  for (const asked of bounds) {
    const options = { sparsity: asked, maxTokens: 24, temperature: 0, ignoreEos: true, telemetry: true }, logprobs: number[] = [];
    const alone = loaded.generate(prompt, options), want = (await alone.tokens()).map(({ logprob }) => logprob);
    const left = loaded.generate(prompt, options);
    for await (const { logprob } of left) {
      if (logprobs.push(logprob) !== 10) continue;
      await new Promise((resolve) => { setTimeout(resolve, PATIENCE_MS + 50); });
      await loaded.generate(prompt.slice(2), { maxTokens: 3, sparsity: { method: 'dense' } }).text();
    }
    assert.equal(logprobs, want, JSON.stringify(asked));
    assert.equal(left.stats().measured, alone.stats().measured);
  }
  loaded.close();
});

test('a checked token is drawn from the dense distribution', async () => {
  const first = await run({ method: 'clada', maxKl: 1, checkEvery: 4 }, { maxTokens: 8, temperature: 0 });
  const before = [...prompt, ...first.ids.slice(0, 4)]; // token 4 is the first that is checked
  const sequence = new Sequence(await openEngine(path, { kv: 'q8' }));
  const sparsity = new Sparsity(new SequencePool(sequence.engine, 1), calibration), { selection } = await sparsity.resolve({ method: 'clada', maxKl: 1 })();
  const next = (n: number, check = false): Promise<[number | undefined, [number, number]]> =>
    sequence.evaluate(before.slice(0, n), ({ logits, report: { topToken, logSumExp }, sparse: own }) => [own?.topToken, [topToken, logits[topToken]! - logSumExp]], { selection, decodeFrom: prompt.length, check });
  for (let n = prompt.length; n < before.length; n++) await next(n);
  const [sparse, dense] = await next(before.length, true);
  assert.ok(sparse! >= 0);
  assert.equal([first.ids[4], first.logprobs[4]], dense);
});

const distribution = (logits: number[]): { logits: Float32Array; logSumExp: number; topToken: number } =>
  ({ logits: Float32Array.from(logits), logSumExp: Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)), topToken: logits.indexOf(Math.max(...logits)) });
const peaked = distribution([3, 0, 0]), flat = distribution([0, 0.1, 0]), selection = { ...denseSelection, stages: 2, gateBase: 1, density: 0.5 };

test('the contract: due every so many tokens, gentler after three checks past the bound, then counted anew', () => {
  const contract = new Contract({ maxKl: 0.1, checkEvery: 16 }, selection);
  assert.equal(Array.from({ length: 50 }, (_, i) => i).filter((i) => contract.isDue(i)), [16, 32, 48]);
  assert.not.ok(new Contract({ maxKl: 1, checkEvery: 0 }, selection).isDue(64));
  const bases = Array.from({ length: 7 }, () => contract.add(flat, peaked).gateBase as number);
  assert.equal(bases.slice(0, 2), [1, 1]);
  assert.ok(bases[2]! < 1 && bases[3] === bases[2] && bases[4] === bases[2] && bases[5]! < bases[2]! && bases[6] === bases[5]);
  const { checks, kl, klError, top1, adjustments } = contract.measured;
  assert.equal([checks, top1, adjustments], [7, 0, 2]);
  const p = [3, 0, 0].map((x) => Math.exp(x - peaked.logSumExp)), want = p.reduce((sum, share, i) => sum + share * (Math.log(share) - (flat.logits[i]! - flat.logSumExp)), 0);
  assert.ok(Math.abs(kl - want) < 1e-6, `KL(dense || sparse) = ${kl}, not ${want}`);
  assert.ok(klError < 1e-9);
});

test('the contract: one bad token of many is no broken bound; no check, no figure', () => {
  const contract = new Contract({ maxKl: 0.5, checkEvery: 1 }, selection);
  for (let i = 0; i < 9; i++) assert.is(contract.add(i === 4 ? flat : peaked, peaked), selection);
  assert.is(contract.measured.adjustments, 0);
  assert.ok(contract.measured.top1 > 0.8 && contract.measured.klError > 0);
  const none = new Contract({ maxKl: 0.5, checkEvery: 1 }, selection).measured;
  assert.ok(none.checks === 0 && Number.isNaN(none.kl) && Number.isNaN(none.top1) && Number.isNaN(none.klError));
});

test('the contract: agreement, a binomial error below the bound', () => {
  const contract = new Contract({ minTop1: 0.9, checkEvery: 1 }, selection);
  // 2 of 3 is above 0.9 - 0.17 by no means: broken; 3 of 3 is not
  for (const step of [peaked, peaked, peaked]) assert.is(contract.add(step, peaked), selection);
  for (let i = 0; i < 2; i++) contract.add(flat, peaked);
  assert.is(contract.measured.adjustments, 1);
  assert.ok((contract.add(peaked, peaked).density) > 0.5);
});

/** ChatML, as far as a test needs it; control tokens are plain text in this vocabulary. */
const template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

test('a chat of two turns keeps the first turn\'s keys', async () => {
  const chatty = await load(await twin('llama256-q4_0.gguf', { 'tokenizer.chat_template': { type: 'string', value: template } }), { tier: 'base', calibration: file });
  for (const method of ['griffin', 'clada', 'tt'] as const) {
    const chat = chatty.chat(), options: GenerateOptions = { temperature: 0, maxTokens: 8, ignoreEos: true, sparsity: { method, density: 0.75 } };
    const answer = await chat.send('Say one.', options).text();
    assert.is(chat.messages[1]!.content, answer);
    const second = chat.send('And two.', options);
    await second.text();
    const { cachedTokens, promptTokens, method: ran } = second.stats();
    assert.is(ran, method);
    assert.ok(cachedTokens > 10 && cachedTokens < promptTokens, `${method}: ${cachedTokens} of ${promptTokens}`);
  }
  chatty.close();
});

test('abort: between sparse tokens; the model goes on', async () => {
  const abort = new AbortController(), seen: number[] = [], want = await run({ density: 0.6 });
  const failed = await codeOf(async () => {
    for await (const { id } of model.generate(prompt, { seed: 5, ignoreEos: true, sparsity: { density: 0.6 }, signal: abort.signal })) {
      seen.push(id);
      if (seen.length === 5) abort.abort();
    }
  });
  assert.is(failed, 'E_ABORTED');
  assert.equal(seen, want.ids.slice(0, 5));
  same(await run({ density: 0.6 }), want);
});

/** Generations on an engine that a test can look into. */
async function bench(known = calibration): Promise<{ pool: SequencePool; generate: (sparsity: SparsityOptions, options?: GenerateOptions) => Generation }> {
  const pool = new SequencePool(await openEngine(path, { kv: 'q8' }), 1), sparsity = new Sparsity(pool, known), source = await openFile(path);
  const tokenizer = createTokenizer((await readGguf(source)).metadata);
  await source.close();
  const generate = (asked: SparsityOptions, options: GenerateOptions = {}): Generation =>
    new Generation({ pool, claim: pool.claim(), tokenizer, resolve: sparsity.resolve(asked) }, () => ({ tokens: prompt, keep: 1 }), { maxTokens: 40, ignoreEos: true, seed: 3, ...options, sparsity: asked });
  return { pool, generate };
}

test('nothing is allocated from the first sparse token to the last', async () => {
  const { pool, generate } = await bench();
  const settings: SparsityOptions[] = [
    ...calibrated.map((method) => ({ method, density: 0.6 })), { method: 'clada-paper', level: 1, refreshAfter: 1, refreshAbove: 0 }, { density: 0.6, rerunAbove: 1 },
    { method: 'mask', maxKl: 1, checkEvery: 2 }, { method: 'griffin', maxKl: 1, checkEvery: 2 }, { method: 'clada', maxKl: 0.01, checkEvery: 2 },
  ];
  for (const asked of settings) {
    const sizes: number[] = [], tops: number[] = [];
    for await (const { id } of generate(asked)) {
      assert.ok(id >= 0);
      tops.push(arenaOf(pool).top);
      sizes.push(arenaOf(pool).memory.buffer.byteLength);
    }
    assert.is(sizes.length, 40);
    const name = JSON.stringify(asked);
    assert.is(new Set(sizes.slice(1)).size, 1, `${name}: ${sizes.slice(1).join(' ')}`);
    assert.is(new Set(tops.slice(1)).size, 1, `${name}: ${tops.slice(1).join(' ')}`);
    await generate(asked).text();
    assert.is(arenaOf(pool).top, tops.at(-1), `${name}: a second generation needs nothing more`);
  }
});

test('nothing is allocated where a broken bound makes a mask larger', async () => {
  const { pool, generate } = await bench(liar), tops: number[] = [];
  const generation = generate({ method: 'mask', maxKl: 0.05, checkEvery: 1 });
  for await (const { id } of generation) { assert.ok(id >= 0); tops.push(arenaOf(pool).top); }
  assert.ok(generation.stats().measured!.adjustments > 3, 'the bound was broken');
  assert.is(new Set(tops.slice(1)).size, 1, tops.join(' '));
});

test.run();
