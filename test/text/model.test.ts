/** The public API on the embedded model: what it gives, what it refuses, what it leaves behind. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, Model } from '../../src/index.ts';
import { load, plan } from '../../src/index.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';
import { twin } from '../helpers/twin.ts';

const test = suite('model');
const model = await load(embeddedModel, { tier: 'base', contextSize: 256 });
const prompt = 'The capital of France is';

async function code(run: () => unknown): Promise<string> {
  try { await run(); } catch (error) { return (error as CladaError).code ?? String(error); }
  return 'none';
}

test('generate: greedy text, tokens, statistics', async () => {
  const generation = model.generate(prompt, { temperature: 0, maxTokens: 3, telemetry: true, logprobs: 2 });
  const tokens = await generation.tokens();
  assert.equal(tokens.map(({ id }) => id), [7042, 30, 198]);
  assert.is(tokens.map(({ text }) => text).join(''), ' Paris.\n');
  for (const { logprob, surprisal, entropy, top, id } of tokens) {
    assert.is(surprisal, -logprob);
    assert.ok(entropy! > 0 && logprob < 0);
    assert.is(top![0]!.id, id);
    assert.is(top!.length, 2);
  }
  const stats = generation.stats();
  assert.is(stats.promptTokens, 5);
  assert.is(stats.generatedTokens, 3);
  assert.is(stats.stopReason, 'length');
  assert.ok(stats.generatePerSecond > 1 && stats.weightBytesPerSecond > 1e8);
});

test('telemetry and alternatives only where asked for', async () => {
  const [token] = await model.generate(prompt, { maxTokens: 1 }).tokens();
  assert.equal(Object.keys(token!).sort(), ['id', 'logprob', 'text']);
});

test('a seed repeats a text; the seed of an unseeded run is told', async () => {
  const first = model.generate(prompt, { maxTokens: 12 });
  const text = await first.text();
  assert.is(await model.generate(prompt, { maxTokens: 12, seed: first.stats().seed }).text(), text);
});

test('stop strings end the text before themselves', async () => {
  const generation = model.generate(prompt, { temperature: 0, maxTokens: 10, stop: ['aris.'] });
  assert.is(await generation.text(), ' P');
  assert.is(generation.stats().stopReason, 'stop');
  assert.is(generation.stats().stop, 'aris.');
});

test('the context ends a generation, a longer prompt is refused', async () => {
  const ids = Array.from({ length: 250 }, (_, i) => 1000 + i);
  const generation = model.generate(ids, { temperature: 0, ignoreEos: true });
  assert.is((await generation.tokens()).length, 6);
  assert.is(generation.stats().stopReason, 'context');
  assert.is(await code(() => model.generate([...ids, ...ids]).text()), 'E_CONTEXT_FULL');
});

test('prompts that share a beginning share its computation', async () => {
  await model.generate(`${prompt} a`, { maxTokens: 1 }).text();
  const generation = model.generate(`${prompt} the`, { maxTokens: 1 });
  await generation.text();
  assert.is(generation.stats().cachedTokens, 5);
});

test('two generations taking turns do not disturb each other', async () => {
  const options = { temperature: 0, maxTokens: 6 };
  const prompts = [prompt, 'Once upon a time'];
  const alone = [];
  for (const p of prompts) alone.push(await model.generate(p, options).text());
  const together = await Promise.all(prompts.map((p) => model.generate(p, options).text()));
  assert.equal(together, alone);
});

test('chat: remembers, starts with its own system message, survives an early end', async () => {
  const chat = model.chat({ system: 'You are terse.' });
  const answer = await chat.send('Say yes.', { temperature: 0, maxTokens: 5 }).text();
  assert.equal(chat.messages.map(({ role }) => role), ['system', 'user', 'assistant']);
  assert.is(chat.messages[2]!.content, answer);
  for await (const token of chat.send('And no.', { temperature: 0, maxTokens: 5 })) { assert.ok(token); break; }
  assert.is(chat.messages.length, 5);
  const cachedBefore = chat.send('More.', { temperature: 0, maxTokens: 2 });
  await cachedBefore.text();
  assert.ok(cachedBefore.stats().cachedTokens > 20, 'the conversation so far was not computed again');
});

test('score: surprisals in nats, windows with a context of their own', async () => {
  const { tokens, meanNll, perplexity, windowNll } = await model.score(prompt);
  assert.is(tokens.length, 5);
  assert.ok(Number.isNaN(tokens[0]!.surprisal) && Math.abs(tokens[4]!.surprisal - 0.45) < 0.3);
  assert.ok(Math.abs(perplexity - Math.exp(meanNll)) < 1e-9);
  assert.equal(windowNll, [meanNll]);
  const windows = await model.score(model.tokenizer.encode(prompt.repeat(4)), { window: 8 });
  assert.is(windows.windowNll.length, Math.ceil(windows.tokens.length / 8));
});

test('abort: between tokens and inside a long prompt', async () => {
  const controller = new AbortController();
  const seen: number[] = [];
  const result = await code(async () => {
    for await (const { id } of model.generate(prompt, { signal: controller.signal, ignoreEos: true })) {
      seen.push(id);
      if (seen.length === 3) controller.abort();
    }
  });
  assert.is(result, 'E_ABORTED');
  assert.is(seen.length, 3);
  const late = new AbortController();
  setTimeout(() => late.abort(), 1);
  assert.is(await code(() => model.generate(Array.from({ length: 250 }, (_, i) => i + 5), { signal: late.signal, maxTokens: 2 }).text()), 'E_ABORTED');
  assert.is(await model.generate(prompt, { temperature: 0, maxTokens: 1 }).text(), ' Paris', 'the model goes on working');
});

test('what cannot be is refused by name', async () => {
  assert.is(await code(() => model.generate('')), 'none'); // nothing runs before it is iterated
  assert.is(await code(() => model.generate('').text()), 'E_EMPTY_PROMPT');
  assert.is(await code(() => model.generate([]).text()), 'E_EMPTY_PROMPT');
  for (const id of [-1, 49_152, 1.5, NaN]) assert.is(await code(() => model.generate([1, id]).text()), 'E_TOKEN_RANGE');
  assert.is(await code(() => model.generate('a\uD800').text()), 'E_UTF8');
  for (const options of [{ temprature: 1 }, { maxTokens: -2 }, { maxTokens: 1.5 }, { loopGuard: 1 }, { loopGuard: -1 }, { temperature: NaN }, { topP: 2 }, { stop: [''] }, { telemetry: 'yes' }, { logprobs: 1e6 }]) {
    assert.is(await code(() => model.generate(prompt, options as never)), 'E_OPTION', JSON.stringify(options));
  }
  assert.throws(() => model.generate(prompt, { temprature: 1 } as never), /temperature/);
  const once = model.generate(prompt, { maxTokens: 1 });
  await once.text();
  assert.is(await code(() => once.text()), 'E_OPTION');
});

test('load refuses what it cannot load', async () => {
  const tiny = new Uint8Array(readFileSync(tinyPath('llama256-q4_0.gguf')));
  assert.is(await code(() => load('no/such/file.gguf')), 'E_NOT_FOUND');
  assert.is(await code(() => load('.')), 'E_NOT_FOUND');
  assert.is(await code(() => load('hf:owner/repo')), 'E_OPTION');
  assert.is(await code(() => load(null as never)), 'E_OPTION');
  assert.is(await code(() => load([])), 'E_OPTION');
  assert.is(await code(() => load(new Uint8Array(0))), 'E_GGUF_TRUNCATED');
  assert.is(await code(() => load(tiny, { contextsize: 5 } as never)), 'E_OPTION');
  assert.is(await code(() => load(tiny, { tier: 'fast' as never })), 'E_OPTION');
  assert.is(await code(() => load(tiny, { precision: 'half' as never })), 'E_OPTION');
  assert.is(await code(() => load(tiny, { maxBytes: 1e6 })), 'E_WONT_FIT');
  assert.is(await code(() => load(tiny, { signal: AbortSignal.abort() })), 'E_ABORTED');
  const nan = tiny.slice();
  nan.set([0xff, 0x7f], nan.length - 18); // the scale of the last block of a weight, or a float
  assert.ok(['E_NAN_WEIGHTS', 'none'].includes(await code(async () => (await load(nan)).close())));
  const foreign = await twin('llama.gguf', { 'general.architecture': { type: 'string', value: 'rwkv6' } });
  assert.is(await code(() => load(foreign)), 'E_FAMILY');
});

test('an abort while weights stream in leaves nothing open', async () => {
  const controller = new AbortController();
  const progress: string[] = [];
  assert.is(await code(() => load(embeddedModel, { signal: controller.signal, onProgress: ({ phase, loaded, total }) => {
    progress.push(phase);
    if (loaded > total / 3) controller.abort();
  } })), 'E_ABORTED');
  assert.is(progress[0], 'header');
  assert.ok(progress.includes('weights'));
});

test('every kind of source gives the same model', async () => {
  const bytes = new Uint8Array(readFileSync(tinyPath('llama256-q4_0.gguf')));
  const first = async (m: Model): Promise<number> => (await m.evaluate([1, 2, 3])).report.maxLogit;
  const results: number[] = [];
  for (const source of [tinyPath('llama256-q4_0.gguf'), bytes, bytes.buffer, new Blob([bytes]), new Blob([bytes]).stream(), [bytes]]) {
    const m = await load(source, { tier: 'base' });
    results.push(await first(m));
    m.close();
  }
  assert.is(new Set(results).size, 1);
});

test('plan tells without allocating', async () => {
  const { memory, lines } = await plan(embeddedModel, { contextSize: 512, kv: 'f16' });
  assert.equal([memory.sequences, memory.kv], [8, 8 * 2 * 30 * 3 * 64 * 2 * 512]);
  assert.ok(lines().length > 3);
});

test('nothing works after close', async () => {
  const other = await load(new Uint8Array(readFileSync(tinyPath('llama256-q4_0.gguf'))));
  const running = other.generate([1, 2, 3], { ignoreEos: true })[Symbol.asyncIterator]();
  await running.next();
  other.close();
  other.close();
  assert.is(await code(() => running.next()), 'E_CLOSED');
  assert.is(await code(() => other.generate([1]).text()), 'E_CLOSED');
  assert.is(await code(() => other.score([1, 2])), 'E_CLOSED');
});

test.run();
