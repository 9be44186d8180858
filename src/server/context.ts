/** What the routes work with: the models by name, options complete, requests under way. */
import type { GeneratedToken, GenerateOptions, Model } from 'clada';
import { InputError } from '../errors.ts';
import { checkNames, checkNumber, show } from '../options.ts';
import { Job } from './job.ts';
import { Metrics } from './metrics.ts';
import { Problem, refusal } from './problem.ts';
import { Slots } from './slots.ts';
import type { Models, ServerOptions } from './types.ts';

/** A model and its slots. */
export interface Served { readonly id: string; readonly model: Model; readonly slots: Slots }

const ranges = {
  slots: { min: 1, max: 1024, integer: true, default: 4 }, queue: { min: 0, max: 100_000, integer: true, default: 64 },
  timeout: { min: 0.001, max: 1e6, default: 600 }, patience: { min: 0.001, max: 1e6, default: 30 },
  maxBody: { min: 1, integer: true, default: 4 * 2 ** 20 },
} as const;
const otherNames = ['name', 'apiKeys', 'cors', 'hosts', 'page', 'defaults', 'efforts'] as const;

export class Context {
  readonly models: readonly Served[];
  readonly timeout: number;
  readonly maxBody: number;
  readonly defaults: GenerateOptions;
  readonly metrics = new Metrics();
  readonly started = Math.floor(Date.now() / 1000);
  readonly #jobs = new Set<Job>();
  readonly #patience: number;
  #closing = false;
  #idle: (() => void) | undefined;

  /** @throws InputError `E_OPTION` */
  constructor(models: Models, readonly options: ServerOptions) {
    checkNames('server options', options, [...Object.keys(ranges), ...otherNames]);
    const numberOf = (name: keyof typeof ranges): number => checkNumber(name, ranges[name], options[name] ?? ranges[name].default);
    const [slots, queue] = [numberOf('slots'), numberOf('queue')];
    this.timeout = numberOf('timeout');
    this.#patience = numberOf('patience');
    this.maxBody = numberOf('maxBody');
    this.defaults = options.defaults ?? {};
    if (options.apiKeys?.some((key) => typeof key !== 'string' || key === '')) {
      throw new InputError('E_OPTION', {
        subject: 'option apiKeys', found: 'an empty key', expected: 'texts', remedy: 'Leave the option out where no key is asked for.',
      });
    }
    this.models = namedModels(models, options.name).map(([id, model]) => ({ id, model, slots: new Slots(slots, queue) }));
  }

  get active(): number { return this.#jobs.size; }
  get closing(): boolean { return this.#closing; }

  /** The model that a request names, or the first where it names none. @throws Problem 404 */
  find(name: string | null | undefined): Served {
    const found = name === null || name === undefined ? this.models[0] : this.models.find(({ id }) => id === name);
    if (found) return found;
    throw refusal(404, `The model ${show(name)} does not exist here. There ${this.models.length === 1 ? 'is' : 'are'}: `
      + `${this.models.map(({ id }) => id).join(', ')}.`, { param: 'model', code: 'model_not_found' });
  }

  /** A request begins. @throws Problem 503 where the server is closing */
  job(request: Request): Job {
    if (this.#closing) throw refusal(503, 'The server is shutting down.', { code: 'shutting_down', headers: { 'retry-after': '10' } });
    const job = new Job(request.signal, this.timeout, this.#patience);
    this.#jobs.add(job);
    job.onEnd(() => {
      this.#jobs.delete(job);
      if (this.#jobs.size === 0) this.#idle?.();
    });
    return job;
  }

  async close(seconds: number): Promise<void> {
    this.#closing = true;
    if (this.#jobs.size === 0) return;
    const idle = new Promise<void>((resolve) => { this.#idle = resolve; });
    const timer = setTimeout(() => {
      for (const job of this.#jobs) job.cut(new Problem(503, 'The server was shut down.', { code: 'shutting_down' }));
    }, 1000 * seconds);
    await idle;
    clearTimeout(timer);
  }
}

function namedModels(models: Models, name: string | undefined): [string, Model][] {
  const refuse = (found: string): never => {
    throw new InputError('E_OPTION', {
      subject: 'models of the server', found, expected: 'a model, or an object of models by name', remedy: 'Load one: await load(file).',
    });
  };
  if (typeof models !== 'object' || models === null) return refuse(show(models));
  if (isModel(models)) return [[name ?? nameOf(models), models]];
  const entries = Object.entries(models);
  if (entries.length === 0) refuse('none');
  return entries.map(([id, model]) => (isModel(model) ? [id, model] : refuse(`${show(model)} as ${id}`)));
}

const isModel = (value: unknown): value is Model => typeof (value as Model | null)?.generate === 'function';

/** The file's name without folder and ending, else the model's. */
const nameOf = ({ info }: Model): string => /([^/\\]+?)(?:-00001-of-\d+)?\.gguf$/i.exec(info.file)?.[1] ?? info.name;

/** A token as OpenAI tells of it. */
export interface TokenEntry { token: string; logprob: number; bytes: number[] }

/** Of a token that nothing allows JSON has no number: OpenAI writes -9999. */
const finite = (logprob: number): number => (Number.isFinite(logprob) ? logprob : -9999);

export function tokenEntry({ tokenizer }: Model, id: number, logprob: number): TokenEntry {
  const bytes = tokenizer.tokenBytes(id);
  return { token: new TextDecoder().decode(bytes), logprob: finite(logprob), bytes: Array.from(bytes) };
}

/** `logprobs.content` of tokens, as OpenAI's chat has it, with so many alternatives. */
export const logprobsOf = (model: Model, tokens: readonly GeneratedToken[], count: number) => tokens.map(({ id, logprob, top = [] }) => ({
  ...tokenEntry(model, id, logprob), top_logprobs: top.slice(0, count).map((other) => tokenEntry(model, other.id, other.logprob)),
}));

/** Ids of requests, answers and messages. */
export const freshId = (prefix: string): string => `${prefix}${crypto.randomUUID().replaceAll('-', '')}`;

export const unixSeconds = (): number => Math.floor(Date.now() / 1000);
