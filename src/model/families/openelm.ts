/** OpenELM (arXiv 2404.14619): heads and widths that grow from layer to layer, every head of q and k normed, the embedding as head. */
import type { Family } from '../types.ts';
import { embedding, gatedTensors, headNorms, layerOf, vector } from './parts.ts';

const tensors = [...gatedTensors, ...headNorms];

export const openelm: Family = {
  architectures: ['openelm'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden')],
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors }),
};
