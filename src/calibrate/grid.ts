/**
 * What each method costs and loses at each of its settings, measured on held-out documents: the rows of a calibration's tables. The first
 * `prompt` tokens of a document run dense, the others one by one with the method, and every distribution is held against the dense one.
 */
import type { Level } from '../adapt/levels.ts';
import type { MethodName } from '../adapt/methods.ts';
import type { Selection } from '../adapt/selection.ts';
import { denseSelection, everywhere } from '../adapt/selection.ts';
import { deltaNll, estimate, klDivergence } from '../eval/metrics.ts';
import { Stage } from '../model/enums.ts';
import type { Sequence } from '../session/sequence.ts';
import type { Curves } from './thresholds.ts';

/** A setting of a method: its parameter, the thresholds that it means, and the selection. */
export interface Candidate {
  readonly method: MethodName;
  readonly parameter: number;
  readonly thresholds: ArrayLike<number>;
  readonly selection: Selection;
}

const masks = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], gates = [0.85, 0.7, 0.55, 0.4, 0.25], etas = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4];
const paperEtas = [0.03, 0.06, 0.1, 0.15, 0.25, 0.35, 0.45];

export function cascade(tau: number, compensate: boolean): Selection {
  return {
    ...denseSelection, stages: Stage.gate | Stage.product, rule: 'cascade', gateWeights: 'scores', productWeights: 'sensitivity',
    gateBase: tau, productBase: tau, compensate,
  };
}

/** Every input of a layer's matrices under one budget. */
export function overInputs(tau: number): Selection {
  return {
    ...denseSelection, stages: Stage.inputs | Stage.product, inputBase: everywhere(tau), productBase: tau, inputWeights: 'sensitivity',
    productWeights: 'sensitivity',
  };
}

/** All settings, gentle before hard within each method; budgets of the cascade and of inputs. */
export function candidates(
  curves: Curves, nLayers: number, gated: boolean, taus: readonly number[], inputTaus: readonly number[],
): Candidate[] {
  const mask = (method: MethodName, rule: Selection['rule']): Candidate[] =>
    masks.map((density) => ({
      method, parameter: density, thresholds: [], selection: { ...denseSelection, stages: Stage.mask, rule, density },
    }));
  const cett = (method: MethodName, eta: number, eps: Float32Array, selection: (eps: Float32Array) => Partial<Selection>): Candidate => {
    return { method, parameter: eta, thresholds: eps, selection: { ...denseSelection, ...selection(eps) } };
  };
  const all = [
    ...mask('griffin', 'topK'), ...mask('mask', 'global'),
    ...etas.map((eta) =>
      cett('tt', eta, curves.eps(eta), (productBase) => ({ stages: Stage.product, productWeights: 'columnNorm', productBase }))),
    ...paperEtas.map((eta) => cett('clada-paper', eta, curves.maskEps(eta), (scoreBase) => ({
      stages: Stage.scores, rule: 'cett', scoreBase,
      cogLoad: { mode: 'measured', surprisalWeight: 0.5, entropyWeight: 0.5, gain: 0.08, linear: true, clamp: 2, warmup: 8 },
    }))),
  ];
  for (const tau of inputTaus) {
    all.push({ method: 'clada', parameter: tau, thresholds: new Float32Array(nLayers).fill(tau), selection: overInputs(tau) });
  }
  if (!gated) return all;
  for (const density of gates) {
    const gateBase = curves.gate(density)!;
    all.push({ method: 'cats', parameter: density, thresholds: gateBase, selection: { ...denseSelection, stages: Stage.gate, gateBase } });
  }
  for (const tau of taus) {
    all.push({ method: 'cascade', parameter: tau, thresholds: new Float32Array(nLayers).fill(tau), selection: cascade(tau, true) });
  }
  return all;
}

/** The sums of one document under one setting. */
export interface Row {
  /** Share of the feed-forward weights used. */
  cost: number;
  /** Share of up rows used. */
  up: number;
  /** Share of down columns used. */
  down: number;
  /** KL(dense || sparse), nats. */
  kl: number;
  /** Change of the negative log likelihood, nats. */
  deltaNll: number;
  /** Positions with the same most likely token. */
  top1: number;
}

export interface Dense {
  readonly logits: Float32Array;
  readonly logSumExp: Float64Array;
  readonly topToken: Int32Array;
  readonly vocab: number;
}

/** The dense distributions after the tokens from `prompt` on. */
export async function denseRows(sequence: Sequence, ids: readonly number[], prompt: number, signal?: AbortSignal): Promise<Dense> {
  const count = ids.length - prompt;
  let logits: Float32Array | undefined;
  const logSumExp = new Float64Array(count), topToken = new Int32Array(count);
  let vocab = 0;
  await sequence.score(ids, (report, row, i) => {
    if (i < prompt) return;
    vocab = row.length;
    logits ??= new Float32Array(count * vocab);
    logits.set(row, (i - prompt) * vocab);
    logSumExp[i - prompt] = report.logSumExp;
    topToken[i - prompt] = report.topToken;
  }, { signal });
  return { logits: logits!, logSumExp, topToken, vocab };
}

/** What was known before a token, and what skipping cost it. Nats. */
export interface Damage { readonly surprisal: number; readonly entropy: number; readonly kl: number }

/** One document under one setting; means over its positions. `each` hears of every token. */
export async function measure(
  sequence: Sequence, ids: readonly number[], prompt: number, dense: Dense, selection: Selection, signal?: AbortSignal,
  each?: (damage: Damage) => void,
): Promise<Row> {
  let entropy = NaN;
  const count = ids.length - prompt, row: Row = { cost: 0, up: 0, down: 0, kl: 0, deltaNll: 0, top1: 0 };
  for (let fed = 0; fed <= count; fed++) {
    await sequence.evaluate(ids.slice(0, prompt + fed), ({ logits, report }) => {
      const before = entropy;
      entropy = report.entropy;
      if (fed === 0) return;
      const at = fed - 1, reference = dense.logits.subarray(at * dense.vocab, (at + 1) * dense.vocab), label = ids[prompt + fed];
      const kl = klDivergence(reference, dense.logSumExp[at]!, logits, report.logSumExp);
      row.kl += kl;
      each?.({ surprisal: report.surprisal, entropy: before, kl });
      if (label !== undefined) row.deltaNll += deltaNll(label, reference, dense.logSumExp[at]!, logits, report.logSumExp);
      if (report.topToken === dense.topToken[at]) row.top1++;
      row.cost += report.cost;
      const layers = sequence.adapt.counts();
      row.up += layers.reduce((sum, { up }) => sum + up, 0) / layers.length;
      row.down += layers.reduce((sum, { down }) => sum + down, 0) / layers.length;
    }, { selection, decodeFrom: prompt, signal });
  }
  return {
    cost: row.cost / count, up: row.up / count, down: row.down / count, kl: row.kl / count, deltaNll: row.deltaNll / (count - 1),
    top1: row.top1 / count,
  };
}

/** Tables from the rows of every setting, one a document. `ffn`, neurons of a layer in the mean, turns counts into shares. */
export function levelsOf(settings: readonly Candidate[], rows: readonly (readonly Row[])[], ffn: number): Map<MethodName, Level[]> {
  const levels = new Map<MethodName, Level[]>();
  for (const [i, { method, parameter, thresholds }] of settings.entries()) {
    const mean = (field: keyof Row): number => estimate(rows[i]!.map((row) => row[field])).mean;
    const level: Level = {
      parameter, thresholds, cost: mean('cost'), up: mean('up') / ffn, down: mean('down') / ffn, kl: mean('kl'),
      klError: estimate(rows[i]!.map(({ kl }) => kl)).se,
      deltaNll: mean('deltaNll'), top1: mean('top1'),
    };
    levels.set(method, [...(levels.get(method) ?? []), level]);
  }
  return levels;
}
