/** Rows that families share. */
import type { Activation } from '../enums.ts';
import type { SizeName, TensorRole } from '../types.ts';
import type { FileHparams, LayerHparams } from '../types.ts';
import type { RopeHparams } from '../rope.ts';

/** Layer `i` with the sizes that the file gives it. `rope`: how the file's rotation pairs dimensions; absent: the layer does not rotate. */
export function layerOf(
  said: FileHparams, i: number,
  { activation, rope, tensors }: { activation: keyof typeof Activation; rope?: RopeHparams['kind']; tensors: readonly TensorRole[] },
): LayerHparams {
  return {
    heads: said.layerHeads[i]!, kvHeads: said.layerKvHeads[i]!, ffn: said.layerFfn[i]!, activation: said.activation ?? activation,
    rope: rope && { kind: rope, ...said.rope }, attnScale: said.attnScale, window: said.layerWindows[i]!, tensors,
    ...(said.experts ? { experts: said.experts } : {}),
  };
}

export const matrix = (field: string, name: string, rows: SizeName, cols: SizeName): TensorRole =>
  ({ field, name, kind: 'matrix', rows, cols });
export const vector = (field: string, name: string, cols: SizeName): TensorRole => ({ field, name, kind: 'vector', rows: 'one', cols });
export const bias = (of: string, name: string, cols: SizeName): TensorRole => vector(`${of}Bias`, name, cols);
export const optional = (role: TensorRole): TensorRole => ({ ...role, optional: true });

export const embedding = matrix('embed', 'token_embd.weight', 'vocab', 'hidden');
/** Absent where the embedding is the head ("tied"). */
export const head = optional(matrix('head', 'output.weight', 'vocab', 'hidden'));

export const rmsModel: readonly TensorRole[] = [
  embedding,
  vector('outNorm', 'output_norm.weight', 'hidden'),
  head,
  optional(vector('ropeFactors', 'rope_freqs.weight', 'ropePairs')),
];

export const attentionMatrices: readonly TensorRole[] = [
  matrix('q', 'blk.{}.attn_q.weight', 'qWidth', 'hidden'),
  matrix('k', 'blk.{}.attn_k.weight', 'kvWidth', 'hidden'),
  matrix('v', 'blk.{}.attn_v.weight', 'kvWidth', 'hidden'),
  matrix('o', 'blk.{}.attn_output.weight', 'hidden', 'qWidth'),
];

export const ffnMatrices: readonly TensorRole[] = [
  matrix('gate', 'blk.{}.ffn_gate.weight', 'ffn', 'hidden'),
  matrix('up', 'blk.{}.ffn_up.weight', 'ffn', 'hidden'),
  matrix('down', 'blk.{}.ffn_down.weight', 'hidden', 'ffn'),
];

/** Of q and k as whole rows, or of every head. */
export const rowNorms = [vector('qNorm', 'blk.{}.attn_q_norm.weight', 'qWidth'), vector('kNorm', 'blk.{}.attn_k_norm.weight', 'kvWidth')];
export const headNorms = [
  vector('qNorm', 'blk.{}.attn_q_norm.weight', 'headDim'), vector('kNorm', 'blk.{}.attn_k_norm.weight', 'headDim'),
];

export const preNorms = [vector('attnNorm', 'blk.{}.attn_norm.weight', 'hidden'), vector('ffnNorm', 'blk.{}.ffn_norm.weight', 'hidden')];
export const postNorms = [
  vector('attnPostNorm', 'blk.{}.post_attention_norm.weight', 'hidden'),
  vector('ffnPostNorm', 'blk.{}.post_ffw_norm.weight', 'hidden'),
];

export const gatedTensors: readonly TensorRole[] = [...preNorms, ...attentionMatrices, ...ffnMatrices];

export const qkvBiases: readonly TensorRole[] = [
  bias('q', 'blk.{}.attn_q.bias', 'qWidth'),
  bias('k', 'blk.{}.attn_k.bias', 'kvWidth'),
  bias('v', 'blk.{}.attn_v.bias', 'kvWidth'),
];
