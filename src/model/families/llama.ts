/**
 * Llama 1 to 3, Mistral, Mixtral (arXiv 2401.04088), SmolLM and whatever else GGUF calls `llama` (arXiv 2302.13971); `deci` is a Llama
 * whose layers differ in heads and widths. q and k rows are permuted by the converter so that rotated pairs are adjacent. Llama 3.1 and
 * later bring frequency factors as a tensor. A missing head is the embedding. Models with `attention_bias` or `mlp_bias` have biases
 * anywhere.
 */
import type { Family } from '../types.ts';
import { expertTensors } from './mixture.ts';
import { attentionMatrices, bias, ffnMatrices, layerOf, optional, preNorms, qkvBiases, rmsModel } from './parts.ts';

const attention = [...preNorms, ...attentionMatrices, ...[...qkvBiases, bias('o', 'blk.{}.attn_output.bias', 'hidden')].map(optional)];
const ffn = [...ffnMatrices, ...[
  bias('gate', 'blk.{}.ffn_gate.bias', 'ffn'), bias('up', 'blk.{}.ffn_up.bias', 'ffn'), bias('down', 'blk.{}.ffn_down.bias', 'hidden'),
].map(optional)];

export const llama: Family = {
  architectures: ['llama', 'deci'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  mixture: { normed: true },
  layer: (said, i) => layerOf(said, i, {
    activation: 'silu', rope: 'adjacent', tensors: [...attention, ...(said.experts ? expertTensors(said.experts) : ffn)],
  }),
};
