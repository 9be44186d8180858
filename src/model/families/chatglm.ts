/**
 * ChatGLM 3, GLM-4 9B and GLM-Edge (arXiv 2406.12793): biases on q, k and v, half of every head turned by pairs of neighbours, gate and up
 * in one matrix. GLM-4 of 2025 norms what its parts give, too.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, embedding, fusedFfn, head, layerOf, optional, postNorms, preNorms, qkvBiases, vector } from './parts.ts';

const tensors = [...preNorms, ...attentionMatrices, ...qkvBiases.map(optional), ...fusedFfn];
const common = {
  norm: 'rms', epsKey: 'attention.layer_norm_rms_epsilon', model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden'), head],
} as const;

export const chatglm: Family = {
  architectures: ['chatglm'], ...common,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'adjacent', tensors }),
};

export const glm4: Family = {
  architectures: ['glm4'], ...common,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'adjacent', tensors: [...tensors, ...postNorms] }),
};
