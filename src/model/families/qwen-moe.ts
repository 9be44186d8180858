/**
 * Qwen's mixtures: Qwen 2 or 3 with experts narrower than the `feed_forward_length`. Qwen 2 has a shared expert beside them, weighed by a
 * sigmoid, and leaves the weights of the chosen as they are; Qwen 3 has none, and theirs add up to 1.
 */
import type { Family } from '../types.ts';
import { gatedTensors, headNorms, layerOf, qkvBiases, rmsModel, sharedRouter } from './parts.ts';

const common = { norm: 'rms', epsKey: 'attention.layer_norm_rms_epsilon', model: rmsModel } as const;

export const qwen2moe: Family = {
  ...common,
  architectures: ['qwen2moe'],
  mixture: { always: true, normed: false, ownWidth: true, shared: 'always' },
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: [...gatedTensors, ...qkvBiases, sharedRouter] }),
};

export const qwen3moe: Family = {
  ...common,
  architectures: ['qwen3moe'],
  mixture: { always: true, normed: true, ownWidth: true },
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: [...gatedTensors, ...headNorms] }),
};
