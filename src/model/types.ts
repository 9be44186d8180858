/** What a model is in numbers and names: what its file says, and the rows that a family makes of it. */
import type { Activation, Norm } from './enums.ts';
import type { RopeHparams } from './rope.ts';

/**
 * A size by name, so that a shape can be written before a model is known; of a layer where it differs. `qWidth` = heads x headDim,
 * `kvWidth` = kvHeads x headDim.
 */
export type SizeName =
  | 'hidden' | 'ffn' | 'vocab' | 'qWidth' | 'kvWidth' | 'headDim' | 'context' | 'ropePairs' | 'one' | 'experts' | 'sharedFfn';

/** One tensor that a record points at. */
export interface TensorRole {
  /** Field of the record without its suffix: `q` fills `qPtr` (and `qLayout` for a matrix). */
  readonly field: string;
  /** GGUF name; `{}` stands for the layer's number. */
  readonly name: string;
  /** `matrix`: [rows, cols] in an interleaved layout. `vector`: plain f32. */
  readonly kind: 'matrix' | 'vector';
  /** Vectors have the shape [one, cols], the position table [context, hidden]. */
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
  /** Where the file has a window and no number of its own: of so many layers the last sees everything. Absent: no layer has a window. */
  readonly windowPeriod?: number;
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
  /** Positions that attention sees, its own among them; 0: all. */
  readonly window: number;
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
  /** Positions that each layer sees, by the file and the family's period; 0: all. */
  readonly layerWindows: readonly number[];
  readonly attnScale: number;
  /** Key `hidden_act`, for ReLU-fied variants of a known family. */
  readonly activation: keyof typeof Activation | undefined;
}

export interface Hparams extends FileHparams {
  /** Of the widest layer: what buffers are made for. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly ffn: number;
  readonly layers: readonly LayerHparams[];
  /** The different ones of the layers. */
  readonly ropes: readonly RopeHparams[];
}
