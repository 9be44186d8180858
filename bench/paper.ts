/**
 * The paper's terms (arXiv 2502.19078): accuracy that each method keeps of dense under the generation protocol (prompt dense, answer sparse), speed of a whole token beside
 * it, KL of the same model on a few texts. Items go to all methods in turn, so that a prompt is computed once; what the results file has is not computed again, so a run may
 * be cut at any point, ended after --minutes, and given more methods or items later.
 *
 *   npm run bench:paper -- --model build/models/qwen2.5-coder-0.5b.gguf --data DIR --methods griffin:0.8,tt:0.8 [--items 100] [--tasks LIST] [--speed ROUNDS] [--kl DOCUMENTS] [--minutes M] [--parallel N]
 *
 * --tasks: the nine by default; with gsm8k and humaneval for answers that are generated (code is run in a sandbox), --parallel of them at a time. --speed alone measures time: the machine to itself.
 * Appends to bench/results/paper-NAME.jsonl, of which scripts/adaptive-page.ts makes tables.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Model } from 'clada';
import { load } from 'clada';
import { encoderFor, runsCode } from '../src/cli/eval.ts';
import { headerFor, openLog } from '../src/cli/results.ts';
import { openSandbox } from '../src/cli/sandbox.ts';
import { compareToDense, type Document } from '../src/eval/compare.ts';
import { generationNames, readGenerationItems, runGeneration, type GenerationName } from '../src/eval/generation.ts';
import { readItems, taskNames, type TaskItem, type TaskName } from '../src/eval/items.ts';
import type { ResultLog } from '../src/eval/records.ts';
import { parseMethod, subjectFor, type Subject } from '../src/eval/subject.ts';
import { runTasks } from '../src/eval/tasks.ts';
import { paperTable } from '../scripts/paper-table.ts';
import { spreadOf } from './report.ts';
import { takeTurns } from './turns.ts';

const root = fileURLToPath(new URL('..', import.meta.url)), prompt = 64, answer = 64;

/** Texts of four kinds, cut to prompt and answer: what people write, are told, count and program. */
function documents({ tokenizer }: Model, data: string, count: number): Document[] {
  const lines = (task: string): Record<string, string>[] => readFileSync(join(data, `${task}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, string>);
  const kinds: Record<string, readonly string[]> = {
    passage: lines('lambada').map(({ ctx }) => ctx!), article: lines('xsum').map(({ prompt: text }) => text!),
    arithmetic: lines('gsm8k').map(({ prompt: text, reference }) => `${text}\n${reference}`), code: lines('humaneval').map(({ prompt: text, reference }) => `${text}${reference}`),
  };
  const list = Object.entries(kinds).map(([kind, texts]) => texts.map((text, i): Document => ({ kind, id: `${kind}@${i}`, ids: [...tokenizer.encode(text)].slice(0, prompt + answer) }))
    .filter(({ ids }) => ids.length === prompt + answer));
  return Array.from({ length: count }, (_, i) => list[i % list.length]![Math.floor(i / list.length)]).filter((document) => document !== undefined);
}

/** Whole tokens, the fastest quarter of each run, each subject between two dense runs of the same text; the row `dense` is one more dense run, whose spread is that of the method. */
async function measureSpeed(subjects: readonly Subject[], { ids }: Document, rounds: number, threads: number, log: ResultLog): Promise<void> {
  const dense = subjects.find(({ label }) => label === 'dense')!, costs = new Map<Subject, number>();
  const once = async (subject: Subject): Promise<number> => {
    const times: number[] = [], used: number[] = [];
    await subject.follow(ids.slice(0, prompt), ids.slice(prompt), (_logits, { fed, ms, cost }) => {
      if (fed < 2) return; // the first makes the mask
      times.push(ms!);
      used.push(cost!);
    });
    costs.set(subject, used.reduce((a, b) => a + b, 0) / used.length);
    const best = times.sort((a, b) => a - b).slice(0, Math.ceil(times.length / 4)); // what else the machine does makes tokens slower, never faster
    return best.reduce((a, b) => a + b, 0) / best.length;
  };
  const all = new Map(subjects.map((subject) => [subject, { ms: [] as number[], ratio: [] as number[] }]));
  for (const subject of subjects) await once(subject); // warm
  await takeTurns(subjects, rounds, () => once(dense), once, (subject, ms, against) => {
    all.get(subject)!.ms.push(ms);
    all.get(subject)!.ratio.push(against / ms);
  });
  for (const [subject, { ms, ratio }] of all) {
    log.append({ type: 'token', subject: subject.label, rounds, threads, cost: costs.get(subject)!, ms: spreadOf(ms), token: spreadOf(ratio) });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: {
    model: { type: 'string' }, data: { type: 'string', default: join(root, '../shared/eval') }, methods: { type: 'string', default: 'dense' }, items: { type: 'string', default: '100' },
    tasks: { type: 'string', default: taskNames.join() }, speed: { type: 'string', default: '0' }, kl: { type: 'string', default: '0' }, minutes: { type: 'string', default: 'Infinity' },
    threads: { type: 'string', default: '1' }, parallel: { type: 'string', default: '1' }, calibration: { type: 'string' }, out: { type: 'string' }, quiet: { type: 'boolean' },
  } });
  if (values.model === undefined || !existsSync(values.model)) throw new Error(`--model ${values.model ?? ''}: no such file (npm run models)`);
  const started = performance.now(), isOver = (): boolean => performance.now() - started > 60_000 * Number(values.minutes), limit = Number(values.items);
  await using model = await load(values.model, { threads: Number(values.threads), contextSize: 1024, sequences: Number(values.parallel), ...(values.calibration === undefined ? {} : { calibration: values.calibration }) });
  const out = values.out ?? join(root, `bench/results/paper-${basename(values.model, '.gguf')}.jsonl`);
  const log = openLog(out, { ...headerFor(model, []), command: ['npm run bench:paper --', ...process.argv.slice(2)].map((word) => (word.includes('/') ? `…/${basename(word)}` : word)).join(' ') });
  const subjects = ['dense', ...values.methods.split(',').filter((name) => name !== 'dense')].map((text) => {
    const { name, options } = parseMethod(text);
    return subjectFor(model, name, options);
  });
  const texts = documents(model, values.data, Math.max(1, Number(values.kl)));
  if (Number(values.speed) > 0) await measureSpeed(subjects, texts[0]!, Number(values.speed), Number(values.threads), log);
  let done = 0;
  const onItem = ({ subject, item }: { subject: string; item: string }): void => { if (!values.quiet) process.stderr.write(`\r\x1b[K${++done} ${subject} on ${item}, ${((performance.now() - started) / 60_000).toFixed(1)} min`); };
  if (Number(values.kl) > 0) await compareToDense(subjects[0]!, subjects, texts, { prompt, log });
  const names = values.tasks === '' ? [] : values.tasks.split(','), read = (task: string): string => readFileSync(join(values.data, `${task}.jsonl`), 'utf8');
  const unknown = names.find((name) => !([...taskNames, ...generationNames] as string[]).includes(name));
  if (unknown !== undefined) throw new Error(`--tasks ${unknown}: one of ${[...taskNames, ...generationNames].join(', ')}`);
  const scored = Object.fromEntries(taskNames.filter((name) => names.includes(name)).map((name) => [name, readItems(name, read(name), limit)])) as Record<TaskName, TaskItem[]>;
  await runTasks(subjects, model.tokenizer, { tasks: scored, contextSize: model.info.contextSize, log, onItem, isOver });
  const answered: GenerationName[] = generationNames.filter((name) => names.includes(name)), run = runsCode(answered) ? await openSandbox() : undefined;
  for (const name of answered) {
    const left = await runGeneration(name, readGenerationItems(name, read(name), limit), subjects, { encode: encoderFor(model), contextSize: model.info.contextSize, run, log, parallel: Number(values.parallel), onItem, isOver });
    if (left > 0) console.log(`${name}: ${left} items do not fit into the context`);
  }
  process.stderr.write('\n');
  console.log(isOver() ? 'Not all is done: run it again to go on.' : paperTable(log.records)[0] ?? '');
  process.exitCode = isOver() ? 3 : 0;
}

await main();
