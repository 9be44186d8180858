import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, ModelError, type ErrorCode } from '../../src/errors.ts';
import { createSampler, type SamplerState } from '../../src/sampler/sampler.ts';
import type { SamplerOptions } from '../../src/sampler/options.ts';
import { Random } from '../../src/sampler/random.ts';
import { randomLogits } from '../helpers/logits.ts';
import * as reference from '../reference/sampler.ts';

const test = suite('sampler/sampler');

const off = { topK: 0, topP: 1, minP: 0 } as const;
const throwsCode = (fn: () => unknown, type: typeof InputError | typeof ModelError, code: ErrorCode): void =>
  assert.throws(fn, (e: unknown) => e instanceof type && e.code === code);

test('defaults are those of llama.cpp', () => {
  const { logitBias, ...numbers } = createSampler().options;
  assert.is(logitBias.size, 0);
  assert.equal(numbers, {
    temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05, typicalP: 1,
    repeatPenalty: 1, frequencyPenalty: 0, presencePenalty: 0, repeatLastN: 64,
  });
});

test('greedy: the largest logit, the lower id on a tie; no random number is drawn', () => {
  const sampler = createSampler({ temperature: 0, seed: 1 });
  const before = sampler.saveState();
  assert.is(sampler.sample(Float32Array.of(1, 5, 5, 2)), 1);
  assert.is(sampler.sample(Float32Array.of(-Infinity, -7, -Infinity)), 1);
  assert.is(sampler.sample(Float32Array.of(-0, 0)), 0);
  assert.equal(sampler.saveState(), before);
});

test('the whole chain agrees with the reference: 60 option sets × 20 tokens, penalties and history included', () => {
  const pickOne = <T>(random: Random, values: readonly T[]): T => values[random.uint32() % values.length]!;
  const random = new Random(5);
  for (let round = 0; round < 60; round++) {
    const options: reference.ReferenceOptions = {
      temperature: pickOne(random, [0.3, 0.8, 1, 1.7]), topK: pickOne(random, [0, 1, 5, 40, 10000]),
      topP: pickOne(random, [0.5, 0.95, 1]), minP: pickOne(random, [0, 0.05, 0.3]), typicalP: pickOne(random, [1, 1, 0.9, 0.5]),
      repeatPenalty: pickOne(random, [1, 1.1, 1.5]), frequencyPenalty: pickOne(random, [0, 0.4, -0.3]),
      presencePenalty: pickOne(random, [0, 0.8]), repeatLastN: pickOne(random, [-1, 0, 1, 4, 64]),
    };
    const sampler = createSampler({ ...options, seed: round });
    const draws = new Random(round);
    const history: number[] = [];
    for (let i = 0; i < 20; i++) {
      const logits = randomLogits(60, round * 100 + i);
      const expected = reference.pick(reference.distribution([...logits], history, options), draws.float64());
      const id = sampler.sample(logits);
      assert.is(id, expected, JSON.stringify({ options, i }));
      sampler.accept(id);
      history.push(id);
    }
  }
});

test('distribution: 40,000 draws of the default chain pass chi-square against the reference', () => {
  const logits = randomLogits(2000, 77, 2, 0);
  const sampler = createSampler({ seed: 9, temperature: 1.3 });
  const expected = reference.distribution([...logits], [], { ...sampler.options });
  const counts = new Map(expected.map((c) => [c.id, 0]));
  const nDraws = 40000;
  for (let i = 0; i < nDraws; i++) {
    const id = sampler.sample(logits);
    assert.ok(counts.has(id), `token ${id} is not in the distribution`);
    counts.set(id, counts.get(id)! + 1);
  }
  const bins = expected.filter((c) => c.p * nDraws >= 5);
  const chi = bins.reduce((sum, c) => sum + (counts.get(c.id)! - c.p * nDraws) ** 2 / (c.p * nDraws), 0);
  const freedom = bins.length - 1;
  assert.ok(freedom >= 5, `${bins.length} bins are too few to test anything`);
  const limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3; // 99.9 % point, Wilson–Hilferty
  assert.ok(chi < limit, `chi-square ${chi.toFixed(1)} with ${freedom} degrees of freedom; limit ${limit.toFixed(1)}`);
});

test('logits are never modified, and may be an unaligned-length view of larger memory', () => {
  const memory = new Float32Array(3000).fill(99);
  const logits = memory.subarray(1001, 2000);
  logits.set(randomLogits(999, 3));
  const copy = memory.slice();
  for (const options of [{}, { temperature: 0 }, off, { repeatPenalty: 2, logitBias: { 7: 5 }, typicalP: 0.8 }] as SamplerOptions[]) {
    const sampler = createSampler({ ...options, seed: 1 });
    for (let i = 0; i < 5; i++) sampler.accept(sampler.sample(logits));
  }
  assert.equal(memory, copy);
});

test('logit bias comes first: forces, forbids, from an object or a Map', () => {
  const logits = randomLogits(500, 8);
  assert.is(createSampler({ seed: 1, logitBias: { 17: 100 } }).sample(logits), 17);
  const best = createSampler({ temperature: 0 }).sample(logits);
  assert.is.not(createSampler({ temperature: 0, logitBias: new Map([[best, -Infinity]]) }).sample(logits), best);
  throwsCode(() => createSampler({ logitBias: { 500: 1 } }).sample(logits), InputError, 'E_TOKEN_RANGE');
});

test('penalties: hand-computed logits decide greedy choices', () => {
  const greedy = (options: SamplerOptions, history: number[], logits: number[]): number => {
    const sampler = createSampler({ temperature: 0, ...options });
    for (const id of history) sampler.accept(id);
    return sampler.sample(Float32Array.from(logits));
  };
  assert.is(greedy({ repeatPenalty: 2 }, [0], [3, 1.6]), 1, '3/2 < 1.6');
  assert.is(greedy({ repeatPenalty: 2 }, [0], [3, 1.4]), 0, '3/2 > 1.4, and once only');
  assert.is(greedy({ repeatPenalty: 2 }, [0, 0, 0], [3, 1.4]), 0, 'the count does not matter to it');
  assert.is(greedy({ repeatPenalty: 2 }, [0], [-1, -1.5]), 1, 'a negative logit is multiplied');
  assert.is(greedy({ frequencyPenalty: 0.5 }, [0, 0, 0], [3, 1.6]), 1, '3 − 3·0.5');
  assert.is(greedy({ presencePenalty: 0.5 }, [0, 0, 0], [3, 1.6]), 0, '3 − 0.5');
  assert.is(greedy({ frequencyPenalty: 0.5, repeatLastN: 2 }, [0, 0, 0], [3, 1.6]), 0, 'two of the three are recent');
  assert.is(greedy({ presencePenalty: 5, repeatLastN: 2 }, [0, 1, 1], [3, 1.6]), 0, 'the 0 has left the window');
  assert.is(greedy({ presencePenalty: 5, repeatLastN: 0 }, [0], [3, 1.6]), 0, 'no window');
  assert.is(greedy({ presencePenalty: 5, repeatLastN: -1 }, [0, ...Array<number>(1000).fill(2)], [3, 1.6, 0]), 1, 'all of it');
  throwsCode(() => greedy({ presencePenalty: 1 }, [9], [1, 2]), InputError, 'E_TOKEN_RANGE');
  throwsCode(() => createSampler().accept(-1), InputError, 'E_TOKEN_RANGE');
});

test('golden: a fixed seed gives these tokens in every runtime', () => {
  const run = (options: SamplerOptions): number[] => {
    const sampler = createSampler(options);
    return Array.from({ length: 12 }, (_, i) => {
      const id = sampler.sample(randomLogits(4096, 1000 + i, 1.5, 40));
      sampler.accept(id);
      return id;
    });
  };
  assert.equal(run({ seed: 42 }), GOLDEN_DEFAULT);
  assert.equal(run({ seed: 42, temperature: 1, ...off }), GOLDEN_PLAIN);
  assert.equal(run({ seed: 7, temperature: 1.2, topK: 0, typicalP: 0.9, topP: 0.9, repeatPenalty: 1.3 }), GOLDEN_TYPICAL);
});

// Checked once against the float64 reference: every draw lies at least 0.005 from a boundary of the cumulated probabilities.
const GOLDEN_DEFAULT = [373, 3599, 718, 1418, 1550, 1578, 3944, 2933, 1078, 369, 2737, 3872];
const GOLDEN_PLAIN = [373, 3599, 1953, 1418, 3676, 1578, 3878, 1837, 1078, 3244, 3375, 2728];
const GOLDEN_TYPICAL = [373, 3599, 2116, 1418, 3676, 1578, 1248, 2437, 1078, 369, 848, 3872];

test('save, restore and reset continue exactly', () => {
  const options = { seed: 3, presencePenalty: 2, repeatLastN: 5, temperature: 1.5 };
  const step = (sampler: ReturnType<typeof createSampler>, i: number): number => {
    const id = sampler.sample(randomLogits(50, i, 1, 0));
    sampler.accept(id);
    return id;
  };
  const sampler = createSampler(options);
  const first = Array.from({ length: 9 }, (_, i) => step(sampler, i));
  const state = JSON.parse(JSON.stringify(sampler.saveState())) as SamplerState;
  assert.is(state.recent.length, 5);
  const rest = Array.from({ length: 9 }, (_, i) => step(sampler, 9 + i));
  const other = createSampler({ ...options, seed: 99 });
  other.restoreState(state);
  assert.equal(Array.from({ length: 9 }, (_, i) => step(other, 9 + i)), rest);
  sampler.reset();
  assert.equal(Array.from({ length: 9 }, (_, i) => step(sampler, i)), first);
  for (const bad of [undefined, null, {}, { random: [1, 2, 3], recent: [] }, { random: state.random, recent: 7 }]) {
    throwsCode(() => sampler.restoreState(bad as unknown as SamplerState), InputError, 'E_OPTION');
  }
  throwsCode(() => sampler.restoreState({ random: state.random, recent: [0.5] }), InputError, 'E_TOKEN_RANGE');
});

test('without a seed each sampler has its own, and reports it', () => {
  const sampler = createSampler({ temperature: 2, ...off });
  const logits = randomLogits(5000, 6, 0.5, 0);
  const ids = Array.from({ length: 5 }, () => sampler.sample(logits));
  const again = createSampler({ temperature: 2, ...off, seed: sampler.seed });
  assert.equal(Array.from({ length: 5 }, () => again.sample(logits)), ids);
  assert.is.not(new Set(Array.from({ length: 4 }, () => createSampler().seed)).size, 1);
});

test('NaN, +Infinity, nothing finite, nothing at all: E_LOGITS in every chain', () => {
  const chains: SamplerOptions[] = [{}, { temperature: 0 }, off, { topK: 2 }, { topK: 0, topP: 0.9 }, { repeatPenalty: 1.5 }, { logitBias: { 0: 1 } }];
  for (const options of chains) {
    for (const length of [60, 3]) {
      for (const at of [0, length >> 1, length - 1]) {
        for (const bad of [NaN, Infinity]) {
          const logits = randomLogits(length, 4);
          logits[at] = bad;
          throwsCode(() => createSampler(options).sample(logits), ModelError, 'E_LOGITS');
        }
        const negative = randomLogits(length, 4);
        new Uint32Array(negative.buffer)[at] = 0xffc00000; // NaN with the sign set
        throwsCode(() => createSampler(options).sample(negative), ModelError, 'E_LOGITS');
      }
      throwsCode(() => createSampler(options).sample(new Float32Array(length).fill(-Infinity)), ModelError, 'E_LOGITS');
    }
  }
  throwsCode(() => createSampler().sample(new Float32Array(0)), ModelError, 'E_LOGITS');
  throwsCode(() => createSampler().sample(new Float32Array(2 ** 21 + 1)), InputError, 'E_TOKEN_RANGE');
  assert.is(createSampler().sample(Float32Array.from({ length: 90 }, (_, i) => (i === 70 ? -5 : -Infinity))), 70);
});

test('logprobs: from the raw logits, whatever the chain does', () => {
  const logits = randomLogits(3000, 21);
  const sampler = createSampler({ temperature: 0, logitBias: { 5: 100 } });
  const probabilities = reference.softmax(Array.from(logits, (logit, id) => ({ id, logit })));
  const sorted = reference.topK(Array.from(logits, (logit, id) => ({ id, logit })), 5);
  const found = sampler.logprobs(logits, 5, 5);
  assert.is(found.id, 5);
  assert.ok(Math.abs(found.logprob - Math.log(probabilities[5]!)) < 1e-12);
  assert.equal(found.top.map((t) => t.id), sorted.map((c) => c.id));
  for (const t of found.top) assert.ok(Math.abs(t.logprob - Math.log(probabilities[t.id]!)) < 1e-12);
  const normaliser = logits[5]! - found.logprob;
  assert.ok(Math.abs(sampler.logprobs(logits, 5, 0, normaliser).logprob - found.logprob) < 1e-12, 'a known normaliser is used');
  assert.equal(sampler.logprobs(logits, 5).top, []);
  assert.is(sampler.logprobs(Float32Array.of(1, -Infinity), 1, 9).top.length, 2);
  throwsCode(() => sampler.logprobs(logits, 3000), InputError, 'E_TOKEN_RANGE');
  throwsCode(() => sampler.logprobs(logits, 1, -1), InputError, 'E_OPTION');
  throwsCode(() => sampler.logprobs(logits, 1, 1, NaN), InputError, 'E_OPTION');
  throwsCode(() => sampler.logprobs(Float32Array.of(1, NaN), 0, 1), ModelError, 'E_LOGITS');
});

test('49,152 logits: default chain below 0.6 ms, greedy below 0.3 ms (best of 30 short batches)', () => {
  const logits = randomLogits(49152, 50);
  const best = (options: SamplerOptions): number => {
    const sampler = createSampler({ ...options, seed: 1 });
    const times = Array.from({ length: 30 }, () => {
      const start = performance.now();
      for (let i = 0; i < 10; i++) sampler.accept(sampler.sample(logits));
      return (performance.now() - start) / 10;
    });
    return Math.min(...times);
  };
  const times = { default: best({}), penalised: best({ repeatPenalty: 1.1 }), greedy: best({ temperature: 0 }) };
  if (process.env['SHOW_TIMES']) console.log(times, { topPOnly: best({ topK: 0 }), typical: best({ topK: 0, typicalP: 0.9 }), plain: best(off) });
  assert.ok(times.default < 0.6 && times.penalised < 0.6 && times.greedy < 0.3, JSON.stringify(times));
});

test.run();
