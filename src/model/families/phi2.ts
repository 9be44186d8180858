/**
 * Phi 1, 1.5 and 2 (arXiv 2309.05463): LayerNorm once a layer, read by both parts side by side, a part of every head turned, GELU in its
 * tanh form, biases everywhere, at the head too.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, bias, embedding, layerNorm, layerOf, ownHead, plainFfn, plainFfnBiases, qkvBiases } from './parts.ts';

const tensors = [
  ...layerNorm('attnNorm', 'blk.{}.attn_norm').map((role) => ({ ...role, also: [role.field.replace('attn', 'ffn')] })),
  ...attentionMatrices, ...qkvBiases, bias('o', 'blk.{}.attn_output.bias', 'hidden'), ...plainFfn, ...plainFfnBiases,
];

export const phi2: Family = {
  architectures: ['phi2'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [embedding, ...layerNorm('outNorm', 'output_norm'), ownHead, bias('head', 'output.bias', 'vocab')],
  layer: (said, i) => layerOf(said, i, { activation: 'gelu', rope: 'halves', parallel: true, tensors }),
};
