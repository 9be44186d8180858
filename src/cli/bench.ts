/**
 * `clada bench`: llama-bench's tests, columns and conventions (one warm-up, mean ± sd, no sampling), and one line that llama-bench lacks:
 * how much of the memory bandwidth decode reached, measured in the same process.
 */
import type { Model } from 'clada';
import { InputError } from 'clada';
import type { Values } from './commands.ts';
import { openModel } from './model.ts';
import { print, printJson } from './output.ts';

interface Test { name: string; prompt: number; generate: number; depth: number }
interface Result extends Test { samples: number[] }

/** Tokens that mean nothing, different in every run so that no prefix is ever reused. */
function nonsense(count: number, run: number, vocab: number): number[] {
  return Array.from({ length: count }, (_, i) => ((i + 1) * 7919 + (run + 1) * 104_729) % vocab);
}

/** Tokens a second of one run. */
async function measure(model: Model, { prompt, generate, depth }: Test, run: number, signal: AbortSignal): Promise<number> {
  const tokens = nonsense(depth + prompt + generate + 1, run, model.info.vocab);
  const held = prompt > 0 ? depth : Math.max(depth, 1); // generation starts behind at least one token
  if (held > 0) await model.evaluate(tokens.slice(0, held), { signal });
  const started = performance.now();
  if (prompt > 0) await model.evaluate(tokens.slice(0, depth + prompt), { signal });
  else for (let i = 1; i <= generate; i++) await model.evaluate(tokens.slice(0, held + i), { signal });
  return (1000 * (prompt + generate)) / (performance.now() - started);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  values.length < 2 ? 0 : Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

function tests(values: Values<'bench'>): Test[] {
  const at = (depth: number): string => (depth > 0 ? ` @ d${depth}` : '');
  return (values.nDepth ?? [0]).flatMap((depth) => [
    ...(values.nPrompt ?? [512]).filter((n) => n > 0).map((n) => ({ name: `pp${n}${at(depth)}`, prompt: n, generate: 0, depth })),
    ...(values.nGen ?? [128]).filter((n) => n > 0).map((n) => ({ name: `tg${n}${at(depth)}`, prompt: 0, generate: n, depth })),
  ]);
}

export async function bench(values: Values<'bench'>, signal: AbortSignal): Promise<void> {
  if (values.threads?.some((n) => n !== 1)) {
    throw new InputError('E_USAGE', {
      subject: 'clada bench --threads', found: values.threads.join(','), expected: '1',
      remedy: 'This version computes on one thread.',
    });
  }
  const list = tests(values);
  const contextSize = Math.max(8, ...list.map(({ prompt, generate, depth }) => depth + prompt + generate + 1));
  await using model = await openModel({ ...values, contextSize, threads: 1 }, signal);
  const output = values.json ? 'json' : (values.output ?? 'md');
  const results: Result[] = [];
  let bandwidth = 0, run = 0;
  for (const test of list) {
    const samples: number[] = [];
    for (let r = -1; r < (values.repetitions ?? 5); r++) { // the first warms up
      bandwidth = Math.max(bandwidth, model.measureBandwidth());
      const speed = await measure(model, test, run++, signal);
      if (r >= 0) samples.push(speed);
    }
    results.push({ ...test, samples });
  }
  report(model, results, bandwidth, output);
}

function report(model: Model, results: readonly Result[], bandwidth: number, output: 'md' | 'json' | 'jsonl' | 'csv'): void {
  const { info } = model;
  const rows = results.map(({ name, samples, generate }) => ({
    model: info.name, size: info.fileBytes, params: info.params, backend: `WASM ${info.tier}`, threads: 1, test: name,
    avg_ts: mean(samples), stddev_ts: deviation(samples), samples_ts: samples,
    ...(generate > 0 ? {
      weight_bytes_per_token: info.weightBytesPerToken, gb_per_second: (mean(samples) * info.weightBytesPerToken) / 1e9,
    } : {}),
    memory_gb_per_second: bandwidth,
  }));
  if (output === 'json') printJson(rows);
  else if (output === 'jsonl') rows.forEach(printJson);
  else if (output === 'csv') {
    const columns = ['model', 'size', 'params', 'backend', 'threads', 'test', 'avg_ts', 'stddev_ts'] as const;
    print(columns.join(','));
    for (const row of rows) print(columns.map((column) => JSON.stringify(row[column])).join(','));
  } else {
    print('| model | size | params | backend | threads | test | t/s |\n| --- | ---: | ---: | --- | ---: | ---: | ---: |');
    for (const { model: name, size, params, backend, threads, test, avg_ts: mu, stddev_ts: sd } of rows) {
      const cells = [
        name, `${(size / 2 ** 20).toFixed(2)} MiB`, `${(params / 1e6).toFixed(2)} M`, backend, threads, test,
        `${mu.toFixed(2)} ± ${sd.toFixed(2)}`,
      ];
      print(`| ${cells.join(' | ')} |`);
    }
    for (const { test, gb_per_second: reached } of rows) {
      if (reached === undefined) continue;
      print(`\n${test}: ${(info.weightBytesPerToken / 1e6).toFixed(1)} MB of weights a token, ${reached.toFixed(1)} GB/s of `
        + `${bandwidth.toFixed(1)} GB/s memory bandwidth (${Math.round((100 * reached) / bandwidth)} %)`);
    }
  }
}
