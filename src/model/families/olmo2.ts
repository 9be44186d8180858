/** OLMo 2 (arXiv 2501.00656): no norm before a part but one behind it, and q and k normed as whole rows before their heads are turned. */
import type { Family } from '../family.ts';
import { ffnMatrices, attentionMatrices, layerOf, postNorms, rmsModel, vector } from './parts.ts';

const rowNorms = [vector('qNorm', 'blk.{}.attn_q_norm.weight', 'qWidth'), vector('kNorm', 'blk.{}.attn_k_norm.weight', 'kvWidth')];

export const olmo2: Family = {
  architectures: ['olmo2'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: [...attentionMatrices, ...rowNorms, ...ffnMatrices, ...postNorms] }),
};
