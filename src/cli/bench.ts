/**
 * `clada bench`: llama-bench's tests and conventions (one warm-up, mean ± sd, no sampling), llama-batched-bench's with -pl, and beside them
 * what both lack: how much of the memory bandwidth decode reached, measured in the same process.
 */
import type { Model } from 'clada';
import { InputError } from 'clada';
import type { BatchResult, BenchResult, BenchTest, Setting } from './bench-report.ts';
import { reportBatches, reportTests } from './bench-report.ts';
import type { Values } from './commands.ts';
import { modelPath, openModel } from './model.ts';

/** Tokens that mean nothing, different in every run so that no prefix is ever reused. */
function nonsense(count: number, run: number, vocab: number): number[] {
  return Array.from({ length: count }, (_, i) => ((i + 1) * 7919 + (run + 1) * 104_729) % vocab);
}

/** Nanoseconds of one run; what is held beforehand is not timed. */
async function measure(model: Model, { prompt, generate, depth }: BenchTest, run: number, signal: AbortSignal): Promise<number> {
  const tokens = nonsense(depth + prompt + generate + 1, run, model.info.vocab);
  const held = prompt > 0 ? depth : Math.max(depth, 1); // generation starts behind at least one token
  if (held > 0) await model.evaluate(tokens.slice(0, held), { signal });
  const started = performance.now();
  if (prompt > 0) await model.evaluate(tokens.slice(0, depth + prompt), { signal });
  for (let i = 1; i <= generate; i++) await model.evaluate(tokens.slice(0, held + prompt + i), { signal });
  return 1e6 * (performance.now() - started);
}

/** Sequences that are generated at once: seconds until all have their first token, seconds of the rest, ms between tokens. */
async function measureBatch(model: Model, sequences: number, prompt: number, generate: number, run: number, signal: AbortSignal) {
  const options = { maxTokens: generate + 1, temperature: 0, ignoreEos: true, signal };
  const readers = Array.from({ length: sequences }, (_, i) =>
    model.generate(nonsense(prompt, run * sequences + i, model.info.vocab), options)[Symbol.asyncIterator]());
  const started = performance.now(), gaps: number[] = [];
  await Promise.all(readers.map((reader) => reader.next()));
  const between = performance.now();
  await Promise.all(readers.map(async (reader) => {
    for (let last = between; !(await reader.next()).done; last = performance.now()) gaps.push(performance.now() - last);
  }));
  return { promptSeconds: (between - started) / 1000, generateSeconds: (performance.now() - between) / 1000, gaps };
}

function testsOf(values: Values<'bench'>): BenchTest[] {
  const pairs = values.nPromptGen ?? [], some = (list: number[]): number[] => list.filter((n) => n > 0);
  if (pairs.length % 2 !== 0) {
    throw new InputError('E_USAGE', {
      subject: 'clada bench -pg', found: pairs.join(','), expected: 'PP,TG: two numbers each time', remedy: 'Write -pg 512,128.',
    });
  }
  return (values.nDepth ?? [0]).flatMap((depth) => [
    ...some(values.nPrompt ?? [512]).map((prompt) => ({ prompt, generate: 0, depth })),
    ...some(values.nGen ?? [128]).map((generate) => ({ prompt: 0, generate, depth })),
    ...Array.from({ length: pairs.length / 2 }, (_, i) => ({ prompt: pairs[2 * i]!, generate: pairs[2 * i + 1]!, depth })),
  ]);
}

/** Every test, the first run of each a warm-up. */
async function runTests(setting: Setting, values: Values<'bench'>, signal: AbortSignal): Promise<BenchResult[]> {
  const results: BenchResult[] = [], { model } = setting;
  let run = 0;
  for (const test of testsOf(values)) {
    const ns: number[] = [], time = new Date().toISOString().replace(/\.\d+/, '');
    for (let r = -1; r < (values.repetitions ?? 5); r++) {
      setting.bandwidth = Math.max(setting.bandwidth, model.measureBandwidth());
      const taken = await measure(model, test, run++, signal);
      if (r >= 0) ns.push(taken);
    }
    results.push({ ...test, time, ns });
  }
  return results;
}

async function runBatches(setting: Setting, values: Values<'bench'>, signal: AbortSignal): Promise<BatchResult[]> {
  const results: BatchResult[] = [], { model } = setting, repetitions = values.repetitions ?? 1;
  let run = 0;
  await measureBatch(model, 1, 16, 8, run++, signal); // warm-up
  for (const prompt of values.nPrompt ?? [512]) {
    for (const generate of values.nGen ?? [128]) {
      for (const sequences of values.parallel!) {
        const result: BatchResult = { prompt, generate, sequences, promptSeconds: 0, generateSeconds: 0, gaps: [] };
        for (let r = 0; r < repetitions; r++) {
          setting.bandwidth = Math.max(setting.bandwidth, model.measureBandwidth());
          const { promptSeconds, generateSeconds, gaps } = await measureBatch(model, sequences, prompt, generate, run++, signal);
          result.promptSeconds += promptSeconds / repetitions;
          result.generateSeconds += generateSeconds / repetitions;
          result.gaps.push(...gaps);
        }
        results.push(result);
      }
    }
  }
  return results;
}

export async function bench(values: Values<'bench'>, signal: AbortSignal): Promise<void> {
  const { parallel, model: models, threads: counts, ...rest } = values, most = (list: readonly number[]): number => Math.max(...list);
  if (parallel) refuseNone('-p', values.nPrompt), refuseNone('-n', values.nGen);
  const room = parallel ? most(values.nPrompt ?? [512]) + most(values.nGen ?? [128]) + 1
    : most(testsOf(values).map(({ prompt, generate, depth }) => depth + prompt + generate + 1));
  const output = values.json ? 'json' : (values.output ?? 'md'), settings: Setting[] = [];
  const tests: BenchResult[][] = [], batches: BatchResult[][] = [];
  for (const name of models ?? [undefined]) {
    for (const threads of counts ?? [undefined]) {
      const path = modelPath(name), sequences = parallel ? { sequences: most(parallel) } : {};
      const opening = { ...rest, ...(name === undefined ? {} : { model: name }), ...sequences, threads, contextSize: Math.max(32, room) };
      await using model = await openModel(opening, signal);
      const setting: Setting = { model, path, bandwidth: 0 };
      if (parallel) batches.push(await runBatches(setting, values, signal));
      else tests.push(await runTests(setting, values, signal));
      settings.push(setting);
    }
  }
  if (parallel) reportBatches(settings, batches, output);
  else reportTests(settings, tests, output);
}

/** A batch needs a prompt to begin with, and something behind it. */
function refuseNone(flag: string, list: readonly number[] | undefined): void {
  if (!list?.includes(0)) return;
  throw new InputError('E_USAGE', {
    subject: `clada bench -pl with ${flag}`, found: '0', expected: 'a whole number from 1',
    remedy: `Leave ${flag} out, or give it lengths.`,
  });
}
