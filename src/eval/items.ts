/**
 * The nine likelihood tasks: how an item of a data file becomes texts to score, as lm-evaluation-harness words them.
 *
 * An item is one or more requests (context, continuation); the choice whose continuation is likeliest given its context is the answer. The
 * files have the context ready ("Question: …\nAnswer:"), and a continuation is a blank and the choice. Winogrande is scored partially:
 * the options stand in the contexts and the rest of the sentence is the continuation of each. Lambada has one request, its last word. Test:
 * test/eval/items.test.ts.
 */
import { FormatError } from '../errors.ts';
import { show } from '../options.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { parseLines } from './records.ts';

export interface Request {
  readonly context: string;
  readonly continuation: string;
}

export interface TaskItem {
  readonly id: string;
  readonly requests: readonly Request[];
  /** Index of the right request. */
  readonly label: number;
  /** UTF-8 bytes of each choice, without the blank before it. */
  readonly bytes: readonly number[];
}

export interface TaskSpec {
  /**
   * The figure that is quoted. 'acc': the largest sum of log-probabilities wins; 'acc_norm': the largest sum over bytes. (The harness
   * divides by characters, which is the same for ASCII.)
   */
  readonly headline: 'acc' | 'acc_norm';
  /** Whether acc_norm is reported at all. */
  readonly norm: boolean;
  /** 'choice': the likeliest request. 'greedy': right if every target token is the most likely one. */
  readonly kind: 'choice' | 'greedy';
  readonly convert: (raw: Raw) => TaskItem;
}

export const likelihoodTasks = {
  'boolq': { headline: 'acc', norm: false, kind: 'choice', convert: choices },
  'piqa': { headline: 'acc', norm: true, kind: 'choice', convert: choices },
  'arc-easy': { headline: 'acc', norm: true, kind: 'choice', convert: choices },
  'arc-challenge': { headline: 'acc_norm', norm: true, kind: 'choice', convert: choices },
  'hellaswag': { headline: 'acc_norm', norm: true, kind: 'choice', convert: choices },
  'winogrande': { headline: 'acc', norm: false, kind: 'choice', convert: partial },
  'openbookqa': { headline: 'acc_norm', norm: true, kind: 'choice', convert: choices },
  'sciq': { headline: 'acc', norm: true, kind: 'choice', convert: choices },
  'lambada': { headline: 'acc', norm: false, kind: 'greedy', convert: lastWord },
} as const satisfies Record<string, TaskSpec>;

export type TaskName = keyof typeof likelihoodTasks;
export const taskNames = Object.keys(likelihoodTasks) as readonly TaskName[];

/** The items of a task's file (JSON lines). @throws FormatError `E_DATA`, naming the line and the field */
export function readItems(task: TaskName, text: string, limit = Infinity): TaskItem[] {
  const spec: TaskSpec = likelihoodTasks[task];
  const lines = parseLines(text, `${task}.jsonl`).slice(0, limit);
  return lines.map(({ value, line }) => spec.convert(new Raw(value, `${task}.jsonl, line ${line}`)));
}

/** Fields of a line, each checked when it is read. */
export class Raw {
  constructor(private readonly value: object, private readonly where: string) {}

  text(field: string): string { return this.#field(field, (x) => typeof x === 'string', 'a text') as string; }

  texts(field: string): readonly string[] {
    const isTexts = (x: unknown): boolean => Array.isArray(x) && x.length > 1 && x.every((text) => typeof text === 'string');
    return this.#field(field, isTexts, 'two or more texts') as string[];
  }

  index(field: string, count: number): number {
    const isIndex = (x: unknown): boolean => Number.isInteger(x) && (x as number) >= 0 && (x as number) < count;
    return this.#field(field, isIndex, `an index below ${count}`) as number;
  }

  #field(field: string, ok: (value: unknown) => boolean, expected: string): unknown {
    const value = (this.value as Record<string, unknown>)[field];
    if (ok(value)) return value;
    throw new FormatError('E_DATA', {
      subject: `${this.where}, ${field}`, found: show(value), expected,
      remedy: 'Use data in the schema of docs/adaptive-tables.md, "Formats".',
    });
  }
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

function choices(raw: Raw): TaskItem {
  const context = raw.text('ctx'), list = raw.texts('choices');
  return {
    id: raw.text('id'), requests: list.map((choice) => ({ context, continuation: ` ${choice}` })),
    label: raw.index('label', list.length), bytes: list.map(byteLength),
  };
}

function partial(raw: Raw): TaskItem {
  const contexts = raw.texts('ctx_options'), target = raw.text('target');
  return {
    id: raw.text('id'), requests: contexts.map((context) => ({ context, continuation: ` ${target}` })),
    label: raw.index('label', contexts.length), bytes: contexts.map(() => byteLength(target)),
  };
}

function lastWord(raw: Raw): TaskItem {
  const target = raw.text('target');
  return {
    id: raw.text('id'), requests: [{ context: raw.text('ctx'), continuation: ` ${target}` }],
    label: 0, bytes: [byteLength(target)],
  };
}

/** Tokens of a request: `ids` from 0 to `split` are context, the rest is scored. */
export interface EncodedRequest {
  readonly ids: readonly number[];
  readonly split: number;
}

/**
 * Tokens of a request as the harness cuts them: blanks at the end of the context go to the continuation, the whole is encoded at once and
 * cut where the context alone would end. A context without tokens is BOS, or EOS where there is none. What is too long loses tokens on the
 * left. BOS stands first only where the file asks for it.
 * @param contextSize positions that fit; the last token is scored and not fed
 */
export function encodeRequest(tokenizer: Tokenizer, { context, continuation }: Request, contextSize: number): EncodedRequest {
  const kept = context.trimEnd();
  const bos = [...tokenizer.encode('', { addSpecial: true })].filter((id) => id === tokenizer.bosId);
  let start = [...bos, ...tokenizer.encode(kept)];
  let rest: number[];
  if (start.length === 0) {
    start = [tokenizer.bosId ?? tokenizer.eosId ?? 0];
    rest = [...tokenizer.encode(context + continuation)];
  } else {
    rest = [...bos, ...tokenizer.encode(context + continuation)].slice(start.length);
  }
  const ids = [...start, ...rest];
  const cut = Math.max(0, ids.length - 1 - contextSize);
  return { ids: ids.slice(cut), split: Math.max(1, start.length - cut) };
}
