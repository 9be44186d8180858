/**
 * Granite 3 (github.com/ibm-granite): a Llama with four numbers of its own. Embeddings and what parts add to the residual are multiplied,
 * logits divided, and q k has a factor instead of 1 / sqrt(headDim). `rope.scaling.finetuned` false: nothing turns.
 * With experts it is `granitemoe`, some with one beside them that all tokens go to.
 */
import type { Family } from '../types.ts';
import { gatedTensors, layerOf, llamaBiases, rmsModel } from './parts.ts';

export const granite: Family = {
  architectures: ['granite', 'granitemoe'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  keys: {
    'logit_scale': 'needed', 'residual_scale': 'optional', 'embedding_scale': 'optional', 'attention.scale': 'optional',
    'rope.scaling.finetuned': 'optional',
  },
  mixture: { normed: true, shared: 'optional' },
  ends: ({ own }) => ({ embedScale: own['embedding_scale'] || 1, logitScale: 1 / own['logit_scale']! }),
  layer: (said, i) => {
    const { 'residual_scale': residual, 'attention.scale': scale, 'rope.scaling.finetuned': turns } = said.own;
    return layerOf(said, i, {
      activation: 'silu', ...(turns === 0 ? {} : { rope: 'adjacent' }), tensors: [...gatedTensors, ...llamaBiases],
      residualScale: residual || 1, ...(scale ? { attnScale: scale } : {}),
    });
  },
};
