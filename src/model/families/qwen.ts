/** Qwen 1 (arXiv 2309.16609): biases on q, k and v, rotated halves, a head of its own. Its key counts gate and up together. */
import type { Family } from '../types.ts';
import { embedding, gatedTensors, layerOf, ownHead, qkvBiases, vector } from './parts.ts';

const tensors = [...gatedTensors, ...qkvBiases];

export const qwen: Family = {
  architectures: ['qwen'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden'), ownHead],
  layer: (said, i) => {
    const row = layerOf(said, i, { activation: 'silu', rope: 'halves', tensors });
    return { ...row, ffn: Math.floor(row.ffn / 2) };
  },
};
