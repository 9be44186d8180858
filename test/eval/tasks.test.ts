/** Task runs on items of our own: sums of log-probabilities by hand, both protocols, resumed runs. Real data: tasks.slow.test.ts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeRequest, readItems, taskNames, type TaskItem, type TaskName } from '../../src/eval/items.ts';
import { memoryLog, parseRecords, type TaskRecord } from '../../src/eval/records.ts';
import { DenseSubject, type Subject } from '../../src/eval/subject.ts';
import { runTasks, strictPrompt, summariseTasks, type TaskOptions } from '../../src/eval/tasks.ts';
import { load } from '../../src/index.ts';
import { madeUp } from '../helpers/items.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('tasks');
const model = await load(embeddedModel, { contextSize: 1024 });
const { tokenizer } = model;
const contextSize = model.info.contextSize;
const tasks = Object.fromEntries(taskNames.map((task) => [task, readItems(task, madeUp[task])])) as Record<TaskName, TaskItem[]>;
const recordsOf = (log: { records: readonly { type: string }[] }): TaskRecord[] => log.records.filter((record): record is TaskRecord => record.type === 'task');

/** The dense model under another name: counts what it was asked and must agree with dense. */
class Renamed implements Subject {
  readonly prompts: number[] = [];
  calls = 0;
  constructor(readonly label: string, private readonly dense: DenseSubject, private readonly failAfter = Infinity) {}
  async follow(...[prompt, continuation, each, range]: Parameters<Subject['follow']>): Promise<void> {
    if (this.calls++ >= this.failAfter) throw new Error('cut');
    this.prompts.push(prompt.length);
    return this.dense.follow(prompt, continuation, each, range);
  }
}

const run = (subject: Subject, log: TaskOptions['log'], more: Partial<TaskOptions> = {}): Promise<void> => runTasks([subject], tokenizer, { tasks, contextSize, log, ...more });

const dense = memoryLog();

test('dense: every task runs, log-probabilities are those of score()', async () => {
  await run(new DenseSubject(model), dense);
  assert.is(dense.records.length, 18);
  for (const task of ['piqa', 'winogrande', 'lambada', 'boolq'] as const) {
    const record = recordsOf(dense).find((r) => r.task === task)!;
    for (const [i, request] of tasks[task][0]!.requests.entries()) {
      const { ids, split } = encodeRequest(tokenizer, request, contextSize);
      const expected = -(await model.score(ids)).tokens.slice(split).reduce((sum, { surprisal }) => sum + surprisal, 0);
      assert.ok(Math.abs(record.logprobs[i]! - expected) < 1e-3, `${task} ${i}: ${record.logprobs[i]} is not ${expected}`);
    }
  }
  assert.is(recordsOf(dense).filter(({ task }) => task === 'lambada')[1]!.right, 1); // seven
});

test('protocols: what runs dense, and how much of the score sparsity reaches', async () => {
  const log = memoryLog(dense.records), generation = new Renamed('renamed', new DenseSubject(model)), strict = new Renamed('renamed', new DenseSubject(model));
  await run(generation, log, { limit: 1, tasks: { boolq: tasks.boolq, hellaswag: tasks.hellaswag, lambada: tasks.lambada } });
  await run(strict, log, { protocol: 'strict', limit: 1, tasks: { boolq: tasks.boolq, winogrande: tasks.winogrande, lambada: tasks.lambada } });
  assert.ok(strict.prompts.every((length) => length <= strictPrompt) && strict.prompts.includes(strictPrompt));
  assert.ok(generation.prompts.some((length) => length > strictPrompt));
  const summaries = summariseTasks(recordsOf(log));
  assert.is(summaries.length, 9 + 3 + 3);
  const of = (protocol: string, task: string) => summaries.find((s) => s.subject === 'renamed' && s.protocol === protocol && s.task === task)!;
  assert.is(of('generation', 'boolq').sparseShare, 0); // one token, predicted from the dense context
  assert.is(of('strict', 'boolq').sparseShare, 1);
  assert.ok(of('generation', 'hellaswag').sparseShare > 0.5);
  for (const summary of summaries.filter(({ subject }) => subject === 'renamed')) { // it is the dense model: the same bits however the text is cut
    assert.is(summary.versusDense!.difference.mean, 0);
  }
  const strictOf = recordsOf(log).filter(({ protocol }) => protocol === 'strict');
  for (const record of strictOf) assert.equal(record.logprobs, recordsOf(dense).find(({ item }) => item === record.item)!.logprobs);
  assert.is(strictOf.filter(({ task }) => task === 'boolq')[0]!.scored, 2);
});

test('a run that was cut goes on to the same result, and computes nothing twice', async () => {
  const few = { tasks: { boolq: tasks.boolq, winogrande: tasks.winogrande, lambada: tasks.lambada } }, part = memoryLog(), timeless = (records: readonly TaskRecord[]): unknown[] => records.map((record) => ({ ...record, ms: 0, subject: '' }));
  await run(new Renamed('renamed', new DenseSubject(model), 6), part, few).then(() => assert.unreachable(), (error: Error) => assert.is(error.message, 'cut'));
  assert.is(part.records.length, 3); // two of boolq, which the context alone decides, one of winogrande with two contexts of a continuation each
  const resumed = memoryLog(parseRecords(`${part.records.map((record) => JSON.stringify(record)).join('\n')}\n{"type":"ta`).records);
  await run(new Renamed('renamed', new DenseSubject(model)), resumed, few);
  assert.equal(timeless(recordsOf(resumed)), timeless(recordsOf(dense).filter(({ task }) => task in few.tasks)));
  const again = new Renamed('renamed', new DenseSubject(model));
  await run(again, resumed, few);
  assert.is(again.calls, 0);
});

test('a context is computed once for all subjects, what choices share once for each, and what it decides alone by nobody', async () => {
  const log = memoryLog(), seen: string[] = [], real = new DenseSubject(model);
  const subject = (label: string): Subject => ({
    label, follow: (prompt, continuation, each, range) => {
      seen.push(`${label} ${continuation.length === 0 ? 'context' : `from ${range!.from}`}`);
      return real.follow(prompt, continuation, each, range);
    },
  });
  const item: TaskItem = { id: 'one', label: 0, bytes: [1, 1, 1], requests: ['the red house', 'the red garden wall', 'a dog'].map((text) => ({ context: 'He painted', continuation: ` ${text}` })) };
  await runTasks([subject('dense'), subject('x'), { ...subject('y'), counts: true }], tokenizer, { tasks: { piqa: [item, { ...item, id: 'two', requests: item.requests.map((request) => ({ ...request, continuation: ' x' })) }] }, contextSize, log });
  assert.equal(seen.slice(0, 3), ['y context', 'y from 1', 'y from 1']);
  const own = seen.slice(0, -1).filter((text) => text.startsWith('x')), [last] = seen.slice(-1);
  assert.equal([own.filter((text) => text.includes('context')).length, last], [0, 'y context']); // of the second item nothing but the context
  assert.ok(own.includes('x from 3'), own.join()); // "the red" is there
  const records = recordsOf(log);
  assert.equal(records.map(({ subject: label }) => label), ['y', 'x', 'dense', 'y', 'x', 'dense']);
  for (const { logprobs } of records.slice(1, 3)) assert.equal(logprobs, records[0]!.logprobs);
  for (const [i, request] of item.requests.entries()) {
    const { ids, split } = encodeRequest(tokenizer, request, contextSize);
    const expected = -(await model.score(ids)).tokens.slice(split).reduce((sum, { surprisal }) => sum + surprisal, 0);
    assert.ok(Math.abs(records[0]!.logprobs[i]! - expected) < 1e-3);
  }
});

test('limit: the first items of each task', async () => {
  const log = memoryLog();
  await run(new DenseSubject(model), log, { limit: 1, tasks: { piqa: tasks.piqa, boolq: tasks.boolq } });
  assert.equal(recordsOf(log).map(({ item }) => item), ['piqa-0', 'boolq-0']);
});

test('summary: binomial errors, retained share, perplexity of a word', () => {
  const record = (subject: string, item: number, right: number, task = 'lambada'): TaskRecord => ({
    type: 'task', subject, protocol: 'generation', task, item: String(item), label: 0, logprobs: [-2 - item], right, rightNorm: 1 - right, tokens: 2, cost: 0.5, ms: 3, scored: 2, sparse: 1,
  });
  const [, sparse] = summariseTasks([0, 1, 2, 3].flatMap((i) => [record('dense', i, 1), record('x 0.5', i, Number(i < 3))]));
  assert.equal(sparse!.quoted, { mean: 0.75, se: Math.sqrt(0.75 * 0.25 / 4), n: 4 });
  assert.is(sparse!.versusDense!.retained, 0.75);
  assert.equal(sparse!.versusDense!.difference, { mean: -0.25, se: 0.25, n: 4 });
  assert.ok(Math.abs(sparse!.perplexity! - Math.exp(3.5)) < 1e-9);
  assert.equal([sparse!.sparseShare, sparse!.cost, sparse!.ms], [0.5, 0.5, 3]);
  assert.is(summariseTasks([record('dense', 0, 1, 'hellaswag')])[0]!.quoted.mean, 0); // acc_norm is quoted
});

test.run();
