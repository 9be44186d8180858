/** Qwen 3 (arXiv 2505.09388): Qwen 2 without biases, every head of q and k normed before it is turned. */
import type { Family } from '../types.ts';
import { gatedTensors, headNorms, layerOf, rmsModel } from './parts.ts';

export const qwen3: Family = {
  architectures: ['qwen3'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: [...gatedTensors, ...headNorms] }),
};
