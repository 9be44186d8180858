/**
 * Command R7B and Tiny Aya (arXiv 2412.04261 for the family): a LayerNorm without bias once a layer, read by both parts side by side, the
 * embedding as head, logits multiplied. Three layers of four see a window and turn; the others see everything and do not.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, embedding, ffnMatrices, layerOf, optional, qkvBiases, vector } from './parts.ts';

const tensors = [
  { ...vector('attnNorm', 'blk.{}.attn_norm.weight', 'hidden'), also: ['ffnNorm'] }, ...attentionMatrices, ...qkvBiases.map(optional),
  ...ffnMatrices,
];

export const cohere2: Family = {
  architectures: ['cohere2'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden')],
  keys: { 'logit_scale': 'needed', 'attention.sliding_window': 'needed' },
  windows: { period: 4, rope: 'alike' },
  ends: ({ own }) => ({ logitScale: own['logit_scale']! }),
  layer: (said, i) => {
    const turns = said.layerWindows[i]! > 0;
    const row = layerOf(said, i, { activation: 'silu', parallel: true, tensors });
    return { ...row, rope: turns ? { kind: 'adjacent', ...said.rope } : undefined };
  },
};
