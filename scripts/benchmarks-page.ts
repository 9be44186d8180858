/**
 * Writes the tables and pictures of docs/benchmarks.md from bench/results/peers.jsonl (`npm run bench:peers`): medians of the rounds with the least and the
 * most, ratios of one round each; what could not run stands there with its reason.
 *
 *   tsx scripts/benchmarks-page.ts [--results FILE.jsonl] [--page FILE.md] [--check]      --check writes nothing and fails where the page is not up to date
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { LegRecord, PeerRecord, RunRecord, Topic } from '../bench/records.ts';
import { readRecords } from '../bench/records.ts';
import { spreadOf } from '../bench/report.ts';
import { markdown } from '../src/eval/tables.ts';
import { barChart, lineChart } from './chart.ts';
import { publish, showSpread, withParts, type Spread } from './page.ts';

type Pick = (run: RunRecord) => number | undefined;
type Images = Map<string, string>;

/** A leg with its runs. */
class Played {
  constructor(readonly leg: LegRecord, private readonly records: readonly PeerRecord[]) {}

  runs(entrant: string, threads = 1): RunRecord[] {
    return this.records.filter((one): one is RunRecord => one.type === 'run' && one.leg === this.leg.leg && one.entrant === entrant && one.threads === threads);
  }
  /** Those that ran, as they first came. */
  get entrants(): { entrant: string; threads: number }[] {
    const keys = this.records.flatMap((one) => (one.type === 'run' && one.leg === this.leg.leg ? [`${one.threads} ${one.entrant}`] : []));
    return [...new Set(keys)].sort((a, b) => Number(a[0]) - Number(b[0])).map((key) => ({ threads: Number(key[0]), entrant: key.slice(2) }));
  }
  skips(): string[] {
    return this.records.flatMap((one) => (one.type === 'skip' && one.leg === this.leg.leg
      ? [`- ${this.leg.file}: ${one.entrant}, ${one.threads === 1 ? 'one thread' : `${one.threads} threads`}: not measured: ${one.reason}`] : []));
  }
}

const values = (runs: readonly RunRecord[], pick: Pick): Spread | undefined => {
  const found = runs.map(pick).filter((value) => value !== undefined);
  return found.length === 0 ? undefined : spreadOf(found);
};

/** Of each round, one over the other. */
function ratio(runs: readonly RunRecord[], pick: Pick, against: readonly RunRecord[], pickAgainst = pick): Spread | undefined {
  return values(runs, (run) => {
    const other = against.find(({ round }) => round === run.round), [a, b] = [pick(run), other && pickAgainst(other)];
    return a === undefined || b === undefined ? undefined : a / b;
  });
}

const show = (spread: Spread | undefined, digits: number): string => (spread ? showSpread(spread, digits) : '–');
const middle = (spread: Spread | undefined, digits: number): string => (spread ? spread[0].toFixed(digits) : '–');
const prompt: Pick = (run) => run.prompt, decode: Pick = (run) => run.decode;
/** Decode's share of what a plain read of the weights reached in the same process. */
const share: Pick = (run) => (run.decode === undefined || !run.bandwidth || !run.weightBytesPerToken ? undefined : (run.decode * run.weightBytesPerToken) / 1e9 / run.bandwidth);

const native = 'llama.cpp', relaxed = 'clada relaxed', base = 'clada base';

/** What could not be measured, and where the figures come from. */
function sources(played: readonly Played[]): string[] {
  const lines = played.map(({ leg: { command, machine, runtime, commit, date } }) => `- \`${command}\`; ${machine}, ${runtime}, commit ${commit}, ${date}`);
  return played.length === 0 ? [] : [[...played.flatMap((one) => one.skips()), ...new Set(lines)].join('\n')];
}

const memoryOf = (played: readonly Played[]): string => {
  const found = played.flatMap((one) => [relaxed, base].flatMap((entrant) => one.runs(entrant).flatMap(({ bandwidth }) => bandwidth ?? [])));
  return found.length === 0 ? '' : ` Memory read at ${showSpread(spreadOf(found), 1)} GB/s meanwhile.`;
};

function nativeSection(played: readonly Played[], images: Images, folder: string): string[] {
  if (played.length === 0) return [];
  const { asked } = played[0]!.leg, rounds = Math.max(...played.map((one) => one.runs(native).length));
  const version = played.flatMap((one) => one.runs(native))[0]?.engine ?? native;
  const chart = barChart({
    title: 'clada (relaxed) against llama.cpp, one thread', x: 'times as fast as llama.cpp in the same round', names: ['prompt', 'decode'], reference: { x: 1, label: 'llama.cpp' },
    groups: played.map((one) => ({ label: one.leg.file, values: [prompt, decode].map((pick) => ratio(one.runs(relaxed), pick, one.runs(native))) })),
  });
  if (chart) images.set('native.svg', chart);
  return [
    `${version}, prompt of ${asked.prompt} and ${asked.predict} decoded behind 12, one thread, ${rounds === 1 ? 'one round' : `${rounds} rounds`} taking turns.${memoryOf(played)} Rates are tokens a second, ratios above 1 mean that clada is faster.`,
    ...(chart ? [`![clada against llama.cpp](${folder}/native.svg)`] : []),
    markdown(['file', 'llama.cpp: prompt', 'decode', 'clada relaxed: prompt', 'decode', 'clada base: prompt', 'decode', 'relaxed, of memory speed'], played.map((one) => [
      one.leg.file, ...[native, relaxed, base].flatMap((entrant) => [show(values(one.runs(entrant), prompt), 0), show(values(one.runs(entrant), decode), 1)]), middle(values(one.runs(relaxed), share), 2),
    ])),
    markdown(['file', 'prompt, relaxed', 'prompt, base', 'decode, relaxed', 'decode, base'], played.map((one) => [
      one.leg.file, ...[prompt, decode].flatMap((pick) => [relaxed, base].map((entrant) => show(ratio(one.runs(entrant), pick, one.runs(native)), 2))),
    ])),
    ...sources(played),
  ];
}

function threadsSection(played: readonly Played[]): string[] {
  const with2 = played.filter((one) => one.runs(relaxed, 2).length > 0);
  if (with2.length === 0) return [];
  return [
    markdown(['file', 'prompt tok/s', 'decode tok/s', 'prompt, times one thread', 'decode, times one thread', 'prompt, times llama.cpp', 'decode, times llama.cpp'], with2.map((one) => {
      const two = one.runs(relaxed, 2), alone = one.runs(relaxed), other = one.runs(native, 2);
      return [one.leg.file, show(values(two, prompt), 0), show(values(two, decode), 1), ...[alone, other].flatMap((against) => [prompt, decode].map((pick) => show(ratio(two, pick, against), 2)))];
    })),
  ];
}

function loadSection(played: readonly Played[]): string[] {
  if (played.length === 0) return [];
  const load: Pick = (run) => run.loadMs, first: Pick = (run) => run.firstMs;
  const parts = new Set(played.flatMap((one) => one.runs(relaxed).flatMap(({ load: split }) => Object.keys(split ?? {}))));
  return [
    'Milliseconds. First token: from the start of the process, the runtime\'s own start included, the file in the page cache.',
    markdown(['file', 'MB', 'load, llama.cpp', 'clada', 'times', 'first token, llama.cpp', 'clada', 'times'], played.map((one) => {
      const [ours, theirs] = [one.runs(relaxed), one.runs(native)];
      return [one.leg.file, middle(values(ours, ({ fileBytes }) => fileBytes && fileBytes / 1e6), 0), ...[load, first].flatMap((pick) => [show(values(theirs, pick), 0), show(values(ours, pick), 0), show(ratio(ours, pick, theirs), 2)])];
    })),
    ...(parts.size > 0 ? ['What the first token waits for, medians of clada (a prompt of 4 and two tokens at the end):', markdown(['file', ...parts], played.map((one) => [one.leg.file, ...[...parts].map((part) => middle(values(one.runs(relaxed), ({ load: split }) => split?.[part]), 0))]))] : []),
  ];
}

function runtimesSection(played: readonly Played[]): string[] {
  const rows = played.flatMap((one) => one.entrants.map(({ entrant, threads }) => {
    const runs = one.runs(entrant, threads), against = one.runs('Node 20', 1), browser = runs[0]?.browser;
    return [browser ?? entrant, String(threads), runs[0]?.tier ?? '–', show(values(runs, prompt), 0), show(values(runs, decode), 1), show(ratio(runs, prompt, against), 2), show(ratio(runs, decode, against), 2)];
  }));
  return rows.length === 0 ? [] : [markdown(['runtime', 'threads', 'build', 'prompt tok/s', 'decode tok/s', 'prompt, times Node 20 on one', 'decode, times Node 20 on one'], rows), ...sources(played)];
}

function pagesSection(played: readonly Played[]): string[] {
  const rows = played.flatMap((one) => [1, 2].flatMap((threads) => {
    const ours = one.runs('Chromium', threads), theirs = one.runs('wllama in Chromium', threads);
    if (ours.length + theirs.length === 0) return [];
    return [[one.leg.file, String(threads), ...[theirs, ours].flatMap((runs) => [show(values(runs, prompt), 0), show(values(runs, decode), 1)]), show(ratio(ours, prompt, theirs), 1), show(ratio(ours, decode, theirs), 1)]];
  }));
  if (rows.length === 0) return [];
  const { asked } = played[0]!.leg, [one] = played.flatMap((leg) => leg.runs('wllama in Chromium'));
  return [
    `${one?.engine.replace(/, \d thread.*/, ')') ?? 'wllama'} in ${one?.browser ?? 'Chromium'}, prompt of ${asked.prompt} and ${asked.predict} decoded, the page isolated.`,
    markdown(['file', 'threads', 'wllama: prompt', 'decode', 'clada: prompt', 'decode', 'prompt, times wllama', 'decode, times wllama'], rows), ...sources(played),
  ];
}

function depthSection(played: readonly Played[], images: Images, folder: string): string[] {
  return played.flatMap((one) => {
    const depths = one.leg.asked.depths ?? [], at = (depth: number): Pick => (run) => run.depths?.[depth], entrants = [native, relaxed];
    const chart = lineChart({
      title: `Decode by depth, ${one.leg.file}`, x: { label: 'tokens in the context' }, y: { label: 'tokens a second' },
      series: entrants.map((entrant) => ({ name: entrant, points: depths.flatMap((x) => { const y = values(one.runs(entrant), at(x)); return y ? [{ x, y: y[0] }] : []; }) })),
    });
    if (chart) images.set('depth.svg', chart);
    return [
      ...(chart ? [`![Decode by depth](${folder}/depth.svg)`] : []),
      markdown(['tokens in the context', 'llama.cpp tok/s', 'of its depth 0', 'clada tok/s', 'of its depth 0', 'clada, times llama.cpp'], depths.map((depth) => [
        String(depth), ...entrants.flatMap((entrant) => { const runs = one.runs(entrant); return [show(values(runs, at(depth)), 1), middle(ratio(runs, at(depth), runs, at(0)), 2)]; }),
        show(ratio(one.runs(relaxed), at(depth), one.runs(native)), 2),
      ])),
      ...sources([one]),
    ];
  });
}

function parallelSection(played: readonly Played[]): string[] {
  return played.flatMap((one) => {
    const counts = one.leg.asked.parallel ?? [], at = (count: number): Pick => (run) => run.parallel?.[count];
    return [
      markdown(['sequences', 'clada tok/s together', 'times one', 'p95 of a token, ms', 'llama.cpp tok/s', 'times one'], counts.map((count) => {
        const [ours, theirs] = [one.runs(relaxed), one.runs(native)];
        return [String(count), show(values(ours, at(count)), 0), show(ratio(ours, at(count), ours, at(1)), 2), show(values(ours, (run) => run.p95Ms?.[count]), 1), show(values(theirs, at(count)), 0), show(ratio(theirs, at(count), theirs, at(1)), 2)];
      })),
      ...sources([one]),
    ];
  });
}

/** The page with its parts made anew, and its pictures by file name. @param folder of the pictures, as the page links it @throws Error for a page that lacks a marker */
export function renderPage(page: string, records: readonly PeerRecord[], folder: string): { page: string; images: Images } {
  const played = records.flatMap((one) => (one.type === 'leg' ? [new Played(one, records)] : [])), images: Images = new Map();
  const of = (topic: Topic): Played[] => played.filter(({ leg }) => leg.topic === topic);
  const parts = {
    native: nativeSection(of('native'), images, folder), threads: threadsSection(of('native')), depth: depthSection(of('depth'), images, folder), parallel: parallelSection(of('parallel')),
    runtimes: runtimesSection(of('runtimes')), pages: pagesSection(of('pages')), load: loadSection(of('native')),
  };
  return { page: withParts(page, parts), images };
}

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url));
export const results = path('../bench/results/peers.jsonl'), page = path('../docs/benchmarks.md');
/** Beside the page. */
export const pictures = 'benchmarks';

function main(): void {
  const { values: flags } = parseArgs({ options: { results: { type: 'string', default: results }, page: { type: 'string', default: page }, check: { type: 'boolean' } } });
  publish(flags.page, renderPage(readFileSync(flags.page, 'utf8'), readRecords(flags.results), pictures), flags.check, 'scripts/benchmarks-page.ts');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
