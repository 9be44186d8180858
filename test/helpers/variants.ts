/**
 * Small models made from the tiny fixtures, each with a part or a key that not every file of its family has. Their distributions as llama.cpp computes
 * them are fixtures/tiny/variants.f32 (scripts/variants.ts makes it): for each model the log-probabilities after the last two of `variantTokens`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WriteTensor, WriteValue } from '../../src/format/gguf/write.ts';
import { Random } from '../../src/sampler/random.ts';
import { tinyPath } from './models.ts';
import { rewritten, temporary, type GgufParts } from './twin.ts';

export const variantTokens: readonly number[] = [5, 60, 61, 62, 100, 7, 211, 19, 350, 401, 12, 12, 90, 444, 3, 177];
export const variantRows = 2;
export const variantVocab = 448;

const f32 = (value: number): WriteValue => ({ type: 'f32', value });
const i32s = (value: readonly number[]): WriteValue => ({ type: 'i32s', value });
const string = (value: string): WriteValue => ({ type: 'string', value });

/** Values around `middle`, the same for the same name and shape. */
function tensor(name: string, dims: readonly number[], spread: number, middle = 0): WriteTensor {
  const random = new Random([...name].reduce((sum, char) => (Math.imul(sum, 31) + char.charCodeAt(0)) >>> 0, dims.length)), size = dims.reduce((a, b) => a * b, 1);
  return { name, dims, dtype: 'f32', data: new Uint8Array(Float32Array.from({ length: size }, () => middle + spread * (2 * random.float64() - 1)).buffer) };
}

const replace = ({ tensors }: GgufParts, made: readonly WriteTensor[]): void => {
  for (const one of made) {
    const at = tensors.findIndex(({ name }) => name === one.name);
    tensors.splice(at < 0 ? tensors.length : at, at < 0 ? 0 : 1, one);
  }
};
const everyLayer = (n: number, make: (prefix: string) => WriteTensor[]): WriteTensor[] => Array.from({ length: n }, (_, i) => make(`blk.${i}.`)).flat();

type Change = (parts: GgufParts) => void;
const keys = (metadata: Record<string, WriteValue>): Change => (parts) => { Object.assign(parts.metadata, metadata); };

/** The same file as one of another architecture. */
const renamed = (architecture: string): Change => ({ metadata }) => {
  for (const [key, value] of Object.entries(metadata)) {
    if (!key.startsWith('llama.')) continue;
    delete metadata[key];
    metadata[`${architecture}.${key.slice('llama.'.length)}`] = value;
  }
  metadata['general.architecture'] = string(architecture);
};

/** Layers up to `n`, with tensors of the first one's names and shapes. */
function moreLayers({ tensors }: GgufParts, n: number): void {
  for (const { name, dims } of tensors.filter((one) => one.name.startsWith('blk.0.'))) {
    for (let i = 2; i < n; i++) tensors.push(tensor(name.replace('0', String(i)), dims, dims.length === 1 ? 0.5 : 0.15, dims.length === 1 ? 1 : 0));
  }
}

/** Name → the fixture it comes from, and the change. */
export const variants: Readonly<Record<string, readonly [base: string, change: Change]>> = {
  'llama': ['llama', () => undefined],
  'llama: biases': ['llama', (parts) => {
    replace(parts, everyLayer(2, (p) => ([
      ['attn_q', 64], ['attn_k', 32], ['attn_v', 32], ['attn_output', 64], ['ffn_gate', 160], ['ffn_up', 160], ['ffn_down', 64],
    ] as const).map(([name, n]) => tensor(`${p}${name}.bias`, [n], 1))));
  }],
  'llama: a rope factor without a type': ['llama', keys({ 'llama.rope.scaling.factor': f32(4) })],
  'llama: rope.scale_linear': ['llama', keys({ 'llama.rope.scale_linear': f32(2.5) })],
  'llama: a rope factor of no type': ['llama', keys({ 'llama.rope.scaling.type': string('none'), 'llama.rope.scaling.factor': f32(4) })],
  'llama: attn_factor': ['llama', keys({ 'llama.rope.scaling.attn_factor': f32(1.5) })],
  'llama: yarn': ['llama', keys({
    'llama.rope.scaling.type': string('yarn'), 'llama.rope.scaling.factor': f32(4), 'llama.rope.scaling.original_context_length': { type: 'u32', value: 64 }, 'llama.rope.scaling.attn_factor': f32(1.2),
  })],
  'qwen2: yarn over its own context': ['qwen2', keys({ 'qwen2.rope.scaling.type': string('yarn'), 'qwen2.rope.scaling.factor': f32(8) })],
  'deci: layers that differ': ['llama', (parts) => {
    renamed('deci')(parts);
    Object.assign(parts.metadata, { 'deci.attention.head_count': i32s([4, 6]), 'deci.attention.head_count_kv': i32s([4, 1]), 'deci.feed_forward_length': i32s([96, 224]) });
    replace(parts, ([[0, 4, 4, 96], [1, 6, 1, 224]] as const).flatMap(([i, heads, kv, ffn]) => ([
      ['attn_q', 64, 16 * heads], ['attn_k', 64, 16 * kv], ['attn_v', 64, 16 * kv], ['attn_output', 16 * heads, 64], ['ffn_gate', 64, ffn], ['ffn_up', 64, ffn], ['ffn_down', ffn, 64],
    ] as const).map(([name, ...dims]) => tensor(`blk.${i}.${name}.weight`, dims, 0.3))));
  }],
  'qwen3: norms of heads': ['llama', (parts) => {
    renamed('qwen3')(parts);
    replace(parts, everyLayer(2, (p) => [tensor(`${p}attn_q_norm.weight`, [16], 1, 1.5), tensor(`${p}attn_k_norm.weight`, [16], 1, 1.5)]));
  }],
  'smollm3: layers that do not turn': ['llama', (parts) => {
    renamed('smollm3')(parts);
    parts.metadata['smollm3.block_count'] = { type: 'u32', value: 5 };
    moreLayers(parts, 5);
  }],
  'olmo2: norms behind the parts': ['llama', (parts) => {
    renamed('olmo2')(parts);
    parts.tensors = parts.tensors.filter(({ name }) => !/attn_norm|ffn_norm/.test(name));
    replace(parts, everyLayer(2, (p) => ([['attn_q_norm', 64], ['attn_k_norm', 32], ['post_attention_norm', 64], ['post_ffw_norm', 64]] as const).map(([name, n]) => tensor(`${p}${name}.weight`, [n], 0.5, 1))));
  }],
  'olmo2: windows, and two tables of angles': ['llama', (parts) => {
    variants['olmo2: norms behind the parts']![1](parts);
    Object.assign(parts.metadata, {
      'olmo2.block_count': { type: 'u32', value: 5 }, 'olmo2.attention.sliding_window': { type: 'u32', value: 5 }, 'olmo2.rope.scaling.type': string('yarn'), 'olmo2.rope.scaling.factor': f32(4),
      'olmo2.rope.scaling.original_context_length': { type: 'u32', value: 64 },
    });
    moreLayers(parts, 5);
  }],
  'qwen2: a bias of the head': ['qwen2', (parts) => { replace(parts, [tensor('output.bias', [variantVocab], 2)]); }],
  'olmo2: windows in a period of its own': ['llama', (parts) => {
    variants['olmo2: windows, and two tables of angles']![1](parts);
    parts.metadata['olmo2.attention.sliding_window_pattern'] = { type: 'u32', value: 3 };
  }],
  'olmo2: windows as its converter lists them': ['llama', (parts) => {
    variants['olmo2: windows, and two tables of angles']![1](parts);
    parts.metadata['olmo2.attention.sliding_window_pattern'] = { type: 'bools', value: [true, true, true, false, true] };
  }],
};

export async function variantBytes(name: string): Promise<Uint8Array> {
  const [base, change] = variants[name]!;
  return rewritten(readFileSync(tinyPath(`${base}.gguf`)), change);
}

let folder: string | undefined;

/** Path of a variant in a temporary folder. */
export async function variantPath(name: string): Promise<string> {
  const path = join(folder ??= temporary(), `${Object.keys(variants).indexOf(name)}.gguf`);
  writeFileSync(path, await variantBytes(name));
  return path;
}
