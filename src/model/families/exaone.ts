/** EXAONE 3 and 3.5 (arXiv 2408.03541): a Llama with rotated halves and Llama 3's frequency factors. */
import type { Family } from '../types.ts';
import { gatedTensors, layerOf, optional, qkvBiases, rmsModel } from './parts.ts';

const tensors = [...gatedTensors, ...qkvBiases.map(optional)];

export const exaone: Family = {
  architectures: ['exaone'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors }),
};
