/** OLMoE (arXiv 2409.02060): q and k normed as whole rows, halves rotated, experts whose weights are left as the softmax gives them. */
import type { Family } from '../types.ts';
import { gatedTensors, layerOf, rmsModel, rowNorms } from './parts.ts';

export const olmoe: Family = {
  architectures: ['olmoe'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  mixture: { always: true, normed: false },
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: [...gatedTensors, ...rowNorms] }),
};
