/** The regression check: kernels and whole tokens, each timed between two yardsticks, kept in a file or held against one. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { load, type Model, type Tier } from 'clada';
import { Kernels } from '../test/helpers/kernels.ts';
import { tasksOf } from './kernels.ts';
import { modelFile, nonsense } from './model.ts';
import { median } from './report.ts';
import { describe, judge, type Measured, type Sample } from './verdict.ts';
import { computed, yardstick } from './yardstick.ts';

const dtypes = ['q4_0', 'q4_1', 'q4_k', 'q5_0', 'q6_k', 'q8_0', 'f16'], [rows, cols] = [1536, 1536];
const prompt = 256, predict = 32, depth = 1024, sequences = 8;

/** Resolves to the computed milliseconds of one run, or of a token of it. */
type Timed = () => Promise<number> | number;

/** Every kernel some 20 ms long, its weights cold. */
function kernelTasks(build: Tier, dtype: string): [string, Timed][] {
  const [, ...timed] = tasksOf(new Kernels(build, 9000), dtype, rows, cols); // without its read of memory
  return timed.map(({ name, run }): [string, Timed] => {
    run();
    const started = performance.now();
    for (let i = 0; i < 4; i++) run();
    const times = Math.max(1, Math.ceil(80 / (performance.now() - started)));
    return [`${build} ${dtype} ${name}`, () => { const from = process.cpuUsage(); for (let i = 0; i < times; i++) run(); return computed(from) / times; }];
  });
}

function modelTasks(model: Model): [string, Timed][] {
  const { tier, vocab } = model.info, greedy = { temperature: 0, ignoreEos: true, maxTokens: predict + 1 };
  const deep = nonsense(depth, 0, vocab); // the same each time: its prefix is kept
  let run = 1;
  const decode = async (prompts: readonly (readonly number[])[]): Promise<number> => {
    const readers = prompts.map((tokens) => model.generate(tokens, greedy)[Symbol.asyncIterator]());
    await Promise.all(readers.map((reader) => reader.next())); // the prompts
    const from = process.cpuUsage();
    await Promise.all(readers.map(async (reader) => { while (!(await reader.next()).done); }));
    return computed(from) / (predict * prompts.length);
  };
  const short = (count: number): number[][] => Array.from({ length: count }, () => nonsense(12, run++, vocab));
  const tasks: [string, Timed][] = [
    [`prompt of ${prompt}`, async () => { const from = process.cpuUsage(); await model.evaluate(nonsense(prompt, run++, vocab)); return computed(from); }],
    ['token', () => decode(short(1))],
    [`token at ${depth}`, () => decode([deep])],
    [`token of ${sequences} sequences`, () => decode(short(sequences))],
  ];
  return tasks.map(([name, timed]) => [`${tier} ${name}`, timed]);
}

async function measure(builds: readonly Tier[], rounds: number): Promise<Measured> {
  const yard = await yardstick(), samples: Record<string, Sample[]> = {};
  const take = async (name: string, timed: Timed, keep: boolean): Promise<void> => {
    const before = [yard.read(), yard.multiply()], ms = await timed(), after = [yard.read(), yard.multiply()];
    if (keep) (samples[name] ??= []).push([ms, (before[0]! + after[0]!) / 2, (before[1]! + after[1]!) / 2]);
  };
  for (const build of builds) {
    for (const dtype of dtypes) { // one at a time: each has a memory of its own
      const tasks = kernelTasks(build, dtype);
      for (let round = 0; round < rounds; round++) for (const [name, timed] of tasks) await take(name, timed, true);
    }
  }
  const models = await Promise.all(builds.map((tier) => load(modelFile, { tier, threads: 1, sequences, contextSize: depth + predict + 8, calibration: false })));
  const tasks = models.flatMap(modelTasks);
  for (let round = -1; round < rounds; round++) for (const [name, timed] of tasks) await take(name, timed, round >= 0); // the first warms up
  for (const model of models) model.close();
  return {
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(), machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores`,
    date: new Date().toISOString(), tasks: samples,
  };
}

/** @returns whether nothing is slower */
export async function check(builds: readonly Tier[], rounds: number, { save, compare, tolerance }: { save?: string | undefined; compare?: string | undefined; tolerance: number }): Promise<boolean> {
  const then = compare === undefined ? undefined : JSON.parse(readFileSync(compare, 'utf8')) as Measured, now = await measure(builds, rounds);
  if (save !== undefined) writeFileSync(save, `${JSON.stringify(now)}\n`);
  if (then === undefined) {
    for (const [task, samples] of Object.entries(now.tasks)) console.log(`${task.padEnd(40)} ${median(samples.map(([ms]) => ms)).toFixed(3)} ms`);
    return true;
  }
  const verdicts = judge(now, then, tolerance), slower = verdicts.filter((one) => one.slower);
  console.log(`Time now, commit ${now.commit}, over that of ${compare} (commit ${then.commit}, ${then.date.slice(0, 10)}, ${then.machine}), in units of either yardstick:\n`);
  console.log(`${describe(verdicts, now, then)}\n\n${verdicts.length} tasks, ${slower.length} slower by more than ${Math.round(100 * tolerance)} %`);
  return slower.length === 0;
}
