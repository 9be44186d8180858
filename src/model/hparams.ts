/** The numbers that define a model, read from GGUF metadata and checked before anything is planned with them. */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import { getString } from '../format/gguf/metadata.ts';
import { Activation } from './enums.ts';
import type { Family, TensorRole } from './family.ts';
import { familyOf } from './family.ts';
import { Keys, bad } from './keys.ts';
import { checkKind } from './kind.ts';
import type { RopeHparams } from './rope.ts';
import { readRope, sameRope } from './rope.ts';

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
  readonly rope: Omit<RopeHparams, 'kind'>;
  /** Of the layers that have a window; 0: none has. */
  readonly window: number;
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

/** Upper bounds, each far above what exists, so that no product of them overflows and no hostile file plans petabytes. */
const limits = { hidden: 65_536, ffn: 262_144, nLayers: 1_024, heads: 1_024, headDim: 512, vocab: 2_097_152, contextLength: 16_777_216 } as const;

/** Of headDim: attention walks values in tiles of 16 (assembly/kernels/attention/kv.ts). */
const headDimMultiple = 16;

function activationOf(keys: Keys): keyof typeof Activation | undefined {
  const name = keys.string('hidden_act', '');
  if (name === '') return undefined;
  return Object.hasOwn(Activation, name) ? (name as keyof typeof Activation) : bad(keys.name('hidden_act'), name, Object.keys(Activation).join(', '));
}

/** Positions that layers with a window see. Whether there are such layers is the family's to say. */
function windowOf(keys: Keys): number {
  const window = keys.number('attention.sliding_window');
  return Number.isInteger(window) && window >= 0 ? window : bad(keys.name('attention.sliding_window'), window, 'a number of positions, or 0 for none');
}

/** A window that the family looks through nowhere would be everything that was asked of it. */
function refuseWindow(keys: Keys, { window, contextLength, layers }: Hparams): void {
  if (window === 0 || window >= contextLength || layers.some((layer) => layer.window > 0)) return;
  const expected = `0 or at least the context length, ${contextLength}`, remedy = 'Attention through a window is not run for this family; use another model.';
  bad(keys.name('attention.sliding_window'), window, expected, remedy);
}

/** @throws ModelError `E_KIND`, `E_FAMILY`, `E_HPARAM`, `E_TENSOR_MISSING`; FormatError `E_GGUF_KEY`. */
export function readHparams(file: GgufFile): { family: Family; hparams: Hparams } {
  const { metadata } = file;
  checkKind(file);
  const architecture = getString(metadata, 'general.architecture'), family = familyOf(architecture), keys = new Keys(metadata, architecture);

  const hidden = keys.count('embedding_length', limits.hidden), nLayers = keys.count('block_count', limits.nLayers);
  const layerHeads = keys.counts('attention.head_count', nLayers, limits.heads);
  const layerKvHeads = keys.counts('attention.head_count_kv', nLayers, limits.heads, layerHeads);
  layerHeads.forEach((heads, i) => {
    if (heads % layerKvHeads[i]! !== 0) bad(keys.name('attention.head_count_kv'), layerKvHeads[i], `a divisor of head_count ${heads}`);
  });
  const headDim = keys.count('attention.key_length', limits.headDim, hidden / layerHeads[0]!);
  if (headDim % headDimMultiple !== 0) bad(keys.name('attention.key_length'), headDim, `a multiple of ${headDimMultiple}`);
  const valueDim = keys.count('attention.value_length', limits.headDim, headDim);
  if (valueDim !== headDim) bad(keys.name('attention.value_length'), valueDim, `the key length ${headDim}`);
  const embedding = file.tensors.get('token_embd.weight');
  if (!embedding) {
    throw new ModelError('E_TENSOR_MISSING', {
      subject: 'token_embd.weight', found: 'nothing', expected: 'the embedding [vocab, hidden]',
      remedy: 'The file is incomplete (one part of a split model?); pass the whole model.',
    });
  }
  const vocab = embedding.dims[1] ?? 1;
  if (vocab > limits.vocab) bad('token_embd.weight', vocab, `at most ${limits.vocab} tokens`);
  const contextLength = keys.count('context_length', limits.contextLength);
  const said: FileHparams = {
    architecture, name: getString(metadata, 'general.name', architecture), hidden, nLayers, headDim, vocab, contextLength, layerHeads, layerKvHeads,
    layerFfn: keys.counts('feed_forward_length', nLayers, limits.ffn),
    normEps: keys.positive(family.epsKey),
    rope: readRope(keys, headDim, contextLength), window: windowOf(keys),
    activation: activationOf(keys),
    attnScale: keys.positive('attention.scale', 1 / Math.sqrt(headDim)),
  };
  keys.refuseRest();
  if (said.rope.factors && file.tensors.has('rope_freqs.weight')) bad(keys.name('rope.scaling.type'), 'yarn beside a tensor rope_freqs.weight', 'one of them');
  const hparams = withLayers(said, family);
  refuseWindow(keys, hparams);
  return { family, hparams };
}

function withLayers(said: FileHparams, family: Family): Hparams {
  const layers = Array.from({ length: said.nLayers }, (_, i) => family.layer(said, i)), ropes: RopeHparams[] = [];
  for (const { rope } of layers) if (rope && !ropes.some((other) => sameRope(rope, other))) ropes.push(rope);
  const widest = (of: (layer: LayerHparams) => number): number => layers.reduce((max, layer) => Math.max(max, of(layer)), 0);
  return { ...said, layers, ropes, heads: widest(({ heads }) => heads), kvHeads: widest(({ kvHeads }) => kvHeads), ffn: widest(({ ffn }) => ffn) };
}

/** Which of `hparams.ropes` a layer turns by, or -1. */
export const ropeIndex = ({ ropes }: Hparams, { rope }: LayerHparams): number => ropes.findIndex((other) => rope !== undefined && sameRope(rope, other));

/** Dimensions of all tables of angles together. */
export const ropeDims = ({ ropes }: Hparams): number => ropes.reduce((sum, { dim }) => sum + dim, 0);

/** Key/value heads of all layers together, or of those before layer `i`. */
export const allKvHeads = ({ layers }: Hparams, i = layers.length): number => layers.slice(0, i).reduce((sum, { kvHeads }) => sum + kvHeads, 0);

/** Whether feed-forward parts have a gate. */
export const isGated = ({ layers }: Hparams): boolean => layers.some(({ tensors }) => tensors.some(({ field }) => field === 'gate'));
