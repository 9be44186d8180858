/**
 * Models with random weights, in build/models: the embedded one's shape in other types, which tells what a type costs, apart from what a model says; and
 * shapes of families that no model at hand has.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MemorySource } from '../src/bytes/memory.ts';
import { readGguf } from '../src/format/gguf/read.ts';
import { dtypes, type GgufDtype } from '../src/format/gguf/types.ts';
import type { WriteTensor, WriteValue } from '../src/format/gguf/write.ts';
import { writeGguf } from '../src/format/gguf/write.ts';
import { familyOf } from '../src/model/family.ts';
import { readHparams } from '../src/model/hparams.ts';
import { sizes } from '../src/model/plan.ts';
import { Random } from '../src/sampler/random.ts';
import { f32, shapesOf, u32 } from '../test/helpers/tiny-models.ts';
import { rewritten } from '../test/helpers/twin.ts';

export const embedded = fileURLToPath(new URL('../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url));
export type ShapeType = 'q4_0' | 'q8_0' | 'f16';

/** Scale of a block whose weights shall spread by some 1/32, as f16 with some of its last bits random. */
const scales: Readonly<Record<ShapeType, number>> = { q4_0: 0x1e00, q8_0: 0x0e00, f16: 0x2800 };

/** Bytes of `count` random weights. */
function randomWeights(dtype: ShapeType, count: number, random: Random): Uint8Array {
  const { blockSize, typeSize } = dtypes[dtype], bytes = new Uint8Array((count / blockSize) * typeSize);
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2), view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  for (let at = 0; at < bytes.length; at += typeSize) view.setUint16(at, (view.getUint16(at, true) & (dtype === 'f16' ? 0x83ff : 0xff)) | scales[dtype], true);
  return bytes;
}

/** Path of the model; made where it is not there yet, the same bytes every time. */
export async function shapeModel(dtype: ShapeType): Promise<string> {
  const path = fileURLToPath(new URL(`../build/models/shape-135m-${dtype}.gguf`, import.meta.url));
  if (existsSync(path)) return path;
  const random = new Random(1);
  const bytes = await rewritten(readFileSync(embedded), ({ metadata, tensors }) => {
    metadata['general.name'] = { type: 'string', value: `SmolLM2 135M's shape, random ${dtype.toUpperCase()}` };
    for (const tensor of tensors) {
      if (tensor.dims.length < 2) continue;
      tensor.data = randomWeights(dtype, tensor.dims.reduce((a, b) => a * b, 1), random);
      tensor.dtype = dtype satisfies GgufDtype;
    }
  });
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
  return path;
}

/** Scales of a superblock of Q4_K, f16: the second 7.5 times the first, so that random weights have no mean; and how they spread. */
const q4kScales = [0x0600, 0x11a0] as const, q4kSpread = 258.3 * 1.5 * 2 ** -14;

function randomQ4K(count: number, random: Random): Uint8Array {
  const { blockSize, typeSize } = dtypes.q4_k, bytes = new Uint8Array((count / blockSize) * typeSize), words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  for (let i = 0; i < words.length; i += typeSize >> 2) words[i] = (q4kScales[1] << 16) | q4kScales[0];
  return bytes;
}

interface Shape {
  readonly architecture: string;
  readonly keys: Readonly<Record<string, WriteValue>>;
  /** Which of the optional tensors it has. */
  readonly optional: RegExp;
  /** Share of the feed-forward neurons that ReLU leaves, by a bias of up. */
  readonly alive?: number;
}

const head = (layers: number, hidden: number, heads: number, kvHeads: number, ffn: number): Shape['keys'] => ({
  'block_count': u32(layers), 'context_length': u32(2048), 'embedding_length': u32(hidden), 'feed_forward_length': u32(ffn), 'attention.head_count': u32(heads),
  'attention.head_count_kv': u32(kvHeads), 'rope.freq_base': f32(10_000),
});
const nemotron = { architecture: 'nemotron', keys: { ...head(4, 3072, 24, 8, 9216), 'rope.dimension_count': u32(64) }, optional: /^output|ffn_up.bias/ } as const;

/** All matrices Q4_K but routers; the embedded model's vocabulary of 49,152. */
export const shapes: Readonly<Record<string, Shape>> = {
  'granite-1b-a400m': {
    architecture: 'granitemoe', optional: /^$/, keys: {
      ...head(24, 1024, 16, 8, 512), 'expert_count': u32(32), 'expert_used_count': u32(8), 'embedding_scale': f32(12), 'residual_scale': f32(0.22), 'logit_scale': f32(6),
      'attention.scale': f32(1 / 64),
    },
  },
  'olmoe-1b-7b-4-layers': { architecture: 'olmoe', optional: /^output/, keys: { ...head(4, 2048, 16, 16, 1024), 'expert_count': u32(64), 'expert_used_count': u32(8) } },
  'nemotron-4b-4-layers-10': { ...nemotron, alive: 0.1 },
  'nemotron-4b-4-layers-30': { ...nemotron, alive: 0.3 },
  'relu-llama-3b-4-layers': { architecture: 'llama', optional: /^output/, keys: { ...head(4, 3072, 24, 8, 8192), 'hidden_act': { type: 'string', value: 'relu' } } },
};
/** Where the standard normal distribution has so much above it. */
const above: Readonly<Record<number, number>> = { 0.1: 1.2816, 0.3: 0.5244 };

/** The path of one of `shapes`, made where it is not there yet; any other is taken for a path. */
export async function pathOf(name: string): Promise<string> {
  const shape = shapes[name], path = fileURLToPath(new URL(`../build/models/shape-${name}.gguf`, import.meta.url));
  if (!shape) return name;
  if (existsSync(path)) return path;
  const { architecture, optional, keys, alive } = shape, family = familyOf(architecture), random = new Random(1), said = { [family.epsKey]: f32(1e-5), ...keys };
  const tensor = (own: string, dims: number[]): WriteTensor => {
    const count = dims.reduce((a, b) => a * b, 1);
    if (dims.length > 1 && !own.includes('ffn_gate_inp')) return { name: own, dims, dtype: 'q4_k', data: randomQ4K(count, random) };
    const spread = dims.length > 1 ? Math.sqrt(3 / dims[0]!) : 0, middle = own.endsWith('ffn_up.bias') ? -above[alive!]! * q4kSpread * Math.sqrt(3072) : own.endsWith('.bias') ? 0 : dims.length > 1 ? 0 : 1;
    return { name: own, dims, dtype: 'f32', data: new Uint8Array(Float32Array.from({ length: count }, () => middle + spread * (2 * random.float64() - 1)).buffer) };
  };
  const bytes = await rewritten(readFileSync(embedded), async (parts) => {
    const vocabulary = Object.entries(parts.metadata).filter(([key]) => key.startsWith('tokenizer.'));
    parts.metadata = {
      'general.architecture': { type: 'string', value: architecture }, 'general.name': { type: 'string', value: `random, the shape of ${name}` },
      ...Object.fromEntries([...Object.entries(said).map(([key, value]) => [`${architecture}.${key}`, value]), ...vocabulary]),
    };
    const { dims } = parts.tensors.find((own) => own.name === 'token_embd.weight')!, hidden = keys['embedding_length']!.value as number;
    const { hparams } = readHparams(await readGguf(new MemorySource(writeGguf(parts.metadata, [tensor('token_embd.weight', [hidden, dims[1]!])]))));
    parts.tensors = [
      ...shapesOf(family.model, undefined, sizes(hparams, hparams), optional), ...hparams.layers.flatMap((layer, i) => shapesOf(layer.tensors, i, sizes(hparams, layer), optional)),
    ].map(([own, shaped]) => tensor(own, shaped));
  });
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
  return path;
}
