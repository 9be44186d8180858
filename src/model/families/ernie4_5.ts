/** ERNIE 4.5, the dense ones (github.com/PaddlePaddle/ERNIE): a Llama that was trained with pairs of neighbours. */
import type { Family } from '../types.ts';
import { embedding, gatedTensors, head, layerOf, optional, qkvBiases, vector } from './parts.ts';

const tensors = [...gatedTensors, ...qkvBiases.map(optional)];

export const ernie4_5: Family = {
  architectures: ['ernie4_5'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden'), head],
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'adjacent', tensors }),
};
