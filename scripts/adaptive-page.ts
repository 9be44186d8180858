/**
 * Writes the figures of docs/adaptive.md and docs/adaptive-tables.md: every number comes from a file of bench/results, and stands with its command, machine, commit and date.
 *
 *   tsx scripts/adaptive-page.ts [--results DIR] [--docs DIR] [--check]
 *
 * A results file is what `clada eval --out` writes (*.jsonl; or *.json, one array of the same records): format in src/eval/records.ts. Each file is
 * a section of its own, so that numbers of different runs, machines or documents never stand in one table; more methods are added to a file by
 * running `clada eval --out` with it again. Generated text goes between <!-- results:NAME --> and <!-- /results:NAME -->, NAME one of quality, speed,
 * tokens, load, tasks, generation, paper (of files named so), claim, whole and gain (which join files), on whichever page has the marker; curves go to a folder beside the page, named as the page. `--check` writes
 * nothing and fails where a page is not up to date.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Comparison } from '../src/eval/compare.ts';
import { summariseComparison } from '../src/eval/compare.ts';
import { summariseGeneration } from '../src/eval/generation.ts';
import type { HeaderRecord, ResultRecord } from '../src/eval/records.ts';
import { groupBy, parseRecords } from '../src/eval/records.ts';
import { comparisonTable, fixed, generationTable, markdown, percent, taskDetails, taskRows, taskTable, withError } from '../src/eval/tables.ts';
import { summariseTasks } from '../src/eval/tasks.ts';
import type { Chart, Series } from './chart.ts';
import { lineChart } from './chart.ts';
import { hasPart, publish, showSpread, withParts } from './page.ts';
import { paperTable } from './paper-table.ts';

export interface ResultFile {
  /** Without folder and ending: heads its section and its curves. */
  readonly name: string;
  readonly records: readonly ResultRecord[];
}

type Images = Map<string, string>;
type Section = (file: ResultFile, images: Images, folder: string) => string[];

const of = <T extends ResultRecord['type']>({ records }: ResultFile, type: T): Extract<ResultRecord, { type: T }>[] =>
  records.filter((record): record is Extract<ResultRecord, { type: T }> => record.type === type);

/** Where the numbers come from: one line a run that left records of this type. */
function sources({ records }: ResultFile, type: ResultRecord['type']): string[] {
  const lines: string[] = [];
  let header: HeaderRecord | undefined;
  for (const record of records) {
    if (record.type === 'header') header = record;
    if (record.type !== type) continue;
    if (header === undefined) throw new Error(`a ${type} record before any header: its machine and commit are unknown`);
    const { command, machine, runtime, commit, date, model, kv, tier } = header;
    const line = `- ${model}, ${kv} cache, ${tier} build: \`${command}\`; ${machine}, ${runtime}, commit ${commit ?? 'unknown'}, ${date.slice(0, 10)}`;
    if (!lines.includes(line)) lines.push(line);
  }
  return lines;
}

/** The curve that a subject's point belongs to: its method, apart where it keeps an exact share or leaves out the load (`load` in older results). */
const methodOf = (subject: string): string => [subject.split(' ')[0]!, ...(/topK=\w+|(?:cogL|l)oad=\w+/.exec(subject) ?? [])].join(' ').replace('=true', '').replace(/(?:cogL|l)oad=false/, 'fixed');

/** Curves and comparisons are of one length of prompt: nothing of a file with several. */
const onePrompt = (comparisons: readonly Comparison[]): readonly Comparison[] => (new Set(comparisons.map(({ prompt }) => prompt)).size === 1 ? comparisons : []);

function curves(comparisons: readonly Comparison[], point: (c: Comparison) => { x: number; y: number; error?: number }): Series[] {
  const sparse = comparisons.filter(({ subject }) => subject !== 'dense');
  return [...groupBy(sparse, ({ subject }) => methodOf(subject))].map(([name, group]) => ({ name, points: group.map(point) }));
}

/** Adds a curve and returns the line that shows it; nothing where no point can be drawn. */
function image(images: Images, folder: string, name: string, chart: Chart): string[] {
  const svg = lineChart(chart);
  if (svg === undefined) return [];
  images.set(`${name}.svg`, svg);
  return [`![${chart.title}](${folder}/${name}.svg)`];
}

const sections: Readonly<Record<string, Section>> = {
  quality: (file, images, folder) => {
    const comparisons = summariseComparison(of(file, 'kl'));
    if (comparisons.length === 0) return [];
    return [
      comparisonTable(comparisons),
      ...image(images, folder, `${file.name}-quality`, {
        title: 'KL to dense against the share of feed-forward weights used', x: { label: 'cost: share of feed-forward weights used' }, y: { label: 'KL(dense ‖ sparse), nats a token', log: true },
        series: curves(onePrompt(comparisons), ({ cost, kl }) => ({ x: cost, y: kl.mean, error: kl.se })),
      }),
      sources(file, 'kl').join('\n'),
    ];
  },
  /** Only files whose runs had the machine to themselves have times. */
  speed: (file, images, folder) => {
    const comparisons = summariseComparison(of(file, 'kl')).filter(({ speedup }) => Number.isFinite(speedup));
    if (comparisons.length === 0) return [];
    const reference = { y: 1, label: 'dense' }, y = { label: 'speed, times dense' };
    return [
      markdown(['method', 'ms/token', 'speed', 'KL (nats)', 'top-1'], comparisons.map((c) => [c.subject, fixed(c.ms, 2), `${fixed(c.speedup, 2)}x`, fixed(c.kl.mean, 4), fixed(c.top1.mean, 3)])),
      ...image(images, folder, `${file.name}-speed-kl`, {
        title: 'Speed against KL', x: { label: 'KL(dense ‖ sparse), nats a token', log: true }, y, reference, series: curves(comparisons, ({ kl, speedup }) => ({ x: kl.mean, y: speedup })),
      }),
      ...image(images, folder, `${file.name}-speed-top1`, {
        title: 'Speed against top-1 agreement', x: { label: 'share of positions with the dense run\'s most likely token' }, y, reference, series: curves(comparisons, ({ top1, speedup }) => ({ x: top1.mean, y: speedup })),
      }),
      sources(file, 'kl').join('\n'),
    ];
  },
  tokens: (file, images, folder) => {
    const speeds = of(file, 'speed'), spread = ([mid, least, most]: readonly [number, number, number], digits: number): string => `${mid.toFixed(digits)} (${least.toFixed(digits)} … ${most.toFixed(digits)})`;
    if (speeds.length === 0) return [];
    return [
      markdown(['method', 'cost', 'KL (nats)', 'top-1', 'ms/token', 'token, times dense', 'feed-forward, times dense'], speeds.map(({ subject, cost, kl, top1, ms, token, ffn }) =>
        [subject, fixed(cost, 2), fixed(kl, 4), fixed(top1, 3), spread(ms, 2), spread(token, 2), spread(ffn, 2)])),
      ...(['kl', 'top1'] as const).flatMap((quality) => image(images, folder, `${file.name}-${quality}`, {
        title: `Speed of a token against ${quality === 'kl' ? 'KL' : 'top-1 agreement'}`, x: { label: quality === 'kl' ? 'KL(dense ‖ sparse), nats a token' : 'share of positions with the dense run\'s most likely token', log: quality === 'kl' },
        y: { label: 'speed, times dense' }, reference: { y: 1, label: 'dense' },
        series: [...groupBy(speeds.filter(({ subject }) => subject !== 'dense'), ({ subject }) => methodOf(subject))].map(([name, group]) => ({ name, points: group.map((speed) => ({ x: speed[quality], y: speed.token[0] })) })),
      })),
      sources(file, 'speed').join('\n'),
    ];
  },
  load: (file) => {
    const loads = of(file, 'load'), percent = (value: number): string => `${value > 0 ? '+' : ''}${(100 * value).toFixed(1)} %`;
    if (loads.length === 0) return [];
    return [
      markdown(['method', 'moved by', 'documents', 'mean cost', 'KL (nats)', 'KL of fixed at that cost', 'change'], loads.map(({ method, control, documents, cost, kl, fixedKl, change, se }) =>
        [method, control, String(documents), fixed(cost, 3), fixed(kl, 4), fixed(fixedKl, 4), `${percent(change)} ± ${(100 * se).toFixed(1)}`])),
      sources(file, 'load').join('\n'),
    ];
  },
  tasks: (file) => {
    const summaries = summariseTasks(of(file, 'task'));
    if (summaries.length === 0) return [];
    return [
      taskTable(summaries), 'Accuracy in per cent ± binomial standard error; * acc_norm. Retained: mean over the tasks as a share of dense.',
      `<details><summary>Task by task</summary>\n\n${taskDetails(summaries)}\n\n</details>`, sources(file, 'task').join('\n'),
    ];
  },
  paper: (file) => {
    const lines = paperTable(file.records);
    const from = (['token', 'kl', 'task', 'generation'] as const).flatMap((type) => sources(file, type));
    return lines.length === 0 ? [] : [...lines, `<details><summary>Runs</summary>\n\n${[...new Set(from)].join('\n')}\n\n</details>`];
  },
  generation: (file) => {
    const summaries = summariseGeneration(of(file, 'generation'));
    return summaries.length === 0 ? [] : [generationTable(summaries), sources(file, 'generation').join('\n')];
  },
};

/** Files of bench/paper.ts, each of a model of its own, stand in a section of their own. */
const isPaper = ({ name }: ResultFile): boolean => name.startsWith('paper-');

/** What several files say of the same subjects, side by side. */
type Joint = (files: readonly ResultFile[], images: Images, folder: string) => string[];

const joints: Readonly<Record<string, Joint>> = {
  /** The paper's terms (speed, accuracy kept) beside KL, for every subject that was put to the tasks. */
  claim: (all, images, folder) => {
    const files = all.filter((file) => !isPaper(file));
    const rows = files.flatMap((file) => taskRows(summariseTasks(of(file, 'task'))));
    const speeds = files.flatMap((file) => of(file, 'speed')), comparisons = files.flatMap((file) => onePrompt(summariseComparison(of(file, 'kl'))));
    const subjects = [...new Set(rows.map(({ subject }) => subject))].filter((subject) => subject !== 'dense');
    if (subjects.length === 0) return [];
    const kept = (subject: string, protocol: string): ReturnType<typeof taskRows>[number] | undefined => rows.find((row) => row.subject === subject && row.protocol === protocol);
    const cell = (row: ReturnType<typeof kept>): string => (row ? percent(row.retained) : '–');
    return [
      markdown(['method', 'cost', 'token, times dense', 'feed-forward, times dense', 'accuracy kept, generation, %', 'accuracy kept, strict, %', 'KL (nats)', 'top-1'], subjects.map((subject) => {
        const speed = speeds.find((record) => record.subject === subject), comparison = comparisons.find((record) => record.subject === subject);
        return [
          subject, fixed(comparison?.cost ?? NaN, 3), fixed(speed?.token[0] ?? NaN, 2), fixed(speed?.ffn[0] ?? NaN, 2), cell(kept(subject, 'generation')), cell(kept(subject, 'strict')),
          comparison ? withError(comparison.kl, 3) : '–', comparison ? fixed(comparison.top1.mean, 3) : '–',
        ];
      })),
      ...(['generation', 'strict'] as const).flatMap((protocol) => image(images, folder, `claim-${protocol}`, {
        title: `Speed of a token against task accuracy kept, ${protocol} protocol`, x: { label: 'accuracy over nine tasks, % of dense' }, y: { label: 'speed, times dense' }, reference: { y: 1, label: 'dense' },
        series: subjects.flatMap((subject) => {
          const speed = speeds.find((record) => record.subject === subject), row = kept(subject, protocol);
          return speed && row ? [{ name: subject, points: [{ x: 100 * row.retained.mean, y: speed.token[0] }] }] : [];
        }),
      })),
    ];
  },
  /** Whole tokens of every model, build and number of threads (bench/tokens.ts), the last measured of each. */
  whole: (files) => {
    const rows = new Map<string, string[]>(), from = new Set<string>();
    for (const file of files.filter(({ name }) => name.startsWith('whole-'))) {
      let header: HeaderRecord | undefined;
      for (const record of file.records) {
        if (record.type === 'header') header = record;
        if (record.type !== 'token' || header === undefined) continue;
        const { subject, threads, cost, ms, token, rounds } = record, where = [file.name.replace(/^whole-|-base$/g, ''), header.tier, String(threads)];
        rows.set([...where, subject].join(), [...where, subject, fixed(cost, 3), fixed(ms[0], 2), showSpread(token, 2), String(rounds)]);
      }
      for (const line of sources(file, 'token')) from.add(line);
    }
    return rows.size === 0 ? [] : [markdown(['model', 'build', 'threads', 'method', 'cost', 'ms/token', 'times dense (least … most)', 'rounds'], [...rows.values()]), [...from].join('\n')];
  },
  /** Time saved against accuracy kept, every model and method that has both: whole tokens, head and layers together. */
  gain: (files, images, folder) => {
    const points = files.filter(isPaper).flatMap((file) => {
      const whole = files.filter(({ name }) => name === file.name.replace('paper-', 'whole-')).flatMap((one) => of(one, 'token').filter(({ threads }) => threads === 1));
      const rows = taskRows(summariseTasks(of(file, 'task'))), speeds = new Map([...of(file, 'token'), ...whole].map((record) => [record.subject, record]));
      return rows.flatMap((row) => {
        const speed = row.subject === 'dense' ? undefined : speeds.get(row.subject);
        return speed ? [{ model: file.name.replace('paper-', ''), row, speed }] : [];
      });
    });
    if (points.length === 0) return [];
    return [
      markdown(['model', 'method', 'accuracy kept, %', 'whole token, times dense'], points.map(({ model, row, speed }) =>
        [model, row.subject, percent(row.retained), `${fixed(speed.token[0], 2)} (${fixed(speed.token[1], 2)} … ${fixed(speed.token[2], 2)})`])),
      ...image(images, folder, 'gain', {
        title: 'Time saved against accuracy kept', x: { label: 'accuracy over the tasks that were run, % of dense' }, y: { label: 'speed of a whole token, times dense' }, reference: { y: 1, label: 'dense' },
        series: points.map(({ model, row, speed }) => ({
          name: `${row.subject}, ${(/\d[\d.]*[bm]/i.exec(model)?.[0] ?? model).toUpperCase()}`, points: [{ x: 100 * row.retained.mean, y: speed.token[0], xError: 100 * row.retained.se }],
        })),
      }),
    ];
  },
};

/** Everything that a page may have a marker for. */
export const partNames: readonly string[] = [...Object.keys(sections), ...Object.keys(joints)];

/**
 * A page with those of the generated parts that it has markers for made anew, and the curves it shows by file name.
 * @param folder of the curves, as the page links it
 * @throws Error for a page without any marker, and for records without a header
 */
export function renderPage(page: string, files: readonly ResultFile[], folder: string): { page: string; images: Images } {
  const images: Images = new Map();
  const parts: Record<string, readonly string[]> = {};
  const others = files.filter((file) => !isPaper(file));
  if (!partNames.some((name) => hasPart(page, name))) throw new Error(`the page has no <!-- results:NAME -->, NAME one of ${partNames.join(', ')}`);
  for (const [name, section] of Object.entries(sections)) {
    if (!hasPart(page, name)) continue;
    parts[name] = (name === 'paper' ? files.filter(isPaper) : others).flatMap((file) => {
      const lines = section(file, images, folder);
      return lines.length === 0 ? [] : [`### ${file.name}`, ...lines];
    });
  }
  for (const [name, joint] of Object.entries(joints)) if (hasPart(page, name)) parts[name] = joint(files, images, folder);
  return { page: withParts(page, parts), images };
}

/** All results files of a folder, by name; JSON that does not begin with a header is some other bench's. */
export function readResults(folder: string): ResultFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((file) => /\.jsonl?$/.test(file)).sort().flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const lines = file.endsWith('.jsonl') ? text : [JSON.parse(text) as unknown].flat().map((record) => `${JSON.stringify(record)}\n`).join('');
    if (!/^\s*\{"type":\s*"header"/.test(lines)) return [];
    return [{ name: file.replace(/\.jsonl?$/, ''), records: parseRecords(lines, file).records }];
  });
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const { values } = parseArgs({ options: { results: { type: 'string', default: join(root, 'bench/results') }, docs: { type: 'string', default: join(root, 'docs') }, check: { type: 'boolean' } } });
  const files = readResults(values.results);
  for (const name of ['adaptive', 'adaptive-tables']) {
    const path = join(values.docs, `${name}.md`);
    publish(path, renderPage(readFileSync(path, 'utf8'), files, name), values.check, 'scripts/adaptive-page.ts');
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
