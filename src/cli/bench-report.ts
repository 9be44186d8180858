/** What `clada bench` prints: llama-bench's table and fields, and llama-batched-bench's. */
import { cpus } from 'node:os';
import type { Model } from 'clada';
import { print, printJson } from './output.ts';
import { version } from './version.ts';

/** Tokens of a prompt, tokens generated, tokens in the context beforehand. */
export interface BenchTest { prompt: number; generate: number; depth: number }
/** `ns`: of each run; `time`: when the first began. */
export interface BenchResult extends BenchTest { time: string; ns: number[] }
/** Mean seconds of a run's two halves; `gaps`: ms between two tokens of a sequence. */
export interface BatchResult {
  prompt: number; generate: number; sequences: number;
  promptSeconds: number; generateSeconds: number; gaps: number[];
}
/** A model as it was loaded, and the most GB/s that reading its weights reached. */
export interface Setting { readonly model: Model; readonly path: string; bandwidth: number }
export type Output = 'md' | 'json' | 'jsonl' | 'csv';

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  values.length < 2 ? 0 : Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

const nameOf = ({ prompt, generate, depth }: BenchTest): string =>
  [prompt > 0 ? `pp${prompt}` : '', generate > 0 ? `tg${generate}` : ''].filter(Boolean).join('+') + (depth > 0 ? ` @ d${depth}` : '');

/** llama-bench's names, as far as they mean something here. */
function common({ model: { info }, path, bandwidth }: Setting) {
  return {
    build_commit: version, cpu_info: cpus()[0]?.model.trim() ?? 'unknown', backends: `WASM ${info.tier}`,
    model_filename: path, model_type: info.name, model_size: info.fileBytes, model_n_params: info.params,
    n_threads: info.threads, type_k: info.kv, type_v: info.kv, memory_gb_per_second: bandwidth,
  };
}

function rowOf(setting: Setting, { ns, time, ...test }: BenchResult) {
  const perSecond = ns.map((taken) => (1e9 * (test.prompt + test.generate)) / taken), speed = mean(perSecond);
  const { weightBytesPerToken } = setting.model.info, decodes = test.prompt === 0;
  return {
    ...common(setting), n_prompt: test.prompt, n_gen: test.generate, n_depth: test.depth, test: nameOf(test), test_time: time,
    avg_ns: Math.round(mean(ns)), stddev_ns: Math.round(deviation(ns)), avg_ts: speed, stddev_ts: deviation(perSecond),
    ...(decodes ? { weight_bytes_per_token: weightBytesPerToken, gb_per_second: (speed * weightBytesPerToken) / 1e9 } : {}),
    samples_ns: ns.map(Math.round), samples_ts: perSecond,
  };
}

function batchRow(setting: Setting, { prompt, generate, sequences, promptSeconds, generateSeconds, gaps }: BatchResult) {
  const pp = sequences * prompt, tg = sequences * generate, seconds = promptSeconds + generateSeconds;
  const sorted = [...gaps].sort((a, b) => a - b);
  return {
    ...common(setting), pp: prompt, tg: generate, pl: sequences, n_kv: pp + tg, t_pp: promptSeconds, speed_pp: pp / promptSeconds,
    t_tg: generateSeconds, speed_tg: tg / generateSeconds, t: seconds, speed: (pp + tg) / seconds,
    p95_token_ms: sorted[Math.floor(0.95 * (sorted.length - 1))] ?? 0,
  };
}

/** JSON or CSV of rows that all have the same fields. */
function printRows(rows: readonly Readonly<Record<string, unknown>>[], output: Exclude<Output, 'md'>): void {
  if (output === 'json') printJson(rows);
  else if (output === 'jsonl') rows.forEach(printJson);
  else {
    const columns = [...new Set(rows.flatMap(Object.keys))].filter((column) => !column.startsWith('samples_'));
    print(columns.join(','));
    for (const row of rows) print(columns.map((column) => quoted(row[column])).join(','));
  }
}

/** As llama-bench: every field in quotes, a quote twice. */
const quoted = (value: unknown): string => `"${String(value ?? '').replaceAll('"', '""')}"`;

/** Right-aligned but for the first column. */
function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, i) => Math.max(name.length, 2, ...rows.map((row) => [...row[i]!].length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  print(line(head));
  print(`| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`);
  for (const row of rows) print(line(row));
}

const inUnits = (value: number, large: number, small: number, names: readonly [string, string]): string =>
  (value >= large ? `${(value / large).toFixed(2)} ${names[0]}` : `${(value / small).toFixed(2)} ${names[1]}`);
const size = (bytes: number): string => inUnits(bytes, 2 ** 30, 2 ** 20, ['GiB', 'MiB']);
const count = (params: number): string => inUnits(params, 1e9, 1e6, ['B', 'M']);

export function reportTests(settings: readonly Setting[], results: readonly (readonly BenchResult[])[], output: Output): void {
  const rows = settings.flatMap((setting, i) => results[i]!.map((result) => rowOf(setting, result)));
  if (output !== 'md') { printRows(rows, output); return; }
  printTable(['model', 'size', 'params', 'backend', 'threads', 'test', 't/s'], rows.map((row) => [
    row.model_type, size(row.model_size), count(row.model_n_params), row.backends, String(row.n_threads), row.test,
    `${row.avg_ts.toFixed(2)} ± ${row.stddev_ts.toFixed(2)}`,
  ]));
  for (const { test, gb_per_second: reached, weight_bytes_per_token: bytes, memory_gb_per_second: memory } of rows) {
    if (reached === undefined) continue;
    print(`\n${test}: ${((bytes ?? 0) / 1e6).toFixed(1)} MB of weights a token, ${reached.toFixed(1)} GB/s of ${memory.toFixed(1)} GB/s `
      + `memory bandwidth (${Math.round((100 * reached) / memory)} %)`);
  }
}

export function reportBatches(settings: readonly Setting[], results: readonly (readonly BatchResult[])[], output: Output): void {
  const rows = settings.flatMap((setting, i) => results[i]!.map((result) => batchRow(setting, result)));
  if (output !== 'md') { printRows(rows, output); return; }
  const head = ['PP', 'TG', 'B', 'N_KV', 'T_PP s', 'S_PP t/s', 'T_TG s', 'S_TG t/s', 'T s', 'S t/s', 'p95 ms'];
  for (const [i, setting] of settings.entries()) {
    const { model_type: name, backends, n_threads: threads } = common(setting);
    if (i > 0) print('');
    print(`${name}, ${backends}, threads ${threads}; p95: of the time between two tokens of a sequence\n`);
    printTable(head, results[i]!.map((result) => {
      const row = batchRow(setting, result), seconds = [[row.t_pp, row.speed_pp], [row.t_tg, row.speed_tg], [row.t, row.speed]];
      return [
        ...[row.pp, row.tg, row.pl, row.n_kv].map(String), ...seconds.flatMap(([t, speed]) => [t!.toFixed(3), speed!.toFixed(2)]),
        row.p95_token_ms.toFixed(1),
      ];
    }));
  }
}
