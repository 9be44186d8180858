/**
 * Generation tasks: greedy answers in the model's chat template, the prompt dense, the answer with the method. xsum is scored by ROUGE-L
 * against the reference summary, gsm8k by the last number of the answer. Test: test/eval/generation.test.ts.
 */
import type { Estimate } from './metrics.ts';
import { estimate } from './metrics.ts';
import { Raw } from './items.ts';
import type { GenerationRecord, ResultLog } from './records.ts';
import { groupBy, parseLines } from './records.ts';
import { rougeL } from './rouge.ts';

export interface GenerationItem {
  readonly id: string;
  readonly prompt: string;
  /** What the answer is held against: a summary, a number. */
  readonly truth: string;
}

export interface GenerationSpec {
  readonly metric: string;
  /** Tokens of an answer at most. */
  readonly maxTokens: number;
  /** Field of a line that holds the truth. */
  readonly field: 'reference' | 'answer';
  /** 0 … 1. */
  readonly score: (answer: string, truth: string) => number;
}

export const generationTasks = {
  xsum: { metric: 'ROUGE-L', maxTokens: 64, field: 'reference', score: rougeL },
  gsm8k: { metric: 'exact match', maxTokens: 320, field: 'answer', score: sameNumber },
} as const satisfies Record<string, GenerationSpec>;

export type GenerationName = keyof typeof generationTasks;
export const generationNames = Object.keys(generationTasks) as readonly GenerationName[];

/** The items of a task's file (JSON lines). @throws FormatError `E_DATA` */
export function readGenerationItems(task: GenerationName, text: string, limit = Infinity): GenerationItem[] {
  return parseLines(text, `${task}.jsonl`).slice(0, limit).map(({ value, line }) => {
    const raw = new Raw(value, `${task}.jsonl, line ${line}`);
    return { id: raw.text('id'), prompt: raw.text('prompt'), truth: raw.text(generationTasks[task].field) };
  });
}

/** The last number of a text: "$1,234.50." → 1234.5; NaN where there is none. */
export function lastNumber(text: string): number {
  const numbers = text.match(/-?\$?(?:\d[\d,]*\.?\d*|\.\d+)/g);
  return numbers ? Number(numbers.at(-1)!.replace(/[$,]/g, '')) : NaN;
}

function sameNumber(answer: string, truth: string): number {
  return Number(lastNumber(answer) === lastNumber(truth));
}

/** Greedy continuation of a prompt, without its end token. */
export type Generate = (prompt: ArrayLike<number>, maxTokens: number) => Promise<string>;

export interface GenerationRun {
  /** Label of the subject behind `generate`. */
  readonly subject: string;
  readonly generate: Generate;
  /** A user's message in the chat template, up to where the assistant begins. */
  readonly encode: (message: string) => ArrayLike<number>;
  readonly contextSize: number;
  readonly log: ResultLog;
  readonly onItem?: (record: GenerationRecord) => void;
}

/**
 * Appends one record per item, unless the log has it already.
 * @returns how many items were left out because prompt and answer do not fit into the context
 */
export async function runGeneration(
  task: GenerationName, items: readonly GenerationItem[], { subject, generate, encode, contextSize, log, onItem }: GenerationRun,
): Promise<number> {
  const spec: GenerationSpec = generationTasks[task];
  const done = new Set(log.records.flatMap((record) => (
    record.type === 'generation' && record.subject === subject && record.task === task ? [record.item] : []
  )));
  let tooLong = 0;
  for (const { id, prompt, truth } of items) {
    if (done.has(id)) continue;
    const ids = encode(prompt);
    if (ids.length + spec.maxTokens > contextSize) { tooLong++; continue; }
    const text = await generate(ids, spec.maxTokens);
    const record: GenerationRecord = { type: 'generation', subject, task, item: id, score: spec.score(text, truth), text };
    log.append(record);
    onItem?.(record);
  }
  return tooLong;
}

export interface GenerationSummary {
  readonly subject: string;
  readonly task: GenerationName;
  readonly metric: string;
  readonly score: Estimate;
}

/** Tables from records alone. */
export function summariseGeneration(records: readonly GenerationRecord[]): GenerationSummary[] {
  const ofTasks = records.filter(({ task }) => Object.hasOwn(generationTasks, task));
  const groups = groupBy(ofTasks, ({ subject, task }) => JSON.stringify([subject, task]));
  return [...groups.values()].map((group) => {
    const { subject } = group[0]!, task = group[0]!.task as GenerationName;
    return { subject, task, metric: generationTasks[task].metric, score: estimate(group.map(({ score }) => score)) };
  });
}
