/** The numbers that define a model, read from GGUF metadata and checked before anything is planned with them. */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import type { Metadata } from '../format/gguf/metadata.ts';
import { getNumber, getString } from '../format/gguf/metadata.ts';
import { Activation } from './enums.ts';
import type { Family } from './family.ts';
import { familyOf } from './family.ts';
import { checkKind } from './kind.ts';

export interface Hparams {
  readonly architecture: string;
  /** `general.name`, or the architecture. */
  readonly name: string;
  readonly hidden: number;
  readonly ffn: number;
  readonly nLayers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  /** Positions that the model was trained on. */
  readonly contextLength: number;
  readonly normEps: number;
  readonly ropeDim: number;
  readonly ropeBase: number;
  /** Positions are multiplied by this (linear scaling). */
  readonly ropeScale: number;
  readonly embedScale: number;
  readonly attnScale: number;
  /** The family's, unless the file says otherwise (key `hidden_act`, for ReLU-fied variants of a known family). */
  readonly activation: keyof typeof Activation;
}

/** Upper bounds, each far above what exists, so that no product of them overflows and no hostile file plans petabytes. */
const limits = { hidden: 65_536, ffn: 262_144, nLayers: 1_024, heads: 1_024, headDim: 512, vocab: 2_097_152, contextLength: 16_777_216 } as const;

/** Of headDim: attention walks values in tiles of 16 (assembly/kernels/attention/cache.ts). */
const headDimMultiple = 16;

function bad(key: string, found: unknown, expected: string): never {
  throw new ModelError('E_HPARAM', {
    subject: `metadata key ${key}`, found: String(found), expected, remedy: 'The file is damaged, or of a kind that this version does not run.',
  });
}

function count(metadata: Metadata, key: string, limit: number, fallback?: number): number {
  const value = getNumber(metadata, key, fallback);
  return Number.isInteger(value) && value >= 1 && value <= limit ? value : bad(key, value, `an integer from 1 to ${limit}`);
}

function positive(metadata: Metadata, key: string, fallback?: number): number {
  const value = getNumber(metadata, key, fallback);
  return Number.isFinite(value) && value > 0 ? value : bad(key, value, 'a positive number');
}

function ropeScale(metadata: Metadata, key: (name: string) => string): number {
  const type = getString(metadata, key('rope.scaling.type'), 'none');
  if (type === 'none') return 1;
  if (type === 'linear') return 1 / positive(metadata, key('rope.scaling.factor'), 1);
  return bad(key('rope.scaling.type'), type, 'none or linear (llama3 scaling comes as the tensor rope_freqs.weight)');
}

function activationOf(metadata: Metadata, key: string, family: Family): keyof typeof Activation {
  const name = getString(metadata, key, family.activation);
  return Object.hasOwn(Activation, name) ? (name as keyof typeof Activation) : bad(key, name, Object.keys(Activation).join(', '));
}

/** @throws ModelError `E_KIND`, `E_FAMILY`, `E_HPARAM`, `E_TENSOR_MISSING`; FormatError `E_GGUF_KEY`. */
export function readHparams(file: GgufFile): { family: Family; hparams: Hparams } {
  const { metadata } = file;
  checkKind(file);
  const architecture = getString(metadata, 'general.architecture');
  const family = familyOf(architecture);
  const key = (name: string): string => `${architecture}.${name}`;

  const hidden = count(metadata, key('embedding_length'), limits.hidden);
  const heads = count(metadata, key('attention.head_count'), limits.heads);
  const kvHeads = count(metadata, key('attention.head_count_kv'), limits.heads, heads);
  if (heads % kvHeads !== 0) bad(key('attention.head_count_kv'), kvHeads, `a divisor of head_count ${heads}`);
  const headDim = count(metadata, key('attention.key_length'), limits.headDim, hidden / heads);
  if (headDim % headDimMultiple !== 0) bad(key('attention.key_length'), headDim, `a multiple of ${headDimMultiple}`);
  const valueDim = getNumber(metadata, key('attention.value_length'), headDim);
  if (valueDim !== headDim) bad(key('attention.value_length'), valueDim, `the key length ${headDim}`);
  const ropeDim = count(metadata, key('rope.dimension_count'), headDim, headDim);
  if (ropeDim % 2 !== 0) bad(key('rope.dimension_count'), ropeDim, 'an even number');
  const embedding = file.tensors.get('token_embd.weight');
  if (!embedding) {
    throw new ModelError('E_TENSOR_MISSING', { subject: 'token_embd.weight', found: 'nothing', expected: 'the embedding [vocab, hidden]', remedy: 'The file is incomplete (a vocabulary alone, or one part of a split model); pass the whole model.' });
  }
  const vocab = embedding.dims[1] ?? 1;
  if (vocab > limits.vocab) bad('token_embd.weight', vocab, `at most ${limits.vocab} tokens`);
  return {
    family,
    hparams: {
      architecture, name: getString(metadata, 'general.name', architecture), hidden, heads, kvHeads, headDim, vocab, ropeDim,
      ffn: count(metadata, key('feed_forward_length'), limits.ffn),
      nLayers: count(metadata, key('block_count'), limits.nLayers),
      contextLength: count(metadata, key('context_length'), limits.contextLength),
      normEps: positive(metadata, key(family.epsKey)),
      ropeBase: positive(metadata, key('rope.freq_base'), 10_000),
      ropeScale: ropeScale(metadata, key),
      embedScale: 1,
      activation: activationOf(metadata, key('hidden_act'), family),
      attnScale: positive(metadata, key('attention.scale'), 1 / Math.sqrt(headDim)),
    },
  };
}
