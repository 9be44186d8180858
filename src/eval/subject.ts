/**
 * What is evaluated: a model under one way of computing its feed-forward layers. Comparisons and tasks see nothing else, so a new method is
 * a new subject and no line of theirs changes.
 */
import type { MethodName, SparsityOptions } from '../adapt/methods.ts';
import { methodNames } from '../adapt/methods.ts';
import { InputError } from '../errors.ts';
import { nearest, show } from '../options.ts';
import type { Model } from '../text/model.ts';
import type { GenerateOptions } from '../text/types.ts';

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

export interface FollowRange {
  /**
   * `each` may leave out what comes before so many tokens of the continuation where the previous call computed it: choices share a context.
   * Default 0.
   */
  readonly from?: number;
  /** Who skips nothing, or the same at all tokens, may compute the continuation in passes of many, without times. Default false. */
  readonly together?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface AnswerOptions {
  /** Tokens at most. */
  readonly maxTokens: number;
  /** Texts that end the answer, and are no part of it. */
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface Subject {
  /**
   * Method, and after a blank its setting: "dense", "clada 0.6". Stands in result files and tables; what comes before the first blank names
   * the curve that the point belongs to.
   */
  readonly label: string;
  /**
   * Feeds `prompt` dense, then `continuation` token by token with this subject's method. `each` is called after the prompt (fed = 0) and
   * after every continuation token (fed = 1 … n). A prompt shared with the previous call is not computed again; sparse state starts anew
   * after it. Subjects of one model take turns over the same tokens: the dense prompt may be shared, keys and values behind it never, for a
   * session that finds the continuation in its cache would answer with what another method left there (test/eval/subject.test.ts).
   * @throws as `model.evaluate`
   */
  follow(prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep, range?: FollowRange): Promise<void>;
  /** Greedy continuation of a prompt: the prompt dense, the answer with this subject's method. Absent where it cannot. */
  generate?(prompt: ArrayLike<number>, options: AnswerOptions): Promise<string>;
  /** It takes statistics of prompts, and so has to compute those that another left without. */
  readonly counts?: boolean;
}

/** Subjects in the order in which each can go on from what the one before left in the cache: those that count, others, dense. */
export function inTurn<S extends Pick<Subject, 'label' | 'counts'>>(subjects: readonly S[]): S[] {
  const rank = ({ label, counts = false }: S): number => (counts ? 0 : label === 'dense' ? 2 : 1);
  return [...subjects].sort((a, b) => rank(a) - rank(b));
}

/** All weights of every token. The reference, and the baseline in time. */
export class DenseSubject implements Subject {
  readonly label = 'dense';
  /** The prompt of the call before with what came out of it. Passes give the same bits however a prompt is cut, so it can be told again. */
  #held: { ids: readonly number[]; logits: Float32Array; step: SubjectStep } | undefined;

  constructor(private readonly model: Model) {}

  async follow(
    prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep,
    { from = 0, together = false, signal }: FollowRange = {},
  ): Promise<void> {
    if (together) {
      await this.model.follow(prompt, continuation, (logits, { logSumExp, entropy, topToken }, fed) => {
        each(logits, { fed, logSumExp, entropy, topToken, ...(fed > 0 ? { cost: 1 } : {}) });
      }, { sparsity: { method: 'dense' }, together, from, ...(signal ? { signal } : {}) });
      return;
    }
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

  async generate(prompt: ArrayLike<number>, options: AnswerOptions): Promise<string> {
    return this.model.generate(prompt, { ...greedily(options), sparsity: { method: 'dense' } }).text();
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

const greedily = ({ maxTokens, stop = [], signal }: AnswerOptions): GenerateOptions =>
  ({ temperature: 0, maxTokens, stop, ...(signal ? { signal } : {}) });

/** Methods that look at the token alone. */
const blind: ReadonlySet<string> = new Set(['tt', 'cats', 'exact', 'teal', 'wina', 'experts']);

/** Methods that skip the same at all tokens. */
const masks: ReadonlySet<string> = new Set(['griffin', 'mask']);

/** A method of skipping neurons at a density: prompts dense, what follows by its rule. */
export class MethodSubject implements Subject {
  readonly label: string;
  readonly counts: boolean;

  /** @throws as `resolveSparsity`, at the first token */
  constructor(private readonly model: Model, private readonly sparsity: SparsityOptions, label?: string) {
    this.label = label ?? `${sparsity.method} ${sparsity.density ?? ''}`.trim();
    this.counts = !blind.has(sparsity.method ?? '');
  }

  async follow(
    prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep,
    { from = 0, together = false, signal }: FollowRange = {},
  ): Promise<void> {
    const passes = together && masks.has(this.sparsity.method ?? ''); // the others' tokens have their times
    let started = performance.now();
    await this.model.follow(prompt, continuation, (logits, { logSumExp, entropy, topToken, cost }, fed) => {
      const ms = performance.now() - started;
      each(logits, { fed, logSumExp, entropy, topToken, ...(fed > 0 ? { cost } : {}), ...(fed > 0 && !passes ? { ms } : {}) });
      started = performance.now();
    }, { sparsity: this.sparsity, owner: this, together: passes, from, ...(signal ? { signal } : {}) });
  }

  async generate(prompt: ArrayLike<number>, options: AnswerOptions): Promise<string> {
    return this.model.generate(prompt, { ...greedily(options), sparsity: this.sparsity }).text();
  }
}

/** What a method may be told: the options of sparsity without the method's name. */
export type SubjectOptions = Omit<SparsityOptions, 'method'>;

/** Of a density alone the label is "clada 0.6", else the options as they were written. */
function labelOf(name: string, { density, ...others }: SubjectOptions): string {
  const rest = Object.entries(others).map(([key, value]) => `${key}=${String(value)}`);
  return [name, ...(density === undefined ? [] : [String(density)]), ...(rest.length === 0 ? [] : [rest.join('+')])].join(' ');
}

function make(model: Model, name: MethodName, options: SubjectOptions): Subject {
  if (name === 'dense') {
    if (Object.keys(options).length === 0 || (options.density === 1 && Object.keys(options).length === 1)) return new DenseSubject(model);
    throw new InputError('E_OPTION', {
      subject: 'method dense', found: options.density === undefined ? 'options' : `density ${show(options.density)}`,
      expected: 'none: it uses all weights',
      remedy: 'Write dense alone.',
    });
  }
  const aimless = ['density', 'level', 'maxKl', 'minTop1', 'threshold'].every((key) => !(key in options));
  const complete = aimless && name !== 'exact' ? { density: 0.6, ...options } : options;
  return new MethodSubject(model, { method: name, ...complete }, labelOf(name, complete));
}

export const subjectNames: readonly MethodName[] = methodNames;

/**
 * The subject of a name as in `--methods`.
 * @throws InputError `E_OPTION` for a name or setting that is not known, with the nearest known name
 */
export function subjectFor(model: Model, name: string, options: SubjectOptions = {}): Subject {
  if (subjectNames.includes(name as MethodName)) return make(model, name as MethodName, options);
  const guess = nearest(name, subjectNames);
  throw new InputError('E_OPTION', {
    subject: 'method', found: show(name), expected: `one of: ${subjectNames.join(', ')}`,
    remedy: guess ? `Did you mean ${guess}?` : 'Choose one of them.',
  });
}

/**
 * "clada:0.6", or options by name: "clada:threshold=0.004+cogLoad=true" → name and options; a number alone is the density.
 * @throws InputError `E_OPTION` (what an option may be is checked by `resolveSparsity`)
 */
export function parseMethod(text: string): { name: string; options: SubjectOptions } {
  const at = text.indexOf(':');
  if (at < 0) return { name: text, options: {} };
  const name = text.slice(0, at), options: Record<string, number | boolean> = {};
  for (const part of text.slice(at + 1).split('+')) {
    const equals = part.indexOf('=');
    const [key, word] = equals < 0 ? ['density', part] : [part.slice(0, equals), part.slice(equals + 1)];
    const value = word === 'true' || word === 'false' ? word === 'true' : word.trim() === '' ? NaN : Number(word);
    if (Number.isNaN(value) || (key === 'density' && !(Number(value) > 0 && Number(value) <= 1))) {
      throw new InputError('E_OPTION', {
        subject: `method ${show(text)}`, found: show(part), expected: 'a density above 0, up to 1, or option=value with + between',
        remedy: 'Write for example clada:0.6 or clada:0.6+cogLoad=true.',
      });
    }
    options[key] = value;
  }
  return { name, options: options as SubjectOptions };
}
