/** Levels between rows: interpolated, ordered, never past a bound, also where measured tables are noisy. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Level } from '../../src/adapt/levels.ts';
import { atCost, atIndex, hardestWithin, klBound, withinBound } from '../../src/adapt/levels.ts';
import { InputError } from '../../src/errors.ts';

const test = suite('levels');

const level = (cost: number, kl: number, more: Partial<Level> = {}): Level =>
  ({ parameter: 1 - cost, cost, up: cost, down: cost, kl, klError: 0, deltaNll: kl, top1: 1 - kl, thresholds: [1 / cost, 2 / cost], ...more });
const table = [level(0.9, 0.001), level(0.7, 0.01), level(0.5, 0.1, { klError: 0.02 })];

/** Tables as calibration makes them: steps that lower the cost and raise everything else, from gentle to hard. */
const steps = fc.array(fc.record({ cost: fc.double({ min: 0.01, max: 1, noNaN: true }), kl: fc.double({ min: 1e-5, max: 1, noNaN: true }), error: fc.double({ min: 0, max: 0.1, noNaN: true }) }), { minLength: 1, maxLength: 8 });
const tables = steps.map((list): Level[] => {
  const all = list.reduce((sum, { cost }) => sum + cost, 0), loss = list.reduce((sum, { kl }) => sum + kl, 0);
  let cost = 1, kl = 0, error = 0;
  return list.map((step) => {
    cost -= 0.99 * step.cost / all;
    kl += step.kl;
    error += step.error;
    return level(cost, kl, { klError: error, top1: 1 - 0.9 * kl / loss });
  });
});
/** The same with measured losses that do not always rise. */
const noisy = fc.tuple(tables, fc.array(fc.double({ min: 0.2, max: 5, noNaN: true }), { minLength: 8, maxLength: 8 }))
  .map(([list, factors]) => list.map((row, i) => ({ ...row, kl: row.kl * factors[i]!, top1: Math.min(1, row.top1 * factors[7 - i]!) })));
const share = fc.double({ min: 0, max: 1, noNaN: true });
/** Rounding of an interpolation. */
const slack = 1e-9;

test('rows by index; others are refused with the range', () => {
  assert.is(atIndex('clada', table, 1), table[1]);
  for (const index of [-1, 3, 0.5]) {
    assert.throws(() => atIndex('clada', table, index), (error: InputError) => error.code === 'E_OPTION' && error.message.includes('0 … 2') && error.message.includes('clada'));
  }
});

test('between two rows: shares linearly, losses and thresholds on logarithms', () => {
  const half = atCost(table, 0.8);
  const near = (found: number, wanted: number): void => assert.ok(Math.abs(found - wanted) < 1e-12, `${found}, not ${wanted}`);
  near(half.cost, 0.8);
  near(half.up, 0.8);
  near(half.kl, Math.sqrt(0.001 * 0.01));
  near(half.parameter, Math.sqrt(0.1 * 0.3));
  near(half.top1, 0.9945);
  Array.from(half.thresholds).forEach((value, i) => near(value, (i + 1) / Math.sqrt(0.9 * 0.7)));
  near(atCost([level(0.9, 0), level(0.7, 0.01)], 0.8).kl, 0.005); // no logarithm of 0
  assert.is(atCost([level(0.9, 0, { thresholds: [] }), level(0.7, 1, { thresholds: [] })], 0.8).thresholds.length, 0);
});

test('at rows and beyond the ends: the rows themselves', () => {
  fc.assert(fc.property(tables, (list) => {
    assert.is(atCost(list, 1), list[0]);
    assert.is(atCost(list, list.at(-1)!.cost - 0.001), list.at(-1));
    for (const row of list) {
      const found = atCost(list, row.cost);
      assert.ok(Math.abs(found.cost - row.cost) < slack && Math.abs(found.kl - row.kl) < slack * (1 + row.kl));
      Array.from(found.thresholds).forEach((value, i) => assert.ok(Math.abs(value - row.thresholds[i]!) < slack * row.thresholds[i]!));
    }
  }));
});

test('a cost within the table is met; less cost never loses less and never lowers a threshold', () => {
  fc.assert(fc.property(tables, share, share, (list, a, b) => {
    const [high, low] = [Math.max(a, b), Math.min(a, b)].map((cost) => atCost(list, cost)) as [Level, Level];
    for (const [wanted, { cost }] of [[Math.max(a, b), high], [Math.min(a, b), low]] as const) {
      const clamped = Math.min(list[0]!.cost, Math.max(list.at(-1)!.cost, wanted));
      assert.ok(Math.abs(cost - clamped) < slack, `cost ${cost} for ${wanted}`);
    }
    assert.ok(low.kl >= high.kl - slack && low.top1 <= high.top1 + slack && low.klError >= high.klError - slack);
    Array.from(low.thresholds).forEach((value, i) => assert.ok(value >= high.thresholds[i]! * (1 - slack)));
  }));
});

test('a bound is never exceeded, noise or not', () => {
  fc.assert(fc.property(fc.oneof(tables, noisy), share, (list, bound) => {
    const byKl = hardestWithin(list, { maxKl: 3 * bound + 1e-6 }), byTop1 = hardestWithin(list, { minTop1: bound });
    if (byKl) assert.ok(klBound(byKl) <= (3 * bound + 1e-6) * (1 + slack), `${klBound(byKl)} above ${3 * bound}`);
    else assert.ok(klBound(list[0]!) > 3 * bound);
    if (byTop1) assert.ok(byTop1.top1 >= bound - slack);
    else assert.ok(list[0]!.top1 < bound);
  }), { numRuns: 500 });
});

test('it is the hardest: no row before the first that breaks the bound is harder', () => {
  fc.assert(fc.property(fc.oneof(tables, noisy), share, (list, bound) => {
    for (const [found, keeps] of [[hardestWithin(list, { maxKl: 3 * bound }), (row: Level) => klBound(row) <= 3 * bound], [hardestWithin(list, { minTop1: bound }), (row: Level) => row.top1 >= bound]] as const) {
      const broken = list.findIndex((row) => !keeps(row)), within = list.slice(0, broken < 0 ? list.length : broken);
      assert.is(found === undefined, within.length === 0);
      if (found) assert.ok(within.every(({ cost }) => cost >= found.cost - slack), `cost ${found.cost}, though ${within.at(-1)!.cost} keeps ${3 * bound}`);
    }
  }), { numRuns: 500 });
  const lossless = [0.9, 0.7, 0.5].map((cost) => level(cost, 0));
  assert.is(hardestWithin(lossless, { maxKl: 0.01 }), lossless[2]);
  assert.is(hardestWithin(lossless, { minTop1: 0.9 }), lossless[2]);
});

test('a tighter bound never goes further', () => {
  fc.assert(fc.property(tables, share, share, (list, a, b) => {
    const tight = hardestWithin(list, { maxKl: Math.min(a, b) }), loose = hardestWithin(list, { maxKl: Math.max(a, b) });
    if (tight) assert.ok(loose && loose.cost <= tight.cost + slack);
  }));
});

test('the bound counts two standard errors', () => {
  assert.is(klBound(table[2]!), 0.1 + 2 * 0.02);
  assert.ok(withinBound(table, { maxKl: 0.139 }).cost > 0.5);
  assert.is(withinBound(table, { maxKl: 0.1401 }), table[2]);
});

test('what no level keeps is refused, with what the gentlest gives', () => {
  assert.throws(() => withinBound(table, { maxKl: 0.0005 }), (error: InputError) => error instanceof InputError && error.code === 'E_OPTION' && error.message.includes('0.00100'));
  assert.throws(() => withinBound(table, { minTop1: 0.9999 }), (error: InputError) => error.code === 'E_OPTION' && error.message.includes('0.999'));
  assert.is(hardestWithin(table, { maxKl: 0.0005 }), undefined);
});

test.run();
