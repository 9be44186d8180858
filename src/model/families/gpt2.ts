/**
 * GPT-2: learned positions, LayerNorm with biases, no gate, GELU in its tanh form, biases everywhere, and one fused matrix for q, k and v
 * whose rows are taken apart here. The head is the embedding unless the file brings one.
 */
import type { Family, SizeName, TensorRole } from '../types.ts';
import { bias, embedding, head, layerOf, matrix, vector } from './parts.ts';

const fused = (field: string, rows: SizeName, after: readonly SizeName[]): TensorRole[] => [
  { ...matrix(field, 'blk.{}.attn_qkv.weight', rows, 'hidden'), after },
  { ...bias(field, 'blk.{}.attn_qkv.bias', rows), after },
];

const tensors: readonly TensorRole[] = [
  vector('attnNorm', 'blk.{}.attn_norm.weight', 'hidden'),
  vector('attnNormBias', 'blk.{}.attn_norm.bias', 'hidden'),
  ...fused('q', 'qWidth', []),
  ...fused('k', 'kvWidth', ['qWidth']),
  ...fused('v', 'kvWidth', ['qWidth', 'kvWidth']),
  matrix('o', 'blk.{}.attn_output.weight', 'hidden', 'qWidth'),
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
