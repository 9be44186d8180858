/**
 * Likelihood tasks with a method: accuracy with its standard error, beside the dense run.
 *
 * Two protocols. 'generation', the literature's: the context dense, the answer's tokens sparse. An answer's first token is predicted from
 * the dense context, so one of a single token (boolq) meets no sparsity at all; `sparseShare` says how much of the score did. 'strict': 16
 * tokens dense, the rest of the context and the answer sparse. Test: test/eval/tasks.test.ts.
 */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TaskItem, TaskName, TaskSpec } from './items.ts';
import { encodeRequest, likelihoodTasks } from './items.ts';
import type { Estimate } from './metrics.ts';
import { accuracy, meanOf, pairedDifference } from './metrics.ts';
import type { Protocol, ResultLog, TaskRecord } from './records.ts';
import { groupBy, known, rounded } from './records.ts';
import { ItemScorer, type Scores } from './scoring.ts';
import type { Subject } from './subject.ts';
import { inTurn } from './subject.ts';

export interface TaskOptions {
  readonly tasks: Readonly<Partial<Record<TaskName, readonly TaskItem[]>>>;
  /**
   * Default 'generation'. A dense subject gives the same bits under both and is always run, and recorded, under this one: it is the faster.
   */
  readonly protocol?: Protocol;
  /** Items of each task, from the first. Default: all. */
  readonly limit?: number;
  /** Positions that the model holds. */
  readonly contextSize: number;
  /** Where results go; what is there already is not computed again. */
  readonly log: ResultLog;
  readonly signal?: AbortSignal;
  readonly onItem?: (record: TaskRecord) => void;
  /** Asked before every item; true ends the run there. */
  readonly isOver?: () => boolean;
}

/** Tokens that run dense under the strict protocol. */
export const strictPrompt = 16;

/**
 * Appends one record per task, item and subject. Subjects take turns on every item, so that its context is computed once for all of them.
 * @throws as `subject.follow`
 */
export async function runTasks(subjects: readonly Subject[], tokenizer: Tokenizer, options: TaskOptions): Promise<void> {
  const { log, limit = Infinity, contextSize, signal, onItem, isOver } = options;
  const done = new Set(log.records.flatMap((record) => (record.type === 'task' ? [keyOf(record)] : [])));
  for (const [task, items] of Object.entries(options.tasks) as [TaskName, readonly TaskItem[]][]) {
    for (const item of items.slice(0, limit)) {
      const open = inTurn(subjects).map((subject) => ({ subject, protocol: protocolOf(subject, options) }))
        .filter(({ subject: { label }, protocol }) => !done.has(keyOf({ subject: label, protocol, task, item: item.id })));
      if (open.length === 0) continue;
      if (isOver?.() === true) return;
      const requests = item.requests.map((request) => encodeRequest(tokenizer, request, contextSize));
      for (const [protocol, group] of groupBy(open, (one) => one.protocol) as Map<Protocol, typeof open>) {
        const isStrict = protocol === 'strict';
        const scorer = new ItemScorer(requests, requests.map(({ split }) => (isStrict ? Math.min(strictPrompt, split) : split)));
        for (const { subject } of group) {
          const record = recordOf(subject, task, item, protocol, await scorer.score(subject, signal));
          log.append(record);
          onItem?.(record);
        }
      }
    }
  }
}

const protocolOf = ({ label }: Subject, { protocol = 'generation' }: TaskOptions): Protocol =>
  (label === 'dense' ? 'generation' : protocol);

const keyOf = ({ subject, protocol, task, item }: Pick<TaskRecord, 'subject' | 'protocol' | 'task' | 'item'>): string =>
  JSON.stringify([subject, protocol, task, item]);

function recordOf(
  { label: subject }: Subject, task: TaskName, { id, label, bytes }: TaskItem, protocol: Protocol,
  { sums, greedy, costs, times, scored, sparse }: Scores,
): TaskRecord {
  const spec: TaskSpec = likelihoodTasks[task];
  return {
    type: 'task', subject, protocol, task, item: id, label, logprobs: sums.map((sum) => rounded(sum, 4)),
    right: Number(spec.kind === 'greedy' ? greedy[0] : largest(sums) === label),
    ...(spec.norm ? { rightNorm: Number(largest(sums.map((sum, i) => sum / bytes[i]!)) === label) } : {}),
    tokens: costs.length, cost: rounded(meanOf(costs), 4), ms: rounded(meanOf(times), 2), scored, sparse,
  };
}

/** Index of the largest value, the first of equals. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

/** One subject on one task. */
export interface TaskSummary {
  readonly subject: string;
  readonly protocol: Protocol;
  readonly task: TaskName;
  readonly acc: Estimate;
  readonly accNorm: Estimate | undefined;
  /** The one of the two that is quoted. */
  readonly headline: 'acc' | 'acc_norm';
  readonly quoted: Estimate;
  /** Lambada: e^(mean NLL of the word), as the harness has it. */
  readonly perplexity: number | undefined;
  /** Of the tokens scored, those whose distribution the method had a part in. */
  readonly sparseShare: number;
  /** Mean over the tokens that the method computed. */
  readonly cost: number;
  readonly ms: number;
  /** Over the items that both have: the dense figure, the difference to it with a standard error from the pairs, and the share kept. */
  readonly versusDense: { readonly dense: number; readonly difference: Estimate; readonly retained: number } | undefined;
}

/** Tables from records alone, in the order in which they first appear. */
export function summariseTasks(records: readonly TaskRecord[], dense = 'dense'): TaskSummary[] {
  const right = (record: TaskRecord): number =>
    (likelihoodTasks[record.task as TaskName].headline === 'acc_norm' ? record.rightNorm! : record.right);
  const ofDense = records.filter(({ subject }) => subject === dense);
  const reference = new Map(ofDense.map((record) => [JSON.stringify([record.task, record.item]), right(record)]));
  const ofTasks = records.filter(({ task }) => Object.hasOwn(likelihoodTasks, task));
  const groups = groupBy(ofTasks, ({ subject, protocol, task }) => JSON.stringify([subject, protocol, task]));
  return [...groups.values()].map((group): TaskSummary => {
    const { subject, protocol } = group[0]!, task = group[0]!.task as TaskName;
    const spec: TaskSpec = likelihoodTasks[task];
    const count = (of: (record: TaskRecord) => number): Estimate =>
      accuracy(group.reduce((sum, record) => sum + of(record), 0), group.length);
    const pairs = group.flatMap((record) => {
      const other = reference.get(JSON.stringify([task, record.item]));
      return other === undefined || subject === dense ? [] : [[other, right(record)] as const];
    });
    const of = (side: 0 | 1): number[] => pairs.map((pair) => pair[side]);
    const weighted = (field: 'cost' | 'ms'): number => {
      const some = group.filter((record) => record[field] !== null && record.tokens > 0);
      return some.reduce((sum, record) => sum + record[field]! * record.tokens, 0) / some.reduce((sum, { tokens }) => sum + tokens, 0);
    };
    const total = (field: 'scored' | 'sparse'): number => group.reduce((sum, record) => sum + record[field], 0);
    return {
      subject, protocol, task, acc: count((record) => record.right), accNorm: spec.norm ? count((record) => record.rightNorm!) : undefined,
      headline: spec.headline, quoted: count(right),
      perplexity: spec.kind === 'greedy' ? Math.exp(-meanOf(group.map(({ logprobs }) => known(logprobs[0]!)))) : undefined,
      sparseShare: total('sparse') / total('scored'), cost: weighted('cost'), ms: weighted('ms'),
      versusDense: pairs.length === 0 ? undefined : {
        dense: meanOf(of(0)), difference: pairedDifference(of(0), of(1)), retained: meanOf(of(1)) / meanOf(of(0)),
      },
    };
  });
}
