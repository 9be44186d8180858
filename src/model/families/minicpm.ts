/**
 * MiniCPM 1, 2 and 4 (arXiv 2404.06395): a Llama whose embeddings and parts are multiplied, and whose logits are divided. Files from before
 * there were keys for that are of models with 12, 1.4 / sqrt(layers) and hidden / 256; for the last llama.cpp of 2026 takes the inverse,
 * where its own older versions and the models' code agree with what is here.
 */
import type { Family } from '../types.ts';
import { gatedTensors, layerOf, llamaBiases, longFactors, rmsModel } from './parts.ts';

const tensors = [...gatedTensors, ...llamaBiases];

export const minicpm: Family = {
  architectures: ['minicpm'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [...rmsModel, ...longFactors],
  keys: { 'embedding_scale': 'optional', 'residual_scale': 'optional', 'logit_scale': 'optional' },
  ends: ({ own, hidden }) => ({ embedScale: (own['embedding_scale'] ?? 12) || 1, logitScale: 1 / (own['logit_scale'] || hidden / 256) }),
  layer: (said, i) => layerOf(said, i, {
    activation: 'silu', rope: 'adjacent', tensors, residualScale: (said.own['residual_scale'] ?? 1.4 / Math.sqrt(said.nLayers)) || 1,
  }),
};
