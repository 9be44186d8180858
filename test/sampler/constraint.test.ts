/** Drawing under a constraint: which token, from which distribution, and what of a two-stage head is asked for. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ModelError } from '../../src/errors.ts';
import { fewAllowed, forbid, type Constraint } from '../../src/sampler/constraint.ts';
import type { Exact } from '../../src/sampler/exact.ts';
import { Random } from '../../src/sampler/random.ts';
import type { SamplerOptions } from '../../src/sampler/options.ts';
import { createSampler } from '../../src/sampler/sampler.ts';
import { randomLogits } from '../helpers/logits.ts';

const test = suite('sampler/constraint');

function maskOf(ids: Iterable<number>, size: number): Uint32Array {
  const mask = new Uint32Array((size + 31) >> 5);
  for (const id of ids) mask[id >> 5]! |= 1 << (id & 31);
  return mask;
}

function only(ids: readonly number[], size: number): Constraint & { masks: number } {
  const mask = maskOf(ids, size);
  return {
    masks: 0, allows: (id) => ids.includes(id), mask() { this.masks++; return mask; },
    accept: () => undefined, save: () => null, restore: () => undefined,
  };
}

const off = { topK: 0, topP: 1, minP: 0, temperature: 1 } as const;

test('what is drawn is allowed; what would be drawn anyway costs no mask and changes nothing', () => {
  for (let seed = 0; seed < 300; seed++) {
    const size = 70, logits = randomLogits(size, seed), raw = logits.slice(), random = new Random(seed);
    const ids = Array.from({ length: size }, (_, id) => id).filter(() => random.float64() < (seed % 5 + 1) / 6), constraint = only(ids.length > 0 ? ids : [3], size);
    const options: SamplerOptions = { seed, temperature: seed % 3 === 0 ? 0 : 0.9 }, free = createSampler(options).sample(logits);
    const sampler = createSampler(options), id = sampler.sample(logits, undefined, constraint);
    assert.ok(constraint.allows(id));
    assert.is(constraint.masks, constraint.allows(free) ? 0 : 1);
    if (constraint.allows(free)) assert.is(id, free);
    assert.equal(logits, raw);
    if (options.temperature === 0) {
      const best = [...logits.keys()].filter((i) => constraint.allows(i)).sort((a, b) => logits[b]! - logits[a]! || a - b)[0];
      assert.is(id, best);
    }
  }
});

test('distribution: without truncation 40,000 draws pass chi-square against the softmax of what is allowed', () => {
  const size = 24, logits = randomLogits(size, 8, 1.5, 0), ids = [1, 2, 5, 11, 12, 17, 20], constraint = only(ids, size);
  const sampler = createSampler({ ...off, seed: 4 }), counts = new Map<number, number>(), n = 40_000;
  for (let i = 0; i < n; i++) {
    const id = sampler.sample(logits, undefined, constraint);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const total = ids.reduce((sum, id) => sum + Math.exp(logits[id]!), 0);
  const chi = ids.reduce((sum, id) => {
    const expected = n * Math.exp(logits[id]!) / total;
    return sum + ((counts.get(id) ?? 0) - expected) ** 2 / expected;
  }, 0);
  assert.ok(chi < 22.5, `chi-square ${chi} of 6 degrees of freedom`); // p = .001
  assert.ok(constraint.masks > n / 10, 'many were refused first');
});

test('penalties and biases hold among what is allowed; nothing allowed is an error', () => {
  const sampler = createSampler({ temperature: 0, logitBias: { 2: -Infinity }, presencePenalty: 3 });
  sampler.accept(1);
  assert.is(sampler.sample(Float32Array.of(9, 5, 8, 4, 1), undefined, only([1, 2, 3, 4], 5)), 3);
  for (const ids of [[], [2]]) {
    assert.throws(() => sampler.sample(Float32Array.of(9, 5, 8, 4, 1), undefined, only(ids, 5)), (e: unknown) => e instanceof ModelError && e.code === 'E_LOGITS');
  }
});

/** As a two-stage head: `shown` is exact from the floor up, and nearly right below it. */
function staged(truth: Float32Array, from: number, seed: number): { shown: Float32Array; exact: Exact; asked: () => number } {
  const random = new Random(seed), shown = truth.map((logit) => logit >= from ? logit : Math.min(from - 1e-3, logit + random.float64() - 0.5));
  const exactIds = new Set([...truth.keys()].filter((id) => truth[id]! >= from));
  let floor = from;
  const show = (id: number): void => { shown[id] = truth[id]!; exactIds.add(id); };
  return {
    shown, asked: () => exactIds.size,
    exact: {
      get floor() { return floor; }, logSumExp: Math.log(truth.reduce((sum, logit) => sum + Math.exp(logit), 0)), tailError: 0.01,
      refine: (to = -Infinity, ids = []) => {
        floor = Math.min(floor, to);
        for (const id of truth.keys()) if (truth[id]! >= floor || ids.includes(id)) show(id);
      },
    },
  };
}

test('a head in two stages: the same token as from exact logits, also where only unlikely tokens are allowed', () => {
  for (let seed = 0; seed < 400; seed++) {
    const size = 1200, truth = randomLogits(size, seed, 3, 0), random = new Random(seed + 7), sorted = truth.slice().sort();
    const share = [0.002, 0.1, 0.6][seed % 3]!, low = sorted[Math.floor(size * [0.3, 0.9, 1][seed % 2]!)] ?? Infinity;
    const ids = [...truth.keys()].filter((id) => truth[id]! < low && random.float64() < share);
    if (ids.length === 0) ids.push(seed);
    const options: SamplerOptions = { seed, ...[{ temperature: 0 }, {}, { topK: 5 }, { topK: 0, minP: 0.1, topP: 0.9 }, { ...off }, { presencePenalty: 1 }][seed % 6] };
    const { shown, exact, asked } = staged(truth, sorted[size - 8]!, seed), sampler = createSampler(options), plain = createSampler(options);
    for (const id of [4, 9]) { sampler.accept(id); plain.accept(id); }
    assert.is(sampler.sample(shown, exact, only(ids, size)), plain.sample(truth, undefined, only(ids, size)), JSON.stringify({ seed, options }));
    if (ids.length < 10 && options.temperature === 0) assert.ok(asked() < 40, `${asked()} rows were asked for`);
  }
});

test('masks: few are listed, the rest is forbidden, ids behind the end too', () => {
  const ids = [0, 31, 32, 63, 64, 69], mask = maskOf(ids, 70);
  assert.equal(fewAllowed(mask, 70), ids);
  assert.equal(fewAllowed(mask, 60), [0, 31, 32]);
  assert.is(fewAllowed(new Uint32Array(9).fill(0xffffffff), 288), undefined);
  const logits = new Float32Array(100).fill(1);
  forbid(logits, mask);
  assert.equal([...logits.keys()].filter((id) => logits[id] === 1), ids);
});

test.run();
