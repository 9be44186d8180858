/**
 * Nemotron and Minitron (arXiv 2402.16819, 2407.14679): no gate, the square of ReLU, LayerNorm whose weights have the 1 of NVIDIA's formula
 * in them, a part of every head turned.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, bias, embedding, layerNorm, layerOf, matrix, optional, plainFfn, qkvBiases } from './parts.ts';

const biases = [
  ...qkvBiases, bias('o', 'blk.{}.attn_output.bias', 'hidden'), bias('up', 'blk.{}.ffn_up.bias', 'ffn'),
  bias('down', 'blk.{}.ffn_down.bias', 'hidden'),
].map(optional);
const tensors = [
  ...layerNorm('attnNorm', 'blk.{}.attn_norm'), ...attentionMatrices, ...layerNorm('ffnNorm', 'blk.{}.ffn_norm'), ...plainFfn, ...biases,
];

export const nemotron: Family = {
  architectures: ['nemotron'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [embedding, ...layerNorm('outNorm', 'output_norm'), matrix('head', 'output.weight', 'vocab', 'hidden')],
  layer: (said, i) => layerOf(said, i, { activation: 'relu2', rope: 'halves', tensors }),
};
