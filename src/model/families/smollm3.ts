/** SmolLM 3 (arXiv 2501.18795 for the missing positions): a Llama that does not turn the queries and keys of every fourth layer. */
import type { Family } from '../types.ts';
import { gatedTensors, layerOf, rmsModel } from './parts.ts';

export const smollm3: Family = {
  architectures: ['smollm3'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', ...(i % 4 === 3 ? {} : { rope: 'adjacent' }), tensors: gatedTensors }),
};
