/**
 * Generation tasks: greedy answers in the model's chat template, the prompt dense, the answer with the method. xsum is scored by ROUGE-L
 * against the reference summary, gsm8k by the last number of the answer, humaneval by running what it wrote.
 * Test: test/eval/generation.test.ts.
 */
import type { RunCode } from './code.ts';
import { askForCode, codeStart, codeStops, passes } from './code.ts';
import type { Estimate } from './metrics.ts';
import { estimate, meanOf, pairedDifference } from './metrics.ts';
import { Raw } from './items.ts';
import type { GenerationRecord, ResultLog } from './records.ts';
import { groupBy, parseLines } from './records.ts';
import { rougeL } from './rouge.ts';
import type { Subject } from './subject.ts';
import { inTurn } from './subject.ts';

export interface Turn { readonly role: 'user' | 'assistant'; readonly content: string }

export interface GenerationItem {
  readonly id: string;
  /** What the user says. */
  readonly message: string;
  /** 0 … 1. */
  readonly score: (answer: string, run: RunCode | undefined) => number | Promise<number>;
}

export interface GenerationSpec {
  readonly metric: string;
  /** Tokens of an answer at most. */
  readonly maxTokens: number;
  /** What was said before, to show how answers look. */
  readonly shown?: readonly Turn[];
  /** How the assistant begins, before the answer. */
  readonly start?: string;
  readonly stop?: readonly string[];
  /** What is written has to be run. */
  readonly runs?: boolean;
  readonly convert: (raw: Raw) => Omit<GenerationItem, 'id'>;
}

/**
 * Left to themselves, models write headings and formulas for 300 tokens before they come to a number; after two short answers, in the way
 * of the data set's own, they take 140. The problems are of our making.
 */
const shownAnswers: readonly Turn[] = [
  {
    role: 'user',
    content: 'Nora picks 14 pears on Monday and twice as many on Tuesday. She gives 9 pears to her neighbour. How many pears has she left?',
  },
  {
    role: 'assistant',
    content: 'On Tuesday she picks 14 * 2 = 28 pears.\nTogether that is 14 + 28 = 42 pears.\nShe has 42 - 9 = 33 pears left.\n#### 33',
  },
  { role: 'user', content: 'A ticket costs $12, and children pay half. What does a family of 2 adults and 3 children pay?' },
  {
    role: 'assistant',
    content: 'A child pays 12 / 2 = $6.\nThe adults pay 2 * 12 = $24.\nThe children pay 3 * 6 = $18.\n'
      + 'The family pays 24 + 18 = $42.\n#### 42',
  },
];

export const generationTasks = {
  xsum: { metric: 'ROUGE-L', maxTokens: 64, convert: summary },
  gsm8k: { metric: 'exact match', maxTokens: 320, shown: shownAnswers, convert: arithmetic },
  humaneval: { metric: 'pass@1', maxTokens: 384, start: codeStart, stop: codeStops, runs: true, convert: code },
} as const satisfies Record<string, GenerationSpec>;

export type GenerationName = keyof typeof generationTasks;
export const generationNames = Object.keys(generationTasks) as readonly GenerationName[];

/** The items of a task's file (JSON lines). @throws FormatError `E_DATA` */
export function readGenerationItems(task: GenerationName, text: string, limit = Infinity): GenerationItem[] {
  return parseLines(text, `${task}.jsonl`).slice(0, limit).map(({ value, line }) => {
    const raw = new Raw(value, `${task}.jsonl, line ${line}`);
    return { id: raw.text('id'), ...generationTasks[task].convert(raw) };
  });
}

function summary(raw: Raw): Omit<GenerationItem, 'id'> {
  const reference = raw.text('reference');
  return { message: raw.text('prompt'), score: (answer) => rougeL(answer, reference) };
}

function arithmetic(raw: Raw): Omit<GenerationItem, 'id'> {
  const truth = lastNumber(raw.text('answer'));
  return { message: raw.text('prompt'), score: (answer) => Number(lastNumber(answer) === truth) };
}

function code(raw: Raw): Omit<GenerationItem, 'id'> {
  const problem = { prompt: raw.text('prompt'), entry: raw.text('entry_point'), test: raw.text('test') };
  return { message: askForCode(problem.prompt), score: (answer, run) => passes(problem, answer, run!) };
}

/** The last number of a text: "$1,234.50." → 1234.5; NaN where there is none. */
export function lastNumber(text: string): number {
  const numbers = text.match(/-?\$?(?:\d[\d,]*\.?\d*|\.\d+)/g);
  return numbers ? Number(numbers.at(-1)!.replace(/[$,]/g, '')) : NaN;
}

export interface GenerationRun {
  /** Turns in the chat template, up to what the assistant begins with. */
  readonly encode: (turns: readonly Turn[], start: string) => ArrayLike<number>;
  readonly contextSize: number;
  /** Absent: tasks that run what was written cannot be scored. */
  readonly run?: RunCode | undefined;
  readonly log: ResultLog;
  /** Items at a time, whose answers share passes where they can: of a model with as many sequences. Default 1. */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
  readonly onItem?: (record: GenerationRecord) => void;
  /** Asked before every answer; true ends the run there. */
  readonly isOver?: () => boolean;
}

/**
 * Appends one record per item and subject that can generate, unless the log has it already. Subjects take turns, so that a prompt is
 * computed once.
 * @returns how many items were left out because prompt and answer do not fit into the context
 */
export async function runGeneration(
  task: GenerationName, items: readonly GenerationItem[], subjects: readonly Subject[],
  { encode, contextSize, run, log, parallel = 1, signal, onItem, isOver }: GenerationRun,
): Promise<number> {
  const { maxTokens, shown = [], start = '', stop = [] }: GenerationSpec = generationTasks[task];
  const keyOf = (subject: string, item: string): string => JSON.stringify([subject, item]);
  const known = log.records.filter((record) => record.type === 'generation' && record.task === task) as GenerationRecord[];
  const done = new Set(known.map((record) => keyOf(record.subject, record.item)));
  let tooLong = 0, ended = false;
  const answer = async ({ id, message, score }: GenerationItem): Promise<void> => {
    const open = inTurn(subjects).filter(({ label }) => !done.has(keyOf(label, id)));
    if (open.length === 0) return;
    const ids = encode([...shown, { role: 'user', content: message }], start);
    if (ids.length + maxTokens > contextSize) { tooLong++; return; }
    for (const subject of open) {
      if (ended || isOver?.() === true) { ended = true; return; }
      const text = await subject.generate!(ids, { maxTokens, stop, ...(signal ? { signal } : {}) });
      const record: GenerationRecord = { type: 'generation', subject: subject.label, task, item: id, score: await score(text, run), text };
      log.append(record);
      onItem?.(record);
    }
  };
  const left = items.values(); // one for all who work
  const work = async (): Promise<void> => {
    try {
      for (const item of left) if (!ended) await answer(item);
    } catch (error) {
      ended = true; // the others end with what they are at
      throw error;
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return tooLong;
}

export interface GenerationSummary {
  readonly subject: string;
  readonly task: GenerationName;
  readonly metric: string;
  readonly score: Estimate;
  /** Over the items that both have: the dense score, the difference to it with a standard error from the pairs, and the share kept. */
  readonly versusDense: { readonly dense: number; readonly difference: Estimate; readonly retained: number } | undefined;
}

/** Tables from records alone. */
export function summariseGeneration(records: readonly GenerationRecord[], dense = 'dense'): GenerationSummary[] {
  const ofTasks = records.filter(({ task }) => Object.hasOwn(generationTasks, task));
  const ofDense = ofTasks.filter(({ subject }) => subject === dense);
  const reference = new Map(ofDense.map(({ task, item, score }) => [JSON.stringify([task, item]), score]));
  const groups = groupBy(ofTasks, ({ subject, task }) => JSON.stringify([subject, task]));
  return [...groups.values()].map((group) => {
    const { subject } = group[0]!, task = group[0]!.task as GenerationName;
    const both = group.filter(({ item }) => subject !== dense && reference.has(JSON.stringify([task, item])));
    const theirs = both.map(({ item }) => reference.get(JSON.stringify([task, item]))!), own = both.map(({ score }) => score);
    return {
      subject, task, metric: generationTasks[task].metric, score: estimate(group.map(({ score }) => score)),
      versusDense: both.length === 0 ? undefined : {
        dense: meanOf(theirs), difference: pairedDifference(theirs, own), retained: meanOf(own) / meanOf(theirs),
      },
    };
  });
}
