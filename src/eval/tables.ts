/** Summaries as Markdown, for the terminal and for docs/adaptive-tables.md. A figure that is not known is a dash. */
import type { Comparison } from './compare.ts';
import type { GenerationSummary } from './generation.ts';
import type { TaskName } from './items.ts';
import { taskNames } from './items.ts';
import type { Estimate } from './metrics.ts';
import { groupBy } from './records.ts';
import type { TaskSummary } from './tasks.ts';

/** Columns as wide as their content; the first to the left, the others to the right. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, 4, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

export const fixed = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '–');
export const withError = ({ mean, se }: Estimate, digits: number): string =>
  `${fixed(mean, digits)}${Number.isFinite(se) ? ` ± ${se.toFixed(digits)}` : ''}`;
export const percent = ({ mean, se }: Estimate): string => withError({ mean: 100 * mean, se: 100 * se, n: 0 }, 1);

/** Method by method: KL, change of NLL, top-1, cost, time, KL by kind of text. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const kinds = [...new Set(comparisons.flatMap(({ klByKind }) => Object.keys(klByKind)))];
  const timed = comparisons.some(({ ms }) => Number.isFinite(ms)), prompts = new Set(comparisons.map(({ prompt }) => prompt)).size > 1;
  const columns: [head: string, cell: (c: Comparison) => string][] = [
    ['method', (c) => c.subject], ...(prompts ? [['prompt', (c) => String(c.prompt)] as [string, (c: Comparison) => string]] : []),
    ['documents', (c) => String(c.kl.n)], ['cost', (c) => fixed(c.cost, 3)],
    ['KL (nats)', (c) => withError(c.kl, 4)], ['ΔNLL', (c) => withError(c.deltaNll, 4)], ['top-1', (c) => withError(c.top1, 3)],
    ...(timed ? [
      ['ms/token', (c) => fixed(c.ms, 2)], ['speed', (c) => `${fixed(c.speedup, 2)}x`],
    ] as [string, (c: Comparison) => string][] : []),
    ...kinds.map((kind): [string, (c: Comparison) => string] => [`KL ${kind}`, (c) => fixed(c.klByKind[kind]?.mean ?? NaN, 4)]),
  ];
  return markdown(columns.map(([head]) => head), comparisons.map((c) => columns.map(([, cell]) => cell(c))));
}

/** One subject under one protocol over the tasks that it has. */
export interface TaskRow {
  readonly subject: string;
  readonly protocol: string;
  readonly tasks: Readonly<Partial<Record<TaskName, TaskSummary>>>;
  /**
   * Unweighted mean of the quoted figures; and what it keeps of the dense mean over the same items, with the error of the paired
   * differences (NaN where dense lacks a task).
   */
  readonly mean: number;
  readonly retained: Estimate;
}

export function taskRows(summaries: readonly TaskSummary[], dense = 'dense'): TaskRow[] {
  return [...groupBy(summaries, ({ subject, protocol }) => JSON.stringify([subject, protocol])).values()].map((group) => {
    const { subject, protocol } = group[0]!, isDense = subject === dense;
    const sum = (of: (summary: TaskSummary) => number): number => group.reduce((total, summary) => total + of(summary), 0);
    return {
      subject, protocol: isDense ? 'both' : protocol, tasks: Object.fromEntries(group.map((summary) => [summary.task, summary])),
      mean: sum(({ quoted }) => quoted.mean) / group.length,
      retained: isDense ? { mean: 1, se: NaN, n: group.length } : {
        mean: sum(({ versusDense: v }) => (v ? v.dense + v.difference.mean : NaN)) / sum(({ versusDense: v }) => v?.dense ?? NaN),
        se: Math.sqrt(sum(({ versusDense: v }) => (v?.difference.se ?? NaN) ** 2)) / sum(({ versusDense: v }) => v?.dense ?? NaN),
        n: group.length,
      },
    };
  });
}

/** Method by task: quoted accuracy in per cent with its binomial error; a star marks acc_norm. */
export function taskTable(summaries: readonly TaskSummary[]): string {
  const present = taskNames.filter((name) => summaries.some(({ task }) => task === name));
  const star = (name: TaskName): string => (summaries.find(({ task }) => task === name)!.headline === 'acc_norm' ? '*' : '');
  const head = ['method', 'protocol', ...present.map((name) => `${name}${star(name)}`), 'mean', 'retained, %'];
  return markdown(head, taskRows(summaries).map((row) => [
    row.subject, row.protocol, ...present.map((name) => (row.tasks[name] ? percent(row.tasks[name].quoted) : '–')),
    fixed(100 * row.mean, 1), percent(row.retained),
  ]));
}

/** Task by task and method by method: everything that `taskTable` has no room for. */
export function taskDetails(summaries: readonly TaskSummary[]): string {
  const head = [
    'task', 'method', 'protocol', 'items', 'acc', 'acc_norm', 'to dense', 'perplexity', 'sparse share', 'cost', 'ms/token',
  ];
  return markdown(head, summaries.map((s) => [
    s.task, s.subject, s.protocol, String(s.acc.n), percent(s.acc), s.accNorm ? percent(s.accNorm) : '–',
    s.versusDense ? percent(s.versusDense.difference) : '–',
    fixed(s.perplexity ?? NaN, 2), fixed(s.sparseShare, 2), fixed(s.cost, 3), fixed(s.ms, 2),
  ]));
}

export function generationTable(summaries: readonly GenerationSummary[]): string {
  const head = ['task', 'method', 'metric', 'items', 'score', 'to dense'];
  return markdown(head, summaries.map(({ task, subject, metric, score, versusDense }) =>
    [task, subject, metric, String(score.n), percent(score), versusDense ? percent(versusDense.difference) : '–']));
}
