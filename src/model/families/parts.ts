/** Rows that families share. */
import type { Activation } from '../enums.ts';
import type { SizeName, TensorRole } from '../types.ts';
import type { Experts, FileHparams, LayerHparams, RopeHparams } from '../types.ts';

/** What a family says of its layers; the rest is as the file has it, or as most have it. */
export interface LayerRule extends Partial<Omit<LayerHparams, 'activation' | 'rope' | 'tensors'>> {
  readonly activation: keyof typeof Activation;
  /** How the file's rotation pairs dimensions. Absent: the layer does not rotate. */
  readonly rope?: RopeHparams['kind'];
  readonly tensors: readonly TensorRole[];
}

/** Layer `i` with the sizes that the file gives it, and with experts in place of its feed-forward matrices where the file has them. */
export function layerOf(said: FileHparams, i: number, { activation, rope, ...rule }: LayerRule): LayerHparams {
  const window = said.layerWindows[i]!, { experts } = said;
  return {
    heads: said.layerHeads[i]!, kvHeads: said.layerKvHeads[i]!, ffn: said.layerFfn[i]!, activation: said.activation ?? activation,
    rope: rope && { kind: rope, ...(window > 0 ? said.windowRope : said.rope) }, window,
    attnScale: 1 / Math.sqrt(said.headDim), attnCap: 0, residualScale: 1, parallel: false, normTurned: false, ...rule,
    ...(experts ? { experts, tensors: [...rule.tensors.filter(({ field }) => !ffnFields.test(field)), ...expertTensors(experts)] } : {}),
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

/** Of families whose files always have one. */
export const ownHead = matrix('head', 'output.weight', 'vocab', 'hidden');

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

/** Gate and up as one matrix, in this order. */
export const fusedFfn: readonly TensorRole[] = [
  { ...matrix('gate', 'blk.{}.ffn_up.weight', 'ffn', 'hidden'), after: [] },
  { ...matrix('up', 'blk.{}.ffn_up.weight', 'ffn', 'hidden'), after: ['ffn'] },
  matrix('down', 'blk.{}.ffn_down.weight', 'hidden', 'ffn'),
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

/** q and k normed as whole rows. */
export const rowNorms: readonly TensorRole[] = [
  vector('qNorm', 'blk.{}.attn_q_norm.weight', 'qWidth'), vector('kNorm', 'blk.{}.attn_k_norm.weight', 'kvWidth'),
];

/** Every head of q and k normed, with one weight for all. */
export const headNorms: readonly TensorRole[] = [
  vector('qNorm', 'blk.{}.attn_q_norm.weight', 'headDim'), vector('kNorm', 'blk.{}.attn_k_norm.weight', 'headDim'),
];

/** A LayerNorm: weight and bias. */
export const layerNorm = (field: string, name: string): TensorRole[] =>
  [vector(field, `${name}.weight`, 'hidden'), vector(`${field}Bias`, `${name}.bias`, 'hidden')];

/** A feed-forward part without a gate. */
export const plainFfn: readonly TensorRole[] = [
  matrix('up', 'blk.{}.ffn_up.weight', 'ffn', 'hidden'), matrix('down', 'blk.{}.ffn_down.weight', 'hidden', 'ffn'),
];

/** What `attention_bias` and `mlp_bias` of a Llama add, in files that have it. */
export const llamaBiases: readonly TensorRole[] = [
  ...qkvBiases, bias('o', 'blk.{}.attn_output.bias', 'hidden'),
  bias('gate', 'blk.{}.ffn_gate.bias', 'ffn'), bias('up', 'blk.{}.ffn_up.bias', 'ffn'), bias('down', 'blk.{}.ffn_down.bias', 'hidden'),
].map(optional);

/** Its biases. */
export const plainFfnBiases: readonly TensorRole[] = [
  bias('up', 'blk.{}.ffn_up.bias', 'ffn'), bias('down', 'blk.{}.ffn_down.bias', 'hidden'),
];

/** Frequency factors for contexts up to the original length, and for longer ones. */
export const longFactors: readonly TensorRole[] = [
  vector('ropeShort', 'rope_factors_short.weight', 'ropePairs'), vector('ropeLong', 'rope_factors_long.weight', 'ropePairs'),
].map(optional);

const ffnFields = /^(?:gate|up|down)(?:Bias)?$/;
const ofEach = (role: TensorRole): TensorRole => ({ ...role, count: 'experts' });

const chosenExperts: readonly TensorRole[] = [
  matrix('router', 'blk.{}.ffn_gate_inp.weight', 'experts', 'hidden'),
  ofEach(matrix('expertGate', 'blk.{}.ffn_gate_exps.weight', 'ffn', 'hidden')),
  ofEach(matrix('expertUp', 'blk.{}.ffn_up_exps.weight', 'ffn', 'hidden')),
  ofEach(matrix('expertDown', 'blk.{}.ffn_down_exps.weight', 'hidden', 'ffn')),
];
const sharedExpert: readonly TensorRole[] = [
  matrix('sharedGate', 'blk.{}.ffn_gate_shexp.weight', 'sharedFfn', 'hidden'),
  matrix('sharedUp', 'blk.{}.ffn_up_shexp.weight', 'sharedFfn', 'hidden'),
  matrix('sharedDown', 'blk.{}.ffn_down_shexp.weight', 'hidden', 'sharedFfn'),
];
/** What a sigmoid makes the weight of the shared expert. */
export const sharedRouter = matrix('sharedRouter', 'blk.{}.ffn_gate_inp_shexp.weight', 'one', 'hidden');

const expertTensors = ({ sharedFfn }: Experts): readonly TensorRole[] =>
  (sharedFfn > 0 ? [...chosenExperts, ...sharedExpert] : chosenExperts);
