/**
 * GPT-NeoX, Pythia and Dolly (arXiv 2204.06745): both parts side by side with a LayerNorm each, where the file says so, a part of every
 * head turned, biases everywhere. GELU in its tanh form, as llama.cpp has it; Pythia was trained with the exact one.
 */
import { bad } from '../keys.ts';
import type { Family } from '../types.ts';
import { attentionMatrices, bias, embedding, layerNorm, layerOf, ownHead, plainFfn, plainFfnBiases, qkvBiases } from './parts.ts';

const tensors = [
  ...layerNorm('attnNorm', 'blk.{}.attn_norm'), ...attentionMatrices, ...qkvBiases, bias('o', 'blk.{}.attn_output.bias', 'hidden'),
  ...layerNorm('ffnNorm', 'blk.{}.ffn_norm'), ...plainFfn, ...plainFfnBiases,
];

const key = 'use_parallel_residual';

export const gptneox: Family = {
  architectures: ['gptneox'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [embedding, ...layerNorm('outNorm', 'output_norm'), ownHead],
  keys: { [key]: 'optional' },
  layer: (said, i) => {
    const { [key]: parallel } = said.own;
    if (parallel === undefined) bad(`${said.architecture}.${key}`, 'nothing', 'true or false: whether both parts read the same residual');
    return layerOf(said, i, { activation: 'gelu', rope: 'halves', parallel: parallel === 1, tensors });
  },
};
