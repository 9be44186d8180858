/**
 * Ministral 3 (mistral.ai/news/mistral-3): a Llama stretched by YaRN, whose second magnitude cancels the first. Behind the original context
 * queries grow with the logarithm of their position, which is not run: contexts end there.
 */
import { bad } from '../keys.ts';
import type { Family, FileHparams } from '../types.ts';
import { gatedTensors, layerOf, llamaBiases, rmsModel } from './parts.ts';

const tensors = [...gatedTensors, ...llamaBiases];
const temperature = 'attention.temperature_scale', original = 'rope.scaling.original_context_length';
const logMultiplier = 'rope.scaling.yarn_log_multiplier';

function positions({ own, contextLength, architecture }: FileHparams): number {
  const scale = own[temperature] ?? 0, first = own[original] ?? contextLength;
  if (scale > 0 && first < 1) bad(`${architecture}.${original}`, first, `a number of positions beside ${temperature}`);
  return scale > 0 ? Math.min(contextLength, first) : contextLength;
}

export const mistral3: Family = {
  architectures: ['mistral3'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: rmsModel,
  keys: { [temperature]: 'optional', [original]: 'optional', [logMultiplier]: 'optional' },
  positions,
  layer: (said, i) => {
    const { scale, magnitude, factors } = said.rope, own = said.own[logMultiplier] ?? 0;
    const lessened = factors && scale < 1 ? magnitude / (1 - 0.1 * own * Math.log(scale)) : magnitude;
    return { ...layerOf(said, i, { activation: 'silu', tensors }), rope: { kind: 'adjacent', ...said.rope, magnitude: lessened } };
  },
};
