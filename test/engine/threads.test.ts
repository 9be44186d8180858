/** Threads: the same bits with any number of them, and an end to all of them whatever happens. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import { Pace } from '../../src/engine/pace.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { chooseThreads } from '../../src/engine/threads.ts';
import { load } from '../../src/index.ts';
import type { WriteTensor } from '../../src/format/gguf/write.ts';
import { Stage } from '../../src/model/enums.ts';
import { RecordView, teamFields, workspaceFields } from '../../src/model/records.ts';
import { Random } from '../../src/sampler/random.ts';
import { Sequence } from '../../src/session/sequence.ts';
import { codeOf } from '../helpers/errors.ts';
import { embeddedModel, openEngine, tinyPath } from '../helpers/models.ts';
import { tinyModelPath, tinyModels } from '../helpers/tiny-models.ts';
import { rewritten, temporary } from '../helpers/twin.ts';
import { variantPath } from '../helpers/variants.ts';

const pathOf = async (file: string): Promise<string> => (file in tinyModels ? tinyModelPath(file) : file.includes(':') ? variantPath(file) : tinyPath(file));

const team = (engine: Engine): RecordView<typeof teamFields> => new RecordView(engine.arena.memory, engine.team!.ptr, teamFields);

/** An engine whose threads share whatever can be cut: the models are tiny. */
async function open(path: string, threads: number, kv: 'q8' | 'f32' = 'q8'): Promise<Engine> {
  const engine = await openEngine(path, { threads, kv, contextSize: 128 });
  if (threads > 1) team(engine).set('grain', 1);
  return engine;
}

const { gate, product, mask } = Stage;
const selections: Record<string, Selection> = {
  dense: denseSelection,
  mask: { ...denseSelection, stages: mask, rule: 'topK', density: 0.5 },
  'rows and columns': { ...denseSelection, stages: gate | product, gateBase: 0.02, productBase: 0.01 },
  columns: { ...denseSelection, stages: product, productBase: 0.02 },
};
const ids = Array.from({ length: 60 }, (_, i) => 3 + ((i * 89) % 440)), prompt = 50;

/** Logits after the prompt and after every token behind it. */
async function rows(engine: Engine, selection: Selection): Promise<Buffer[]> {
  const sequence = new Sequence(engine), found: Buffer[] = [];
  const keep = ({ logits }: { logits: Float32Array }): void => { found.push(Buffer.from(logits.slice().buffer)); };
  for (let n = prompt; n <= ids.length; n++) await sequence.evaluate(ids.slice(0, n), keep, { selection, decodeFrom: prompt });
  await sequence.score(ids.slice(0, 20), (_, logits) => { keep({ logits }); });
  return found;
}

const test = suite('threads');

for (const file of ['llama256-q4_0.gguf', 'llama256-q4_k_m.gguf', 'llama256-q6_k.gguf', 'llama.gguf', 'gpt2.gguf', 'gemma3: stretched but for its windows, a cap of logits',
  'stablelm: both parts read the same, norms of each head', 'qwen2moe', 'lfm2', 'llama: heads of 20']) {
  test(`${file}: the same bits with 1, 2, 3 and 4 threads`, async () => {
    const path = await pathOf(file);
    for (const [name, selection] of Object.entries(selections)) {
      if (selection !== denseSelection && /moe|gpt2/.test(file)) continue; // no gate, or no one feed-forward part
      let alone: Buffer[] | undefined;
      for (const threads of [1, 2, 3, 4]) {
        const engine = await open(path, threads);
        assert.is(engine.threads, threads, engine.threadsReason);
        const found = await rows(engine, selection);
        engine.close();
        alone ??= found;
        found.forEach((row, i) => { assert.ok(row.equals(alone![i]!), `${name}, ${threads} threads, row ${i}`); });
      }
    }
  });
}

test('a prompt whose x is laid out for all threads in two spans of columns: the same bits', async () => {
  const wide = 3072, random = new Random(5);
  const q8 = (name: string, dims: readonly [number, number]): WriteTensor => {
    const data = Uint8Array.from({ length: dims[0] * dims[1] / 32 * 34 }, () => random.float64() * 256);
    for (let at = 0; at < data.length; at += 34) data.set([0, 0x14], at); // f16 2^-10
    return { name, dims, dtype: 'q8_0', data };
  };
  const bytes = await rewritten(readFileSync(tinyPath('llama.gguf')), ({ metadata, tensors }) => {
    metadata['llama.feed_forward_length'] = { type: 'u32', value: wide };
    tensors.forEach(({ name }, i) => { if (name.includes('.ffn_') && !name.includes('norm')) tensors[i] = q8(name, name.includes('down') ? [wide, 64] : [64, wide]); });
  });
  const path = join(temporary(), 'wide.gguf');
  writeFileSync(path, bytes);
  const [alone, shared] = [await open(path, 1), await open(path, 3)], found = await rows(shared, denseSelection);
  (await rows(alone, denseSelection)).forEach((row, i) => { assert.ok(row.equals(found[i]!), `row ${i}`); });
  alone.close();
  shared.close();
});

test('a worker that traps poisons the engine, which says what it was', async () => {
  const engine = await open(await pathOf('llama256-q4_k_m.gguf'), 3), sequence = new Sequence(engine);
  await sequence.evaluate(ids, () => undefined);
  // no other thread has scratch at the end of the memory
  new RecordView(engine.arena.memory, engine.workspace, workspaceFields).assign({ unpackedBytes: 0xf0000000, scoresBytes: 0xf0000000 });
  let code = '', message = '';
  for (let i = 0; i < 200 && code === ''; i++) { // the caller may have been faster
    await sequence.evaluate(ids.map((id) => id + (i % 3)), () => undefined).catch((error: Error & { code: string }) => { ({ code, message } = error); });
  }
  assert.is(code, 'E_POISONED');
  assert.match(message, /RuntimeError|unreachable|out of bounds/);
  assert.is(await codeOf(() => sequence.evaluate(ids, () => undefined)), 'E_POISONED');
  engine.close();
});

test('what is no number of threads is refused; more than cores is what was asked for', async () => {
  for (const threads of [0, -1, 1.5, 65, NaN, Infinity, '2' as never]) {
    assert.is(await codeOf(() => load(tinyPath('llama256-q4_0.gguf'), { threads })), 'E_OPTION', String(threads));
  }
  const { threads, threadsReason } = await chooseThreads(64, 1e9);
  assert.is(threads, 64);
  assert.match(threadsReason, /asked for/);
  assert.equal(await chooseThreads('auto', 1e6), { auto: true, threads: 1, threadsReason: 'the model is too small to share' });
});

test('where no memory can be shared, or no worker starts, one thread does everything and says why', async () => {
  const { Memory } = WebAssembly;
  try {
    WebAssembly.Memory = function memory(options: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
      if (options.shared) throw new RangeError('could not allocate memory');
      return new Memory(options);
    } as unknown as typeof WebAssembly.Memory;
    const engine = await openEngine(tinyPath('llama256-q4_0.gguf'), { threads: 2 });
    assert.is(engine.threads, 1);
    assert.match(engine.threadsReason, /no memory to share.*could not allocate/);
    engine.close();
  } finally {
    WebAssembly.Memory = Memory;
  }
  const program = `
    const { load } = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)});
    const model = await load(${JSON.stringify(tinyPath('llama256-q4_0.gguf'))}, { threads: 2 });
    const { logits } = await model.evaluate([1, 5, 9]);
    console.log(JSON.stringify([model.info.threads, model.info.threadsReason, logits.length]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--import',
    'data:text/javascript,import w from "node:worker_threads"; w.Worker = class { constructor() { throw new Error("no workers today"); } };', '--input-type=module', '-e', program]);
  assert.equal(JSON.parse(stdout), [1, 'a worker did not start: Error: no workers today', 448]);
});

test('a process ends although a model was never closed', async () => {
  const program = `
    const { load } = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)});
    const model = await load(${JSON.stringify(embeddedModel)}, { threads: 3, contextSize: 64 });
    await model.evaluate([1, 5, 9]);
    console.log(model.info.threads);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { timeout: 60_000 });
  assert.is(stdout.trim(), '3');
});

test('loading and closing leaves no worker and no memory', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', fileURLToPath(new URL('../helpers/loads.mjs', import.meta.url)), tinyPath('llama256-q4_0.gguf'), '40']);
  const { threads, workers, growth } = JSON.parse(stdout) as { threads: number; workers: number; growth: number };
  assert.is(threads, 3);
  assert.is(workers, 0);
  assert.ok(growth < 30e6, `${growth} bytes`);
});

test('auto: sharing ends where it is slower, is tried again, and goes on where it pays', () => {
  let now = 0;
  const { performance } = globalThis, clock = { now: () => now };
  Object.defineProperty(globalThis, 'performance', { value: clock, configurable: true, writable: true });
  try {
    const pace = new Pace(), run = (calls: number, one: number, many: number | (() => number)): number => {
      const took = typeof many === 'number' ? () => many : many, best = Math.min(one, typeof many === 'number' ? many : one);
      let shared = 0, spent = 0;
      for (let i = 0; i < calls; i++) {
        let way = false;
        const started = now;
        pace.run(1, (is) => { way = is; }, () => { now += way ? took() : one; });
        spent += now - started;
        if (way) shared++;
      }
      assert.ok(spent <= 1.05 * calls * best + 520, `${spent} for ${calls}`);
      return shared / calls;
    };
    assert.ok(run(500, 10, 6) > 0.95, 'an idle machine');
    assert.ok(run(500, 10, 15) < 0.1, 'a busy one');
    let turn = 0;
    assert.ok(run(500, 10, () => (turn++ % 3 ? 30 : 6)) < 0.15, 'now and then');
    assert.ok(run(1000, 10, 6) > 0.7, 'idle again');
  } finally {
    Object.defineProperty(globalThis, 'performance', { value: performance, configurable: true, writable: true });
  }
});

test('a call that gave up sharing is reason to stop, and no proof that sharing pays', () => {
  const pace = new Pace(), ways: boolean[] = [], sures: boolean[] = [];
  for (let i = 0; i < 8; i++) pace.run(64, (shared, sure) => { ways.push(shared); sures.push(sure); }, () => undefined, () => true);
  assert.is(ways[0], true);
  assert.equal(ways.slice(1, 3), [false, false]); // alone at once, tried again later
  assert.ok(sures.every((sure) => !sure));
});

test.run();
