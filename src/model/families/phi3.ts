/**
 * Phi 3, 3.5, 4 and 4 mini (arXiv 2404.14219, 2412.08905): q, k and v in one matrix, gate and up in another. Long ones bring two sets of
 * frequency factors, one for contexts up to the original length, one for longer ones (LongRoPE, arXiv 2402.13753), without a key that
 * says so. Every layer sees the window that the file names, as the models were trained: llama.cpp looks through none since May 2025, which
 * before was found to break what Phi 3 mini 4k says behind 2,048 tokens (its pull requests 8627, 13676).
 */
import type { Family, FileHparams } from '../types.ts';
import { attentionMatrices, embedding, fusedFfn, head, layerOf, longFactors, optional, preNorms, qkvBiases, vector } from './parts.ts';

const tensors = [...preNorms, ...attentionMatrices, ...qkvBiases.map(optional), ...fusedFfn];
const windowKey = 'attention.sliding_window', originalKey = 'rope.scaling.original_context_length';

/** Files from before there was a key: those with a context of 4,096 see 2,047 positions (llama.cpp's pull request 8931). */
function windowOf({ own, nLayers, contextLength, layerWindows }: FileHparams, i: number): number {
  if (own[windowKey] !== undefined) return layerWindows[i]!;
  return contextLength === 4096 && (nLayers === 32 || nLayers === 40) ? 2047 : 0;
}

export const phi3: Family = {
  architectures: ['phi3'],
  norm: 'rms',
  epsKey: 'attention.layer_norm_rms_epsilon',
  model: [embedding, vector('outNorm', 'output_norm.weight', 'hidden'), head, ...longFactors],
  keys: { [windowKey]: 'optional', [originalKey]: 'optional' },
  windows: { period: Infinity, rope: 'alike' },
  layer: (said, i) => {
    const row = layerOf(said, i, { activation: 'silu', rope: 'halves', tensors, window: windowOf(said, i) });
    return { ...row, rope: { kind: 'halves', ...said.rope, longAbove: said.own[originalKey] ?? said.contextLength } };
  },
};
