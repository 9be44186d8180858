/**
 * Gradient norms without gradients: how far the next-token distributions move when a layer's FFN output is shaken. With random signs z,
 *   E_z sum_t KL(p_t || p_t(y + eps z)) = eps^2 / 2  sum_t' E ||dL/dy_t'||^2  + higher orders
 * (the Fisher information of all later distributions, its trace estimated as Hutchinson does: 10.1080/03610919008812866), L as in
 * statistics.ts. Only forward passes, but from every layer to the top: on a model of 30 layers several times the price of the backward
 * pass.
 */
import type { Tier } from '../engine/binaries.ts';
import { InputError, throwIfAborted } from '../errors.ts';
import { checkNames, checkNumber } from '../options.ts';
import { seedRange } from '../sampler/options.ts';
import { Random } from '../sampler/random.ts';
import type { ModelSource } from '../format/gguf/parts.ts';
import { Calibrator, SKIPPED } from './calibrator.ts';
import { Place } from '../model/enums.ts';
import { piecesOf } from './statistics.ts';

/** How gradients are estimated from perturbations. */
export interface PerturbOptions {
  /** Ends it between two passes. */
  readonly signal?: AbortSignal | undefined;
  /** After every layer: layers measured, and in all (over all documents). */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Of the signs. Default 1. */
  readonly seed?: number | undefined;
  /** Tokens of a piece, at most: longer documents are cut. */
  readonly maxTokens?: number | undefined;
  /** Distributions are compared at every n-th position. Default 4. */
  readonly every?: number | undefined;
  /** Default 'auto'. */
  readonly tier?: Tier | 'auto' | undefined;
}

/** Norms of gradients, estimated from perturbations. */
export interface GradientNorms {
  /** [nLayers]: estimates of `Statistics.layerGradSq`. */
  readonly layerGradSq: Float32Array;
  /** [nLayers]: c_l = sqrt(layerGradSq / hidden), the RMS gradient per coordinate of the FFN's output. */
  readonly scale: Float32Array;
  /** Positions shaken. */
  readonly nTokens: number;
}

/** KL a position that the size of a perturbation aims at, nats: far above f32's noise (1e-10), far below where distributions bend. */
const targetKl = 1e-5;

/**
 * ```ts
 * const { scale } = await estimateGradientNorms('model.gguf', documents);
 * ```
 * @throws as `collectStatistics`
 */
export async function estimateGradientNorms(
  source: ModelSource, documents: readonly ArrayLike<number>[], options: PerturbOptions = {},
): Promise<GradientNorms> {
  checkNames('perturbation options', options, ['signal', 'onProgress', 'seed', 'maxTokens', 'every', 'tier']);
  const { signal } = options, every = checkNumber('every', { min: 1, integer: true }, options.every ?? 4);
  const random = new Random(checkNumber('seed', seedRange, options.seed ?? 1));
  const pieces = piecesOf(documents, options.maxTokens).filter(({ length }) => length > SKIPPED + every);
  if (pieces.length === 0) {
    throw new InputError('E_EMPTY_PROMPT', {
      subject: 'calibration documents', found: 'no token to shake', expected: `a document of more than ${SKIPPED + every} tokens`,
      remedy: 'Make some with sampleDocuments().',
    });
  }
  throwIfAborted(signal, 'calibration');
  const calibrator = await Calibrator.open(source, {
    tier: options.tier, signal, maxTokens: pieces.reduce((most, { length }) => Math.max(most, length), 0),
  });
  try {
    const { nLayers, hidden } = calibrator.hparams;
    const sums = new Float64Array(nLayers), last = new Float64Array(nLayers);
    let nTokens = 0, done = 0;
    for (const piece of pieces) {
      calibrator.stopNudging();
      await calibrator.run(piece, { signal });
      const shaken = piece.length - SKIPPED;
      for (let layer = nLayers - 1; layer >= 0; layer--) {
        // the layer's own gradient from the document before, else its neighbour's, says how hard to shake
        const guess = last[layer]! || last[layer + 1]! || (await shake(calibrator, layer, 1e-3, random, every, signal));
        last[layer] = await shake(calibrator, layer, Math.sqrt((2 * targetKl) / guess), random, every, signal);
        sums[layer]! += last[layer]! * shaken;
        options.onProgress?.(++done, pieces.length * nLayers);
      }
      nTokens += shaken;
    }
    const layerGradSq = Float32Array.from(sums, (sum) => sum / nTokens);
    return { layerGradSq, scale: layerGradSq.map((value) => Math.sqrt(value / hidden)), nTokens };
  } finally {
    calibrator.close();
  }
}

/** Squared gradient norm a position, from one perturbation of `eps` times random signs at all counted positions of a layer. */
async function shake(
  calibrator: Calibrator, layer: number, eps: number, random: Random, every: number, signal: AbortSignal | undefined,
): Promise<number> {
  calibrator.nudge(layer, Place.output, (token) => (token < SKIPPED ? 0 : random.uint32() & 1 ? eps : -eps));
  await calibrator.rerun(layer, signal);
  const kl = await calibrator.divergence(SKIPPED + (random.uint32() % every), every, signal);
  const mean = kl.reduce((sum, value) => sum + value, 0) / kl.length;
  return (2 * mean) / (eps * eps); // as many distributions as perturbed positions: means stand for sums on both sides
}
