/** Qwen 2 and 2.5 (arXiv 2407.10671): Llama with biases on q, k and v, and rotated halves instead of adjacent pairs. */
import type { Family } from '../types.ts';
import { bias, gatedTensors, layerOf, optional, qkvBiases, rmsModel } from './parts.ts';

export const qwen2: Family = {
  architectures: ['qwen2'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [...rmsModel, optional(bias('head', 'output.bias', 'vocab'))],
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: [...gatedTensors, ...qkvBiases] }),
};
