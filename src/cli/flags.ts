/**
 * Flags as data, and those that several commands share. Names are llama.cpp's (and llama-bench's for `bench`); ranges and defaults of
 * sampling flags are the sampler's own.
 */
import { methodNames } from '../adapt/methods.ts';
import type { NumberRange, NumberSpec } from '../options.ts';
import { samplerNumbers, samplerSeedRange } from '../sampler/options.ts';

interface FlagBase {
  /** The long name, without dashes. */
  readonly name: string;
  readonly short?: string;
  /** A name of two letters, written behind one dash: `-pg`. */
  readonly two?: boolean;
  readonly help: string;
  /** What applies when the flag is absent; shown in the help only. */
  readonly default?: string | number;
}

export type Flag = FlagBase & (
  | { readonly kind: 'switch' }
  | { readonly kind: 'text' | 'texts'; readonly value: string } // texts: may be repeated
  // Numbers: separated by commas, may be repeated.
  | { readonly kind: 'number' | 'numbers'; readonly value: string; readonly range: NumberRange }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  // Words separated by commas; all: what "all" stands for.
  | { readonly kind: 'list'; readonly value: string; readonly choices?: readonly string[]; readonly all?: readonly string[] }
  | { readonly kind: 'bias'; readonly value: string } // may be repeated
);

const fromSpec = <const Name extends string>(name: Name, { help, default: value, ...range }: NumberSpec) =>
  ({ kind: 'number', name, value: 'N', range, help, default: value }) as const;

export const count = { min: 1, integer: true } as const;
export const countOrNone = { min: 0, integer: true } as const;

export const model = {
  kind: 'text', name: 'model', short: 'm', value: 'FILE',
  help: 'GGUF file, URL, hf:owner/repo/file[@revision] or a name (clada models); of a split model the first part',
  default: 'the embedded one',
} as const;
export const prompt = { kind: 'text', name: 'prompt', short: 'p', value: 'TEXT', help: 'the text' } as const;
export const file = { kind: 'text', name: 'file', short: 'f', value: 'FILE', help: 'read the text from a file; - is stdin' } as const;
export const json = { kind: 'switch', name: 'json', help: 'print JSON' } as const;
export const stats = { kind: 'switch', name: 'stats', help: 'close with a line of statistics on stderr' } as const;

export const verify = {
  kind: 'switch', name: 'verify', help: 'hash a copy that the cache holds in full before it is used; a damaged one is fetched again',
} as const;

export const loading = {
  kv: { kind: 'choice', name: 'kv', choices: ['f32', 'f16', 'q8'], help: 'type of the KV cache' },
  calibration: {
    kind: 'text', name: 'calibration', value: 'FILE',
    help: "of the model's sparsity; none = do without", default: 'NAME.clada.gguf beside the model, if it is there',
  },
  tier: {
    kind: 'choice', name: 'tier', choices: ['auto', 'base', 'relaxed'],
    help: 'WebAssembly build; base gives the same bits everywhere', default: 'auto',
  },
  verify,
} as const;

export const threads = {
  kind: 'number', name: 'threads', short: 't', value: 'N', range: { min: 1, max: 64, integer: true },
  help: 'threads that share the work', default: 'as many as pay, up to one a core',
} as const;

export const contextSize = {
  kind: 'number', name: 'ctx-size', short: 'c', value: 'N', range: countOrNone,
  help: 'context size in tokens; 0 = what the model was trained on', default: 'that, at most 4096',
} as const;

export const generating = {
  predict: {
    kind: 'number', name: 'predict', short: 'n', value: 'N', range: { min: -1, integer: true },
    help: 'tokens to generate at most; -1 = until the end', default: -1,
  },
  temperature: fromSpec('temp', samplerNumbers.temperature),
  topK: fromSpec('top-k', samplerNumbers.topK),
  topP: fromSpec('top-p', samplerNumbers.topP),
  minP: fromSpec('min-p', samplerNumbers.minP),
  typicalP: fromSpec('typical', samplerNumbers.typicalP),
  repeatPenalty: fromSpec('repeat-penalty', samplerNumbers.repeatPenalty),
  frequencyPenalty: fromSpec('frequency-penalty', samplerNumbers.frequencyPenalty),
  presencePenalty: fromSpec('presence-penalty', samplerNumbers.presencePenalty),
  repeatLastN: fromSpec('repeat-last-n', samplerNumbers.repeatLastN),
  logitBias: {
    kind: 'bias', name: 'logit-bias', value: 'ID±BIAS',
    help: 'add to a logit: 15043+1, 15043-0.5, 15043-inf; may be repeated',
  },
  seed: {
    kind: 'number', name: 'seed', short: 's', value: 'N', range: samplerSeedRange,
    help: 'repeats a run exactly; -1 = a fresh one, which --stats and --json report', default: -1,
  },
  stop: { kind: 'texts', name: 'stop', value: 'TEXT', help: 'stop at this text, which is not shown; may be repeated' },
  ignoreEos: { kind: 'switch', name: 'ignore-eos', help: 'never sample a token that ends the answer' },
} as const;

export const loopGuard = {
  kind: 'number', name: 'loop-guard', value: 'N', range: countOrNone,
  help: 'stop where one passage was said N times in a row; 0 = off',
} as const;
export const chatTemplate = {
  kind: 'text', name: 'chat-template', value: 'FILE',
  help: "a Jinja template instead of the model's own",
} as const;

export const skipping = {
  sparsity: {
    kind: 'choice', name: 'sparsity', choices: [...methodNames, 'auto'],
    help: 'what a token leaves out while generating', default: 'dense; clada where a density is given, auto where a bound is',
  },
  density: {
    kind: 'number', name: 'density', value: 'N', range: { min: Number.MIN_VALUE, max: 1 },
    help: 'share of the weights to use', default: 0.6,
  },
  maxKl: {
    kind: 'number', name: 'max-kl', value: 'N', range: { min: Number.MIN_VALUE },
    help: 'bound on the KL divergence to dense, nats a token',
  },
  minTop1: { kind: 'number', name: 'min-top1', value: 'N', range: { min: 0, max: 1 }, help: 'bound on the share of equal top tokens' },
  threshold: {
    kind: 'number', name: 'threshold', value: 'N', range: { min: 0 },
    help: "the method's own; experts: share of the router's weight that may be left out",
  },
  telemetry: {
    kind: 'text', name: 'telemetry', value: 'FILE',
    help: 'what every token decided: JSON lines, or CSV where FILE ends in .csv',
  },
} as const;

export const session = {
  loadSession: { kind: 'text', name: 'load-session', value: 'FILE', help: 'go on where --save-session left off, with its kv and tier' },
  saveSession: { kind: 'text', name: 'save-session', value: 'FILE', help: 'keep what was computed, to go on later or elsewhere' },
} as const;

export const system = { kind: 'text', name: 'system', value: 'TEXT', help: 'system message of the chat' } as const;

/** How a server listens, and whom it lets in. */
export const serving = {
  alias: { kind: 'text', name: 'alias', short: 'a', value: 'NAME', help: 'what requests call the model', default: "its file's name" },
  host: {
    kind: 'text', name: 'host', value: 'ADDRESS', help: 'address to listen on; others than loopback want a key', default: '127.0.0.1',
  },
  port: {
    kind: 'number', name: 'port', value: 'N', range: { min: 0, max: 65535, integer: true },
    help: 'port; 0 = any that is free', default: 8080,
  },
  slots: {
    kind: 'number', name: 'parallel', value: 'N', range: { min: 1, max: 64, integer: true }, help: 'answers at the same time', default: 4,
  },
  queue: {
    kind: 'number', name: 'queue', value: 'N', range: { min: 0, max: 100_000, integer: true },
    help: 'requests that may wait; more get 429', default: 64,
  },
  timeout: {
    kind: 'number', name: 'timeout', value: 'N', range: { min: 1, max: 1e6 }, help: 'seconds that a request may take', default: 600,
  },
  apiKey: { kind: 'texts', name: 'api-key', value: 'KEY', help: 'key to ask for; may be repeated', default: '$CLADA_API_KEY' },
  apiKeyFile: { kind: 'text', name: 'api-key-file', value: 'FILE', help: 'keys to ask for, one a line' },
  withoutKey: { kind: 'switch', name: 'no-api-key', help: 'listen beyond loopback without a key' },
  allowHost: {
    kind: 'texts', name: 'allow-host', value: 'NAME',
    help: 'without a key: another name that this server is called by; may be repeated', default: 'localhost and loopback',
  },
  cors: { kind: 'texts', name: 'cors', value: 'ORIGIN', help: 'pages of this origin may ask; * = of any; may be repeated' },
  withoutPage: { kind: 'switch', name: 'no-ui', help: 'without the chat page at /' },
  effort: {
    kind: 'switch', name: 'effort-sparsity',
    help: 'reasoning_effort sets the share of the weights that is read: minimal .5, low .6, medium .8',
  },
} as const;

const { predict, temperature, topK, topP, minP, typicalP, repeatPenalty, repeatLastN } = generating;
const { telemetry: _, ...skipped } = skipping;
/** What a server does where a request says nothing. */
export const requestDefaults = { predict, temperature, topK, topP, minP, typicalP, repeatPenalty, repeatLastN, ...skipped } as const;
