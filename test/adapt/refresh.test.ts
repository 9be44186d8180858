/** From sums to selections: exact counts, the largest and no others, the cascade's weights, bit for bit in the order of operations. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import { Stage } from '../../src/model/enums.ts';
import { Random } from '../../src/sampler/random.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { openSequence, tinyPath } from '../helpers/models.ts';
import { maskOf, scoresOf } from '../helpers/taps.ts';

const test = suite('refresh');
const f32 = Math.fround;
const random = new Random(21);
const shape = await (await openSequence(tinyPath('llama.gguf'))).exclusive((engine) => engine.plan.hparams), { nLayers, ffn } = shape;

/** Squares as activations give them: over five decades, layers of different sizes. */
const squares = (): Float32Array[] => Array.from({ length: nLayers }, (_, l) => Float32Array.from({ length: ffn }, () => (1 + 3 * l) * 10 ** (-5 * random.float64())));
const constants = (): Record<'sensitivity' | 'upSquare' | 'hSquare' | 'columnNorm', Float32Array> => {
  const flat = (): Float32Array => Float32Array.from(squares().flatMap((row) => [...row]));
  return { sensitivity: flat(), upSquare: flat(), hSquare: flat(), columnNorm: flat() };
};
const row = (flat: Float32Array, layer: number): Float32Array => flat.subarray(layer * ffn, (layer + 1) * ffn);

type Sums = Partial<Record<'h' | 'normed' | 'up', readonly Float32Array[]>>;

/** Makes the selection from these sums over `nStat` tokens. */
async function reselect(sequence: Sequence, selection: Partial<Selection>, sums: Sums, nStat: number): Promise<void> {
  sequence.adapt.configure({ ...denseSelection, ...selection });
  for (let l = 0; l < nLayers; l++) {
    const own = sequence.adapt.sums(l);
    for (const field of ['h', 'normed', 'up'] as const) own[field].set(sums[field]?.[l] ?? new Float32Array(ffn));
  }
  sequence.adapt.record.set('nStat', nStat);
  await sequence.exclusive((engine, ptr) => engine.reselect(ptr));
  assert.is(sequence.adapt.record.get('dirty'), 0);
}

const open = (): Promise<Sequence> => openSequence(tinyPath('llama.gguf'));
/** Listed neurons hold the k largest values, in order of their number. */
function holdsLargest(list: readonly number[], values: ArrayLike<number>): void {
  assert.equal(list, [...new Set(list)].sort((a, b) => a - b), 'sorted, each once');
  const inside = new Set(list), least = Math.min(...list.map((i) => values[i]!));
  for (let i = 0; i < values.length; i++) assert.ok(inside.has(i) || values[i]! <= least, `neuron ${i} is left out for a smaller one`);
}
/** round(x) to even, as f32 `nearest` does. */
const nearestEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

test('topK: exactly the same number in every layer, by (h / |h|)^2', async () => {
  const sequence = await open(), normed = squares(), h = squares();
  for (const density of [0.001, 0.25, 0.5, 0.6, 0.9, 0.999, 1]) {
    await reselect(sequence, { stages: Stage.mask, rule: 'topK', density }, { normed, h }, 20);
    const k = Math.max(1, nearestEven(f32(f32(density) * ffn)));
    for (let l = 0; l < nLayers; l++) {
      assert.is(maskOf(sequence, l).length, k, `density ${density}, layer ${l}`);
      holdsLargest(maskOf(sequence, l), normed[l]!);
    }
  }
});

test('topK: exactly k also of equal values, and of none', async () => {
  const sequence = await open(), equal = squares().map((values) => values.map((_, i) => (i % 3 === 0 ? 0.5 : 0.25)));
  for (const normed of [equal, equal.map((values) => values.map(() => 0)), equal.map((values) => values.map(() => 7))]) {
    await reselect(sequence, { stages: Stage.mask, rule: 'topK', density: 0.45 }, { normed }, 5);
    for (let l = 0; l < nLayers; l++) {
      assert.is(maskOf(sequence, l).length, nearestEven(0.45 * ffn));
      holdsLargest(maskOf(sequence, l), normed[l]!);
    }
  }
});

/** (sums + shrink * prior) / (n + shrink), its root times a weight: every operation rounded to f32. */
function expected(sums: Float32Array, n: number, shrink: number, prior: Float32Array | undefined, weight: Float32Array | undefined): Float32Array {
  const count = f32(n + (prior ? shrink : 0)), inverse = count > 0 ? f32(1 / count) : 0;
  return sums.map((sum, i) => {
    const root = f32(Math.sqrt(f32(f32(sum + (prior ? f32(shrink * prior[i]!) : 0)) * inverse)));
    return weight ? f32(root * weight[i]!) : root;
  });
}

test('cascade: sensitivity * sqrt of E u^2, shrunk to the prior', async () => {
  const sequence = await open(), up = squares(), known = constants();
  sequence.engine.forms.place(known);
  for (const [n, shrink] of [[20, 48], [0, 48], [500, 48], [7, 0], [0, 0]] as const) {
    const sums = n > 0 ? up : up.map((values) => values.map(() => 0));
    await reselect(sequence, { stages: Stage.gate | Stage.product, rule: 'cascade', gateWeights: 'scores', shrink }, { up: sums, h: squares() }, n);
    for (let l = 0; l < nLayers; l++) {
      assert.equal([...scoresOf(sequence, l, ffn)], [...expected(sums[l]!, n, shrink, row(known.upSquare, l), row(known.sensitivity, l))], `layer ${l}, ${n} tokens, shrink ${shrink}`);
      assert.is(sequence.adapt.layer(l).get('gateWeightPtr'), sequence.adapt.layer(l).get('scoresPtr'));
    }
  }
});

test('cascade without constants: the prompt alone; without tokens too: 0', async () => {
  const sequence = await open(), up = squares();
  await reselect(sequence, { rule: 'cascade', stages: Stage.gate }, { up }, 9);
  for (let l = 0; l < nLayers; l++) assert.equal([...scoresOf(sequence, l, ffn)], [...expected(up[l]!, 9, 48, undefined, undefined)]);
  await reselect(sequence, { rule: 'cascade', stages: Stage.gate }, {}, 0);
  for (let l = 0; l < nLayers; l++) assert.ok(scoresOf(sequence, l, ffn).every((value) => value === 0));
});

test('cett: sqrt of E h^2 * column norm; the prior only where there is no token', async () => {
  const sequence = await open(), h = squares(), known = constants();
  sequence.engine.forms.place(known);
  await reselect(sequence, { stages: Stage.scores, rule: 'cett' }, { h }, 20);
  for (let l = 0; l < nLayers; l++) assert.equal([...scoresOf(sequence, l, ffn)], [...expected(h[l]!, 20, 48, undefined, row(known.columnNorm, l))]);
  await reselect(sequence, { stages: Stage.scores, rule: 'cett' }, {}, 0);
  for (let l = 0; l < nLayers; l++) assert.equal([...scoresOf(sequence, l, ffn)], [...expected(new Float32Array(ffn), 0, 48, row(known.hSquare, l), row(known.columnNorm, l))]);
});

test('cett with a density: thresholds moved by one factor, so that the prompt keeps that share', async () => {
  const sequence = await open(), h = squares(), known = constants(), base = Float32Array.from({ length: nLayers }, (_, l) => 0.2 + 0.3 * l);
  sequence.engine.forms.place(known);
  for (const density of [0.2, 0.6, 0.999]) for (let again = 0; again < 2; again++) { // a refresh finds thresholds that were moved before
    await reselect(sequence, { stages: Stage.scores, rule: 'cett', density, scoreBase: base }, { h }, 20);
    const scores = h.map((sums, l) => expected(sums, 20, 48, undefined, row(known.columnNorm, l)).map((score) => f32(score * f32(1 / base[l]!))));
    const lists = scores.map((own, l) => [...own.keys()].filter((i) => own[i]! > sequence.adapt.layer(l).get('scoreBase')));
    scores.forEach((own, l) => assert.equal([...scoresOf(sequence, l, ffn)], [...own]));
    assert.is(lists.flat().length, nearestEven(f32(f32(density) * (ffn * nLayers))), `density ${density}`);
    assert.is(new Set(scores.map((_, l) => sequence.adapt.layer(l).get('scoreBase'))).size, 1);
  }
  await reselect(sequence, { stages: Stage.scores, rule: 'cett', scoreBase: base }, { h }, 20);
  base.forEach((value, l) => assert.is(sequence.adapt.layer(l).get('scoreBase'), value, 'without: as they are'));
});

test('global: one threshold over all layers keeps round(density * all), the most damaging', async () => {
  const sequence = await open(), h = squares(), known = constants();
  sequence.engine.forms.place(known);
  for (const density of [0.003, 0.2, 0.5, 0.77, 0.999, 1]) {
    await reselect(sequence, { stages: Stage.mask, rule: 'global', density }, { h }, 20);
    const scores = h.map((sums, l) => expected(sums, 20, 48, row(known.hSquare, l), row(known.sensitivity, l)));
    const lists = scores.map((_, l) => maskOf(sequence, l)), kept = lists.reduce((sum, { length }) => sum + length, 0);
    assert.is(kept, nearestEven(f32(f32(density) * (ffn * nLayers))), `density ${density}`);
    scores.forEach((own, l) => assert.equal([...scoresOf(sequence, l, ffn)], [...own]));
    holdsLargest(lists.flatMap((list, l) => list.map((i) => l * ffn + i)), scores.flatMap((own) => [...own]));
    if (density === 0.5) assert.ok(new Set(lists.map(({ length }) => length)).size > 1, 'layers keep different shares');
  }
});

test('global: of equal scores all or none, never more than asked for', async () => {
  const sequence = await open(), h = Array.from({ length: nLayers }, () => new Float32Array(ffn).fill(0.5));
  await reselect(sequence, { stages: Stage.mask, rule: 'global', density: 0.5 }, { h }, 20);
  for (let l = 0; l < nLayers; l++) assert.is(sequence.adapt.layer(l).get('nMask'), 0);
  await reselect(sequence, { stages: Stage.mask, rule: 'global', density: 1 }, { h }, 20);
  for (let l = 0; l < nLayers; l++) assert.is(sequence.adapt.layer(l).get('nMask'), ffn);
});

test.run();
