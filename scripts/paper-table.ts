/** The paper's terms as a table a model: what a method keeps of dense's accuracy, beside the speed of a whole token and KL (records of bench/paper.ts). */
import { summariseComparison } from '../src/eval/compare.ts';
import { summariseGeneration } from '../src/eval/generation.ts';
import type { ResultRecord, TokenRecord } from '../src/eval/records.ts';
import { fixed, markdown, percent, taskDetails, taskRows, taskTable, withError } from '../src/eval/tables.ts';
import { summariseTasks } from '../src/eval/tasks.ts';

type Of<T extends ResultRecord['type']> = Extract<ResultRecord, { type: T }>;

/** Of a subject the last that was measured. */
function lastOf(records: readonly TokenRecord[]): Map<string, TokenRecord> {
  return new Map(records.map((record) => [record.subject, record]));
}

/** Lines of Markdown; none without tasks. */
export function paperTable(records: readonly ResultRecord[]): string[] {
  const of = <T extends ResultRecord['type']>(type: T): Of<T>[] => records.filter((record): record is Of<T> => record.type === type);
  const tasks = summariseTasks(of('task')), rows = taskRows(tasks), answers = summariseGeneration(of('generation'));
  const speeds = lastOf(of('token')), comparisons = summariseComparison(of('kl'));
  const subjects = [...new Set([...rows, ...answers, ...speeds.values()].map(({ subject }) => subject))].sort((a, b) => Number(b === 'dense') - Number(a === 'dense'));
  if (rows.length + answers.length === 0) return [];
  const kinds = [...new Set(answers.map(({ task }) => task))];
  const head = ['method', 'token, times dense', 'cost', 'items', 'mean of tasks', 'kept, %', 'KL (nats)', 'top-1', ...kinds.flatMap((kind) => [kind, `${kind}, to dense`])];
  return [markdown(head, subjects.map((subject) => {
    const row = rows.find((one) => one.subject === subject), speed = speeds.get(subject), comparison = comparisons.find((one) => one.subject === subject);
    const items = Object.values(row?.tasks ?? {}).reduce((sum, { quoted }) => sum + quoted.n, 0);
    return [
      subject, speed ? `${fixed(speed.token[0], 2)} (${fixed(speed.token[1], 2)} … ${fixed(speed.token[2], 2)})` : '–', fixed(speed?.cost ?? comparison?.cost ?? NaN, 3),
      row ? String(items) : '–', fixed(100 * (row?.mean ?? NaN), 1), row && subject !== 'dense' ? percent(row.retained) : '–',
      comparison && subject !== 'dense' ? withError(comparison.kl, 4) : '–', comparison && subject !== 'dense' ? fixed(comparison.top1.mean, 3) : '–',
      ...kinds.flatMap((kind) => {
        const answer = answers.find((one) => one.subject === subject && one.task === kind);
        return [answer ? `${percent(answer.score)} (${answer.score.n})` : '–', answer?.versusDense ? percent(answer.versusDense.difference) : '–'];
      }),
    ];
  })), ...(tasks.length > 0 ? [`<details><summary>Task by task</summary>\n\n${taskTable(tasks)}\n\n${taskDetails(tasks)}\n\n</details>`] : [])];
}
