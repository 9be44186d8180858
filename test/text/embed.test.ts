/** Embeddings: the numbers of llama.cpp, of every family, whatever runs beside them; what is asked wrongly is refused before anything is computed. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, EmbedOptions, LoadOptions, Model, Texts } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { asked, cosine, pooled, poolingModel, readEmbeddings, type Pooled } from '../helpers/embeddings.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';
import { tinyModel, tinyModels } from '../helpers/tiny-models.ts';
import { twin } from '../helpers/twin.ts';

const u32 = (value: number): { type: 'u32'; value: number } => ({ type: 'u32', value });
const open = (name = 'llama256-q4_1.gguf', options: LoadOptions = {}): Promise<Model> => load(tinyPath(name), { tier: 'base', contextSize: 128, ...options });
const bits = (vector: Float32Array): string => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
const text = (step: number, length: number): number[] => Array.from({ length }, (_, i) => 3 + ((i * step) % 440));
const size = (vector: Float32Array): number => Math.hypot(...vector);

/** Of largest difference to largest value. */
const difference = (got: Float32Array, want: Float32Array): number =>
  got.reduce((worst, value, i) => Math.max(worst, Math.abs(value - want[i]!)), 0) / want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

for (const tier of ['base', 'relaxed'] as const) {
  const test = suite(`embeddings (${tier})`), truth = readEmbeddings();

  for (const name of Object.keys(tinyModels)) {
    test(`${name}: as llama.cpp computes and pools them`, async () => {
      const contextSize = tinyModels[name]!.contextSize ?? 256;
      for (const pooling of Object.keys(pooled) as Pooled[]) {
        await using model = await load(await tinyModel(name, poolingModel(name, pooling)), { tier, contextSize, kv: 'f32' });
        const { embeddings: [vector], tokens } = await model.embed(asked, { normalize: false }), want = truth.get(name)![pooling]; // the file's own pooling
        assert.is(tokens, asked.length);
        assert.ok(cosine(vector!, want) > 0.999999, `${pooling}: cosine ${cosine(vector!, want)}`);
        assert.ok(difference(vector!, want) < 10 * (tinyModels[name]!.tolerance ?? 1e-5), `${pooling}: ${difference(vector!, want)} of the largest value`);
      }
    });
  }

  test.run();
}

const test = suite('embeddings: what holds for all');

test('none is every row; the others are made of its rows; lengths are 1', async () => {
  const model = await open(), { hidden } = (await hparams(model)), ids = text(7, 100), n = ids.length; // two passes
  const rows = (await model.embed(ids, { pooling: 'none', normalize: false })).embeddings[0]!, row = (i: number): Float32Array => rows.subarray(i * hidden, (i + 1) * hidden);
  assert.is(rows.length, n * hidden);
  const of = async (options: EmbedOptions): Promise<Float32Array> => (await model.embed(ids, options)).embeddings[0]!;
  assert.is(bits(await of({ pooling: 'last', normalize: false })), bits(row(n - 1)));
  assert.is(bits(await of({ pooling: 'cls', normalize: false })), bits(row(0)));
  const mean = Float32Array.from({ length: hidden }, (_, d) => ids.reduce((sum, _id, i) => sum + row(i)[d]!, 0) / n);
  assert.ok(difference(await of({ pooling: 'mean', normalize: false }), mean) < 1e-6);
  for (const pooling of ['last', 'mean', 'cls'] as const) assert.ok(Math.abs(size(await of({ pooling })) - 1) < 1e-6, pooling);
  const unit = await of({ pooling: 'none' });
  assert.ok(Math.abs(size(unit.subarray(5 * hidden, 6 * hidden)) - 1) < 1e-6);
  assert.is(bits(await of({})), bits(await of({ pooling: 'last' })), 'the default where the file says nothing');
  const few = await of({ dimensions: 10 }), whole = await of({ normalize: false });
  assert.is(few.length, 10);
  assert.ok(Math.abs(size(few) - 1) < 1e-6 && cosine(few, whole.subarray(0, 10)) > 0.999999);
  model.close();
});

async function hparams(model: Model): Promise<{ hidden: number }> {
  return { hidden: (await model.embed([1], { normalize: false })).embeddings[0]!.length };
}

test('many texts of all lengths: each as alone, in order, however many sequences there are, bit by bit', async () => {
  const texts = Array.from({ length: 40 }, (_, i) => text(3 + i, 1 + ((i * 37) % 120))), own = await open();
  for (const pooling of ['last', 'mean'] as const) {
    const alone: string[] = [];
    for (const one of texts) alone.push(bits((await own.embed(one, { pooling })).embeddings[0]!));
    for (const sequences of [1, 3, 8]) {
      await using model = await open(undefined, { sequences });
      const { embeddings, tokens } = await model.embed(texts, { pooling });
      assert.equal(embeddings.map(bits), alone, `${pooling}, ${sequences} sequences`);
      assert.is(tokens, texts.reduce((sum, { length }) => sum + length, 0));
    }
  }
  own.close();
});

test('beside generations: both as alone', async () => {
  for (const name of ['llama256-q8_0.gguf', 'gpt2.gguf']) { // a head in two stages, and one that is read whole
    const model = await open(name, { tier: 'auto' }), alone = await open(name, { tier: 'auto' });
    const ask = async (one: Model, i: number): Promise<number[]> => (await one.generate(text(5 + i, 30 + i), { maxTokens: 20, temperature: i / 2, seed: 7, ignoreEos: true }).tokens()).map(({ id }) => id);
    const texts = Array.from({ length: 20 }, (_, i) => text(11 + i, 5 + 4 * i)), wanted: number[][] = [];
    for (const i of [0, 1, 2]) wanted.push(await ask(alone, i));
    const want = (await alone.embed(texts, { pooling: 'mean' })).embeddings.map(bits);
    const [got, ...told] = await Promise.all([model.embed(texts, { pooling: 'mean' }), ask(model, 0), ask(model, 1), ask(model, 2)]);
    assert.equal(got.embeddings.map(bits), want, name);
    assert.equal(told, wanted, name);
    model.close();
    alone.close();
  }
});

test('who embeds leaves the caches of others alone, and theirs are the first to be taken', async () => {
  const model = await open(undefined, { sequences: 4 }), prompt = text(9, 60);
  const cached = async (ids: number[]): Promise<number> => {
    const generation = model.generate(ids, { maxTokens: 2, temperature: 0, ignoreEos: true });
    await generation.text();
    return generation.stats().cachedTokens;
  };
  await cached(prompt);
  await model.embed(Array.from({ length: 30 }, (_, i) => text(20 + i, 20)));
  assert.is(await cached([...prompt, 5]), 60, 'a request that nobody will come back to');
  await model.embed(Array.from({ length: 30 }, (_, i) => text(20 + i, 20)));
  await cached(text(13, 50));
  assert.is(await cached([...prompt, 5]), 60, 'another request has taken a sequence of the embeddings');
  model.close();
});

test('texts as strings are what the tokenizer makes of them with what the file adds, control tokens as plain text', async () => {
  const path = await twin('llama.gguf', { 'tokenizer.ggml.add_eos_token': { type: 'bool', value: true } }), model = await load(path, { contextSize: 128 });
  const both = await model.embed(['Hello there', '</s> Hello']), ids = ['Hello there', '</s> Hello'].map((one) => model.tokenizer.encode(one, { addSpecial: true }));
  assert.is(ids[0]!.at(-1), model.tokenizer.eosId);
  assert.equal(both.embeddings.map(bits), (await model.embed(ids)).embeddings.map(bits));
  assert.is(both.tokens, ids[0]!.length + ids[1]!.length);
  assert.equal((await model.embed('Hello there')).embeddings.map(bits), [bits(both.embeddings[0]!)]);
  assert.equal(await model.embed([]), { embeddings: [], tokens: 0 });
  model.close();
});

test('zeros stay zeros', async () => {
  const model = await load(await twinWithout('output_norm.weight'), { contextSize: 128 });
  for (const pooling of ['last', 'mean'] as const) assert.ok((await model.embed([1, 2, 3], { pooling })).embeddings[0]!.every((value) => value === 0), pooling);
  model.close();
});

async function twinWithout(tensor: string): Promise<Uint8Array> {
  return tinyModel('llama', { ...tinyModels['llama'], change: ({ tensors }) => { tensors.find(({ name }) => name === tensor)!.data.fill(0); } });
}

test('sequences of a dense model that last decoded sparsely, and rows that were', async () => {
  const model = await open(), ids = text(7, 40), generation = model.generate(ids, { maxTokens: 20, temperature: 0, ignoreEos: true, sparsity: { method: 'griffin', density: 0.5 } });
  const said = (await generation.tokens()).map(({ id }) => id), all = [...ids, ...said], other = await open();
  assert.is(bits((await model.embed(all)).embeddings[0]!), bits((await other.embed(all)).embeddings[0]!), 'always dense');
  model.close();
  other.close();
});

test('what is asked wrongly', async () => {
  const model = await open(), long = text(3, 129);
  const code = (texts: unknown, options?: object): Promise<string> => model.embed(texts as Texts, options).then(() => 'none', (error: CladaError) => `${error.code} ${error.subject}`);
  assert.is(await code(long), 'E_CONTEXT_FULL text, context');
  assert.is(await code([[1], long]), 'E_CONTEXT_FULL texts[1], context');
  assert.is(await code(['a', []]), 'E_EMPTY_PROMPT texts[1]');
  assert.is(await code([[1, 2, 999_999]]), 'E_TOKEN_RANGE texts[0], token 2');
  assert.is(await code([1, 'a']), 'E_TOKEN_RANGE text, token 1');
  assert.is(await code(['a', 'b\ud800']), 'E_UTF8 texts[1], text');
  for (const texts of [undefined, null, 5, {}, ['a', 5], [null], [undefined]]) assert.match(await code(texts), /^E_OPTION text/);
  for (const [name, values] of Object.entries({ pooling: ['rank', 3, ''], normalize: ['yes', 1], dimensions: [0, 1.5, 257, NaN, '8'] })) {
    for (const value of values) assert.match(await code('a', { [name]: value }), new RegExp(`^E_OPTION option ${name}|^E_OPTION ${name}`), `${name} ${String(value)}`);
  }
  assert.match(await code('a', { poling: 'mean' }), /^E_OPTION embed options/);
  assert.is(await code('a', { pooling: null, dimensions: undefined, normalize: null }), 'none');
  model.close();
  assert.match(await code('a'), /^E_CLOSED/);
});

test('others get a turn while many texts are made into tokens', async () => {
  const model = await open(), texts = [...Array.from({ length: 16_000 }, () => 'word '.repeat(20)), 'word '.repeat(5000)];
  let turns = 0;
  const clock = setInterval(() => { turns++; }, 1);
  const code = await model.embed(texts).then(() => 'none', (error: CladaError) => error.code); // the last is too long: nothing is computed
  clearInterval(clock);
  assert.is(code, 'E_CONTEXT_FULL');
  assert.ok(turns >= 3, String(turns));
  model.close();
});

test('an abort ends it between two passes, and nothing goes on behind it', async () => {
  const model = await open(), abort = new AbortController(), texts = Array.from({ length: 200 }, (_, i) => text(3 + i, 100));
  const running = model.embed(texts, { signal: abort.signal }).then(() => 'none', (error: CladaError) => error.code);
  setTimeout(() => { abort.abort(); }, 20);
  assert.is(await running, 'E_ABORTED');
  assert.is(await model.embed('a', { signal: AbortSignal.abort() }).then(() => 'none', (error: CladaError) => error.code), 'E_ABORTED');
  assert.is((await model.embed('a')).embeddings.length, 1);
  const closing = model.embed(texts).then(() => 'none', (error: CladaError) => error.code);
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  model.close();
  assert.is(await closing, 'E_CLOSED');
});

test('a text that leaves the numbers says so, the others of another call stand', async () => {
  const bytes = await tinyModel('llama', { change: ({ tensors }) => { new Float32Array(tensors.find(({ name }) => name === 'token_embd.weight')!.data.buffer).fill(1e30, 64 * 7, 64 * 8); } });
  const model = await load(bytes, { contextSize: 128 });
  const [bad, good] = await Promise.all([model.embed([[5, 6], [5, 7, 8]], { pooling: 'mean' }).then(() => 'none', (error: CladaError) => error.code), model.embed([[5, 6, 9]])]);
  assert.is(bad, 'E_LOGITS');
  assert.is(bits(good.embeddings[0]!), bits((await model.embed([[5, 6, 9]])).embeddings[0]!));
  model.close();
});

test('a file that says how it pools generates as well; one that ranks is refused', async () => {
  const model = await load(await tinyModel('qwen3', poolingModel('qwen3', 'last')), { contextSize: 64 });
  assert.is((await model.generate(asked, { maxTokens: 3, temperature: 0, ignoreEos: true }).tokens()).length, 3);
  model.close();
  const rank = await twin('llama.gguf', { 'llama.pooling_type': u32(4) });
  assert.is(await load(rank).then(() => 'none', (error: CladaError) => error.code), 'E_KIND');
});

test('the recipe of docs/embeddings.md', async () => {
  const page = readFileSync(new URL('../../docs/embeddings.md', import.meta.url), 'utf8'), recipe = /```js\n([\s\S]*?)```/.exec(page)![1]!;
  const AsyncFunction = (async () => undefined).constructor as new (...code: string[]) => (load: () => Promise<Model>) => Promise<{ text: string; near: number }[]>;
  const ranked = await new AsyncFunction('load', `${recipe}\nreturn ranked;`)(() => load(embeddedModel, { contextSize: 128, calibration: false }));
  assert.is(ranked.length, 3);
  ranked.forEach(({ near }, i) => { assert.ok(near <= (i === 0 ? 1.001 : ranked[i - 1]!.near), `${i}: ${near}`); });
});

test.run();
