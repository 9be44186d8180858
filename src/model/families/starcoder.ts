/**
 * StarCoder (arXiv 2305.06161): GPT-2 with one key/value head for all. StarCoder 2 (arXiv 2402.19173): rotated halves instead of learned
 * positions, and q, k and v apart; its windows of 4,096 positions are nowhere in its files, nor in llama.cpp.
 */
import type { Family } from '../types.ts';
import { gpt2 } from './gpt2.ts';
import {
  attentionMatrices, bias, embedding, head, layerNorm, layerOf, optional, plainFfn, plainFfnBiases, qkvBiases,
} from './parts.ts';

const tensors = [
  ...layerNorm('attnNorm', 'blk.{}.attn_norm'), ...attentionMatrices, ...qkvBiases.map(optional),
  bias('o', 'blk.{}.attn_output.bias', 'hidden'), ...layerNorm('ffnNorm', 'blk.{}.ffn_norm'), ...plainFfn, ...plainFfnBiases,
];

export const starcoder: Family = { ...gpt2, architectures: ['starcoder'] };

export const starcoder2: Family = {
  architectures: ['starcoder2'],
  norm: 'layer',
  epsKey: 'attention.layer_norm_epsilon',
  model: [embedding, ...layerNorm('outNorm', 'output_norm'), head],
  layer: (said, i) => layerOf(said, i, { activation: 'gelu', rope: 'halves', tensors }),
};
