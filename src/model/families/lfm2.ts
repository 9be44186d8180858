/**
 * LFM2 (Liquid AI, arXiv 2511.23404): where the file lists no key/value heads a layer has a gated short convolution in the place of
 * attention, x += out(c * convolution(b * x')); the others norm every head of q and k before they turn. The last norm goes by the name of
 * an embedding's.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, embedding, ffnMatrices, head, layerOf, matrix, preNorms, vector } from './parts.ts';

const attends = [
  ...preNorms, ...attentionMatrices, ...ffnMatrices,
  vector('qNorm', 'blk.{}.attn_q_norm.weight', 'headDim'), vector('kNorm', 'blk.{}.attn_k_norm.weight', 'headDim'),
];
const convolves = [
  ...preNorms, ...ffnMatrices,
  matrix('convIn', 'blk.{}.shortconv.in_proj.weight', 'convIn', 'hidden'),
  { ...vector('conv', 'blk.{}.shortconv.conv.weight', 'convTaps'), rows: 'hidden' as const },
  matrix('convOut', 'blk.{}.shortconv.out_proj.weight', 'hidden', 'hidden'),
];

export const lfm2: Family = {
  architectures: ['lfm2'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  convKey: 'shortconv.l_cache',
  model: [embedding, vector('outNorm', 'token_embd_norm.weight', 'hidden'), head],
  layer: (said, i) => {
    const row = layerOf(said, i, { activation: 'silu', rope: 'halves', tensors: attends });
    return row.kvHeads > 0 ? row : { ...row, heads: 0, rope: undefined, convTaps: said.convTaps, tensors: convolves };
  },
};
