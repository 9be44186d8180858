/** The numbers that define a model, read from GGUF metadata and checked before anything is planned with them. */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import { getString } from '../format/gguf/metadata.ts';
import { Activation } from './enums.ts';
import type { Family } from './family.ts';
import { familyOf } from './family.ts';
import { Keys, bad } from './keys.ts';

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

function ropeScale(keys: Keys): number {
  const type = keys.string('rope.scaling.type', 'linear'), factor = keys.number('rope.scaling.factor'), old = keys.number('rope.scale_linear');
  if (type !== 'none' && type !== 'linear') bad(keys.name('rope.scaling.type'), JSON.stringify(type), 'none or linear (llama3 scaling comes as the tensor rope_freqs.weight)');
  const named = keys.has('rope.scaling.factor'), scale = named ? factor : old;
  if (!(Number.isFinite(scale) && scale >= 0)) bad(keys.name(named ? 'rope.scaling.factor' : 'rope.scale_linear'), scale, 'a positive number, or 0 for none');
  return type === 'none' || scale === 0 ? 1 : 1 / scale;
}

function activationOf(keys: Keys, family: Family): keyof typeof Activation {
  const name = keys.string('hidden_act', family.activation);
  return Object.hasOwn(Activation, name) ? (name as keyof typeof Activation) : bad(keys.name('hidden_act'), name, Object.keys(Activation).join(', '));
}

/** Files of the right format that hold no model of their own. */
function refuseOthers(file: GgufFile): void {
  const type = getString(file.metadata, 'general.type', 'model'), adapter = type === 'adapter' || file.metadata.has('adapter.type');
  const refuse = (found: string, remedy: string): never => { throw new ModelError('E_MODEL_KIND', { subject: 'the file', found, expected: 'a language model', remedy }); };
  if (adapter) refuse('a LoRA adapter', 'Merge it into the model that it belongs to (llama.cpp: llama-export-lora), and load the result.');
  if (file.tensors.size === 0) refuse('a vocabulary without weights', 'Files named ggml-vocab-… are for testing tokenizers; pass the whole model.');
}

/** What would need parts that no family here has, each with a sentence of its own. */
function refuseParts(keys: Keys, contextLength: number): void {
  const experts = keys.number('expert_count'), window = keys.number('attention.sliding_window');
  if (experts !== 0) bad(keys.name('expert_count'), experts, '0: every layer has one feed-forward part', 'Mixtures of experts are not run yet; use a dense model.');
  if (window !== 0 && window < contextLength) {
    bad(keys.name('attention.sliding_window'), window, `0 or at least the context length, ${contextLength}`, 'Attention through a window is not run yet; use another model.');
  }
}

/** @throws ModelError `E_MODEL_KIND`, `E_FAMILY`, `E_HPARAM`, `E_TENSOR_MISSING`; FormatError `E_GGUF_KEY`. */
export function readHparams(file: GgufFile): { family: Family; hparams: Hparams } {
  const { metadata } = file;
  refuseOthers(file);
  const architecture = getString(metadata, 'general.architecture'), family = familyOf(architecture), keys = new Keys(metadata, architecture);

  const hidden = keys.count('embedding_length', limits.hidden);
  const heads = keys.count('attention.head_count', limits.heads);
  const kvHeads = keys.count('attention.head_count_kv', limits.heads, heads);
  if (heads % kvHeads !== 0) bad(keys.name('attention.head_count_kv'), kvHeads, `a divisor of head_count ${heads}`);
  const headDim = keys.count('attention.key_length', limits.headDim, hidden / heads);
  if (headDim % headDimMultiple !== 0) bad(keys.name('attention.key_length'), headDim, `a multiple of ${headDimMultiple}`);
  const valueDim = keys.count('attention.value_length', limits.headDim, headDim);
  if (valueDim !== headDim) bad(keys.name('attention.value_length'), valueDim, `the key length ${headDim}`);
  const ropeDim = keys.count('rope.dimension_count', headDim, headDim);
  if (ropeDim % 2 !== 0) bad(keys.name('rope.dimension_count'), ropeDim, 'an even number');
  const embedding = file.tensors.get('token_embd.weight');
  if (!embedding) {
    throw new ModelError('E_TENSOR_MISSING', { subject: 'token_embd.weight', found: 'nothing', expected: 'the embedding [vocab, hidden]', remedy: 'The file is incomplete (one part of a split model?); pass the whole model.' });
  }
  const vocab = embedding.dims[1] ?? 1;
  if (vocab > limits.vocab) bad('token_embd.weight', vocab, `at most ${limits.vocab} tokens`);
  const contextLength = keys.count('context_length', limits.contextLength);
  refuseParts(keys, contextLength);
  const hparams: Hparams = {
    architecture, name: getString(metadata, 'general.name', architecture), hidden, heads, kvHeads, headDim, vocab, ropeDim, contextLength,
    ffn: keys.count('feed_forward_length', limits.ffn),
    nLayers: keys.count('block_count', limits.nLayers),
    normEps: keys.positive(family.epsKey),
    ropeBase: keys.positive('rope.freq_base', 10_000),
    ropeScale: ropeScale(keys),
    embedScale: 1,
    activation: activationOf(keys, family),
    attnScale: keys.positive('attention.scale', 1 / Math.sqrt(headDim)),
  };
  keys.refuseRest();
  return { family, hparams };
}
