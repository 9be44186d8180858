import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Candidates } from '../../src/sampler/candidates.ts';
import { bitsOf, indexOf, MAX_ENTRIES, pack, selectTop } from '../../src/sampler/rank.ts';
import { Random } from '../../src/sampler/random.ts';
import { randomLogits } from '../helpers/logits.ts';
import * as reference from '../reference/sampler.ts';

const test = suite('sampler/candidates');

const all = (logits: Float32Array): Candidates => {
  const candidates = new Candidates(logits.length);
  candidates.takeAll(logits);
  return candidates;
};
const asObjects = (logits: Float32Array): reference.Candidate[] => Array.from(logits, (logit, id) => ({ id, logit }));
const idsOf = (c: Candidates): number[] => [...c.ids.subarray(0, c.count)];
const coarse = (logits: Float32Array): Float32Array => logits.map((x) => Math.round(x)); // many ties

/** Distributions of every kind the stages could stumble over. */
const cases: [string, Float32Array][] = [
  ['random 1,000', randomLogits(1000, 1)],
  ['random 5,000, flat', randomLogits(5000, 2, 0.1, 0)],
  ['random 5,000, sharp', randomLogits(5000, 3, 6)],
  ['ties', coarse(randomLogits(700, 4))],
  ['all equal', new Float32Array(307).fill(1.5)],
  ['one far above all', Float32Array.from({ length: 300 }, (_, i) => (i === 217 ? 90 : -90))],
  ['all -Infinity but one', Float32Array.from({ length: 300 }, (_, i) => (i === 123 ? -3 : -Infinity))],
  ['half masked', randomLogits(400, 5).map((x, i) => (i % 2 ? x : -Infinity))],
  ['both zeros', Float32Array.from({ length: 50 }, (_, i) => (i % 3 === 0 ? -0 : i % 3 === 1 ? 0 : -1))],
  ['one token', Float32Array.of(0.25)],
  ['two tokens', Float32Array.of(-1, 1)],
];

test('pack orders values downwards, indices upwards, and is undone by indexOf', () => {
  const values = Float32Array.of(Infinity, 3.4e38, 1, 1e-45, 0, -0, -1e-45, -1, -3.4e38, -Infinity);
  const keys = [...bitsOf(values)].map((bits) => pack(bits, 9));
  for (let i = 1; i < keys.length; i++) assert.is(keys[i - 1]! > keys[i]!, i !== 5, `entry ${i}`);
  assert.is(keys[4], keys[5], 'both zeros are one value');
  for (const index of [0, 1, 49151, MAX_ENTRIES - 1]) {
    for (const bits of bitsOf(values)) {
      const key = pack(bits, index);
      assert.ok(Number.isSafeInteger(key));
      assert.is(indexOf(key), index);
    }
  }
  assert.ok(pack(0, 3) > pack(0, 4));
});

test('top-k: the first k of a full sort, ties to the lower id', () => {
  for (const [name, logits] of cases) {
    for (const k of [1, 2, 3, 40, 299, 5000]) {
      const candidates = new Candidates(Math.min(k, logits.length));
      candidates.takeTop(logits, k);
      assert.equal(idsOf(candidates), asObjects(logits).sort(reference.byLogit).slice(0, k).map((c) => c.id), `${name}, k ${k}`);
      assert.equal([...candidates.logits.subarray(0, candidates.count)], idsOf(candidates).map((id) => logits[id]));
    }
  }
  assert.is(selectTop(Float32Array.of(1, 2), bitsOf(Float32Array.of(1, 2)), 0, new Float64Array(0)), 0);
});

test('top-p: the nucleus of a full sort', () => {
  for (const [name, logits] of cases) {
    for (const p of [0, 0.1, 0.5, 0.9, 0.95, 0.999, 1]) {
      const candidates = all(logits);
      candidates.topP(p);
      assert.equal(idsOf(candidates), reference.topP(asObjects(logits), p).map((c) => c.id), `${name}, p ${p}`);
    }
  }
});

test('min-p: exactly the tokens above the floor, order kept', () => {
  for (const [name, logits] of cases) {
    for (const p of [0, 0.01, 0.05, 0.5, 1]) {
      const candidates = all(logits);
      candidates.minP(p);
      assert.equal(idsOf(candidates), reference.minP(asObjects(logits), p).map((c) => c.id), `${name}, p ${p}`);
    }
  }
});

test('typical: nearest to the entropy first, until the mass exceeds p', () => {
  for (const [name, logits] of cases) {
    for (const p of [0, 0.2, 0.5, 0.9, 1]) {
      const candidates = all(logits);
      candidates.typical(p);
      // As a set: neighbours whose distances differ in the last bit of f32 may change places between two exp's.
      assert.equal(idsOf(candidates).sort((a, b) => a - b), reference.typical(asObjects(logits), p).map((c) => c.id).sort((a, b) => a - b), `${name}, p ${p}`);
    }
  }
});

test('typical may drop the most probable token, and later stages then look at what is left', () => {
  // p = 0.5 and 50 tokens of 0.01: entropy 2.65 nats; the top token is 1.96 away, the others also 1.96: close, so tilt it.
  const logits = Float32Array.from({ length: 101 }, (_, i) => (i === 0 ? Math.log(100 * 0.6 / 0.4) : 0));
  const candidates = all(logits);
  candidates.typical(0.3);
  const kept = idsOf(candidates);
  assert.equal(kept.slice().sort((a, b) => a - b), reference.typical(asObjects(logits), 0.3).map((c) => c.id).sort((a, b) => a - b));
  candidates.minP(0.9);
  assert.ok(candidates.count >= 1);
});

test('weights are the softmax of the reference', () => {
  for (const [name, logits] of cases) {
    const candidates = all(logits);
    const total = candidates.weigh();
    const expected = reference.softmax(asObjects(logits));
    for (let i = 0; i < logits.length; i++) {
      const p = candidates.weights[i]! / total;
      assert.ok(Math.abs(p - expected[i]!) <= 1e-13 * expected[i]! + 1e-300, `${name}: ${p} for ${expected[i]}`);
    }
  }
});

test('draw takes one number, never a masked token, and survives any temperature', () => {
  const logits = randomLogits(400, 5).map((x, i) => (i % 2 ? x : -Infinity));
  for (const temperature of [5e-324, 1e-10, 0.5, 1, 100, Number.MAX_VALUE]) {
    const candidates = all(logits);
    const random = new Random(3);
    for (let i = 0; i < 300; i++) assert.is(candidates.draw(temperature, random) % 2, 1);
    const counter = new Random(3);
    for (let i = 0; i < 300; i++) counter.float64();
    assert.equal(random.saveState(), counter.saveState());
  }
});

test('draw: a number so near 1 that its target rounds up to the whole mass still gives a possible token', () => {
  const candidates = all(Float32Array.of(0, 0, 0, -Infinity)); // total 3; 3 · (1 − 2⁻⁵³) rounds to 3
  assert.is(candidates.draw(1, { float64: () => 1 - 2 ** -53 } as Random), 2);
  const masked = all(Float32Array.of(-Infinity, 0, 0));
  assert.is(masked.draw(1, { float64: () => 0 } as Random), 1);
});

test.run();
