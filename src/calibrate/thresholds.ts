/**
 * Per-layer thresholds from a probe of dense decode steps: for `tt` and `clada-paper` the largest eps with mean CETT at most eta (arXiv
 * 2402.03804), for `cats` the quantile of |gate| (arXiv 2404.08763), and the mean of every neuron where the cascade drops it. One pass over
 * a grid; between its points, interpolation on logarithms.
 */
import { denseSelection } from '../adapt/selection.ts';
import type { Engine } from '../engine/engine.ts';
import { throwIfAborted } from '../errors.ts';
import type { Sequence } from '../session/sequence.ts';
import type { Hparams } from '../model/types.ts';

/** Points of the grid a layer, and how far it reaches around the layer's RMS. */
const nPoints = 24, lowest = 10 ** -2.5, highest = 10 ** 1.5;

export interface Curves {
  /** Largest eps of every layer with mean CETT <= eta, [nLayers]. */
  eps(eta: number): Float32Array;
  /** The same where a mask drops neurons by sqrt(E h^2) * column norm. */
  maskEps(eta: number): Float32Array;
  /** Threshold of |gate| that leaves the share `density` of every layer, [nLayers]; undefined without a gate. */
  gate(density: number): Float32Array | undefined;
  /** E of h where it is dropped, [nLayers, ffn]; 0 where that never happened. */
  readonly mean: Float32Array;
}

export interface CurveOptions {
  /** [nLayers, ffn]: E h^2, E g^2 and the norms of down's columns. */
  readonly hSquare: Float32Array;
  readonly gateSquare: Float32Array;
  readonly columnNorm: Float32Array;
  /** The cascade's budget at which means are taken. */
  readonly tau: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** [nLayers, nPoints], logarithmic around the RMS of each layer's values. */
function gridAround({ nLayers, ffn, layers }: Hparams, square: (index: number) => number): Float32Array {
  const grid = new Float32Array(nLayers * nPoints);
  for (let l = 0; l < nLayers; l++) {
    const own = layers[l]!.ffn;
    let sum = 0;
    for (let i = 0; i < own; i++) sum += square(l * ffn + i);
    const rms = Math.sqrt(sum / own);
    for (let j = 0; j < nPoints; j++) grid[l * nPoints + j] = rms * lowest * (highest / lowest) ** (j / (nPoints - 1));
  }
  return grid;
}

/** x where the rising or falling curve y(x) reaches `wanted`; x is positive and interpolated on its logarithm. */
function reach(x: Float32Array, y: Float32Array, wanted: number): number {
  const rising = y.at(-1)! > y[0]!;
  const next = y.findIndex((value) => (rising ? value > wanted : value < wanted));
  if (next <= 0) return next === 0 ? x[0]! : x.at(-1)!;
  const t = (wanted - y[next - 1]!) / (y[next]! - y[next - 1]!);
  return Math.exp(Math.log(x[next - 1]!) + t * (Math.log(x[next]!) - Math.log(x[next - 1]!)));
}

/** Decodes the documents (past their first 4 tokens) dense and measures. Constants must be in place (sensitivity, upSquare, columnNorm). */
export async function measureCurves(
  engine: Engine, sequence: Sequence, documents: readonly (readonly number[])[], options: CurveOptions,
): Promise<Curves> {
  const { hparams: h } = engine.plan, { nLayers, layers } = h, { hSquare, gateSquare, columnNorm, signal } = options;
  const productAt = gridAround(h, (i) => hSquare[i]! * columnNorm[i]! ** 2), gateAt = gridAround(h, (i) => gateSquare[i]!);
  await sequence.exclusive((own, ptr) => {
    sequence.adapt.configure({ ...denseSelection, rule: 'cascade', gateWeights: 'scores' });
    own.forget(ptr);
    own.reselect(ptr); // scores = weights of the prior
    sequence.adapt.configure(denseSelection);
    sequence.adapt.startProbe({ productAt, gateAt, tau: options.tau });
  });
  let tokens = 0;
  const total = documents.reduce((sum, { length }) => sum + Math.max(0, length - skip), 0);
  for (const document of documents) {
    throwIfAborted(signal, 'calibration');
    for (let n = skip + 1; n <= document.length; n++) {
      await sequence.evaluate(document.slice(0, n), () => undefined, { decodeFrom: skip, signal });
      tokens++;
      options.onProgress?.(tokens, total);
    }
  }
  const { cett, maskCett, gateCount, droppedSum, droppedCount } = sequence.adapt.measured();
  const curve = (at: Float32Array, sums: Float32Array, scale: (layer: number) => number, wanted: number): Float32Array =>
    Float32Array.from({ length: nLayers }, (_, l) => {
      const [x, y] = [at, sums].map((values) => values.slice(l * nPoints, (l + 1) * nPoints));
      return reach(x!, y!.map((value) => value / scale(l)), wanted);
    });
  return {
    eps: (eta) => curve(productAt, cett, () => tokens, eta),
    maskEps: (eta) => curve(productAt, maskCett, () => tokens, eta),
    gate: (density) => {
      if (!gateCount.some((count) => count > 0)) return undefined;
      return curve(gateAt, gateCount, (layer) => tokens * layers[layer]!.ffn, density);
    },
    mean: droppedSum.map((sum, i) => (droppedCount[i]! > 0 ? sum / droppedCount[i]! : 0)),
  };
}

/** First positions of a document, which behave unlike all others. */
const skip = 4;
