/** What a sampler can be asked for. Names, meanings and defaults are llama.cpp's, in camelCase. */
import { InputError } from '../errors.ts';
import { checkNames, checkNumber, show, type NumberSpec } from '../options.ts';
import { freshSeed } from './random.ts';

/** Added to logits before everything else, by token id; −Infinity forbids a token. */
export type LogitBias = ReadonlyMap<number, number> | Readonly<Record<number, number>>;

/**
 * How a token is drawn. Names, defaults and order of the steps are llama.cpp's; of every option `undefined` and `null` (what JSON has) mean
 * the default.
 */
export interface SamplerOptions {
  /** 0 is greedy: the token with the largest logit, the lower id on a tie. Default 0.8. */
  temperature?: number | null | undefined;
  /** Keep the k most probable tokens; 0 and -1 keep all. Default 40. */
  topK?: number | null | undefined;
  /** Keep the most probable tokens whose probabilities reach p; 1 is off. Default 0.95. */
  topP?: number | null | undefined;
  /** Drop tokens less probable than p times the most probable one; 0 is off. Default 0.05. */
  minP?: number | null | undefined;
  /** Locally typical sampling (Meister et al. 2022, https://arxiv.org/abs/2202.00666); 1 is off. Default 1. */
  typicalP?: number | null | undefined;
  /** Divides positive and multiplies negative logits of recent tokens (CTRL, https://arxiv.org/abs/1909.05858); 1 is off. Default 1. */
  repeatPenalty?: number | null | undefined;
  /** Subtracted from a recent token's logit once for each time it occurred; 0 is off. Default 0. */
  frequencyPenalty?: number | null | undefined;
  /** Subtracted once from the logit of every recent token; 0 is off. Default 0. */
  presencePenalty?: number | null | undefined;
  /** How many accepted tokens are "recent" for the penalties; 0 none, −1 all. Default 64. */
  repeatLastN?: number | null | undefined;
  /** Token id → what is added to its logit; -Infinity forbids it. */
  logitBias?: LogitBias | null | undefined;
  /** 0 … 4294967295. Default, and what -1 means: a fresh one, which {@link Sampler.seed} reports. */
  seed?: number | null | undefined;
}

/** Complete, checked options. */
export type ResolvedSamplerOptions =
  Readonly<Record<keyof typeof samplerNumbers, number>> & { readonly logitBias: ReadonlyMap<number, number> };

/** Ranges and defaults of all numeric options but the seed, whose default is drawn. */
export const samplerNumbers = {
  temperature: { min: 0, default: 0.8, help: 'randomness; 0 = greedy' },
  topK: { min: -1, integer: true, default: 40, help: 'keep the k most probable tokens; 0 or -1 = all' },
  topP: { min: 0, max: 1, default: 0.95, help: 'keep the most probable tokens that reach this mass; 1 = off' },
  minP: { min: 0, max: 1, default: 0.05, help: 'drop tokens below this share of the best one; 0 = off' },
  typicalP: { min: 0, max: 1, default: 1, help: 'locally typical sampling mass; 1 = off' },
  repeatPenalty: { min: Number.MIN_VALUE, default: 1, help: 'penalise recent tokens by division; 1 = off' },
  frequencyPenalty: { default: 0, help: 'penalty for each recent occurrence; 0 = off' },
  presencePenalty: { default: 0, help: 'penalty for having occurred recently; 0 = off' },
  repeatLastN: { min: -1, integer: true, default: 64, help: 'tokens that count as recent; -1 = all' },
} as const satisfies Record<string, NumberSpec>;

/** Seeds; and what a sampler's option may be, where -1 draws one. For the command line as well. */
export const seedRange = { min: 0, max: 0xffffffff, integer: true } as const;
export const samplerSeedRange = { ...seedRange, min: -1 } as const;

/** Every option name, for whoever passes a larger options object on. */
export const samplerOptionNames: readonly (keyof SamplerOptions)[] =
  [...(Object.keys(samplerNumbers) as (keyof typeof samplerNumbers)[]), 'logitBias', 'seed'];

/**
 * Checks `options` and fills in defaults.
 * @throws InputError `E_OPTION` for an unknown name (with the nearest known one), NaN, a wrong type or a value out of range.
 */
export function resolveSamplerOptions(options: SamplerOptions = {}): ResolvedSamplerOptions & { readonly seed: number } {
  checkNames('sampler options', options, samplerOptionNames);
  const resolved = {} as Record<keyof typeof samplerNumbers, number>;
  for (const [name, spec] of Object.entries(samplerNumbers) as [keyof typeof samplerNumbers, NumberSpec][]) {
    resolved[name] = checkNumber(name, spec, options[name] ?? spec.default);
  }
  const seed = checkNumber('seed', samplerSeedRange, options.seed ?? -1);
  return { ...resolved, seed: seed < 0 ? freshSeed() : seed, logitBias: checkLogitBias(options.logitBias) };
}

/** `bias`, and none of `ids` at all. @throws InputError `E_OPTION` */
export function forbidding(bias: LogitBias | null | undefined, ids: readonly number[]): LogitBias {
  return new Map([...checkLogitBias(bias), ...ids.map((id) => [id, -Infinity] as const)]);
}

function checkLogitBias(bias: LogitBias | null | undefined): ReadonlyMap<number, number> {
  if (bias === undefined || bias === null) return new Map();
  const refuse = (found: string): never => {
    throw new InputError('E_OPTION', {
      subject: 'option logitBias', found, expected: 'a Map or object from token ids (integers from 0 up) to numbers or -Infinity',
      remedy: 'Give every token id a finite bias, or -Infinity to forbid it.',
    });
  };
  if (typeof bias !== 'object' || Array.isArray(bias)) return refuse(show(bias));
  const entries: Iterable<[unknown, unknown]> = bias instanceof Map ? bias : Object.entries(bias);
  const checked = new Map<number, number>();
  for (const [key, value] of entries) {
    const id = typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : key;
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) return refuse(`token id ${show(key)}`);
    // +Infinity is refused: minus itself it is NaN in every softmax.
    if (typeof value !== 'number' || Number.isNaN(value) || value === Infinity) return refuse(`${show(value)} for token ${id}`);
    checked.set(id, value);
  }
  return checked;
}
