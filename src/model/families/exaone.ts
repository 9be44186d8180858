/**
 * EXAONE 3 and 3.5 (arXiv 2408.03541): a Llama with rotated halves and Llama 3's frequency factors. EXAONE 4 (arXiv 2507.11407): norms
 * behind the parts instead of before them, and of every head of q and k. Of its 64 layers the 32B turns only those with a window.
 */
import type { Family } from '../types.ts';
import { attentionMatrices, ffnMatrices, gatedTensors, headNorms, layerOf, optional, postNorms, qkvBiases, rmsModel } from './parts.ts';

const biases = qkvBiases.map(optional), tensors = [...gatedTensors, ...biases];
const behind = [...attentionMatrices, ...biases, ...headNorms, ...ffnMatrices, ...postNorms];
const common = { norm: 'rms', epsKey: 'attention.layer_norm_rms_epsilon', model: rmsModel } as const;

export const exaone: Family = {
  architectures: ['exaone'], ...common,
  layer: (said, i) => layerOf(said, i, { activation: 'silu', rope: 'halves', tensors }),
};

export const exaone4: Family = {
  architectures: ['exaone4'], ...common,
  windows: { period: 4, size: 4096, rope: 'alike' },
  layer: (said, i) => {
    const window = said.nLayers === 64 ? said.layerWindows[i]! : 0, turns = said.nLayers !== 64 || window > 0;
    const row = layerOf(said, i, { activation: 'silu', window, tensors: behind });
    return { ...row, rope: turns ? { kind: 'halves', ...said.rope } : undefined };
  },
};
