/**
 * Hunyuan, the dense ones of 2025 (github.com/Tencent-Hunyuan): a Llama with rotated halves whose heads of q and k are normed after they
 * are turned. Its converter has worked the stretch of contexts into the base.
 */
import type { Family } from '../types.ts';
import { embedding, gatedTensors, head, headNorms, layerOf, optional, qkvBiases, vector } from './parts.ts';

const tensors = [...gatedTensors, ...qkvBiases.map(optional), ...headNorms];

export const hunyuan: Family = {
  architectures: ['hunyuan-dense'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden'), head],
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', normTurned: true, tensors }),
};
