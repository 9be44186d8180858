/** What a model is in numbers and names: what its file says, and the rows that a family makes of it. */
import type { Activation, Norm, Rope } from './enums.ts';

/** Rotary position embedding as layers use it; layers that are given equal ones share a table of angles. */
export interface RopeHparams {
  readonly kind: Exclude<keyof typeof Rope, 'none'>;
  /** Rotated dimensions of a head. */
  readonly dim: number;
  readonly base: number;
  /** Positions are multiplied by this (linear scaling). */
  readonly scale: number;
  /** Cosines and sines are multiplied by this. */
  readonly magnitude: number;
  /** Each frequency is divided by its own, [dim / 2]; a tensor `rope_freqs` of the file says the same. */
  readonly factors?: readonly number[];
  /** Factors are the tensor `rope_factors_long` in a context larger than this, `rope_factors_short` in others. */
  readonly longAbove?: number;
}

/**
 * A size by name, so that a shape can be written before a model is known; of a layer where it differs. `qWidth` = heads x headDim,
 * `kvWidth` = kvHeads x headDim, `convIn` = 3 x hidden.
 */
export type SizeName =
  'hidden' | 'ffn' | 'vocab' | 'qWidth' | 'kvWidth' | 'headDim' | 'heads' | 'kvHeads' | 'context' | 'ropePairs' | 'convIn' | 'convTaps'
  | 'one' | 'experts' | 'sharedFfn';

/** One tensor that a record points at. */
export interface TensorRole {
  /** Field of the record without its suffix: `q` fills `qPtr` (and `qLayout` for a matrix). */
  readonly field: string;
  /** Fields that the same tensor fills too. */
  readonly also?: readonly string[];
  /** GGUF name; `{}` stands for the layer's number. */
  readonly name: string;
  /** `matrix`: [rows, cols] in an interleaved layout. `vector`: plain f32. */
  readonly kind: 'matrix' | 'vector';
  /** Vectors have the shape [one, cols], or are tables: of positions [context, hidden], of norms of heads [heads, headDim]. */
  readonly rows: SizeName;
  readonly cols: SizeName;
  /** Absent in some files of this family. */
  readonly optional?: true;
  /** Of a tensor with a matrix for each expert: how many. */
  readonly count?: SizeName;
  /** Of a fused tensor: the rows (for a vector: the elements) before this part, as sizes to add up. */
  readonly after?: readonly SizeName[];
}

/** Of a mixture of experts, in place of one feed-forward part for all tokens. */
export interface Experts {
  readonly count: number;
  /** Experts that each token goes to. */
  readonly used: number;
  /** Their weights add up to 1; else they are what the softmax over all gives them. */
  readonly normed: boolean;
  /** Width of one that all tokens go to beside them; 0: none. */
  readonly sharedFfn: number;
}

/** A row of the table of families. */
export interface Family {
  /** `general.architecture` values that this row serves. */
  readonly architectures: readonly string[];
  readonly norm: keyof typeof Norm;
  /** Metadata key (behind the architecture) of the norm's epsilon. */
  readonly epsKey: string;
  readonly model: readonly TensorRole[];
  /** Metadata key of the convolutions' taps, in families whose layers without key/value heads convolve. */
  readonly convKey?: string;
  /**
   * Keys with a number (or a flag, 0 or 1) that this family reads beside those of all: FileHparams.own has them. `idle`: it has the key,
   * which changes nothing. Elsewhere such a key is refused (keys.ts).
   */
  readonly keys?: Readonly<Record<string, 'needed' | 'optional' | 'idle'>>;
  /** Absent: no layer has a window. */
  readonly windows?: WindowRule;
  /** Positions that are run as the model was trained, where they are fewer than its context. */
  positions?(said: FileHparams): number;
  /** Numbers of the whole model. Absent: none of them. */
  ends?(said: FileHparams): Partial<Ends>;
  /**
   * What mixtures of this family are like; absent: it has none. `always`: it has no dense models. `normed`: weights of the chosen experts
   * add up to 1. `ownWidth`: an expert is not as wide as the `feed_forward_length`. `shared`: beside them one expert for all tokens, in
   * some files or always.
   */
  readonly mixture?: {
    readonly always?: true; readonly normed: boolean; readonly ownWidth?: true; readonly shared?: 'optional' | 'always';
  };
  /** What layer `i` is made of. */
  layer(said: FileHparams, i: number): LayerHparams;
}

/** Layers that see a window of positions. */
export interface WindowRule {
  /** Where the file gives no pattern of its own: of so many layers the last sees everything. Infinity: none does. */
  readonly period: number;
  /** The window where the file gives none. Absent: then there is no window. */
  readonly size?: number;
  /**
   * How they turn. `alike`: as the others, but for a base of their own that the file may give. `unscaled`: the same without the scaling of
   * positions. `plain`: with the base of the others and nothing else.
   */
  readonly rope: 'alike' | 'unscaled' | 'plain';
  /** Base of theirs where the file gives none. Absent: that of the others. */
  readonly ropeBase?: number;
}

/** What happens to the residual stream where it begins, and to the logits where it ends. */
export interface Ends {
  /** Factor of the embedding's rows. */
  readonly embedScale: number;
  /** Factor of logits. */
  readonly logitScale: number;
  /** Then they are bent to stay within it: cap tanh(logit / cap); 0: not at all. */
  readonly logitCap: number;
}

/** What may differ from layer to layer: a row of the family's making. */
export interface LayerHparams {
  readonly heads: number;
  readonly kvHeads: number;
  readonly ffn: number;
  readonly activation: keyof typeof Activation;
  /** Undefined: this layer does not rotate. */
  readonly rope: RopeHparams | undefined;
  /** Factor of q k. */
  readonly attnScale: number;
  /** Then scores are bent to stay within it: cap tanh(score / cap); 0: not at all. */
  readonly attnCap: number;
  /** Factor of what a part adds to the residual. */
  readonly residualScale: number;
  /** The feed-forward part reads the residual as attention reads it, not as it leaves it. */
  readonly parallel: boolean;
  /** Norms of q and k come after they are turned. */
  readonly normTurned: boolean;
  /** Positions that attention sees, its own among them; 0: all. */
  readonly window: number;
  /** Taps of the short convolution that the layer has instead of attention; absent: it attends. */
  readonly convTaps?: number;
  /** Absent: one feed-forward part. Else `ffn` is the width of an expert. */
  readonly experts?: Experts;
  readonly tensors: readonly TensorRole[];
}

/** What the file says before a family makes its rows of it; arrays have an entry for each layer. */
export interface FileHparams {
  readonly architecture: string;
  /** `general.name`, or the architecture. */
  readonly name: string;
  readonly hidden: number;
  readonly nLayers: number;
  readonly headDim: number;
  readonly vocab: number;
  /** Positions that the model was trained on. */
  readonly contextLength: number;
  readonly normEps: number;
  readonly layerHeads: readonly number[];
  readonly layerKvHeads: readonly number[];
  readonly layerFfn: readonly number[];
  /** Absent: a dense model. Else `layerFfn` are the widths of one expert. */
  readonly experts?: Experts;
  readonly rope: Omit<RopeHparams, 'kind'>;
  /** The same of layers with a window. */
  readonly windowRope: Omit<RopeHparams, 'kind'>;
  /** Positions that each layer sees, by the file and the family's period; 0: all. */
  readonly layerWindows: readonly number[];
  /** The family's own keys, by name behind the architecture; undefined where the file has none. */
  readonly own: Readonly<Record<string, number | undefined>>;
  /** Whether the file has a tensor of this name. */
  has(tensor: string): boolean;
  /** What stands for a text that is embedded, by its number in files: 0 none, 1 mean, 2 cls, 3 last; -1: the file does not say. */
  readonly pooling: number;
  /** Taps of short convolutions, 0: the family has none. */
  readonly convTaps: number;
  /** Key `hidden_act`, for ReLU-fied variants of a known family. */
  readonly activation: keyof typeof Activation | undefined;
}

/** Nothing of the file itself, which need not stay in memory as long. */
export interface Hparams extends Omit<FileHparams, 'has'>, Ends {
  /** Values from head to head in caches: `headDim` rounded up to whole tiles of attention. */
  readonly headStride: number;
  /** Of the widest layer: what buffers are made for. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly ffn: number;
  readonly layers: readonly LayerHparams[];
  /** The different ones of the layers. */
  readonly ropes: readonly RopeHparams[];
}
