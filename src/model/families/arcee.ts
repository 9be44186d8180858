/** Arcee's AFM (huggingface.co/arcee-ai): a Llama without a gate, whose nonlinearity is the square of ReLU. */
import type { Family } from '../types.ts';
import { attentionMatrices, layerOf, optional, plainFfn, preNorms, qkvBiases, rmsModel } from './parts.ts';

const tensors = [...preNorms, ...attentionMatrices, ...qkvBiases.map(optional), ...plainFfn];

export const arcee: Family = {
  architectures: ['arcee'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  layer: (said, i) => layerOf(said, i, { activation: 'relu2', rope: 'adjacent', tensors }),
};
