/**
 * Qwen's mixtures: attention of Qwen 2 or 3, experts narrower than the `feed_forward_length`. Qwen 2 has a shared expert beside them,
 * weighed by a sigmoid, and leaves the weights of the chosen as they are; Qwen 3 has none, and theirs add up to 1.
 */
import type { Family } from '../types.ts';
import { expertTensors, sharedRouter } from './mixture.ts';
import { attentionMatrices, headNorms, layerOf, preNorms, qkvBiases, rmsModel } from './parts.ts';

const common = { norm: 'rms', epsKey: 'attention.layer_norm_rms_epsilon', model: rmsModel } as const;
const attention = [...preNorms, ...attentionMatrices];

export const qwen2moe: Family = {
  ...common,
  architectures: ['qwen2moe'],
  mixture: { always: true, normed: false, ownWidth: true, shared: 'always' },
  layer: (said, i) => layerOf(said, i, {
    activation: 'silu', rope: 'halves', tensors: [...attention, ...qkvBiases, ...expertTensors(said.experts!), sharedRouter],
  }),
};

export const qwen3moe: Family = {
  ...common,
  architectures: ['qwen3moe'],
  mixture: { always: true, normed: true, ownWidth: true },
  layer: (said, i) => layerOf(said, i, {
    activation: 'silu', rope: 'halves', tensors: [...attention, ...headNorms, ...expertTensors(said.experts!)],
  }),
};
