/**
 * Gemma (arXiv 2403.08295): embeddings scaled by sqrt(hidden), GELU behind the gate, the head is the embedding. Norms' weights have the 1
 * of Google's formula in them. Gemma 2 (2408.00118): norms behind the parts too, every second layer sees a window, scores and logits are
 * capped. Gemma 3 (2503.19786): no cap of scores, heads of q and k normed instead, five layers of six see a window and turn by a base of
 * their own, whatever stretches the others. All as llama.cpp has it, in f32: transformers rounds the factor of the embedding to the type of
 * the weights.
 */
import type { Family, FileHparams, LayerHparams } from '../types.ts';
import { embedding, gatedTensors, head, headNorms, layerOf, postNorms, vector } from './parts.ts';

const model = [embedding, vector('outNorm', 'output_norm.weight', 'hidden')];
const base = { norm: 'rms', epsKey: 'attention.layer_norm_rms_epsilon' } as const;
const embedScale = ({ hidden }: FileHparams): number => Math.sqrt(hidden);
const tensors2 = [...gatedTensors, ...postNorms];

/** The largest models take the width of a head from the residual's. */
const attnScale = ({ hidden, headDim, layerHeads, nLayers }: FileHparams, layersOf27B: number): number =>
  1 / Math.sqrt(nLayers === layersOf27B ? Math.trunc(hidden / layerHeads[0]!) : headDim);

export const gemma: Family = {
  ...base,
  architectures: ['gemma'],
  model,
  ends: (said) => ({ embedScale: embedScale(said) }),
  layer: (said, i) => layerOf(said, i, { activation: 'gelu', rope: 'halves', tensors: gatedTensors }),
};

export const gemma2: Family = {
  ...base,
  architectures: ['gemma2'],
  model,
  keys: { attn_logit_softcapping: 'optional', final_logit_softcapping: 'optional' },
  windows: { period: 2, size: 4096, rope: 'alike' },
  ends: (said) => ({ embedScale: embedScale(said), logitCap: said.own['final_logit_softcapping'] ?? 30 }),
  layer: (said, i) => layerOf(said, i, {
    activation: 'gelu', rope: 'halves', tensors: tensors2, attnScale: attnScale(said, 46),
    attnCap: said.own['attn_logit_softcapping'] ?? 50,
  }),
};

export const gemma3: Family = {
  ...base,
  architectures: ['gemma3'],
  model: [...model, head],
  keys: { final_logit_softcapping: 'optional' },
  windows: { period: 6, rope: 'unscaled', ropeBase: 10_000 },
  ends: (said) => ({ embedScale: embedScale(said), logitCap: said.own['final_logit_softcapping'] ?? 0 }),
  layer: (said, i): LayerHparams => layerOf(said, i, {
    activation: 'gelu', rope: 'halves', tensors: [...tensors2, ...headNorms], attnScale: attnScale(said, 62),
  }),
};
