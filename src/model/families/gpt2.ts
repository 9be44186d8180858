/**
 * GPT-2: learned positions, LayerNorm with biases, no gate, GELU in its tanh form, biases everywhere, q, k and v in one
 * matrix. The head is the embedding unless the file brings one.
 */
import type { Family, TensorRole } from '../types.ts';
import { attentionMatrices, bias, embedding, head, layerOf, matrix, qkvBiases, vector } from './parts.ts';

const tensors: readonly TensorRole[] = [
  vector('attnNorm', 'blk.{}.attn_norm.weight', 'hidden'),
  vector('attnNormBias', 'blk.{}.attn_norm.bias', 'hidden'),
  ...attentionMatrices,
  ...qkvBiases,
  bias('o', 'blk.{}.attn_output.bias', 'hidden'),
  vector('ffnNorm', 'blk.{}.ffn_norm.weight', 'hidden'),
  vector('ffnNormBias', 'blk.{}.ffn_norm.bias', 'hidden'),
  matrix('up', 'blk.{}.ffn_up.weight', 'ffn', 'hidden'),
  bias('up', 'blk.{}.ffn_up.bias', 'ffn'),
  matrix('down', 'blk.{}.ffn_down.weight', 'hidden', 'ffn'),
  bias('down', 'blk.{}.ffn_down.bias', 'hidden'),
];

export const gpt2: Family = {
  architectures: ['gpt2'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [
    embedding,
    { field: 'position', name: 'position_embd.weight', kind: 'vector', rows: 'context', cols: 'hidden' },
    vector('outNorm', 'output_norm.weight', 'hidden'),
    vector('outNormBias', 'output_norm.bias', 'hidden'),
    head,
  ],
  layer: (said, i) => layerOf(said, i, { activation: 'gelu', tensors }),
};
