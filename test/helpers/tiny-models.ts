/**
 * A tiny random model of every family, made from scratch: the keys that a file of it has, and the tensors that its row of the table names.
 * What llama.cpp makes of the same bytes is fixtures/families/NAME.f32 (scripts/families.ts asks it), so a row that names or shapes a
 * tensor wrongly, or leaves one out, shows there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { WriteTensor, WriteValue } from '../../src/format/gguf/write.ts';
import { writeGguf } from '../../src/format/gguf/write.ts';
import { families, familyOf } from '../../src/model/family.ts';
import { asFiled } from '../../src/model/fused.ts';
import { readHparams } from '../../src/model/hparams.ts';
import { sizes } from '../../src/model/plan.ts';
import type { SizeName, TensorRole } from '../../src/model/types.ts';
import { Random } from '../../src/sampler/random.ts';
import { tinyPath } from './models.ts';
import type { GgufParts } from './twin.ts';
import { rewritten, temporary } from './twin.ts';

/** How a model differs from the plain one of its family. */
export interface TinyModel {
  /** Default: the model's name up to the first colon. */
  readonly architecture?: string;
  /** Keys under the architecture's name, beside or instead of `plain`; undefined: without it. */
  readonly keys?: Readonly<Record<string, WriteValue | undefined>>;
  /** Which of the optional tensors it has. Default: a head of its own. */
  readonly optional?: RegExp;
  /** Whether q, k and v are one tensor. */
  readonly fused?: boolean;
  /** What else is other than plain. */
  readonly change?: (parts: GgufParts) => void;
  /** Positions of the context that llama.cpp is given. Default 256. */
  readonly contextSize?: number;
  /** Worst row, in the reference's spread. Default 1e-5. Wider where llama.cpp rounds more than f32. */
  readonly tolerance?: number;
}

export const u32 = (value: number): WriteValue => ({ type: 'u32', value });
export const f32 = (value: number): WriteValue => ({ type: 'f32', value });
export const string = (value: string): WriteValue => ({ type: 'string', value });
export const i32s = (value: readonly number[]): WriteValue => ({ type: 'i32s', value });
export const bool = (value: boolean): WriteValue => ({ type: 'bool', value });

/** What every file says, unless its model says otherwise. */
const plain: Readonly<Record<string, WriteValue>> = {
  'block_count': u32(2), 'context_length': u32(256), 'embedding_length': u32(64), 'feed_forward_length': u32(96),
  'attention.head_count': u32(4), 'attention.head_count_kv': u32(2), 'rope.freq_base': f32(10_000),
};

/** llama.cpp tabulates GELU in half precision. */
const tabulated = 1e-3;

/** The four numbers of Granite. */
const graniteKeys = { 'logit_scale': f32(0.5), 'residual_scale': f32(0.6), 'embedding_scale': f32(1.5), 'attention.scale': f32(0.4) } as const;

/** What the models are asked, and how much of the answer is kept: the last rows of the prompt, and greedy tokens behind it. */
export const asked: readonly number[] = [5, 60, 61, 62, 100, 7, 211, 19, 350, 401, 12, 12, 90, 444, 3, 177, 33, 9, 288, 14];
export const promptRows = 3;
export const greedyTokens = 12;

/** Embeddings that leave the layers something to say where a family multiplies them. */
const quiet = ({ tensors }: GgufParts): void => {
  const at = tensors.findIndex(({ name }) => name === 'token_embd.weight');
  tensors[at] = randomTensor('token_embd.weight', tensors[at]!.dims, 1 / 8);
};

/** Of a size that attention has to pad, in a cache that is full at the end. */
const headsOf = (dim: number, heads: number, kvHeads: number): TinyModel => ({
  contextSize: asked.length + greedyTokens,
  keys: {
    'attention.key_length': u32(dim), 'attention.value_length': u32(dim), 'rope.dimension_count': u32(dim),
    'attention.head_count': u32(heads), 'attention.head_count_kv': u32(kvHeads),
  },
});

/** Models by name, `ARCHITECTURE` or `ARCHITECTURE: what is special`. A family that is not listed is made plain. */
export const tinyModels: Readonly<Record<string, TinyModel>> = {
  ...Object.fromEntries(families.flatMap(({ architectures }) => architectures).map((name) => [name, {}])),
  'qwen2: q, k and v in one': { fused: true },
  'smollm3': { keys: { 'block_count': u32(5) } }, // every fourth layer does not turn
  // convolutions before, between and behind layers that attend
  'lfm2': { optional: /^$/, keys: { 'block_count': u32(5), 'attention.head_count_kv': i32s([0, 0, 2, 0, 2]), 'shortconv.l_cache': u32(3), 'rope.freq_base': f32(1e6) } },
  'lfm2: longer convolutions': { keys: { 'block_count': u32(4), 'attention.head_count_kv': i32s([0, 4, 1, 0]), 'shortconv.l_cache': u32(5), 'embedding_length': u32(128), 'feed_forward_length': u32(160) } },
  'exaone': { optional: /^(output|rope_freqs)/ },
  'ernie4_5': { keys: { 'attention.key_length': u32(32), 'attention.value_length': u32(32) }, optional: /^output|attn_[qkv].bias/ },
  'qwen': { keys: { 'feed_forward_length': u32(192), 'attention.head_count_kv': u32(4) }, fused: true },
  'chatglm': { keys: { 'rope.dimension_count': u32(8) }, optional: /^output|attn_[qkv].bias/, fused: true },
  'glm4': { keys: { 'rope.dimension_count': u32(8) } },
  'openelm': {
    keys: {
      'attention.head_count': i32s([4, 8]), 'attention.head_count_kv': i32s([1, 2]), 'feed_forward_length': i32s([64, 128]),
      'attention.key_length': u32(16), 'attention.value_length': u32(16),
    },
    fused: true,
  },
  'exaone4': { optional: /^(output|rope_freqs)/ },
  'hunyuan-dense': { optional: /^output|attn_[qkv].bias/ },
  'minicpm': { keys: { 'embedding_scale': f32(3), 'residual_scale': f32(0.4), 'logit_scale': f32(2) } },
  'minicpm: long factors': {
    keys: {
      'embedding_scale': f32(3), 'residual_scale': f32(0.4), 'logit_scale': f32(2), 'rope.scaling.type': string('longrope'),
      'rope.scaling.original_context_length': u32(128), 'rope.scaling.factor': f32(2),
    },
    optional: /^(output|rope_factors)/,
  },
  'mistral3': {
    keys: {
      'rope.scaling.type': string('yarn'), 'rope.scaling.factor': f32(4), 'rope.scaling.original_context_length': u32(64),
      'rope.scaling.yarn_log_multiplier': f32(1), 'rope.scaling.yarn_beta_fast': f32(32), 'rope.scaling.yarn_beta_slow': f32(1),
      'attention.temperature_scale': f32(0.1),
    },
    contextSize: 64,
  },
  'mistral3: half of the magnitude': {
    keys: {
      'rope.scaling.type': string('yarn'), 'rope.scaling.factor': f32(4), 'rope.scaling.original_context_length': u32(64),
      'rope.scaling.yarn_log_multiplier': f32(0.5),
    },
  },
  // llama.cpp does not read the epsilon of this one
  'qwen2vl': { keys: { 'rope.dimension_sections': i32s([2, 3, 3, 0]), 'attention.layer_norm_rms_epsilon': f32(1e-12) } },
  'qwen3vl': { keys: { 'rope.dimension_sections': i32s([3, 3, 2, 0]), 'n_deepstack_layers': u32(1) } },
  'cohere2': { keys: { 'block_count': u32(5), 'attention.sliding_window': u32(5), 'logit_scale': f32(0.5) } },
  'phi3': { keys: { 'attention.sliding_window': u32(0) }, fused: true },
  'phi3: long factors': {
    keys: { 'attention.sliding_window': u32(0), 'rope.scaling.original_context_length': u32(128), 'rope.scaling.attn_factor': f32(1.2) },
    optional: /^(output|rope_factors)/, fused: true,
  },
  'phi3: short factors': {
    keys: { 'attention.sliding_window': u32(0), 'rope.scaling.original_context_length': u32(256), 'rope.dimension_count': u32(12) },
    optional: /^rope_factors/,
  },
  'phi2': { tolerance: tabulated, keys: { 'attention.head_count_kv': u32(4), 'rope.dimension_count': u32(8) }, fused: true },
  'starcoder': { tolerance: tabulated, keys: { 'attention.head_count_kv': u32(1), 'rope.freq_base': undefined }, fused: true },
  'starcoder2': { tolerance: tabulated, optional: /attn_[qkv].bias/ },
  'gptneox': {
    tolerance: tabulated, keys: { 'attention.head_count_kv': u32(4), 'rope.dimension_count': u32(4), 'use_parallel_residual': bool(true) }, fused: true,
  },
  'gptneox: one part after the other': { tolerance: tabulated, keys: { 'attention.head_count_kv': u32(4), 'use_parallel_residual': bool(false) }, fused: true },
  'gemma': { tolerance: tabulated, change: quiet, keys: { 'attention.key_length': u32(32), 'attention.value_length': u32(32) }, optional: /^$/ },
  'gemma2': { tolerance: tabulated, change: quiet, keys: { 'block_count': u32(4), 'attention.sliding_window': u32(5) }, optional: /^$/ },
  'gemma3': { tolerance: tabulated, change: quiet, keys: { 'block_count': u32(7), 'attention.sliding_window': u32(5) }, optional: /^$/ },
  'granite': {
    keys: { 'embedding_scale': f32(3), 'residual_scale': f32(0.4), 'logit_scale': f32(2), 'attention.scale': f32(0.1) },
    optional: /^output|bias$/,
  },
  'stablelm': { keys: { 'rope.dimension_count': u32(4), 'use_parallel_residual': bool(true) } },
  'nemotron': { keys: { 'rope.dimension_count': u32(8) } },
  'olmoe': { keys: { 'attention.head_count_kv': u32(4), 'expert_count': u32(8), 'expert_used_count': u32(2), 'feed_forward_length': u32(44) } }, // no multiple of 8
  'olmoe: experts that tie': { // of a pair of the same weight the first is chosen
    keys: { 'attention.head_count_kv': u32(4), 'expert_count': u32(8), 'expert_used_count': u32(3) },
    change: ({ tensors }) => {
      for (const { name, data, dims: [hidden] } of tensors) {
        if (name.includes('ffn_gate_inp')) for (let e = 1; e < 8; e += 2) data.copyWithin(4 * hidden! * e, 4 * hidden! * (e - 1), 4 * hidden! * e);
      }
    },
  },
  'qwen2moe': {
    keys: { 'expert_count': u32(8), 'expert_used_count': u32(3), 'expert_feed_forward_length': u32(40), 'expert_shared_feed_forward_length': u32(72) },
  },
  'qwen3moe': { keys: { 'expert_count': u32(16), 'expert_used_count': u32(4), 'expert_feed_forward_length': u32(40), 'attention.key_length': u32(32), 'attention.value_length': u32(32) } },
  'qwen3moe: experts that share the width out': { keys: { 'expert_count': u32(8), 'expert_used_count': u32(3) } },
  'llama: experts': { keys: { 'expert_count': u32(8), 'expert_used_count': u32(2) } },
  'llama: one expert used': { keys: { 'expert_count': u32(4), 'expert_used_count': u32(1) } },
  'llama: all experts used': { keys: { 'expert_count': u32(4), 'expert_used_count': u32(4) } },
  'granitemoe': { keys: { ...graniteKeys, 'expert_count': u32(8), 'expert_used_count': u32(3) } },
  'granitemoe: a shared expert': { keys: { ...graniteKeys, 'expert_count': u32(8), 'expert_used_count': u32(3), 'expert_shared_feed_forward_length': u32(72) } },
  'gpt2': { tolerance: tabulated, fused: true, keys: { 'attention.head_count_kv': u32(4), 'rope.freq_base': undefined } },
  'gemma2: caps that bend, windows with a base of their own': {
    tolerance: tabulated, change: quiet, optional: /^$/, keys: {
      'block_count': u32(4), 'attn_logit_softcapping': f32(1.5), 'final_logit_softcapping': f32(5), 'attention.sliding_window': u32(5),
      'rope.freq_base_swa': f32(500), 'rope.scaling.type': string('linear'), 'rope.scaling.factor': f32(4),
    },
  },
  'gemma3: stretched but for its windows, a cap of logits': {
    tolerance: tabulated, change: quiet, keys: {
      'block_count': u32(7), 'attention.sliding_window': u32(5), 'rope.freq_base': f32(1e6), 'rope.scaling.type': string('linear'),
      'rope.scaling.factor': f32(8), 'final_logit_softcapping': f32(5),
    },
  },
  'gemma3: windows as its file lists them': {
    tolerance: tabulated, change: quiet, optional: /^$/, keys: {
      'block_count': u32(4), 'attention.sliding_window': u32(6), 'rope.freq_base_swa': f32(3000),
      'attention.sliding_window_pattern': { type: 'bools', value: [false, true, true, false] },
    },
  },
  'gemma3: no windows': { tolerance: tabulated, change: quiet, optional: /^$/, keys: { 'attention.sliding_window': u32(0) } },
  'granite: nothing turns': { keys: { 'logit_scale': f32(0.5), 'residual_scale': f32(0), 'rope.scaling.finetuned': bool(false) } },
  'stablelm: both parts read the same, norms of each head': {
    keys: { 'rope.dimension_count': u32(12) }, optional: /^output|[qk]_norm/,
  },
  'stablelm: one part after the other': {
    keys: { 'rope.dimension_count': u32(4) }, change: ({ tensors }) => {
      for (const i of [0, 1]) {
        tensors.push(randomTensor(`blk.${i}.ffn_norm.weight`, [64], 0.5, 1), randomTensor(`blk.${i}.ffn_norm.bias`, [64], 0.5));
      }
    },
  },
  'nemotron: biases, a third of each head': { keys: { 'rope.dimension_count': u32(6) }, optional: /bias/ },
  'llama: heads of 20': headsOf(20, 3, 3),
  'llama: heads of 8': headsOf(8, 8, 2),
  'qwen3: heads of 24': headsOf(24, 4, 2),
  'gemma2: heads of 10': { ...headsOf(10, 4, 2), tolerance: tabulated, change: quiet, optional: /^$/ },
};

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Values around `middle`, the same for the same name and shape. */
export function randomTensor(name: string, dims: readonly number[], spread: number, middle = 0): WriteTensor {
  const random = new Random([...name].reduce((sum, char) => (Math.imul(sum, 31) + char.charCodeAt(0)) >>> 0, dims.length));
  const values = new Float32Array(product(dims));
  for (let i = 0; i < values.length; i++) values[i] = middle + spread * (2 * random.float64() - 1);
  return { name, dims, dtype: 'f32', data: new Uint8Array(values.buffer) };
}

/** Matrices that keep the size of what they multiply; norms around 1, factors of angles from 1 to 4, biases around 0. */
function tensorOf(name: string, dims: readonly number[]): WriteTensor {
  if (name.startsWith('rope_')) return randomTensor(name, dims, 1.5, 2.5);
  if (name.endsWith('.bias')) return randomTensor(name, dims, 0.5);
  if (dims.length === 1) return randomTensor(name, dims, 0.5, 1);
  return randomTensor(name, dims, name.startsWith('token_embd') ? 1 : 1.7 / Math.sqrt(dims[0]!));
}

/** Names and shapes of the tensors that roles make, the contiguous dimension first; of optional ones those that `optional` names. */
export function shapesOf(roles: readonly TensorRole[], layer: number | undefined, size: Record<SizeName, number>, optional: RegExp): [string, number[]][] {
  const dims = new Map<string, number[]>();
  for (const { name: pattern, kind, rows, cols, count, optional: may } of roles) {
    const name = pattern.replace('{}', String(layer)), own = kind === 'vector' && rows === 'one' ? [size[cols]] : [size[cols], size[rows], ...(count ? [size[count]] : [])];
    if (may && !optional.test(name)) continue;
    const before = dims.get(name);
    if (before) before[before.length - 1]! += own.at(-1)!;
    else dims.set(name, own);
  }
  return [...dims];
}

const tensorsOf = (...asked: Parameters<typeof shapesOf>): WriteTensor[] => shapesOf(...asked).map(([name, shape]) => tensorOf(name, shape));

/** The bytes of a model of the table, or of one made up. */
export async function tinyModel(name: string, model: TinyModel = tinyModels[name] ?? {}): Promise<Uint8Array<ArrayBuffer>> {
  const { architecture = name.split(':')[0]!, keys, optional = /^output\.weight/, fused = false, change } = model, family = familyOf(architecture);
  const said = Object.entries({ ...plain, [family.epsKey]: f32(1e-5), ...keys }).filter(([, value]) => value !== undefined) as [string, WriteValue][];
  return rewritten(readFileSync(tinyPath('llama.gguf')), async (parts) => {
    const vocabulary = Object.entries(parts.metadata).filter(([key]) => key.startsWith('tokenizer.'));
    parts.metadata = {
      'general.architecture': string(architecture), 'general.name': string('tiny'), // llama.cpp looks for names of models in it
      ...Object.fromEntries([...said.map(([key, value]) => [`${architecture}.${key}`, value]), ...vocabulary]),
    };
    const embedding = parts.tensors.find((tensor) => tensor.name === 'token_embd.weight')!;
    const hidden = said.find(([key]) => key === 'embedding_length')![1].value as number;
    const headless = writeGguf(parts.metadata, [randomTensor(embedding.name, [hidden, embedding.dims[1]!], 1)]);
    const { hparams } = readHparams(await readGguf(new MemorySource(headless)));
    parts.tensors = [
      ...tensorsOf(family.model, undefined, sizes(hparams, hparams), optional),
      ...hparams.layers.flatMap((layer, i) => tensorsOf(asFiled(layer.tensors, i, (tensor) => fused && tensor.includes('qkv')), i, sizes(hparams, layer), optional)),
    ];
    change?.(parts);
  });
}

let folder: string | undefined;

/** Path of a model of the table in a temporary folder. */
export async function tinyModelPath(name: string, model?: TinyModel): Promise<string> {
  const path = join(folder ??= temporary(), `${name.replace(/\W+/g, '-')}.gguf`);
  writeFileSync(path, await tinyModel(name, model));
  return path;
}

export interface FamilyTruth {
  /** Log-probabilities after the last `promptRows` tokens of `asked`, and after the last greedy token. */
  readonly rows: readonly Float32Array[];
  readonly greedy: readonly number[];
  /** log p of each greedy token minus that of the next best. */
  readonly margins: readonly number[];
}

const truthPath = (name: string): URL => new URL(`../fixtures/families/${name.replace(/\W+/g, '-')}.f32`, import.meta.url);

export function readTruth(name: string): FamilyTruth {
  const all = new Float32Array(new Uint8Array(readFileSync(truthPath(name))).buffer), tail = all.length - 2 * greedyTokens, vocab = tail / (promptRows + 1);
  return {
    rows: Array.from({ length: promptRows + 1 }, (_, i) => all.subarray(i * vocab, (i + 1) * vocab)),
    greedy: [...all.subarray(tail, tail + greedyTokens)], margins: [...all.subarray(tail + greedyTokens)],
  };
}

export function writeTruth(name: string, { rows, greedy, margins }: FamilyTruth): void {
  writeFileSync(truthPath(name), new Uint8Array(Float32Array.from([...rows.flatMap((row) => [...row]), ...greedy, ...margins]).buffer));
}
