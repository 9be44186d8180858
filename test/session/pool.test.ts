/** Requests side by side: each has a sequence of its own while there are any, waits in line when there are none, and gives what it gives alone. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, GenerateOptions, LoadOptions, Model } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { Line } from '../../src/session/line.ts';
import { PATIENCE_MS } from '../../src/session/pool.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('pool');
const open = (options: LoadOptions = {}): Promise<Model> => load(tinyPath('llama256-q4_1.gguf'), { tier: 'base', contextSize: 128, ...options });
const prompts = [5, 11, 17].map((step) => Array.from({ length: 40 }, (_, i) => 3 + ((i * step) % 440)));
const options: GenerateOptions = { maxTokens: 12, temperature: 0, ignoreEos: true };
const code = (error: unknown): string => (error as CladaError).code;

async function ids(model: Model, prompt: readonly number[], own: GenerateOptions = {}): Promise<{ ids: number[]; cached: number }> {
  const generation = model.generate(prompt, { ...options, ...own }), tokens = await generation.tokens();
  return { ids: tokens.map(({ id }) => id), cached: generation.stats().cachedTokens };
}

for (const sequences of [1, 2, 4]) {
  test(`three requests at once over ${sequences} sequences: the tokens that each gives alone`, async () => {
    const sparsity = [{ method: 'dense' }, { method: 'griffin', density: 0.5 }] as const;
    for (const own of sparsity) {
      const alone = [], model = await open({ sequences });
      for (const prompt of prompts) alone.push(await ids(await open(), prompt, { sparsity: own }));
      const together = await Promise.all(prompts.map((prompt) => ids(model, prompt, { sparsity: own })));
      assert.equal(together.map((one) => one.ids), alone.map((one) => one.ids), JSON.stringify(own));
      model.close();
    }
  });
}

test('requests with masks of their own beside each other, however little room there is', async () => {
  const alone = [], own = (density: number): GenerateOptions => ({ sparsity: { method: 'griffin', density } });
  for (const [i, prompt] of prompts.entries()) alone.push((await ids(await open(), prompt, own(0.3 + 0.2 * i))).ids);
  for (const maxBytes of [undefined, 3_400_000]) {
    const model = await open(maxBytes ? { maxBytes } : {});
    assert.equal((await Promise.all(prompts.map((prompt, i) => ids(model, prompt, own(0.3 + 0.2 * i))))).map((one) => one.ids), alone, String(maxBytes));
    model.close();
  }
});

test('a mask gives the same whatever forms other methods have asked for', async () => {
  for (const name of ['llama256-q4_k_m.gguf', 'llama256-q5_0.gguf']) {
    const { path } = await calibratedCopy(tinyPath(name)), model = await load(path, { tier: 'base', contextSize: 128 }), told: string[] = [];
    for (const method of ['griffin', 'clada', 'griffin'] as const) {
      told.push(JSON.stringify(await model.generate(prompts[0]!, { ...options, sparsity: { method, density: 0.5 } }).tokens()));
    }
    assert.is(told[0], told[2], name);
    model.close();
  }
});

test('a request that waits is first come, first served, and can be aborted at once', async () => {
  const model = await open({ sequences: 1 }), order: number[] = [], abort = new AbortController();
  const run = (i: number, signal?: AbortSignal): Promise<unknown> => ids(model, prompts[i]!, signal ? { signal } : {}).then(() => order.push(i), code);
  const first = model.generate(prompts[0]!, options)[Symbol.asyncIterator]();
  await first.next(); // it has the sequence, until its reader is patient no longer
  const aborted = run(1, abort.signal), last = run(2), started = performance.now();
  await new Promise((resolve) => { setTimeout(resolve, 1); });
  abort.abort();
  assert.is(await aborted, 'E_ABORTED');
  assert.ok(performance.now() - started < 0.5 * PATIENCE_MS, 'it did not wait for the first');
  for (let next = await first.next(); !next.done; next = await first.next());
  order.push(0);
  await last;
  assert.equal(order, [0, 2]);
  model.close();
});

test('a reader that is gone does not keep its sequence, and whoever was left behind goes on where it stood', async () => {
  const model = await open({ sequences: 1 }), want = (await ids(await open(), prompts[0]!)).ids;
  const left = model.generate(prompts[0]!, options)[Symbol.asyncIterator](), got = [(await left.next()).value!.id];
  const started = performance.now();
  await ids(model, prompts[1]!);
  assert.ok(performance.now() - started > 0.8 * PATIENCE_MS, 'a second is waited for it');
  for (let next = await left.next(); !next.done; next = await left.next()) got.push(next.value.id);
  assert.equal(got, want);
  model.close();
});

test('nor does one that leaves only after others have lined up, or while it is saved', async () => {
  const model = await open({ sequences: 1 }), left = model.generate(prompts[0]!, options)[Symbol.asyncIterator](), first = left.next();
  const next = ids(model, prompts[1]!);
  await first;
  assert.is((await next).ids.length, 12);
  const saved = model.generate(prompts[2]!, options), iterator = saved[Symbol.asyncIterator]();
  await iterator.next();
  const saving = saved.save();
  await iterator.return!();
  await saving;
  const started = performance.now();
  await ids(model, prompts[1]!);
  assert.ok(performance.now() - started < 0.8 * PATIENCE_MS, 'it had ended');
  model.close();
});

test('requests one after the other share one sequence; a similar prompt finds its prefix', async () => {
  const model = await open(), before = model.info.memoryBytes;
  for (const prompt of prompts) await ids(model, prompt);
  assert.is((await ids(model, prompts[2]!)).cached, 40 - 1);
  assert.is((await model.score(prompts[0]!)).tokens.length, 40);
  assert.is(before, model.info.memoryBytes);
  model.close();
});

test('close tells those that wait', async () => {
  const model = await open({ sequences: 1 });
  const running = model.generate(prompts[0]!, options)[Symbol.asyncIterator]();
  await running.next();
  const waiting = prompts.slice(1).map((prompt) => ids(model, prompt).then(() => 'none', code));
  model.close();
  assert.equal(await Promise.all([running.next().then(() => 'none', code), ...waiting]), ['E_CLOSED', 'E_CLOSED', 'E_CLOSED']);
});

test('a runtime that grants no more memory: what finds room is right, what does not says so, and nothing is damaged', async () => {
  const { grow } = WebAssembly.Memory.prototype, model = await open();
  const run = (density: number, of: number): Promise<unknown> => ids(model, prompts[of]!, { sparsity: { method: 'griffin', density } }).then((got) => got.ids, code);
  const alone = await Promise.all(prompts.map(async (prompt) => (await ids(await open(), prompt, { sparsity: { method: 'griffin', density: 0.3 } })).ids));
  assert.equal(await run(0.3, 0), alone[0]);
  try {
    WebAssembly.Memory.prototype.grow = () => { throw new RangeError('no more'); };
    await run(0.95, 0); // more room than there is
    for (let round = 0; round < 3; round++) {
      for (const [i, got] of (await Promise.all(prompts.map((_, of) => run(0.3, of)))).entries()) assert.ok(got === 'E_WONT_FIT' || String(got) === String(alone[i]), String(got));
    }
  } finally {
    WebAssembly.Memory.prototype.grow = grow;
  }
  assert.equal(await Promise.all(prompts.map((_, of) => run(0.3, of))), alone);
  model.close();
});

test('sequences: what cannot be is refused, what is left open follows the room', async () => {
  for (const sequences of [0, 1.5, 257]) assert.is(await open({ sequences }).then(() => 'none', code), 'E_OPTION');
  assert.is(await open({ sequences: 200, maxBytes: 6_000_000 }).then(() => 'none', code), 'E_WONT_FIT');
});

test('a line lets in whoever is first, and goes on past one that leaves or fails', async () => {
  let free = 0;
  const line = new Line(() => PATIENCE_MS), abort = new AbortController(), order: string[] = [];
  const take = (): boolean => free > 0 && free-- > 0, wait = (name: string, signal?: AbortSignal, ready = take): Promise<unknown> => line.wait(ready, signal, 'test').then(() => order.push(name), (error: Error) => order.push(`${name}: ${error.name}`));
  const all = [wait('a', abort.signal), wait('b', undefined, () => { throw new RangeError('no'); }), wait('c'), wait('d')];
  abort.abort();
  free = 1;
  line.wake();
  await Promise.all(all.slice(0, 3));
  assert.equal(order.sort(), ['a: AbortError', 'b: RangeError', 'c']);
  free = 1;
  line.wake();
  await all[3];
  assert.is(order.at(-1), 'd');
});

test('who yields waits without holding up those behind it, and comes first where both can', async () => {
  const line = new Line(() => PATIENCE_MS), order: string[] = [], open = { first: false, second: false };
  const wait = (name: 'first' | 'second', yields: boolean): Promise<unknown> => line.wait(() => open[name], undefined, 'a test', yields).then(() => order.push(name));
  const yielding = wait('first', true), next = wait('second', false);
  open.second = true;
  line.wake();
  await next;
  assert.equal(order, ['second']);
  await line.wait(() => true, undefined, 'a test'); // at once
  const last = wait('second', false);
  await last;
  open.first = true;
  line.wake();
  await yielding;
  assert.equal(order, ['second', 'second', 'first']);
  open.first = open.second = false;
  const both = Promise.all([wait('first', true), wait('second', false)]);
  open.first = open.second = true;
  line.wake();
  await both;
  assert.equal(order.slice(3), ['first', 'second']);
});

test.run();
