/** `clada eval`: mean NLL of a text; or tasks and comparisons with dense, method by method. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from 'clada';
import { InputError } from 'clada';
import { compareToDense, defaultPrompt, readDocuments, summariseComparison } from '../eval/compare.ts';
import type { GenerationItem, GenerationName, Turn } from '../eval/generation.ts';
import { generationTasks, readGenerationItems, runGeneration, summariseGeneration } from '../eval/generation.ts';
import { readItems, taskNames, type TaskItem, type TaskName } from '../eval/items.ts';
import type { ResultLog, ResultRecord } from '../eval/records.ts';
import { parseMethod, subjectFor } from '../eval/subject.ts';
import { comparisonTable, generationTable, taskDetails, taskTable } from '../eval/tables.ts';
import { runTasks, summariseTasks } from '../eval/tasks.ts';
import type { Values } from './commands.ts';
import { openModel } from './model.ts';
import { note, print, printJson } from './output.ts';
import { headerFor, openLog } from './results.ts';
import { openSandbox } from './sandbox.ts';
import { readText } from './text.ts';

type EvalValues = Values<'eval'>;

export async function evaluate(values: EvalValues, signal: AbortSignal): Promise<void> {
  if (values.tasks !== undefined || values.documents !== undefined) return evaluateMethods(values, signal);
  for (const flag of ['data', 'protocol', 'methods', 'limit', 'out'] as const) {
    if (values[flag] === undefined) continue;
    throw usage(`--${flag}`, 'neither --tasks nor --documents', 'one of them',
      'A text has no items: leave the flag out, or say what to evaluate.');
  }
  return evaluateText(values, signal);
}

async function evaluateText(values: EvalValues, signal: AbortSignal): Promise<void> {
  const text = await readText(values, 'eval', { signal, chomp: true });
  await using model = await openModel(values, signal);
  const started = performance.now();
  const onProgress = (done: number, total: number): void => { process.stderr.write(`\r${done} of ${total} tokens`); };
  const { tokens, meanNll, perplexity, windowNll } = await model.score(text, { signal, ...(process.stderr.isTTY ? { onProgress } : {}) });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const scored = tokens.map(({ surprisal }) => surprisal).filter((surprisal) => !Number.isNaN(surprisal));
  const deviation = Math.sqrt(scored.reduce((sum, surprisal) => sum + (surprisal - meanNll) ** 2, 0) / (scored.length - 1));
  const standardError = deviation / Math.sqrt(scored.length);
  const seconds = (performance.now() - started) / 1000;
  const counts = { tokens: tokens.length, scored: scored.length, windows: windowNll.length };
  if (values.json) { printJson({ ...counts, meanNll, standardError, perplexity, seconds }); return; }
  print(`${counts.tokens} tokens in ${counts.windows} windows of at most ${model.info.contextSize}, each with its own context; `
    + `${counts.scored} scored`);
  print(`mean NLL    ${meanNll.toFixed(4)} ± ${standardError.toFixed(4)} nats a token (standard error)`);
  print(`perplexity  ${perplexity.toFixed(3)}`);
  note(`${(tokens.length / seconds).toFixed(0)} tokens a second`);
}

async function evaluateMethods(values: EvalValues, signal: AbortSignal): Promise<void> {
  const { tasks = [], documents, data, limit = Infinity } = values;
  if (tasks.length > 0 && data === undefined) throw usage('--tasks', 'no --data', 'a folder of JSONL files, one a task', 'Add --data DIR.');
  if (documents === undefined && values.prompt !== undefined) {
    throw usage('--prompt', 'a text beside --tasks', 'no text', 'Tasks bring their own: leave it out.');
  }
  for (const flag of ['data', 'protocol'] as const) {
    if (tasks.length === 0 && values[flag] !== undefined) throw usage(`--${flag}`, 'no --tasks', 'tasks', 'Leave it out, or name tasks.');
  }
  const methods = (values.methods ?? []).map(parseMethod);
  const prompt = documents === undefined ? defaultPrompt : promptLength(values.prompt);
  await using model = await openModel(values, signal);
  const dense = subjectFor(model, 'dense');
  const subjects = [dense, ...methods.filter(({ name }) => name !== 'dense').map(({ name, options }) => subjectFor(model, name, options))];
  const list = documents === undefined ? [] : readDocuments(await readJson(documents)).slice(0, limit);
  const scored: Partial<Record<TaskName, TaskItem[]>> = {}, answered: [GenerationName, GenerationItem[]][] = [];
  for (const task of tasks) { // all data is read, and refused, before anything runs
    const text = await readData(join(data!, `${task}.jsonl`));
    if (isLikelihood(task)) scored[task] = readItems(task, text, limit);
    else answered.push([task as GenerationName, readGenerationItems(task as GenerationName, text, limit)]);
  }
  const log = openLog(values.out, headerFor(model, process.argv.slice(2)));
  const items = [...Object.values(scored), ...answered.map(([, some]) => some)].reduce((sum, some) => sum + some.length, list.length);
  const progress = counter(items * subjects.length), { contextSize } = model.info;

  await compareToDense(dense, subjects, list, {
    prompt, log, signal, onDocument: ({ subject, document }) => progress(`${subject} on ${document}`),
  });
  const onItem = ({ subject, item }: { subject: string; item: string }): void => progress(`${subject} on ${item}`);
  await runTasks(subjects, model.tokenizer, { tasks: scored, contextSize, log, signal, protocol: values.protocol ?? 'generation', onItem });
  const run = runsCode(answered.map(([task]) => task)) ? await openSandbox() : undefined;
  for (const [task, some] of answered) {
    const tooLong = await runGeneration(task, some, subjects, { encode: encoderFor(model), contextSize, run, log, signal, onItem });
    if (tooLong > 0) note(`${task}: ${tooLong} items do not fit into a context of ${contextSize} and were left out`);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  report(log, values.json === true);
}

const isLikelihood = (task: string): task is TaskName => (taskNames as readonly string[]).includes(task);

export const runsCode = (tasks: readonly GenerationName[]): boolean => tasks.some((task) => 'runs' in generationTasks[task]);

/** Prompts of generation tasks in the model's chat template. */
export const encoderFor = (model: Model) => (turns: readonly Turn[], start: string): number[] =>
  [...model.encodeChat(turns.map((turn) => ({ ...turn }))), ...(start === '' ? [] : model.tokenizer.encode(start))];

function report({ records }: ResultLog, json: boolean): void {
  type Of<T> = Extract<ResultRecord, { type: T }>;
  const of = <T extends ResultRecord['type']>(type: T): Of<T>[] => records.filter((record): record is Of<T> => record.type === type);
  const comparisons = summariseComparison(of('kl')), tasks = summariseTasks(of('task')), generation = summariseGeneration(of('generation'));
  if (json) { printJson({ header: of('header').at(-1), comparisons, tasks, generation }); return; }
  const tables = [
    ...(comparisons.length > 0 ? [comparisonTable(comparisons)] : []),
    ...(tasks.length > 0 ? [taskTable(tasks), taskDetails(tasks)] : []),
    ...(generation.length > 0 ? [generationTable(generation)] : []),
  ];
  print(tables.join('\n\n'));
  note('± one standard error: of KL, ΔNLL, top-1 over documents, of accuracy binomial, of differences over pairs; * acc_norm');
}

/** Tells on stderr how many of the items are done. */
function counter(total: number): (text: string) => void {
  let done = 0;
  return (text) => { if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${++done} of ${total}: ${text}`); };
}

function promptLength(text: string | undefined): number {
  if (text === undefined) return defaultPrompt;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw usage('--prompt', JSON.stringify(text), 'an integer from 1 up, with --documents', 'Give the number of tokens that run dense.');
}

async function readData(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: (cause as { code?: string }).code ?? String(cause), expected: 'a file',
      remedy: 'Check the path.', cause,
    });
  });
}

async function readJson(path: string): Promise<unknown> {
  const text = await readData(path);
  try { return JSON.parse(text); } catch (cause) {
    throw new InputError('E_OPTION', {
      subject: path, found: (cause as Error).message, expected: 'JSON',
      remedy: 'Make the file again.', cause,
    });
  }
}

function usage(flag: string, found: string, expected: string, remedy: string): InputError {
  return new InputError('E_USAGE', { subject: `clada eval ${flag}`, found, expected, remedy });
}
