/**
 * OLMo 2 (arXiv 2501.00656): no norm before a part but one behind it, and q and k normed as whole rows before their heads are turned.
 * OLMo 3 comes under the same name: three layers of four see a window, and turn unscaled.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, ffnMatrices, layerOf, postNorms, rmsModel, rowNorms } from './parts.ts';

const tensors = [...attentionMatrices, ...rowNorms, ...ffnMatrices, ...postNorms];

export const olmo2: Family = {
  architectures: ['olmo2'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  windows: { period: 4, rope: 'plain' },
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors }),
};
