/** InternLM 2 (arXiv 2403.17297): a Llama whose fused, grouped q, k and v the converter takes apart and permutes. A head of its own. */
import type { Family } from '../types.ts';
import { embedding, gatedTensors, layerOf, optional, ownHead, qkvBiases, vector } from './parts.ts';

const tensors = [...gatedTensors, ...qkvBiases.map(optional)];

export const internlm2: Family = {
  architectures: ['internlm2'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden'), ownHead],
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'adjacent', tensors }),
};
