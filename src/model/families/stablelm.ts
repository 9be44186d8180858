/**
 * StableLM and StableLM 2 (arXiv 2402.17834): a gate and SiLU under LayerNorm, a part of every head turned. Where a layer has no norm
 * before its feed-forward part, as in StableLM 2 12B, both parts read the same normed residual; then every head of q and k may have a
 * norm of its own. The key that should say so is true in files of both kinds.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, embedding, ffnMatrices, layerOf, layerNorm, matrix, optional, qkvBiases, vector } from './parts.ts';

const eachHead = [
  { ...vector('qNorm', 'blk.{}.attn_q_norm.weight', 'headDim'), rows: 'heads' } as const,
  { ...vector('kNorm', 'blk.{}.attn_k_norm.weight', 'headDim'), rows: 'kvHeads' } as const,
].map(optional);
const parts = [...attentionMatrices, ...qkvBiases.map(optional), ...eachHead, ...ffnMatrices];
const bothNorms = layerNorm('attnNorm', 'blk.{}.attn_norm'), ffnNorm = layerNorm('ffnNorm', 'blk.{}.ffn_norm');
const oneNorm = bothNorms.map((role) => ({ ...role, also: [role.field.replace('attn', 'ffn')] }));

export const stablelm: Family = {
  architectures: ['stablelm'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [embedding, ...layerNorm('outNorm', 'output_norm'), matrix('head', 'output.weight', 'vocab', 'hidden')],
  keys: { use_parallel_residual: 'idle' },
  layer: (said, i) => {
    const parallel = !said.has(`blk.${i}.ffn_norm.weight`);
    return layerOf(said, i, {
      activation: 'silu', rope: 'halves', parallel, tensors: [...parts, ...(parallel ? oneNorm : [...bothNorms, ...ffnNorm])],
    });
  },
};
