/**
 * The offline statistics of a model: means over the tokens of its documents, for every neuron of every layer. h = g u with g = act(gate), u
 * = up (without a gate: g = h, u = 1). Fisher information: E (dL/dh)^2 with L the summed -log p of labels that are drawn from the model's
 * own distributions, so no corpus and no ground truth are needed. The first 4 positions of a document are not counted.
 */
import type { Tier } from '../engine/binaries.ts';
import { InputError, throwIfAborted } from '../errors.ts';
import { checkNames, checkNumber } from '../options.ts';
import { seedRange } from '../sampler/options.ts';
import { Random } from '../sampler/random.ts';
import type { ModelSource } from '../format/gguf/parts.ts';
import { Calibrator, SKIPPED, inputSumNames, neuronSums } from './calibrator.ts';
import { MAX_DOCUMENT } from './record.ts';

/** Sums so far: plain numbers and typed arrays, safe to store (`structuredClone`) and to go on from. */
export interface StatisticsState {
  /** Layers. */
  readonly nLayers: number;
  /** Feed-forward neurons of a layer. */
  readonly ffn: number;
  /** Width of the residual stream. */
  readonly hidden: number;
  /** Width of the joined heads, of the layer that has most. */
  readonly headWidth: number;
  /** Seed of the drawn labels. */
  readonly seed: number;
  /** Gradients are summed too. */
  readonly gradients: boolean;
  /** Labels drawn for each position. */
  readonly draws: number;
  /** Pieces of documents done; the next to do has this index. */
  nDocuments: number;
  /** Tokens counted. */
  nTokens: number;
  /** Sum of -log p over the drawn labels of counted positions: nTokens times the mean entropy, in expectation. */
  nll: number;
  /** [nLayers, ffn] each. */
  readonly hSum: Float64Array;
  /** [nLayers, ffn]: sum of h^2. */
  readonly hSq: Float64Array;
  /** [nLayers, ffn]: sum of (h / norm of h over the layer)^2. */
  readonly hNormedSq: Float64Array;
  /** [nLayers, ffn]: sum of u^2. */
  readonly upSq: Float64Array;
  /** [nLayers, ffn]: sum of g^2. */
  readonly gateSq: Float64Array;
  /** [nLayers, ffn]: sum of (dL/dh)^2. */
  readonly fisher: Float64Array;
  /** [nLayers, hidden]: sum of x^2, x what q, k and v read. */
  readonly attnInSq: Float64Array;
  /** [nLayers, headWidth]: sum of x^2, x what o reads. */
  readonly outInSq: Float64Array;
  /** [nLayers, hidden]: sum of x^2, x what gate and up read. */
  readonly ffnInSq: Float64Array;
  /** [nLayers, hidden]: sum of (dL/dx)^2 of the same, through the matrices that read it here. */
  readonly attnInFisher: Float64Array;
  /** [nLayers, headWidth]: the same. */
  readonly outInFisher: Float64Array;
  /** [nLayers, hidden]: the same. */
  readonly ffnInFisher: Float64Array;
  /** [nLayers]. */
  readonly layerGradSq: Float64Array;
}

/** Means over `nTokens` tokens. */
export interface Statistics {
  /** Layers. */
  readonly nLayers: number;
  /** Feed-forward neurons of a layer. */
  readonly ffn: number;
  /** Width of the residual stream. */
  readonly hidden: number;
  /** Width of the joined heads, of the layer that has most. */
  readonly headWidth: number;
  /** Pieces of documents counted. */
  readonly nDocuments: number;
  /** Tokens counted. */
  readonly nTokens: number;
  /** [nLayers, ffn]: h, h^2, (h / norm of h over the layer)^2, u^2, g^2. */
  readonly hMean: Float32Array;
  /** [nLayers, ffn]: mean of h^2. */
  readonly hSq: Float32Array;
  /** [nLayers, ffn]: mean of (h / norm of h over the layer)^2. */
  readonly hNormedSq: Float32Array;
  /** [nLayers, ffn]: mean of u^2. */
  readonly upSq: Float32Array;
  /** [nLayers, ffn]: mean of g^2. */
  readonly gateSq: Float32Array;
  /** [nLayers, ffn]: (dL/dh)^2; zeros where gradients were off. */
  readonly fisher: Float32Array;
  /** [nLayers, hidden]: mean of x^2, x what q, k and v read; 0 in layers without attention. */
  readonly attnInSq: Float32Array;
  /** [nLayers, headWidth]: the same of what o reads. */
  readonly outInSq: Float32Array;
  /** [nLayers, hidden]: the same of what gate and up read. */
  readonly ffnInSq: Float32Array;
  /** [nLayers, hidden]: (dL/dx)^2 of what q, k and v read. */
  readonly attnInFisher: Float32Array;
  /** [nLayers, headWidth]: the same of what o reads. */
  readonly outInFisher: Float32Array;
  /** [nLayers, hidden]: the same of what gate and up read. */
  readonly ffnInFisher: Float32Array;
  /** [nLayers]: squared norm of dL/dy, y the FFN's output; zeros where gradients were off. */
  readonly layerGradSq: Float32Array;
  /** Mean -log p of the drawn labels, nats; NaN where gradients were off. */
  readonly meanNll: number;
}

/** How far collecting is. */
export interface CollectProgress {
  /** Documents done (pieces, where they are longer than 512 tokens), and in all. */
  readonly documents: number;
  /** Documents in all. */
  readonly totalDocuments: number;
  /** Tokens counted. */
  readonly tokens: number;
  /** The sums so far, live: `structuredClone` it to keep it, pass it as `state` to go on from here. */
  readonly state: StatisticsState;
}

/** How statistics are collected. */
export interface CollectOptions {
  /** Ends it between two pieces. */
  readonly signal?: AbortSignal | undefined;
  /** After every document. */
  readonly onProgress?: ((progress: CollectProgress) => void) | undefined;
  /** Of the labels. Default 1. */
  readonly seed?: number | undefined;
  /** Stop after this many tokens of documents, in all. Default: all of them. */
  readonly maxTokens?: number | undefined;
  /** False: activations only, a third of the time; `fisher` and `layerGradSq` stay 0. Default true. */
  readonly gradients?: boolean | undefined;
  /**
   * Labels drawn for each position, each set with a backward pass of its own (0.7 of a document's time). Default 1, which leaves 3 to 4 %
   * of noise in F after 12,000 tokens, as much as F varies within a layer that treats its neurons alike.
   */
  readonly draws?: number | undefined;
  /** Go on from here, with the same documents and options. */
  readonly state?: StatisticsState | undefined;
  /** Default 'auto'. */
  readonly tier?: Tier | 'auto' | undefined;
}

const optionNames = ['signal', 'onProgress', 'seed', 'maxTokens', 'gradients', 'draws', 'state', 'tier'];

/** Documents cut to at most 512 tokens each and `maxTokens` in all; pieces without a counted position are left out. */
export function piecesOf(documents: readonly ArrayLike<number>[], maxTokens = Infinity, size = MAX_DOCUMENT): number[][] {
  const pieces: number[][] = [];
  let left = maxTokens;
  for (const document of documents) {
    for (let from = 0; from < document.length && left > SKIPPED; from += size) {
      const piece = Array.from({ length: Math.min(size, document.length - from, left) }, (_, i) => document[from + i]!);
      if (piece.length <= SKIPPED) continue;
      pieces.push(piece);
      left -= piece.length;
    }
  }
  return pieces;
}

/**
 * Runs documents (token ids, each from an empty context) forward and backward and returns the means. Weights as the file has them,
 * activations in f32. Offline work: about 25 ms a token of a 135M model on one core.
 *
 * ```ts
 * const { fisher } = await collectStatistics('model.gguf', documents, { seed: 1 });
 * ```
 * @throws as `load`; InputError `E_TOKEN_RANGE`, `E_OPTION` (a state of something else), `E_EMPTY_PROMPT` (nothing to count); AbortedError
 */
export async function collectStatistics(
  source: ModelSource, documents: readonly ArrayLike<number>[], options: CollectOptions = {},
): Promise<Statistics> {
  checkNames('calibration options', options, optionNames);
  const { signal, gradients = true } = options, seed = checkNumber('seed', seedRange, options.seed ?? 1);
  const draws = checkNumber('draws', { min: 1, integer: true }, options.draws ?? 1);
  const { maxTokens } = options;
  const pieces = piecesOf(documents, maxTokens === undefined ? Infinity : checkNumber('maxTokens', { min: 1, integer: true }, maxTokens));
  if (pieces.length === 0) {
    throw new InputError('E_EMPTY_PROMPT', {
      subject: 'calibration documents', found: 'no token to count', expected: `a document of more than ${SKIPPED} tokens`,
      remedy: 'Make some with sampleDocuments().',
    });
  }
  throwIfAborted(signal, 'calibration');
  const calibrator = await Calibrator.open(source, {
    tier: options.tier, signal, maxTokens: pieces.reduce((most, { length }) => Math.max(most, length), 0),
  });
  try {
    const state = options.state ?? emptyState(calibrator, { seed, gradients, draws });
    checkState(state, calibrator, { seed, gradients, draws });
    while (state.nDocuments < pieces.length) {
      await collectDocument(calibrator, pieces[state.nDocuments]!, state, signal);
      options.onProgress?.({ documents: state.nDocuments, totalDocuments: pieces.length, tokens: state.nTokens, state });
    }
    return meansOf(state);
  } finally {
    calibrator.close();
  }
}

type Settings = Pick<StatisticsState, 'seed' | 'gradients' | 'draws'>;

/** What a state is about. */
type Shape = Pick<StatisticsState, 'nLayers' | 'ffn' | 'hidden' | 'headWidth'>;
const shapeOf = ({ hparams: { nLayers, ffn, hidden, heads, headDim } }: Calibrator): Shape =>
  ({ nLayers, ffn, hidden, headWidth: heads * headDim });

/** Values of each sum. */
function lengthsOf({ nLayers, ffn, hidden, headWidth }: Shape): Record<(typeof sumNames)[number], number> {
  const neurons = nLayers * ffn, inputs = nLayers * hidden, heads = nLayers * headWidth;
  return {
    hSum: neurons, hSq: neurons, hNormedSq: neurons, upSq: neurons, gateSq: neurons, fisher: neurons, attnInSq: inputs, outInSq: heads,
    ffnInSq: inputs, attnInFisher: inputs, outInFisher: heads, ffnInFisher: inputs, layerGradSq: nLayers,
  };
}

const sumNames = [...neuronSums, ...inputSumNames, 'layerGradSq'] as const;
const sumsOf = <T>(make: (name: (typeof sumNames)[number]) => T): Record<(typeof sumNames)[number], T> =>
  Object.fromEntries(sumNames.map((name) => [name, make(name)])) as Record<(typeof sumNames)[number], T>;

function emptyState(calibrator: Calibrator, settings: Settings): StatisticsState {
  const shape = shapeOf(calibrator), lengths = lengthsOf(shape);
  return { ...shape, ...settings, nDocuments: 0, nTokens: 0, nll: 0, ...sumsOf((name) => new Float64Array(lengths[name])) };
}

/** One document joins the sums, all at once at its end: an abort leaves them as they were. */
async function collectDocument(
  calibrator: Calibrator, tokens: ArrayLike<number>, state: StatisticsState, signal?: AbortSignal,
): Promise<void> {
  await calibrator.run(tokens, { collect: true, signal });
  let nll = state.gradients ? 0 : NaN;
  // a generator a document: whoever goes on from a state draws the same labels
  const random = new Random((state.seed + Math.imul(state.nDocuments, 0x9e3779b9)) >>> 0);
  for (let draw = 0; state.gradients && draw < state.draws; draw++) {
    const losses = await calibrator.loss(random, { gradient: true, signal });
    nll += losses.subarray(SKIPPED).reduce((sum, value) => sum + value, 0) / state.draws;
    await calibrator.backward({ signal });
  }
  for (const name of neuronSums) calibrator.addSum(name, state[name], name === 'fisher' ? 1 / state.draws : 1);
  for (const name of inputSumNames) calibrator.addInputSum(name, state[name], name.endsWith('Fisher') ? 1 / state.draws : 1);
  calibrator.addLayerGradSq(state.layerGradSq, 1 / state.draws);
  state.nll += nll;
  state.nTokens += tokens.length - SKIPPED;
  state.nDocuments++;
}

/** The means of a state. */
export function meansOf(state: StatisticsState): Statistics {
  const { nLayers, ffn, hidden, headWidth, nDocuments, nTokens } = state;
  const { hSum, ...means } = sumsOf((name) => Float32Array.from(state[name], (sum) => sum / nTokens));
  return { nLayers, ffn, hidden, headWidth, nDocuments, nTokens, hMean: hSum, ...means, meanNll: state.nll / nTokens };
}

function checkState(state: StatisticsState, calibrator: Calibrator, settings: Settings): void {
  const own = shapeOf(calibrator), lengths = lengthsOf(own);
  const shape = (s: Shape & Settings): string =>
    `${s.nLayers} layers of ${s.ffn} neurons, width ${s.hidden}, heads ${s.headWidth}, seed ${s.seed}, ` +
    `gradients ${s.gradients}, draws ${s.draws}`;
  const found = shape(state), expected = shape({ ...own, ...settings });
  const sound = sumNames.every((name) => state[name] instanceof Float64Array && state[name].length === lengths[name]);
  if (found !== expected || !sound) {
    throw new InputError('E_OPTION', {
      subject: 'calibration state', found, expected, remedy: 'Go on with the model and options that the state was made with.',
    });
  }
}
