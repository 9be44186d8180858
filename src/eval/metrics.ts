/**
 * How far one distribution is from another, and how sure one may be of a mean. Natural logarithms (nats), float64.
 * Test: test/eval/metrics.test.ts.
 */
import { InputError } from '../errors.ts';

export { klDivergence } from '../adapt/divergence.ts';

/** Change of the NLL of token `id` in nats: above 0 where b finds it less likely. */
export function deltaNll(id: number, a: Float32Array, lseA: number, b: Float32Array, lseB: number): number {
  return (lseB - b[id]!) - (lseA - a[id]!);
}

/** A mean and its standard error; NaN where there are too few values for one. */
export interface Estimate {
  readonly mean: number;
  readonly se: number;
  /** Values behind it: documents, or items. */
  readonly n: number;
}

/**
 * Mean with sd / sqrt(n). For documents: of the documents' means, so that a long one counts as one and tokens are not taken for
 * independent.
 */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { mean, se: n < 2 ? NaN : Math.sqrt(variance / n), n };
}

/** Share of `right` among n items with its binomial standard error, sqrt(p (1 − p) / n). */
export function accuracy(right: number, n: number): Estimate {
  const mean = right / n;
  return { mean, se: Math.sqrt((mean * (1 - mean)) / n), n };
}

/** Mean of b − a over pairs (the same document or item under two methods), with the standard error of the differences. */
export function pairedDifference(a: readonly number[], b: readonly number[]): Estimate {
  if (a.length !== b.length) {
    throw new InputError('E_OPTION', {
      subject: 'paired values', found: `${a.length} and ${b.length}`, expected: 'as many of one as of the other',
      remedy: 'Pair the same items.',
    });
  }
  return estimate(a.map((value, i) => b[i]! - value));
}

/** Mean of the finite values; NaN if there are none. */
export function meanOf(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
