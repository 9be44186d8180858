/**
 * What a method costs and gains on one answer, measured: the same prompt and the same tokens are fed dense and sparse, taking turns, so that both meet
 * the same machine. Distances are between whole distributions. The time of a step is the least of its rounds, and speed is the mean of the middle
 * half of the steps: what else the machine does meanwhile costs neither side, and a browser's coarse clock averages out.
 */
import type { Model, SparsityOptions } from 'clada';
import type { Comparison } from './protocol.ts';

/** Tokens compared at most, and how often each side runs over them. */
const mostTokens = 32, rounds = 3;

/** KL(p || q) of two rows of logits with their log-sum-exps, nats. */
export function divergence(p: Float32Array, pLogSum: number, q: Float32Array, qLogSum: number): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const logp = p[i]! - pLogSum;
    if (logp > -40) sum += Math.exp(logp) * (logp - (q[i]! - qLogSum));
  }
  return Math.max(0, sum);
}

/** Mean of the middle half. */
export function middle(values: readonly number[]): number {
  const cut = values.length >> 2, half = [...values].sort((a, b) => a - b).slice(cut, values.length - cut);
  return half.reduce((sum, value) => sum + value, 0) / half.length;
}

export function meanAndError(values: readonly number[]): { mean: number; error: number } {
  const n = values.length, mean = values.reduce((sum, value) => sum + value, 0) / n;
  return { mean, error: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1) / n) };
}

/** @throws AbortedError; undefined where the answer is too short to say anything. */
export async function compare(model: Model, prompt: Uint32Array, answer: readonly number[], sparsity: SparsityOptions, signal: AbortSignal): Promise<Comparison | undefined> {
  const tokens = answer.slice(0, mostTokens);
  if (tokens.length < 4) return undefined;
  const rows: { logits: Float32Array; logSum: number; top: number }[] = [], kls: number[] = [];
  let same = 0;
  const times = { dense: tokens.map(() => Infinity), sparse: tokens.map(() => Infinity) };
  const follow = async (side: 'dense' | 'sparse', first: boolean): Promise<void> => {
    let last = 0;
    await model.follow(prompt, tokens, (logits, { logSumExp, topToken }, fed) => {
      if (fed > 0) times[side][fed - 1] = Math.min(times[side][fed - 1]!, performance.now() - last);
      if (first && fed > 0 && side === 'dense') rows.push({ logits: logits.slice(), logSum: logSumExp, top: topToken });
      if (first && fed > 0 && side === 'sparse') {
        const dense = rows[fed - 1]!;
        kls.push(divergence(dense.logits, dense.logSum, logits, logSumExp));
        if (dense.top === topToken) same++;
      }
      last = performance.now(); // what was done here is not the step's
    }, { sparsity: side === 'dense' ? { method: 'dense' } : sparsity, signal });
  };
  for (let round = 0; round < rounds; round++) {
    await follow('dense', round === 0);
    await follow('sparse', round === 0);
  }
  const { mean, error } = meanAndError(kls); // the first step is left out of the times: it also makes the selection
  return {
    tokens: kls.length, densePerSecond: 1000 / middle(times.dense.slice(1)), sparsePerSecond: 1000 / middle(times.sparse.slice(1)), kl: mean, klError: error, top1: same / kls.length,
  };
}
