/** What is saved goes on elsewhere exactly as it would have gone on here: dense and with every sparse method, between answers and within one. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SparsityOptions } from '../../src/adapt/methods.ts';
import { ABI_VERSION } from '../../src/engine/instantiate.ts';
import type { GenerateOptions, GeneratedToken, LoadOptions, Model } from '../../src/index.ts';
import { CladaError, load, snapshotInfo } from '../../src/index.ts';
import { Random } from '../../src/sampler/random.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { codeOf } from '../helpers/errors.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';
import { tinyModel } from '../helpers/tiny-models.ts';
import { temporary } from '../helpers/twin.ts';

const test = suite('snapshot');
const { path } = await calibratedCopy(tinyPath('llama256-q4_0.gguf'));
const open = (options: LoadOptions = {}): Promise<Model> => load(path, { tier: 'base', contextSize: 128, ...options });
const prompt = Array.from({ length: 30 }, (_, i) => 3 + ((i * 89) % 440));
const methods: SparsityOptions[] = [
  { method: 'dense' }, ...(['griffin', 'mask', 'tt', 'cats', 'clada-paper', 'cascade', 'teal', 'wina', 'clada'] as const).map((method) => ({ method, density: 0.6 })),
  { method: 'mask', density: 0.6, cogLoad: true }, { method: 'cascade', density: 0.6, cogLoad: true, cogLoadWarmup: 2, refreshAfter: 2, refreshAbove: -0.7, rerunAbove: 3.5 },
  { method: 'clada', maxKl: 0.02, checkEvery: 2 }, { method: 'mask', minTop1: 0.45, checkEvery: 1 },
];
const options: GenerateOptions = { seed: 8, ignoreEos: true, maxTokens: 24, repeatPenalty: 1.3, frequencyPenalty: 0.1, logitBias: { 7: -Infinity, 9: 0.25 }, telemetry: true, logprobs: 2 };
/** Everything that a token tells, as text. */
const told = (tokens: GeneratedToken[]): string => JSON.stringify(tokens);

/** `count` tokens of what is iterated. */
async function take(source: AsyncIterable<GeneratedToken>, count: number): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  if (count > 0) for await (const token of source) if (tokens.push(token) === count) break;
  return tokens;
}

for (const sparsity of methods) {
  test(`a generation goes on bit for bit: ${JSON.stringify(sparsity)}`, async () => {
    const here = await open(), there = await open({ contextSize: 200 });
    await there.generate(prompt.slice(7), { maxTokens: 9, sparsity: { method: 'griffin', density: 0.5 } }).text(); // something that has to give way
    const first = here.generate(prompt, { ...options, sparsity }), whole = await first.tokens();
    if (sparsity.minTop1 !== undefined) assert.ok(first.stats().measured!.adjustments > 0, 'the selection changes on the way');
    if (sparsity.refreshAfter !== undefined) assert.ok(whole.some(({ step }) => step?.refreshed) && whole.some(({ step }) => step?.reran));
    for (const at of [1, 2, 9, 10, 17, 23]) {
      const generation = here.generate(prompt, { ...options, sparsity }), begun = await take(generation, at), snapshot = await generation.save();
      assert.is(told(begun), told(whole.slice(0, at)), 'repeatable here');
      const resumed = await there.resume(snapshot), rest = await resumed.tokens();
      assert.is(told(rest), told(whole.slice(at)), `after ${at} tokens`);
      assert.is(resumed.stats().stopReason, 'length');
      assert.is(resumed.stats().generatedTokens, 24);
      assert.equal(resumed.stats().measured, first.stats().measured);
      assert.is(await codeOf(() => here.resume(snapshot)), 'none');
    }
    here.close();
    there.close();
  });
}

test('saved while it runs, the generation itself is not disturbed, and every snapshot is of one moment', async () => {
  const model = await open(), sparsity: SparsityOptions = { method: 'clada-paper', density: 0.6 }, there = await open();
  const whole = await model.generate(prompt, { ...options, sparsity }).tokens(), saves: Promise<Uint8Array>[] = [];
  const generation = model.generate(prompt, { ...options, sparsity }), seen: GeneratedToken[] = [];
  for await (const token of generation) {
    seen.push(token);
    saves.push(generation.save()); // not waited for
  }
  assert.is(told(seen), told(whole));
  for (const snapshot of await Promise.all(saves)) {
    const rest = await (await there.resume(snapshot)).tokens();
    assert.is(told(rest), told(rest.length > 0 ? whole.slice(-rest.length) : []));
  }
});

test('what others did with the cache meanwhile neither leaks nor matters', async () => {
  const model = await open(), there = await open(), secret = Array.from({ length: 40 }, (_, i) => 5 + i);
  for (const sparsity of methods.filter(({ checkEvery }) => checkEvery === undefined)) {
    const whole = await model.generate(prompt, { ...options, sparsity }).tokens();
    const generation = model.generate(prompt, { ...options, sparsity });
    await take(generation, 9);
    await model.generate([...prompt.slice(0, 11), ...secret], { maxTokens: 3, sparsity: { method: 'mask', density: 0.5 } }).text();
    const snapshot = await generation.save();
    assert.is(snapshotInfo(snapshot).cachedTokens, 11);
    assert.is(told(await (await there.resume(snapshot)).tokens()), told(whole.slice(9)), JSON.stringify(sparsity));
  }
  // positions are saved in groups of 8: those behind the sequence are cleared
  for (const kv of ['f32', 'f16', 'q8'] as const) {
    const [used, fresh] = [await open({ kv }), await open({ kv })] as const, cut = prompt.slice(0, 11);
    await used.generate([...cut, ...secret], { maxTokens: 1 }).text();
    const [a, b] = await Promise.all([used, fresh].map(async (m) => { const g = m.generate(cut, { ...options, maxTokens: 1 }); await g.text(); return g.save(); }));
    assert.equal(a, b, kv);
  }
});

test('options of whoever goes on: more tokens, another seed, another method; text is not cut within a character', async () => {
  const model = await load(embeddedModel, { tier: 'base', contextSize: 160 }), words = { temperature: 0, maxTokens: 40, stop: ['never met'] };
  const text = 'Write emoji: 🐙🦑🐙🦑', whole = model.generate(text, words), expected = await whole.text();
  for (const at of [1, 2, 3, 6]) {
    const generation = model.generate(text, words), begun = (await take(generation, at)).map((token) => token.text).join('');
    const resumed = await model.resume(await generation.save());
    assert.is(begun + await resumed.text(), expected);
    assert.equal(resumed.ids, whole.ids);
  }
  const short = model.generate(text, { ...words, maxTokens: 12 }), first = await short.text(), snapshot = await short.save();
  assert.is(await (await model.resume(snapshot)).text(), '', 'it had ended');
  assert.is(first + await (await model.resume(snapshot, { maxTokens: 28 })).text(), expected);
  const one = await (await model.resume(snapshot, { maxTokens: 12, temperature: 1, seed: 1 })).text();
  assert.is(await (await model.resume(snapshot, { maxTokens: 12, temperature: 1, seed: 1 })).text(), one);
  assert.is.not(await (await model.resume(snapshot, { maxTokens: 12, temperature: 1, seed: 2 })).text(), one);
  const sparse = await model.resume(snapshot, { maxTokens: 8, sparsity: { method: 'clada', density: 0.6 } });
  await sparse.text();
  assert.is(sparse.stats().method, 'clada');
  // ids: the cache serves any prompt that begins like it
  const { ids } = await model.resume(snapshot), more = model.generate([...ids, ...model.tokenizer.encode(' And')], { maxTokens: 1 });
  await more.text();
  assert.is(more.stats().cachedTokens, ids.length - 1);
  assert.is(await codeOf(() => model.resume(snapshot, { maxTokens: -2 })), 'E_OPTION');
  assert.is(await codeOf(() => model.resume(snapshot, { maxtokens: 1 } as never)), 'E_OPTION');
  model.close();
});

test('a context that becomes full after a snapshot, or has been full before: the same tokens', async () => {
  const model = await open(), own: GenerateOptions = { temperature: 0, ignoreEos: true, overflow: 'shift' };
  for (const length of [1, 80, 120, 128]) {
    const long = Array.from({ length }, (_, i) => 3 + ((i * 7) % 440)), whole = await model.generate(long, { ...own, maxTokens: 150 }).tokens();
    for (const cut of [1, 5, 30, 100]) {
      const begun = model.generate(long, { ...own, maxTokens: cut }), tokens = await begun.tokens();
      tokens.push(...await (await model.resume(await begun.save(), { maxTokens: 150 - cut })).tokens());
      assert.equal(tokens.map(({ id }) => id), whole.map(({ id }) => id), `${length} tokens, saved after ${cut}`);
    }
  }
  model.close();
});

test('a chat goes on: between answers and within one, messages, system, sparsity', async () => {
  const opened = (contextSize: number): Promise<Model> => load(embeddedModel, { tier: 'base', contextSize, sparsity: { method: 'clada', density: 0.7, cogLoad: true, cogLoadWarmup: 2 } });
  const here = await opened(192), there = await load(embeddedModel, { tier: 'base', contextSize: 256 }); // its own default is dense
  const say: GenerateOptions = { maxTokens: 12, seed: 3, telemetry: true }, first = 'Tell me a story.', second = 'Go on.';
  const original = here.chat({ system: 'You are terse.' });
  await original.send(first, say).text();
  const between = await original.save(), answer = original.send(second, say), begun = await take(answer, 0), tokens: GeneratedToken[] = [];
  let within: Uint8Array | undefined;
  for await (const token of answer) if (tokens.push(token) === 5) within = await original.save();
  const after = await original.send('Why?', say).tokens();

  const restored = await there.restore(between);
  assert.equal(restored.messages, original.messages.slice(0, 3));
  const again = restored.send(second, say);
  assert.is(told(await again.tokens()), told(tokens));
  assert.ok(again.stats().cachedTokens > 20, 'nothing was computed twice');
  assert.is(again.stats().method, 'clada');
  assert.is(told(await restored.send('Why?', say).tokens()), told(after));

  const halfway = await there.restore(within!);
  assert.is(halfway.unfinished, tokens.slice(0, 5).map(({ text }) => text).join(''));
  assert.is(halfway.messages.at(-1)!.role, 'user');
  const twice = await there.restore(await halfway.save()); // saved again before it went on
  assert.is(told([...begun, ...await twice.resume().tokens()]), told(tokens.slice(5)));
  assert.is(twice.unfinished, undefined);
  assert.is(await codeOf(() => twice.resume()), 'E_OPTION');
  assert.equal(twice.messages, original.messages.slice(0, 5));
  assert.is(told(await twice.send('Why?', say).tokens()), told(after));

  const both = await there.restore(within!), resumed = both.resume(), late = both.resume();
  assert.is(told(await resumed.tokens()), told(tokens.slice(5)));
  assert.is(await codeOf(() => late.text()), 'E_OPTION', 'there is one answer to go on with');
  assert.equal(both.messages, original.messages.slice(0, 5));

  const left = await there.restore(within!); // who does not resume keeps what was said
  await left.send('Stop.', say).text();
  assert.is(left.messages[4]!.content, tokens.slice(0, 5).map(({ text }) => text).join(''));
  const gentle = await there.restore(between, { sparsity: { method: 'dense' } }), dense = gentle.send(second, say);
  await dense.text();
  assert.is(dense.stats().method, 'dense');
  const empty = await there.restore(await here.chat({ system: 'Hm.' }).save());
  assert.equal(empty.messages, [{ role: 'system', content: 'Hm.' }]);
  here.close();
  there.close();
});

test('in another process', async () => {
  const folder = temporary(), file = join(folder, 'session.clada'), script = fileURLToPath(new URL('../helpers/resume.mjs', import.meta.url));
  const model = await open(), sparsity: SparsityOptions = { method: 'clada', density: 0.6, cogLoad: true, cogLoadWarmup: 2 };
  const generation = model.generate(prompt, { ...options, sparsity });
  await take(generation, 8);
  writeFileSync(file, await generation.save());
  const rest = await (await model.resume(readFileSync(file))).tokens();
  assert.is(execFileSync(process.execPath, [script, path, file, '256'], { encoding: 'utf8' }).trim(), told(rest));
});

test('a model that turns otherwise in longer contexts: only among contexts that turn alike', async () => {
  const bytes = await tinyModel('phi3: long factors'), at = (contextSize: number): Promise<Model> => load(bytes, { tier: 'base', contextSize });
  const [short, shorter, long] = [await at(128), await at(64), await at(256)], generation = short.generate(prompt, { maxTokens: 8, temperature: 0 });
  await take(generation, 3);
  const snapshot = await generation.save(), rest = await (await short.resume(snapshot)).tokens();
  assert.is(snapshotInfo(snapshot).build.factors, 'short');
  assert.is(told(await (await shorter.resume(snapshot)).tokens()), told(rest));
  assert.is(await codeOf(() => long.resume(snapshot)), 'E_SNAPSHOT_MODEL');
  for (const model of [short, shorter, long]) model.close();
});

test('a snapshot that does not belong here is refused, and nothing changes', async () => {
  const model = await open(), generation = model.generate(prompt, { ...options, sparsity: { method: 'clada', density: 0.6 } });
  await take(generation, 6);
  const snapshot = await generation.save();
  assert.equal(snapshotInfo(snapshot).build, { abi: ABI_VERSION, tier: 'base', kv: 'q8', precision: 'fast' });
  assert.is(snapshotInfo(snapshot).kind, 'generation');
  assert.is(snapshotInfo(snapshot).tokens, 36);
  const refused = async (other: Model, code: string, remedy: RegExp): Promise<void> => {
    const before = other.generate(prompt.slice(3), { maxTokens: 4, temperature: 0 });
    await before.text();
    try {
      await other.resume(snapshot);
      assert.unreachable();
    } catch (error) {
      if (!(error instanceof CladaError)) throw error;
      assert.is(error.code, code);
      assert.match(error.remedy, remedy);
    }
    const after = other.generate(prompt.slice(3), { maxTokens: 4, temperature: 0 });
    assert.is(await after.text(), await other.tokenizer.decode(before.ids.slice(27)));
    assert.is(after.stats().cachedTokens, 26, 'the cache is as it was');
    other.close();
  };
  await refused(await load(tinyPath('llama256-q4_1.gguf'), { tier: 'base' }), 'E_SNAPSHOT_MODEL', /same weights/);
  await refused(await open({ kv: 'f16' }), 'E_SNAPSHOT_MODEL', /kv: 'q8'/);
  await refused(await open({ precision: 'exact' }), 'E_SNAPSHOT_MODEL', /precision: 'fast'/);
  await refused(await open({ calibration: false }), 'E_SNAPSHOT_MODEL', /calibration/);
  await refused(await open({ contextSize: 34 }), 'E_CONTEXT_FULL', /contextSize: 36/);
  const relaxed = await load(path, { contextSize: 128 });
  if (relaxed.info.tier === 'relaxed') await refused(relaxed, 'E_SNAPSHOT_MODEL', /tier: 'base'/);
  assert.is(await codeOf(() => model.restore(snapshot)), 'E_OPTION');
  assert.is(await codeOf(() => model.resume('text' as never)), 'E_OPTION');
  assert.is(await codeOf(async () => (await open({ calibration: false })).resume(snapshot, { sparsity: { method: 'dense' } })), 'none');
  model.close();
  assert.is(await codeOf(() => generation.save()), 'E_CLOSED');
  assert.is(await codeOf(() => model.resume(snapshot)), 'E_CLOSED');
});

test('500 corruptions: a typed error each, and the cache serves on', async () => {
  const model = await open(), generation = model.generate(prompt, { ...options, sparsity: { method: 'clada', density: 0.6, cogLoad: true } }), random = new Random(77);
  await take(generation, 6);
  const snapshot = await generation.save(), rest = told(await (await model.resume(snapshot)).tokens());
  const place = (): number => random.uint32() % (random.uint32() % 2 ? 2000 : snapshot.length);
  for (let round = 0; round < 500; round++) {
    const bytes = snapshot.slice(), cut = round % 5 === 0;
    if (!cut) for (let n = 1 + random.uint32() % 3; n > 0; n--) bytes[place()]! ^= 1 + random.uint32() % 255;
    if (!cut && Buffer.compare(bytes, snapshot) === 0) continue;
    const code = await codeOf(() => model.resume(cut ? bytes.slice(0, place()) : bytes));
    assert.match(code, /^E_SNAPSHOT(_VERSION)?$/, `round ${round}`);
  }
  assert.is(told(await (await model.resume(snapshot)).tokens()), rest);
});

test.run();
