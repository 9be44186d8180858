/** Requests at once share passes and give what each gives alone, bit for bit on `base`: whoever else comes, goes, skips neurons or fails. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PassPart } from '../../src/engine/engine.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { CladaError, GenerateOptions, LoadOptions, Model } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { RecordView, workspaceFields } from '../../src/model/records.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { openEngine, tinyPath } from '../helpers/models.ts';
import { tinyModelPath } from '../helpers/tiny-models.ts';
import { rewritten, temporary } from '../helpers/twin.ts';

const test = suite('batches'), ended: (() => void)[] = [];
const open = async (path: string, options: LoadOptions = {}): Promise<Model> => {
  const model = await load(path, { tier: 'base', contextSize: 256, ...options });
  ended.push(() => { model.close(); });
  return model;
};
test.after.each(() => { for (const close of ended.splice(0)) close(); });

const prompt = (seed: number, length: number): number[] => Array.from({ length }, (_, i) => 3 + ((i * seed + (i >> 3) * 17) % 440));
/** Eight that have nothing in common. */
const requests: readonly { readonly tokens: number[]; readonly options: GenerateOptions }[] = [
  { tokens: prompt(5, 1), options: { maxTokens: 40, temperature: 0 } },
  { tokens: prompt(11, 7), options: { maxTokens: 9, seed: 1, topK: 5 } },
  { tokens: prompt(17, 64), options: { maxTokens: 30, seed: 2, repeatPenalty: 1.3 } },
  { tokens: prompt(23, 65), options: { maxTokens: 1, seed: 3 } },
  { tokens: prompt(29, 130), options: { maxTokens: 25, seed: 4, logprobs: 3, minP: 0.1 } },
  { tokens: prompt(31, 200), options: { maxTokens: 50, seed: 5, telemetry: true } },
  { tokens: prompt(37, 31), options: { maxTokens: 33, seed: 6, stop: ['a', 'e'] } },
  { tokens: prompt(41, 16), options: { maxTokens: 12, seed: 7, temperature: 2 } },
];

/** All that is told of the tokens, but for the weights that a pass has read. */
async function told(model: Model, { tokens, options }: (typeof requests)[number], own: GenerateOptions = {}): Promise<string> {
  const generation = model.generate(tokens, { ignoreEos: true, ...options, ...own });
  const all = await generation.tokens();
  return JSON.stringify([all, generation.stats().stopReason], (key, value: unknown) => (key === 'weightBytes' ? undefined : value));
}

/** The parts of every pass while `run` runs. */
async function passesOf<T>(run: () => Promise<T>): Promise<{ result: T; passes: (readonly PassPart[])[] }> {
  const passes: (readonly PassPart[])[] = [], { pass } = Engine.prototype;
  Engine.prototype.pass = function watched(parts) { passes.push(parts); return pass.call(this, parts); };
  try {
    return { result: await run(), passes };
  } finally {
    Engine.prototype.pass = pass;
  }
}

const files = ['llama256-q4_1.gguf', 'llama256-q4_k_m.gguf', 'gemma2.gguf', 'gpt2.gguf', 'qwen2.gguf'].map((name) => [name, async () => tinyPath(name)] as const);
const made = ['lfm2', 'qwen2moe', 'phi2', 'cohere2'].map((name) => [name, () => tinyModelPath(name)] as const);
for (const [name, path] of [...files, ...made]) {
  test(`${name}: eight at once, each as alone`, async () => {
    const alone = await open(await path(), { sequences: 1 }), together = await open(await path());
    const want = [];
    for (const request of requests) want.push(await told(alone, request));
    for (let round = 0; round < 2; round++) {
      const { result, passes } = await passesOf(() => Promise.all(requests.map((request) => told(together, request))));
      for (const [i, got] of result.entries()) assert.is(got, want[i], `request ${i}, round ${round}`);
      assert.ok(Math.max(...passes.map((parts) => parts.length)) >= 6, 'most of them in one pass');
      assert.ok(passes.length < 80, `${passes.length} passes`);
    }
  });
}

test('every type of cache, and on `relaxed` too', async () => {
  for (const [tier, kv] of [['base', 'f32'], ['base', 'f16'], ['base', 'q8'], ['relaxed', 'q8']] as const) {
    const model = await open(tinyPath('llama256-q4_k_m.gguf'), { tier, kv }), want = [];
    for (const request of requests) want.push(await told(model, request));
    assert.equal(await Promise.all(requests.map((request) => told(model, request))), want, `${tier}, ${kv}`);
  }
});

test('sparse methods among dense requests: statistics, masks, loads and telemetry are one\'s own', async () => {
  const { path } = await calibratedCopy(tinyPath('llama256-q4_1.gguf')), model = await open(path), want = [];
  const methods = ['griffin', 'dense', 'clada', 'tt', 'mask', 'dense', 'clada-paper', 'cats'] as const;
  const own = (i: number): GenerateOptions => ({ telemetry: 'neurons', sparsity: methods[i] === 'dense' ? { method: 'dense' } : { method: methods[i]!, density: 0.5 } });
  for (const [i, request] of requests.entries()) want.push(await told(await open(path), request, own(i)));
  const got = await Promise.all(requests.map((request, i) => told(model, request, own(i))));
  for (const [i, one] of got.entries()) assert.is(one, want[i], methods[i]);
});

for (const file of ['llama256-q4_1.gguf', 'llama256-q4_k_m.gguf', 'llama.gguf']) {
  test(`${file}: masks that stay share passes with dense requests, each the same as alone`, async () => {
    const { path } = await calibratedCopy(tinyPath(file)), model = await open(path), want = [], isFloat = file === 'llama.gguf';
    const own = (i: number): GenerateOptions => ({ telemetry: true, sparsity: i % 3 === 2 ? { method: 'dense' } : { method: i % 3 ? 'mask' : 'griffin', density: 0.3 + 0.1 * (i % 5), cogLoad: i === 4 } });
    for (const [i, request] of requests.entries()) want.push(await told(await open(path), request, own(i)));
    const { result, passes } = await passesOf(() => Promise.all(requests.map((request, i) => told(model, request, own(i)))));
    for (const [i, one] of result.entries()) assert.is(one, want[i], `request ${i}`);
    // of floats a copy's columns are summed in another order: they take turns
    assert.is(passes.some((parts) => parts.filter(({ masked }) => masked).length > 2 && parts.some(({ masked }) => !masked)), !isFloat, 'passes of both');
    const after = await passesOf(() => told(model, requests[0]!, own(0)));
    assert.ok(after.passes.every((parts) => parts.every(({ masked }) => !masked)), 'alone it reads copies');
    assert.is(after.result, want[0]);
  });

  test(`${file}: a given text under a mask, token by token or in passes of many`, async () => {
    const { path } = await calibratedCopy(tinyPath(file)), model = await open(path);
    for (const method of ['mask', 'griffin'] as const) {
      const run = async (together: boolean): Promise<unknown[]> => {
        const rows: unknown[] = [];
        await model.follow(prompt(7, 40), prompt(9, 37), (logits, { surprisal, entropy, topToken, cost }, fed) => { rows.push([fed, [...logits], surprisal, entropy, topToken, cost]); }, { sparsity: { method, density: 0.5 }, together });
        return rows;
      };
      const { result: got, passes } = await passesOf(() => run(true)), want = await run(false);
      assert.is(got.length, 38);
      assert.equal(got, want);
      assert.is(passes.some(([part]) => part!.masked && part!.tokens.length > 8), file !== 'llama.gguf', 'many at once');
    }
  });
}

test('scores, conversations and plain evaluation beside texts', async () => {
  const model = await open(tinyPath('llama256-q4_1.gguf')), text = prompt(13, 150);
  const runs: (() => Promise<unknown>)[] = [
    () => model.score(text, { window: 70 }),
    async () => [...(await model.evaluate(prompt(3, 90))).logits],
    () => told(model, requests[2]!),
    async () => { const rows: number[] = []; await model.follow(prompt(7, 40), prompt(9, 20), (logits, { surprisal }) => { rows.push(logits[7]!, surprisal); }); return rows; },
    () => told(model, requests[4]!),
  ];
  const want = [];
  for (const run of runs) want.push(JSON.stringify(await run()));
  assert.equal((await Promise.all(runs.map((run) => run()))).map((one) => JSON.stringify(one)), want);
});

test('who aborts in the middle, leaves the loop or throws in it: the others do not notice', async () => {
  const model = await open(tinyPath('llama256-q4_1.gguf')), alone = await open(tinyPath('llama256-q4_1.gguf')), want = [];
  for (const request of requests) want.push(await told(alone, request));
  for (let round = 0; round < 3; round++) {
    const got = await Promise.all(requests.map(async (request, i) => {
      if (i % 2 === 0) return told(model, request);
      const abort = new AbortController();
      const generation = model.generate(request.tokens, { ignoreEos: true, ...request.options, maxTokens: 50, signal: abort.signal, onPrompt: () => { if (i === 5) throw new RangeError('mine'); } });
      let seen = 0;
      try {
        for await (const _ of generation) {
          if (++seen < 2 * i + round) continue;
          if (i === 3) break;
          if (i === 7) throw new RangeError('mine');
          abort.abort();
        }
      } catch (error) {
        return (error as CladaError).code ?? (error as Error).message;
      }
      return seen;
    }));
    assert.equal(got.filter((_, i) => i % 2 === 1), ['E_ABORTED', 6 + round, 'mine', 'mine']);
    assert.equal(got.filter((_, i) => i % 2 === 0), want.filter((_, i) => i % 2 === 0));
  }
});

test('a sequence whose activations overflow fails alone; its cache and those of others are sound', async () => {
  const hidden = 64, bad = 7, path = join(temporary(), 'bad.gguf');
  writeFileSync(path, await rewritten(readFileSync(tinyPath('llama.gguf')), ({ tensors }) => {
    const { data } = tensors.find(({ name }) => name === 'token_embd.weight')!;
    new Float32Array(data.buffer, data.byteOffset, data.length / 4).fill(3e38, bad * hidden, (bad + 1) * hidden);
  }));
  for (const tier of ['base', 'relaxed'] as const) {
    const model = await open(path, { tier }), good = requests.map(({ tokens, options }) => ({ tokens: tokens.map((id) => (id === bad ? id + 1 : id)), options: { ...options, logitBias: { [bad]: -100 } } }));
    const want = [];
    for (const request of good) want.push(await told(model, request));
    const code = (run: Promise<unknown>): Promise<unknown> => run.catch((error: CladaError) => error.code);
    const got = await Promise.all(good.map((request, i) => (i % 3 === 2 ? code(told(model, { ...request, tokens: [...request.tokens, bad, 9] })) : told(model, request))));
    assert.equal(got, want.map((one, i) => (i % 3 === 2 ? 'E_LOGITS' : one)));
    assert.equal(await Promise.all(good.map((request) => told(model, request))), want);
  }
});

test('an engine that is closed tells everybody in the pass, and those who wait', async () => {
  const model = await open(tinyPath('llama256-q4_1.gguf'), { sequences: 3 });
  const code = async (request: (typeof requests)[number]): Promise<string> => told(model, request, { maxTokens: -1 }).then(() => 'none', (error: CladaError) => error.code);
  const all = requests.map(code);
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  model.close();
  for (const one of await Promise.all(all)) assert.ok(one === 'E_CLOSED' || one === 'none', one);
});

test('200 requests with room for four: all are answered, in order, four at a time', async () => {
  const model = await open(tinyPath('llama256-q4_1.gguf'), { sequences: 4 }), begun: number[] = [];
  const { result, passes } = await passesOf(() => Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const generation = model.generate(prompt(5 + (i % 9), 10), { maxTokens: 3, temperature: 0, ignoreEos: true, onPrompt: () => { begun.push(i); } });
    return (await generation.tokens()).map(({ id }) => id).join();
  })));
  for (const [i, ids] of result.entries()) assert.is(ids, result[i % 9]);
  assert.equal(begun, [...begun].sort((a, b) => a - b));
  assert.ok(passes.every((parts) => parts.length <= 4));
});

test('the last layer computes what somebody wants: of a prompt\'s chunk that goes on keys and values, the head for one token', async () => {
  for (const name of ['llama256-q4_1.gguf', 'gpt2.gguf']) {
    const engine = await openEngine(tinyPath(name)), sequence = engine.openSequence(), tokens = Int32Array.from(prompt(5, 64));
    const read = (part: Partial<PassPart>): number => {
      assert.equal(engine.pass([{ sequence, tokens, rows: 0, counts: false, ...part }]), [undefined]);
      return 4 * new RecordView(engine.arena.memory, engine.workspace, workspaceFields).get('weightWords');
    };
    const nothing = read({}), one = read({ tokens: tokens.subarray(0, 1), rows: 1 });
    const { plan: { tensors, weightBytesPerToken } } = engine, bytes = (pattern: RegExp): number => tensors.filter(({ source }) => pattern.test(source.name)).reduce((sum, tensor) => sum + tensor.bytes, 0);
    assert.is(one, read({ rows: 5 }));
    const state = read({ tokens: tokens.subarray(0, 1), rows: 1, states: true });
    const last = engine.plan.hparams.nLayers - 1, skipped = bytes(new RegExp(`^blk\\.${last}\\.(attn_output|ffn_(gate|up|down))\\.weight`));
    const head = tensors.find(({ source }) => source.name === 'output.weight') ?? tensors.find(({ source }) => source.name === 'token_embd.weight')!;
    assert.ok(Math.abs(one - nothing - skipped - head.bytes) < 1e-3 * weightBytesPerToken, `${name}: ${one} − ${nothing}, ${skipped} + ${head.bytes}`);
    assert.ok(Math.abs(state - nothing - skipped) < 1e-3 * weightBytesPerToken, `${name}: hidden states need no head`);
    engine.close();
  }
});

test.run();
