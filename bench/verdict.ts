/** Two runs of the regression check's tasks: what is slower, measured by the machine's own speed beside each. */
import { median, table } from './report.ts';

/** Milliseconds: of a task, and of either yardstick right before it. */
export type Sample = readonly [task: number, read: number, multiply: number];

export interface Measured { commit: string; machine: string; date: string; tasks: Readonly<Record<string, readonly Sample[]>> }

/** How long a task takes now in units of then: by one yardstick the median, and the least that both runs' spreads leave. */
interface Ratio { middle: number; least: number }

export interface Verdict { task: string; read: Ratio; multiply: Ratio; slower: boolean }

const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(q * (sorted.length - 1))]!;
};

function ratioBy(yard: 1 | 2, now: readonly Sample[], then: readonly Sample[]): Ratio {
  const [a, b] = [now, then].map((samples) => samples.map((sample) => sample[0] / sample[yard])) as [number[], number[]];
  return { middle: median(a) / median(b), least: quantile(a, 0.25) / quantile(b, 0.75) };
}

/** Slower is what is so by more than `tolerance` whichever yardstick is taken, quartile against quartile. Tasks of both runs only. */
export function judge(now: Measured, then: Measured, tolerance: number): Verdict[] {
  return Object.entries(now.tasks).flatMap(([task, samples]) => {
    const before = then.tasks[task];
    if (before === undefined) return [];
    const read = ratioBy(1, samples, before), multiply = ratioBy(2, samples, before);
    return [{ task, read, multiply, slower: Math.min(read.least, multiply.least) > 1 + tolerance }];
  });
}

/** The verdicts as a table, and what only one of the runs has. */
export function describe(verdicts: readonly Verdict[], now: Measured, then: Measured): string {
  const show = ({ middle, least }: Ratio): string => `${middle.toFixed(2)} (at least ${least.toFixed(2)})`;
  const only = (a: Measured, b: Measured): string[] => Object.keys(a.tasks).filter((task) => !(task in b.tasks));
  const missing = [...only(then, now).map((task) => `${task}: not measured now`), ...only(now, then).map((task) => `${task}: not in the file`)];
  return [
    table(['task', 'ms', 'then', 'time, by memory', 'time, by products', ''], verdicts.map(({ task, read, multiply, slower }) => [
      task, ...[now, then].map(({ tasks }) => median(tasks[task]!.map(([ms]) => ms)).toFixed(2)), show(read), show(multiply), slower ? 'SLOWER' : '',
    ])),
    ...missing,
  ].join('\n');
}
