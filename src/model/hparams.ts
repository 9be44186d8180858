/** The numbers that define a model, read from GGUF metadata and checked before anything is planned with them. */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import { getString } from '../format/gguf/metadata.ts';
import { Activation } from './enums.ts';
import { readTaps } from './convolution.ts';
import { readExperts } from './experts.ts';
import { familyOf } from './family.ts';
import { Keys, bad } from './keys.ts';
import { checkKind } from './kind.ts';
import { readRope, sameRope } from './rope.ts';
import type { Family, FileHparams, Hparams, LayerHparams, RopeHparams } from './types.ts';
import { readWindows } from './windows.ts';

/** Upper bounds, each far above what exists, so that no product of them overflows and no hostile file plans petabytes. */
const limits = {
  hidden: 65_536, ffn: 262_144, nLayers: 1_024, heads: 1_024, headDim: 512, vocab: 327_680, contextLength: 16_777_216,
} as const;

/** Attention walks values in tiles of so many (assembly/kernels/attention/kv.ts). */
const headTile = 16;

function activationOf(keys: Keys): keyof typeof Activation | undefined {
  const name = keys.string('hidden_act', '');
  if (name === '') return undefined;
  if (Object.hasOwn(Activation, name)) return name as keyof typeof Activation;
  return bad(keys.name('hidden_act'), name, Object.keys(Activation).join(', '));
}

function poolingOf(keys: Keys): number {
  const value = keys.has('pooling_type') ? keys.number('pooling_type') : -1;
  return [-1, 0, 1, 2, 3].includes(value) ? value : bad(keys.name('pooling_type'), value, '0 none, 1 mean, 2 cls or 3 last');
}

/** @throws ModelError `E_KIND`, `E_FAMILY`, `E_HPARAM`, `E_TENSOR_MISSING`; FormatError `E_GGUF_KEY`. */
export function readHparams(file: GgufFile): { family: Family; hparams: Hparams } {
  const { metadata } = file;
  checkKind(file);
  const architecture = getString(metadata, 'general.architecture');
  const family = familyOf(architecture), keys = new Keys(metadata, architecture);

  const hidden = keys.count('embedding_length', limits.hidden), nLayers = keys.count('block_count', limits.nLayers);
  const layerHeads = keys.counts('attention.head_count', nLayers, limits.heads);
  const layerKvHeads = keys.counts('attention.head_count_kv', nLayers, limits.heads, layerHeads, family.convKey === undefined ? 1 : 0);
  layerHeads.forEach((heads, i) => {
    const kvHeads = layerKvHeads[i]!, divides = kvHeads === 0 || heads % kvHeads === 0;
    if (!divides) bad(keys.name('attention.head_count_kv'), kvHeads, `a divisor of head_count ${heads}`);
  });
  const headDim = keys.count('attention.key_length', limits.headDim, hidden / layerHeads[0]!);
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
  if (vocab > limits.vocab) {
    const expected = `at most ${limits.vocab} tokens: the largest vocabulary known, Gemma's, has 262,208`;
    bad('vocab_size (a dimension of token_embd.weight)', vocab, expected);
  }
  const contextLength = keys.count('context_length', limits.contextLength);
  const mixture = readExperts(keys, family, file.tensors, nLayers, limits.ffn);
  const layerWindows = readWindows(keys, family.windows, nLayers, contextLength);
  const { rope, windowRope } = readRope(keys, headDim, contextLength, family.windows, layerWindows.some((window) => window > 0));
  const said: FileHparams = {
    architecture, name: getString(metadata, 'general.name', architecture),
    hidden, nLayers, headDim, vocab, contextLength, layerHeads, layerKvHeads,
    ...(mixture ?? { layerFfn: keys.counts('feed_forward_length', nLayers, limits.ffn) }),
    normEps: keys.positive(family.epsKey),
    rope, windowRope, layerWindows, activation: activationOf(keys), own: keys.own(family.keys ?? {}),
    has: (tensor) => file.tensors.has(tensor),
    pooling: poolingOf(keys),
    convTaps: readTaps(keys, family, hidden, layerKvHeads),
  };
  if (family.keys?.['rope.dimension_sections'] && (keys.list('rope.dimension_sections')?.[3] ?? 0) !== 0) {
    bad(keys.name('rope.dimension_sections'), 'a fourth section', '0 for it: text has no position there');
  }
  keys.refuseRest();
  if (rope.factors && file.tensors.has('rope_freqs.weight')) {
    bad(keys.name('rope.scaling.type'), 'yarn beside a tensor rope_freqs.weight', 'one of them');
  }
  if (rope.longAbove !== undefined && !family.model.some(({ field }) => field === 'ropeLong')) {
    bad(keys.name('rope.scaling.type'), '"longrope"', 'another type: this family has no such factors');
  }
  const hparams = withLayers(said, family);
  refuseIdleFactors(file, hparams);
  return { family, hparams };
}

/** Factors that no rotation of the model would use. */
function refuseIdleFactors(file: GgufFile, { architecture, ropes }: Hparams): void {
  const isLong = ropes.some(({ longAbove }) => longAbove !== undefined);
  for (const name of isLong ? ['rope_freqs.weight'] : ['rope_factors_long.weight', 'rope_factors_short.weight']) {
    if (!file.tensors.has(name)) continue;
    throw new ModelError('E_TENSOR_UNKNOWN', {
      subject: `tensor ${name}`, found: isLong ? 'factors for all contexts beside LongRoPE' : 'factors of LongRoPE without it',
      expected: `no such tensor, or another ${architecture}.rope.scaling.type`,
      remedy: 'Without it this engine would compute something else than the model means; convert the model again.',
    });
  }
}

function withLayers(said: FileHparams, family: Family): Hparams {
  const layers = Array.from({ length: said.nLayers }, (_, i) => family.layer(said, i)), ropes: RopeHparams[] = [];
  for (const { rope } of layers) if (rope && !ropes.some((other) => sameRope(rope, other))) ropes.push(rope);
  const widest = (of: (layer: LayerHparams) => number): number => layers.reduce((max, layer) => Math.max(max, of(layer)), 0);
  const { has: _, ...kept } = said;
  return {
    ...kept, layers, ropes, headStride: headTile * Math.ceil(said.headDim / headTile),
    contextLength: family.positions?.(said) ?? said.contextLength, embedScale: 1, logitScale: 1, logitCap: 0, ...family.ends?.(said),
    heads: widest(({ heads }) => heads), kvHeads: widest(({ kvHeads }) => kvHeads),
    ffn: widest(({ ffn, experts }) => Math.max(ffn, experts?.sharedFfn ?? 0)),
  };
}

/** Which of `hparams.ropes` a layer turns by, or -1. */
export const ropeIndex = ({ ropes }: Hparams, { rope }: LayerHparams): number =>
  ropes.findIndex((other) => rope !== undefined && sameRope(rope, other));

/** Dimensions of all tables of angles together. */
export const ropeDims = ({ ropes }: Hparams): number => ropes.reduce((sum, { dim }) => sum + dim, 0);

/** Key/value heads of all layers together, or of those before layer `i`. */
export const allKvHeads = ({ layers }: Hparams, i = layers.length): number =>
  layers.slice(0, i).reduce((sum, { kvHeads }) => sum + kvHeads, 0);

/** Whether feed-forward parts have a gate. */
export const isGated = ({ layers }: Hparams): boolean => layers.some(({ tensors }) => tensors.some(({ field }) => field === 'gate'));
