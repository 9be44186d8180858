/**
 * Headers of files that many people have, as llama.cpp's loader printed them (logs in public repositories): every key is understood, and what is
 * planned has the tensors, parameters and sizes that llama.cpp tells. Values of keys that only describe are shortened.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { GgufDtype, GgufFile, GgufTensor, GgufValue } from '../../src/format/gguf/types.ts';
import { StringArray, dtypeBytes } from '../../src/format/gguf/types.ts';
import { asFiled } from '../../src/model/fused.ts';
import { readHparams } from '../../src/model/hparams.ts';
import { planMemory } from '../../src/model/memory.ts';
import { planModel, sizes } from '../../src/model/plan.ts';
import { shapesOf } from '../helpers/tiny-models.ts';

interface Published {
  /** Keys without the architecture's prefix where they begin with a dot. */
  keys: Record<string, GgufValue>;
  vocab: number;
  /** Optional tensors that the file has. */
  optional?: RegExp;
  /** What llama.cpp prints: tensors, parameters (in the digits it gives), and bytes of the weights (MiB) where all matrices are of `dtype`. */
  tensors: number;
  params: [value: number, unit: number];
  dtype: GgufDtype;
  mib?: number;
}

const words = new StringArray(new TextEncoder().encode('aaa'), Uint32Array.of(0, 1, 2, 3));
const described = (architecture: string, name: string): Record<string, GgufValue> => ({
  'general.architecture': architecture, 'general.type': 'model', 'general.name': name, 'general.finetune': 'instruct', 'general.basename': name, 'general.size_label': '1B',
  'general.license': 'mit', 'general.license.link': 'https://…', 'general.tags': words, 'general.languages': words, 'general.base_model.count': 1,
  'general.base_model.0.name': name, 'general.base_model.0.organization': 'o', 'general.base_model.0.repo_url': 'https://…', 'general.quantized_by': 'Unsloth',
  'general.repo_url': 'https://…', 'general.quantization_version': 2, 'general.file_type': 15, 'quantize.imatrix.file': 'f', 'quantize.imatrix.dataset': 'd',
  'quantize.imatrix.entries_count': 196, 'quantize.imatrix.chunks_count': 685,
});
const tokens = { 'tokenizer.ggml.tokens': words, 'tokenizer.ggml.token_type': Int32Array.of(1, 1, 1), 'tokenizer.chat_template': '{{ }}', 'tokenizer.ggml.eos_token_id': 1 };
const bpe = { ...tokens, 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.merges': words, 'tokenizer.ggml.padding_token_id': 0, 'tokenizer.ggml.add_bos_token': false };

const files: Record<string, Published> = {
  'Llama 3.2 1B Instruct': {
    keys: {
      ...described('llama', 'Llama 3.2 1B Instruct'), ...bpe, 'tokenizer.ggml.pre': 'llama-bpe', 'tokenizer.ggml.bos_token_id': 0, '.block_count': 16, '.context_length': 131_072,
      '.embedding_length': 2048, '.feed_forward_length': 8192, '.attention.head_count': 32, '.attention.head_count_kv': 8, '.rope.freq_base': 500_000,
      '.attention.layer_norm_rms_epsilon': 1e-5, '.attention.key_length': 64, '.attention.value_length': 64, '.vocab_size': 128_256, '.rope.dimension_count': 64,
    },
    vocab: 128_256, optional: /^rope_freqs/, tensors: 147, params: [1.24, 1e9], dtype: 'q4_k',
  },
  'Qwen3 0.6B': {
    keys: {
      ...described('qwen3', 'Qwen3-0.6B'), ...bpe, 'tokenizer.ggml.pre': 'qwen2', '.block_count': 28, '.context_length': 40_960, '.embedding_length': 1024,
      '.feed_forward_length': 3072, '.attention.head_count': 16, '.attention.head_count_kv': 8, '.rope.freq_base': 1e6, '.attention.layer_norm_rms_epsilon': 1e-6,
      '.attention.key_length': 128, '.attention.value_length': 128,
    },
    vocab: 151_936, tensors: 310, params: [596.05, 1e6], dtype: 'q8_0', mib: 604.15,
  },
  'Gemma 3 1B it': {
    keys: {
      ...described('gemma3', 'Gemma 3 1b It'), ...tokens, 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.pre': 'default', 'tokenizer.ggml.scores': new Float32Array(3),
      'tokenizer.ggml.bos_token_id': 2, 'tokenizer.ggml.unknown_token_id': 0, 'tokenizer.ggml.padding_token_id': 0, 'tokenizer.ggml.add_bos_token': true,
      'tokenizer.ggml.add_eos_token': false, 'tokenizer.ggml.add_space_prefix': false, '.context_length': 32_768, '.embedding_length': 1152, '.block_count': 26,
      '.feed_forward_length': 6912, '.attention.head_count': 4, '.attention.layer_norm_rms_epsilon': 1e-6, '.attention.key_length': 256, '.attention.value_length': 256,
      '.rope.freq_base': 1e6, '.attention.sliding_window': 512, '.attention.head_count_kv': 1,
    },
    vocab: 262_144, tensors: 340, params: [999.89, 1e6], dtype: 'q8_0', mib: 1013.54,
  },
  'Phi 4 mini': {
    keys: {
      ...described('phi3', 'Phi 4 Mini Instruct'), ...bpe, 'tokenizer.ggml.pre': 'gpt-4o', 'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.unknown_token_id': 0,
      'tokenizer.ggml.add_eos_token': false, '.rope.scaling.attn_factor': 1.190238, '.context_length': 131_072, '.rope.scaling.original_context_length': 4096, '.embedding_length': 3072,
      '.feed_forward_length': 8192, '.block_count': 32, '.attention.head_count': 24, '.attention.head_count_kv': 8, '.attention.layer_norm_rms_epsilon': 1e-5,
      '.rope.dimension_count': 96, '.rope.freq_base': 10_000, '.attention.sliding_window': 262_144,
    },
    vocab: 200_064, optional: /^rope_factors/, tensors: 196, params: [3.84, 1e9], dtype: 'q4_k',
  },
  'Granite 3.1 2B': {
    keys: {
      ...described('granite', 'Granite 3.1 2b Instruct'), ...bpe, 'tokenizer.ggml.pre': 'refact', 'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.unknown_token_id': 0,
      'tokenizer.ggml.add_space_prefix': false, '.block_count': 40, '.context_length': 131_072, '.embedding_length': 2048, '.feed_forward_length': 8192, '.attention.head_count': 32,
      '.attention.head_count_kv': 8, '.rope.freq_base': 5e6, '.attention.layer_norm_rms_epsilon': 1e-5, '.vocab_size': 49_155, '.rope.dimension_count': 64,
      '.attention.scale': 0.015625, '.embedding_scale': 12, '.residual_scale': 0.22, '.logit_scale': 8,
    },
    vocab: 49_155, tensors: 362, params: [2.53, 1e9], dtype: 'q5_k',
  },
};

function headerOf({ keys, vocab, optional = /^$/, dtype }: Published): GgufFile {
  const architecture = keys['general.architecture'] as string, tensors = new Map<string, GgufTensor>();
  const metadata = new Map(Object.entries(keys).map(([key, value]) => [key.startsWith('.') ? architecture + key : key, value]));
  const put = (name: string, dims: readonly number[]): void => {
    const own = dims.length === 1 || dims[0]! % 32 !== 0 ? 'f32' : dtype;
    tensors.set(name, { name, dims, dtype: own, part: 0, offset: 0, bytes: dtypeBytes(own, dims.reduce((a, b) => a * b, 1)) });
  };
  put('token_embd.weight', [keys['.embedding_length'] as number, vocab]);
  const file: GgufFile = { version: 3, metadata, metadataEnd: 0, tensors, parts: [new MemorySource(new Uint8Array(0))], size: 0 };
  const { family, hparams } = readHparams(file), fused = architecture === 'phi3';
  for (const [name, dims] of shapesOf(family.model, undefined, sizes(hparams, hparams), optional)) put(name, dims);
  hparams.layers.forEach((layer, i) => {
    const roles = asFiled(layer.tensors, i, (tensor) => fused && tensor.includes('qkv'));
    for (const [name, dims] of shapesOf(roles, i, sizes(hparams, layer), optional)) put(name, dims);
  });
  return { ...file, size: [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0) };
}

const test = suite('published files');

for (const [name, published] of Object.entries(files)) {
  test(`${name}: every key understood, as many tensors and parameters as llama.cpp counts`, () => {
    const file = headerOf(published), plan = planModel(file), { tensors, params: [value, unit], mib } = published;
    const digits = String(value).split('.')[1]!.length;
    assert.is(file.tensors.size, tensors);
    assert.is((plan.params / unit).toFixed(digits), value.toFixed(digits));
    assert.is(plan.tiedHead, true);
    if (mib !== undefined) assert.is((file.size / 2 ** 20).toFixed(2), mib.toFixed(2));
    const { total } = planMemory(plan, { contextSize: 4096, kv: 'q8' });
    assert.ok(total < 4 * 2 ** 30 && plan.weightBytes < 1.06 * file.size, `${total} bytes, weights ${plan.weightBytes} of ${file.size}`);
  });
}
test.run();
