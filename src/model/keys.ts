/**
 * The keys under the architecture's name (`llama.…`): every one of them is read, or known not to matter, or refused with its value. A key
 * that nobody looked at would change what the model says without a word.
 */
import { ModelError } from '../errors.ts';
import type { Metadata } from '../format/gguf/metadata.ts';
import { getNumber, getNumbers, getString } from '../format/gguf/metadata.ts';
import type { GgufValue } from '../format/gguf/types.ts';

/** Keys that change no number of a pass, whatever they say. */
const idle: ReadonlySet<string> = new Set([
  'vocab_size', // the embedding says it
  'tensor_data_layout', // of q and k in files of 2023: what every `llama` file has
  'attention.layer_norm_epsilon', 'attention.layer_norm_rms_epsilon', // the one that the family does not use
  'attention.sliding_window_pattern', 'rope.freq_base_swa', // belong to a window: read where one is looked through (windows.ts, rope.ts)
  'rope.scaling.original_context_length', 'rope.scaling.finetuned', // belong to a scaling, and its type is looked at
]);

/** Values of keys that say "not here": with another one they stand for something that no family of this engine has. */
const neutral: Readonly<Record<string, readonly (number | boolean)[]>> = {
  'leading_dense_block_count': [0], 'nextn_predict_layers': [0],
  'logit_scale': [0, 1], 'residual_scale': [0, 1], 'embedding_scale': [0, 1],
  'attention.output_scale': [0, 1], 'attention.value_scale': [1],
  'attn_logit_softcapping': [0], 'final_logit_softcapping': [0], 'attention.max_alibi_bias': [0], 'attention.clamp_kqv': [0],
  'attention.causal': [true], 'use_parallel_residual': [false],
  'rope.scaling.alpha': [0], 'rope.scaling.yarn_log_multiplier': [0],
  'rope.scaling.yarn_ext_factor': [1], 'rope.scaling.yarn_attn_factor': [1],
  'rope.scaling.yarn_beta_fast': [32], 'rope.scaling.yarn_beta_slow': [1],
};

const remedy = 'This engine would compute something else than the model means. Use another model, or one converted without it.';

/** @throws ModelError `E_HPARAM` */
export function bad(
  key: string, found: unknown, expected: string, what = 'The file is damaged, or of a kind that this version does not run.',
): never {
  throw new ModelError('E_HPARAM', { subject: `metadata key ${key}`, found: String(found), expected, remedy: what });
}

function shown(value: GgufValue): string {
  if (typeof value === 'object') return `${value.length} values`;
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(value);
}

export class Keys {
  readonly #read = new Set<string>();

  constructor(private readonly metadata: Metadata, private readonly architecture: string) {}

  /** The whole name of a key, which counts as read from now on. */
  name(key: string): string {
    this.#read.add(key);
    return `${this.architecture}.${key}`;
  }

  has(key: string): boolean { return this.metadata.has(`${this.architecture}.${key}`); }

  string(key: string, fallback: string): string { return getString(this.metadata, this.name(key), fallback); }

  /** An integer from 1 to `limit`. */
  count(key: string, limit: number, fallback?: number): number {
    const name = this.name(key), value = getNumber(this.metadata, name, fallback);
    return Number.isInteger(value) && value >= 1 && value <= limit ? value : bad(name, value, `an integer from 1 to ${limit}`);
  }

  /** The same for each layer: one number for all of them, or one a layer, and there from `least` on. */
  counts(key: string, nLayers: number, limit: number, fallback?: readonly number[], least = 1): readonly number[] {
    const value = this.metadata.get(`${this.architecture}.${key}`);
    if (value === undefined && fallback) return fallback;
    if (typeof value !== 'object') return new Array<number>(nLayers).fill(this.count(key, limit));
    const name = this.name(key), all = Array.from(getNumbers(this.metadata, name), Number);
    if (all.length !== nLayers) bad(name, `${all.length} values`, `one, or one for each of ${nLayers} layers`);
    const whole = all.every((one) => Number.isInteger(one) && one >= least && one <= limit);
    return whole ? all : bad(name, all.join(', ').slice(0, 100), `integers from ${least} to ${limit}`);
  }

  /** The numbers of a key that lists some; undefined where it is absent, or one value. */
  list(key: string): readonly number[] | undefined {
    if (typeof this.metadata.get(`${this.architecture}.${key}`) !== 'object') return undefined;
    return Array.from(getNumbers(this.metadata, this.name(key)), Number);
  }

  positive(key: string, fallback?: number): number {
    const name = this.name(key), value = getNumber(this.metadata, name, fallback);
    return Number.isFinite(value) && value > 0 ? value : bad(name, value, 'a positive number');
  }

  /** Counts as read what begins with `prefix`: it belongs to something that the model does not have. */
  skip(prefix: string): void {
    for (const name of this.metadata.keys()) {
      if (name.startsWith(`${this.architecture}.${prefix}`)) this.#read.add(name.slice(this.architecture.length + 1));
    }
  }

  flag(key: string): boolean | undefined {
    const value = this.metadata.get(this.name(key));
    return value === undefined ? undefined : value === true || value === 1;
  }

  /** The keys that a family reads beside those of all, numbers and flags from 0 up. */
  own(wanted: Readonly<Record<string, 'needed' | 'optional' | 'idle'>>): Record<string, number | undefined> {
    const said: Record<string, number | undefined> = {};
    for (const [key, how] of Object.entries(wanted)) {
      const name = this.name(key), value = this.metadata.get(name);
      if (how === 'idle' || (value === undefined && how === 'optional')) continue;
      const number = typeof value === 'boolean' ? Number(value) : getNumber(this.metadata, name);
      const fits = Number.isFinite(number) && (how === 'needed' ? number > 0 : number >= 0);
      said[key] = fits ? number : bad(name, number, how === 'needed' ? 'a positive number' : 'a positive number, or 0 for none');
    }
    return said;
  }

  /** A number or 0 where the key is absent. */
  number(key: string): number { return getNumber(this.metadata, this.name(key), 0); }

  /** @throws ModelError `E_HPARAM` where a key is left that was neither read nor is known not to matter. */
  refuseRest(): void {
    const prefix = `${this.architecture}.`;
    for (const [name, value] of this.metadata) {
      const key = name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
      if (key === undefined || this.#read.has(key) || idle.has(key)) continue;
      const values = Object.hasOwn(neutral, key) ? neutral[key]! : undefined;
      if (values?.some((one) => one === value || one === Number(value))) continue;
      bad(name, shown(value), values ? `${values.join(' or ')}, or no such key` : 'no such key: it is not known what it changes', remedy);
    }
  }
}
