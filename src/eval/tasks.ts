/**
 * Likelihood tasks with a method: accuracy with its standard error, beside the dense run.
 *
 * Two protocols. 'generation', the literature's: the context dense, the answer's tokens sparse. An answer's first token is predicted from
 * the dense context, so one of a single token (boolq) meets no sparsity at all; `sparseShare` says how much of the score did. 'strict': 16
 * tokens dense, the rest of the context and the answer sparse. Test: test/eval/tasks.test.ts.
 */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { EncodedRequest, TaskItem, TaskName, TaskSpec } from './items.ts';
import { encodeRequest, likelihoodTasks } from './items.ts';
import type { Estimate } from './metrics.ts';
import { accuracy, meanOf, pairedDifference } from './metrics.ts';
import type { Protocol, ResultLog, TaskRecord } from './records.ts';
import { finite, groupBy, known } from './records.ts';
import type { Subject } from './subject.ts';

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
}

/** Tokens that run dense under the strict protocol. */
export const strictPrompt = 16;

/** Appends one record per task and item. @throws as `subject.follow` */
export async function runTasks(subject: Subject, tokenizer: Tokenizer, options: TaskOptions): Promise<void> {
  const { log, limit = Infinity, contextSize, signal, onItem } = options;
  const protocol = subject.label === 'dense' ? 'generation' : options.protocol ?? 'generation';
  const done = new Set(log.records.flatMap((record) => (record.type === 'task' ? [keyOf(record)] : [])));
  for (const [task, items] of Object.entries(options.tasks) as [TaskName, readonly TaskItem[]][]) {
    for (const item of items.slice(0, limit)) {
      if (done.has(keyOf({ subject: subject.label, protocol, task, item: item.id }))) continue;
      const encoded = item.requests.map((request) => encodeRequest(tokenizer, request, contextSize));
      const record = await runItem(subject, task, item, encoded, protocol, signal);
      log.append(record);
      onItem?.(record);
    }
  }
}

const keyOf = ({ subject, protocol, task, item }: Pick<TaskRecord, 'subject' | 'protocol' | 'task' | 'item'>): string =>
  JSON.stringify([subject, protocol, task, item]);

/** Running sums of one request, or of all that are fed the same tokens. */
interface Scored { logprob: number; greedy: boolean }

async function runItem(
  subject: Subject, task: TaskName, item: TaskItem, encoded: readonly EncodedRequest[], protocol: Protocol, signal: AbortSignal | undefined,
): Promise<TaskRecord> {
  const spec: TaskSpec = likelihoodTasks[task];
  const scores = encoded.map((): Scored => ({ logprob: 0, greedy: true }));
  const costs: number[] = [], times: number[] = [];
  let scored = 0, sparse = 0;
  // choices of one token are fed the same: one pass serves them all
  const passes = groupBy([...encoded.keys()], (i) => JSON.stringify([encoded[i]!.split, encoded[i]!.ids.slice(0, -1)]));
  for (const members of passes.values()) {
    const { ids, split } = encoded[members[0]!]!;
    const dense = protocol === 'strict' ? Math.min(strictPrompt, split) : split;
    await subject.follow(ids.slice(0, dense), ids.slice(dense, -1), (logits, { fed, logSumExp, topToken, cost = NaN, ms = NaN }) => {
      if (fed > 0) { costs.push(cost); times.push(ms); }
      const next = dense + fed;
      if (next < split || next >= ids.length) return;
      for (const i of members) {
        const id = encoded[i]!.ids[next]!, score = scores[i]!;
        score.logprob += logits[id]! - logSumExp;
        score.greedy &&= id === topToken;
        scored++;
        if (fed > 0) sparse++;
      }
    }, { from: split - dense, signal });
  }
  const sums = scores.map(({ logprob }) => logprob);
  return {
    type: 'task', subject: subject.label, protocol, task, item: item.id, label: item.label, logprobs: sums.map(finite),
    right: Number(spec.kind === 'greedy' ? scores[0]!.greedy : largest(sums) === item.label),
    ...(spec.norm ? { rightNorm: Number(largest(sums.map((sum, i) => sum / item.bytes[i]!)) === item.label) } : {}),
    tokens: costs.length, cost: finite(meanOf(costs)), ms: finite(meanOf(times)), scored, sparse,
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
