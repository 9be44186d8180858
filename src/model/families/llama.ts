/**
 * Llama 1 to 3, Mistral, Mixtral (arXiv 2401.04088), SmolLM and whatever else GGUF calls `llama` (arXiv 2302.13971); `deci` is a Llama
 * whose layers differ in heads and widths. q and k rows are permuted by the converter so that rotated pairs are adjacent. Llama 3.1 and
 * later bring frequency factors as a tensor. A missing head is the embedding. Models with `attention_bias` or `mlp_bias` have biases
 * anywhere.
 */
import type { Family } from '../types.ts';
import { gatedTensors, layerOf, llamaBiases, rmsModel } from './parts.ts';

const common = {
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'adjacent', tensors: [...gatedTensors, ...llamaBiases] }),
} as const satisfies Partial<Family>;

export const llama: Family = { ...common, architectures: ['llama'], mixture: { normed: true } };
export const deci: Family = { ...common, architectures: ['deci'] };
