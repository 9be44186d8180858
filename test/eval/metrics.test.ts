/** KL against a plain float64 sum; means and standard errors by hand. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { accuracy, deltaNll, estimate, klDivergence, meanOf, pairedDifference } from '../../src/eval/metrics.ts';
import { Random } from '../../src/sampler/random.ts';

const test = suite('metrics');
const close = (found: number, expected: number, tolerance: number): void => { assert.ok(Math.abs(found - expected) <= tolerance, `${found} is not ${expected} ± ${tolerance}`); };

function logSumExp(row: Float32Array): number {
  const max = row.reduce((a, b) => Math.max(a, b));
  return max + Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0));
}

function naive(a: Float32Array, b: Float32Array): number {
  const lseA = logSumExp(a), lseB = logSumExp(b);
  return a.reduce((sum, x, i) => (x === -Infinity ? sum : sum + Math.exp(x - lseA) * ((x - lseA) - (b[i]! - lseB))), 0);
}

const random = new Random(1);
const row = (length: number, scale: number): Float32Array => Float32Array.from({ length }, () => scale * (random.float64() + random.float64() - 1));

test('KL is the naive float64 sum, flat rows and peaked ones', () => {
  for (const length of [1, 2, 3, 17, 1000, 49_152]) {
    for (const scale of [0.01, 1, 10, 80]) {
      const a = row(length, scale), b = a.map((x) => x + 0.3 * (random.float64() - 0.5));
      const expected = naive(a, b);
      close(klDivergence(a, logSumExp(a), b, logSumExp(b)), expected, 1e-12 + 1e-9 * expected);
    }
  }
});

test('KL with the engine\'s f32 log-sum-exps: within 4e-6', () => {
  const a = row(49_152, 8), b = a.map((x) => x + 0.5 * (random.float64() - 0.5));
  close(klDivergence(a, Math.fround(logSumExp(a)), b, Math.fround(logSumExp(b))), naive(a, b), 4e-6);
});

test('KL of a row with itself is 0, whatever the log-sum-exp\'s rounding; one certain token is no trouble', () => {
  const a = row(1000, 5);
  assert.is(klDivergence(a, Math.fround(logSumExp(a)), a, Math.fround(logSumExp(a))), 0);
  const sure = Float32Array.of(30, -10, -20);
  close(klDivergence(sure, 30 - 1e-6, Float32Array.of(0, 0, 0), Math.log(3)), Math.log(3), 1e-5);
});

test('KL: what the reference rules out counts nothing, what the other does is infinite, NaN stays', () => {
  const masked = Float32Array.of(1, -Infinity, 2), full = Float32Array.of(1, 1, 2);
  close(klDivergence(masked, logSumExp(masked), full, logSumExp(full)), naive(masked, full), 1e-12);
  assert.is(klDivergence(full, logSumExp(full), masked, logSumExp(masked)), Infinity);
  assert.ok(Number.isNaN(klDivergence(full, NaN, full, logSumExp(full))));
  assert.throws(() => klDivergence(full, 0, new Float32Array(2), 0), /3 and 2 entries/);
});

test('change of NLL', () => {
  const a = Float32Array.of(0, 1, 2), b = Float32Array.of(0, 2, 1);
  close(deltaNll(2, a, logSumExp(a), b, logSumExp(b)), 1, 1e-12);
  close(deltaNll(1, a, logSumExp(a), b, logSumExp(b)), -1, 1e-12);
});

test('means: over documents, binomial, paired', () => {
  assert.equal(estimate([1, 2, 3, 6]), { mean: 3, se: Math.sqrt(14 / 3 / 4), n: 4 });
  assert.ok(Number.isNaN(estimate([1]).se) && Number.isNaN(estimate([]).mean));
  assert.equal(accuracy(3, 4), { mean: 0.75, se: Math.sqrt(0.75 * 0.25 / 4), n: 4 });
  assert.equal(pairedDifference([1, 0, 1, 1], [0, 0, 1, 0]), estimate([-1, 0, 0, -1]));
  assert.throws(() => pairedDifference([1], []), /1 and 0/);
  assert.is(meanOf([1, NaN, 3]), 2);
});

test.run();
