/** Fields that requests share, and what becomes of them. Names are OpenAI's, and llama-server's for what OpenAI has not. */
import * as v from 'valibot';
import type { GenerateOptions, SparsityOptions } from 'clada';
import { show } from '../options.ts';
import { most } from './length.ts';
import { invalid, missing, unsupported } from './problem.ts';

const number = v.nullish(v.number()), flag = v.nullish(v.boolean()), count = v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0)));
/** As llama-server, -1 means no limit. */
const limit = v.nullish(v.pipe(v.number(), v.integer(), v.minValue(-1)));

/** Most stop texts, and characters of each. */
const mostStops = 16, longestStop = 1000;
/** What a float holds together with a logit. */
const bias = v.pipe(v.number(), v.minValue(-1e30), v.maxValue(1e30));
const stop = v.pipe(v.string(), v.minLength(1), v.maxLength(longestStop));

export const samplingFields = {
  model: v.nullish(v.string()),
  stream: flag,
  stream_options: v.nullish(v.looseObject({ include_usage: flag })),
  n: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(128))),
  max_tokens: limit, n_predict: limit,
  temperature: number, top_p: number, top_k: number, min_p: number, typical_p: number,
  repeat_penalty: number, repeat_last_n: number, frequency_penalty: number, presence_penalty: number,
  seed: v.nullish(v.pipe(v.number(), v.integer())),
  stop: v.nullish(v.union([stop, v.pipe(v.array(stop), v.maxLength(mostStops))])),
  ignore_eos: flag, loop_guard: count,
  logit_bias: v.nullish(v.union([
    v.record(v.string(), bias),
    v.array(v.tuple([v.union([v.number(), stop]), v.union([bias, v.literal(false)])])),
  ])),
  sparsity: v.nullish(v.union([v.string(), v.record(v.string(), v.unknown())])),
} as const;

type Sampling = v.InferOutput<v.ObjectSchema<typeof samplingFields, undefined>>;

/**
 * What would change the answer and cannot be done is refused, never ignored; a value that changes nothing passes. Everything else that is
 * not known is ignored, as OpenAI and llama-server do.
 */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  audio: [], modalities: ['["text"]'], prediction: [], web_search_options: [], functions: [], function_call: ['"none"'], suffix: ['""'],
  verbosity: ['"medium"'], mirostat: [0], dry_multiplier: [0], xtc_probability: [0], dynatemp_range: [0], top_n_sigma: [-1, 0],
  samplers: [], lora: ['[]'], n_keep: [0], t_max_predict_ms: [0, -1], adaptive_target: [-1], post_sampling_probs: [false],
  reasoning_budget_tokens: [-1], repetition_penalty: [1], length_penalty: [1], use_beam_search: [false], guided_json: [], guided_regex: [],
  guided_choice: [], guided_grammar: [], min_tokens: [0], stop_token_ids: ['[]'], bad_words: ['[]'], continue_final_message: [false],
};
const remedies: Readonly<Record<string, string>> = {
  functions: "Use 'tools'.", function_call: "Use 'tool_choice'.", repetition_penalty: "Use 'repeat_penalty'.",
  guided_json: "Use 'response_format'.", guided_grammar: "Use 'grammar'.",
};

/** @throws Problem 400 for a known field that is not supported */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>, but: readonly string[] = []): void {
  for (const [name, passing] of Object.entries(neutral)) {
    const value = body[name];
    if (value === undefined || value === null || but.includes(name)) continue;
    if (passing.some((one) => one === value || one === JSON.stringify(value))) continue;
    throw unsupported(name, remedies[name] ?? 'Leave it out.');
  }
}

/** The body as `schema` has it. @throws Problem 400 that names the field */
export function check<T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues, param = pathOf(issue);
  const { expected, received, kind } = issue, found = received.length > 80 ? `${received.slice(0, 79)}…` : received;
  if (received === 'undefined') throw missing(param);
  throw invalid(param, expected ?? 'another', found, kind === 'schema' ? 'invalid_type' : 'invalid_value');
}

/** messages[0].content, as OpenAI writes it. */
const pathOf = (issue: v.BaseIssue<unknown>): string =>
  (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('').replace(/^\./, '') || 'body';

/** A method's name, or its options. */
function sparsityOf(given: Sampling['sparsity']): SparsityOptions | undefined {
  if (given === null || given === undefined) return undefined;
  return (typeof given === 'string' ? { method: given } : given) as SparsityOptions;
}

function biasOf(given: Sampling['logit_bias'], idsOf: (text: string) => ArrayLike<number>, vocab: number): Map<number, number> | undefined {
  if (given === null || given === undefined) return undefined;
  const bias = new Map<number, number>();
  const characters = Array.isArray(given) ? given.reduce((sum, [key]) => sum + (typeof key === 'string' ? key.length : 0), 0) : 0;
  if (characters > most) throw invalid('logit_bias', `texts of at most ${most} characters`, String(characters));
  for (const [key, value] of Array.isArray(given) ? given : Object.entries(given)) {
    const isId = typeof key === 'number' || !Array.isArray(given);
    for (const id of isId ? [Number(key)] : Array.from(idsOf(key))) {
      if (!/^\d+$/.test(isId ? String(key) : '0') || !Number.isInteger(id) || id < 0 || id >= vocab) {
        throw invalid('logit_bias', `ids of tokens from 0 to ${vocab - 1}`, show(key));
      }
      bias.set(id, value === false ? -Infinity : value);
    }
  }
  return bias;
}

/** Seeds of 64 bits are folded into the 32 that the sampler has. */
const seedOf = (seed: number): number => (seed === -1 ? -1 : ((seed % 2 ** 32) + 2 ** 32) % 2 ** 32);

/** The options of generating; what a request leaves out are `defaults`. */
export function optionsOf(
  given: Sampling & { max_completion_tokens?: number | null | undefined }, defaults: GenerateOptions,
  idsOf: (text: string) => ArrayLike<number>, vocab: number,
): GenerateOptions {
  const { seed } = given, said: Record<string, unknown> = {
    maxTokens: given.max_completion_tokens ?? given.max_tokens ?? given.n_predict,
    temperature: given.temperature, topP: given.top_p, topK: given.top_k, minP: given.min_p, typicalP: given.typical_p,
    repeatPenalty: given.repeat_penalty, repeatLastN: given.repeat_last_n,
    frequencyPenalty: given.frequency_penalty, presencePenalty: given.presence_penalty,
    seed: seed === null || seed === undefined ? undefined : seedOf(seed), stop: given.stop,
    ignoreEos: given.ignore_eos, loopGuard: given.loop_guard,
    logitBias: biasOf(given.logit_bias, idsOf, vocab), sparsity: sparsityOf(given.sparsity),
  };
  return { ...defaults, ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== null)) };
}
