/**
 * What is evaluated: a model under one way of computing its feed-forward layers. Comparisons and tasks see nothing else, so a new method is
 * a new subject and no line of theirs changes.
 */
import type { SparsityOptions } from '../adapt/methods.ts';
import { methodNames } from '../adapt/methods.ts';
import { InputError } from '../errors.ts';
import { nearest, show } from '../options.ts';
import type { Model } from '../text/model.ts';

/** What is known after one token. The logits beside it are a view: valid during the call only. */
export interface SubjectStep {
  /** Tokens of the continuation fed so far; 0 after the prompt. */
  readonly fed: number;
  /** Of the logits; nats. */
  readonly logSumExp: number;
  readonly entropy: number;
  /** The most likely next token; the lowest id on ties. */
  readonly topToken: number;
  /** Share of the feed-forward weights that this token used, 0 … 1. Absent after the prompt. */
  readonly cost?: number;
  /** Wall time of this token. Absent after the prompt. */
  readonly ms?: number;
}

export type EachStep = (logits: Float32Array, step: SubjectStep) => void;

export interface Subject {
  /**
   * Method, and after a blank its setting: "dense", "clada 0.6". Stands in result files and tables; what comes before the first blank names
   * the curve that the point belongs to.
   */
  readonly label: string;
  /**
   * Feeds `prompt` dense, then `continuation` token by token with this subject's method. `each` is called after the prompt (fed = 0) and after
   * every continuation token (fed = 1 … n). A prompt shared with the previous call is not computed again; sparse state starts anew after it.
   * Subjects of one model take turns over the same tokens: the dense prompt may be shared, keys and values behind it never, for a session that
   * finds the continuation in its cache would answer with what another method left there (test/eval/subject.test.ts).
   * @throws as `model.evaluate`
   */
  follow(prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep, signal?: AbortSignal): Promise<void>;
  /** Greedy continuation of a prompt: the prompt dense, the answer with this subject's method. Absent where it cannot. */
  generate?(prompt: ArrayLike<number>, maxTokens: number, signal?: AbortSignal): Promise<string>;
}

/** All weights of every token. The reference, and the baseline in time. */
export class DenseSubject implements Subject {
  readonly label = 'dense';
  /** The prompt of the call before with what came out of it. Passes give the same bits however a prompt is cut, so it can be told again. */
  #held: { ids: readonly number[]; logits: Float32Array; step: SubjectStep } | undefined;

  constructor(private readonly model: Model) {}

  async follow(prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep, signal?: AbortSignal): Promise<void> {
    const ids = Array.from(prompt), options = signal ? { signal } : {};
    if (!this.#held || !same(this.#held.ids, ids)) {
      const { logits, report: { logSumExp, entropy, topToken } } = await this.model.evaluate(ids, options);
      this.#held = { ids: ids.slice(), logits, step: { fed: 0, logSumExp, entropy, topToken } };
    }
    each(this.#held.logits, this.#held.step);
    for (let i = 0; i < continuation.length; i++) {
      ids.push(continuation[i]!);
      const started = performance.now();
      const { logits, report: { logSumExp, entropy, topToken } } = await this.model.evaluate(ids, options);
      each(logits, { fed: i + 1, logSumExp, entropy, topToken, cost: 1, ms: performance.now() - started });
    }
  }

  async generate(prompt: ArrayLike<number>, maxTokens: number, signal?: AbortSignal): Promise<string> {
    return this.model.generate(prompt, { temperature: 0, maxTokens, ...(signal ? { signal } : {}) }).text();
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

/** A method of skipping neurons at a density: prompts dense, what follows by its rule. */
export class MethodSubject implements Subject {
  readonly label: string;

  /** @throws as `resolveSparsity`, at the first token */
  constructor(private readonly model: Model, private readonly sparsity: SparsityOptions, label?: string) {
    this.label = label ?? `${sparsity.method} ${sparsity.density ?? ''}`.trim();
  }

  async follow(prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep, signal?: AbortSignal): Promise<void> {
    let started = performance.now();
    await this.model.follow(prompt, continuation, (logits, { logSumExp, entropy, topToken, cost }, fed) => {
      const ms = performance.now() - started;
      each(logits, { fed, logSumExp, entropy, topToken, ...(fed > 0 ? { cost, ms } : {}) });
      started = performance.now();
    }, { sparsity: this.sparsity, ...(signal ? { signal } : {}) });
  }

  async generate(prompt: ArrayLike<number>, maxTokens: number, signal?: AbortSignal): Promise<string> {
    return this.model.generate(prompt, { temperature: 0, maxTokens, sparsity: this.sparsity, ...(signal ? { signal } : {}) }).text();
  }
}

/** What a method may be told. Each method refuses what it has no use for. */
export interface SubjectOptions {
  /** Share of the feed-forward weights to use on average, above 0, up to 1. Default: the method's own. */
  readonly density?: number;
}

/** Name → subject. A method that can be evaluated is a row here. */
const makers: Readonly<Record<string, (model: Model, options: SubjectOptions) => Subject>> = {
  dense: (model, { density }) => {
    if (density === undefined || density === 1) return new DenseSubject(model);
    throw new InputError('E_OPTION', { subject: 'method dense', found: `density ${show(density)}`, expected: 'none: it uses all weights', remedy: 'Write dense alone.' });
  },
  ...Object.fromEntries(methodNames.filter((method) => method !== 'dense').map((method) => [
    method, (model: Model, { density }: SubjectOptions): Subject => new MethodSubject(model, { method, ...(method === 'exact' ? {} : { density: density ?? 0.6 }) }),
  ])),
};

export const subjectNames: readonly string[] = Object.keys(makers);

/**
 * The subject of a name as in `--methods`.
 * @throws InputError `E_OPTION` for a name or setting that is not known, with the nearest known name
 */
export function subjectFor(model: Model, name: string, options: SubjectOptions = {}): Subject {
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined;
  if (make) return make(model, options);
  const guess = nearest(name, subjectNames);
  throw new InputError('E_OPTION', {
    subject: 'method', found: show(name), expected: `one of: ${subjectNames.join(', ')}`, remedy: guess ? `Did you mean ${guess}?` : 'Choose one of them.',
  });
}

/** "clada:0.6" → name and options; the number after the colon is the density. @throws InputError `E_OPTION` */
export function parseMethod(text: string): { name: string; options: SubjectOptions } {
  const [name, density, rest] = text.split(':');
  const value = Number(density);
  if (density === undefined) return { name: name!, options: {} };
  if (rest === undefined && density.trim() !== '' && value > 0 && value <= 1) return { name: name!, options: { density: value } };
  throw new InputError('E_OPTION', { subject: `method ${show(text)}`, found: show(text.slice(name!.length + 1)), expected: 'a density above 0, up to 1, after the colon', remedy: 'Write for example clada:0.6.' });
}
