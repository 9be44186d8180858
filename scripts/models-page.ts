/**
 * Writes the tables of docs/models.md: what ran here, from bench/results/models.jsonl (`npm run bench -- --real`), and for each family the smallest
 * model that has a short name. They go between <!-- results:NAME --> and <!-- /results:NAME -->, NAME run or families.
 *
 *   tsx scripts/models-page.ts [--check]      --check writes nothing and fails where the page is not up to date
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { namedModels, type NamedModel } from '../src/cli/names.ts';
import { markdown } from '../src/eval/tables.ts';
import { architectures } from '../src/model/family.ts';
import { empty, publish, showSpread as spread, withParts, type Spread } from './page.ts';

interface Engine { name: string; prefill: Spread; decode: Spread; prefillRatio: Spread; decodeRatio: Spread }

/** A real model as it ran. Bytes, tokens a second, nats. */
export interface RealRecord {
  name: string; family: string; file: string; params: number; quantisation: string;
  fileBytes: number; weightBytes: number; weightBytesPerToken: number;
  load: { seconds: number; before: number; peak: number; memoryBytes: number };
  speed: { prompt: number; predict: number; rounds: number; bandwidth: Spread; engines: Engine[] };
  /** Mean NLL of each text, ours (relaxed, f32 cache), native's, and where nothing is rounded. */
  nll: Record<string, [ours: number, native: number, exact: number]>;
  machine: string; runtime: string; commit: string; date: string;
}

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url));
export const results = path('../bench/results/models.jsonl'), page = path('../docs/models.md');

export const readRecords = (): RealRecord[] => (existsSync(results)
  ? readFileSync(results, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as RealRecord) : []);

const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);

function runTables(records: readonly RealRecord[]): string[] {
  if (records.length === 0) return [empty];
  const far = (value: number, from: number): string => `${value < from ? '−' : '+'}${Math.abs(100 * (value / from - 1)).toFixed(2)} %`;
  const speeds = records.flatMap(({ name, speed: { engines } }) => engines.map((engine) => [
    name, engine.name.replace(/ \(.*/, ''), spread(engine.prefill, 0), spread(engine.decode, 1), spread(engine.prefillRatio, 2), spread(engine.decodeRatio, 2),
  ]));
  const { prompt, predict, rounds } = records[0]!.speed;
  return [
    markdown(['model', 'family', 'types', 'parameters', 'file, MB', 'weights in memory, MB', 'of the file', 'read a token, MB', 'loaded, s', 'most held while loading, MB'], records.map((one) => [
      one.name, one.family, one.quantisation, `${(one.params / 1e6).toFixed(0)}M`, mb(one.fileBytes), mb(one.weightBytes), (one.weightBytes / one.fileBytes).toFixed(3), mb(one.weightBytesPerToken),
      one.load.seconds.toFixed(2), `${mb(one.load.peak)}: weights + ${mb(one.load.peak - one.weightBytes)}`,
    ])),
    markdown(['model', 'text', 'NLL, ours', 'native', 'ours to native', 'nothing rounded', 'ours to that', 'native to that'], records.flatMap(({ name, nll }) =>
      Object.entries(nll).map(([text, [ours, native, exact]]) =>
        [name, text, ours.toFixed(4), native.toFixed(4), far(ours, native), exact.toFixed(4), far(ours, exact), far(native, exact)]))),
    `Tokens a second, prompt of ${prompt} and ${predict} decoded behind 12, ${rounds} rounds taking turns: median (least … most).`,
    markdown(['model', 'engine', 'prompt', 'decode', 'prompt, times native', 'decode, times native'], speeds),
    records.map(({ name, machine, runtime, commit, date, speed }) =>
      `- ${name}: ${machine}, ${runtime}, one thread, commit ${commit}, ${date}; memory read at ${spread(speed.bandwidth, 1)} GB/s`).join('\n'),
  ];
}

function familyTable(records: readonly RealRecord[]): string[] {
  const ran = new Set(records.map(({ name }) => name)), families = new Set(records.map(({ family }) => family));
  const smallest = (family: string): NamedModel | undefined =>
    namedModels.filter((one) => one.family === family).sort((a, b) => a.megabytes - b.megabytes)[0];
  const rows = architectures().flatMap((family) => {
    const model = smallest(family);
    const state = model && ran.has(model.name) ? 'this file' : families.has(family) ? 'another file of the family' : 'no: named only';
    return model ? [[family, `\`${model.name}\``, model.params, String(model.megabytes), `\`${model.address}\``, state]] : [];
  });
  const others = architectures().filter((family) => !smallest(family)).map((family) => `\`${family}\``);
  return [
    markdown(['family', 'smallest with a name', 'parameters', 'MB', 'address', 'ran here'], rows),
    ...(others.length > 0 ? [`Families that run too, without a small file with a name: ${others.join(', ')}.`] : []),
  ];
}

/** The page with its tables made anew. @throws Error for a page that lacks a marker */
export function renderPage(text: string, records: readonly RealRecord[]): string {
  const parts: Readonly<Record<string, string[]>> = { run: runTables(records), families: familyTable(records) };
  return withParts(text, parts);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const made = { page: renderPage(readFileSync(page, 'utf8'), readRecords()), images: new Map<string, string>() };
  publish(page, made, process.argv.includes('--check'), 'scripts/models-page.ts');
}
