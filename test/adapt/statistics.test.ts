/** Statistics of a prompt: sums in float64 of what the layer really computed, each token once, whatever way the prompt came in. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import { collectStatistics } from '../../src/calibrate/statistics.ts';
import { Stage, StepFlag } from '../../src/model/enums.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { openSequence, tinyPath } from '../helpers/models.ts';
import { lastLayer } from '../helpers/taps.ts';

const test = suite('prompt statistics');
const ids = Array.from({ length: 90 }, (_, i) => 3 + ((i * 89) % 440)); // a whole chunk and part of another
const griffin: Selection = { ...denseSelection, stages: Stage.mask, rule: 'topK', density: 0.5 };

interface Sums { n: number; h: Float64Array[]; normed: Float64Array[]; up: Float64Array[] }

async function sumsOf(sequence: Sequence): Promise<Sums> {
  const { nLayers } = await sequence.exclusive((engine) => engine.plan.hparams);
  const layers = Array.from({ length: nLayers }, (_, i) => sequence.adapt.sums(i)), copy = (field: 'h' | 'normed' | 'up'): Float64Array[] => layers.map((sums) => Float64Array.from(sums[field]));
  return { n: sequence.adapt.record.get('nStat'), h: copy('h'), normed: copy('normed'), up: copy('up') };
}

/** Feeds the prompt up to each of `ends` in turn; the statistics afterwards. */
async function after(sequence: Sequence, ends: readonly number[], selection = griffin, tokens = ids): Promise<Sums> {
  for (const end of ends) await sequence.evaluate(tokens.slice(0, end), () => undefined, { selection, decodeFrom: end });
  return sumsOf(sequence);
}

/** Largest difference of any neuron's sum, in units of its layer's mean sum. */
function distance(a: Sums, b: Sums): number {
  assert.is(a.n, b.n);
  let worst = 0;
  for (const field of ['h', 'normed', 'up'] as const) a[field].forEach((sums, layer) => {
    const other = b[field][layer]!, scale = other.reduce((sum, v) => sum + v, 0) / other.length;
    sums.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - other[i]!) / scale); });
  });
  return worst;
}

for (const file of ['llama.gguf', 'gpt2.gguf', 'qwen2.gguf', 'llama256-q4_1.gguf']) {
  test(`${file}: the last layer's sums are those of its own activations, in float64`, async () => {
    const sequence = await openSequence(tinyPath(file)), { nLayers, ffn } = await sequence.exclusive((engine) => engine.plan.hparams);
    const want = { h: new Float64Array(ffn), normed: new Float64Array(ffn), up: new Float64Array(ffn) };
    const ends = [1, 3, 20, 21, 85, 90]; // passes of 1, 2, 17, 1, 64 and 5 tokens
    for (const [p, end] of ends.entries()) {
      await sequence.evaluate(ids.slice(0, end), () => undefined, { selection: griffin, decodeFrom: end });
      const from = ends[p - 1] ?? 0, rows = await lastLayer(sequence, end - from);
      for (let t = from; t < end; t++) {
        if (t < griffin.skipTokens) continue;
        const row = t - Math.max(from, griffin.skipTokens); // the last layer has those that are counted
        const h = rows.h[row]!, up = rows.up[row]!, square = h.reduce((sum, v) => sum + v * v, 0);
        for (let i = 0; i < ffn; i++) {
          want.h[i]! += h[i]! ** 2;
          want.normed[i]! += h[i]! ** 2 / square;
          want.up[i]! += up[i]! ** 2;
        }
      }
    }
    const { n, h, normed, up } = await sumsOf(sequence), found = { h: h[nLayers - 1]!, normed: normed[nLayers - 1]!, up: up[nLayers - 1]! };
    assert.is(n, ids.length - griffin.skipTokens);
    for (const field of ['h', 'normed', 'up'] as const) want[field].forEach((value, i) => assert.ok(Math.abs(found[field][i]! - value) <= 1e-5 * value, `${field} ${i}: ${found[field][i]}, not ${value}`));
    assert.ok(Math.abs(found.normed.reduce((sum, v) => sum + v, 0) / n - 1) < 1e-5, 'a token\'s shares add up to one');
  });
}

test('all layers: the calibration binary, which computes apart, finds the same', async () => {
  for (const file of ['llama.gguf', 'gpt2.gguf']) {
    const sequence = await openSequence(tinyPath(file), { precision: 'exact' }), sums = await after(sequence, [ids.length]);
    const { nTokens, hSq, hNormedSq, upSq, ffn } = await collectStatistics(tinyPath(file), [ids], { gradients: false });
    const times = (means: Float32Array): Float64Array[] => sums.h.map((_, layer) => Float64Array.from(means.subarray(layer * ffn, (layer + 1) * ffn), (mean) => mean * nTokens));
    // without a gate u counts as 1 there, as h here: the engine has no use for it
    const other: Sums = { n: nTokens, h: times(hSq), normed: times(hNormedSq), up: file === 'gpt2.gguf' ? sums.up : times(upSq) };
    assert.ok(distance(sums, other) < 1e-4, `${file}: ${distance(sums, other)}`);
  }
});

test('cut into other chunks: the same sums', async () => {
  const open = (): Promise<Sequence> => openSequence(tinyPath('llama.gguf'), { precision: 'exact' });
  const whole = await after(await open(), [90]);
  for (const ends of [[1, 90], [2, 3, 4, 5, 90], [64, 90], [37, 38, 90], Array.from({ length: 90 }, (_, i) => i + 1)]) {
    const found = distance(await after(await open(), ends), whole);
    assert.ok(found < 1e-6, `${ends.length} pieces: ${found}`);
  }
});

test('skipTokens: so many first positions, and no other, are left out', async () => {
  const open = (): Promise<Sequence> => openSequence(tinyPath('llama.gguf'), { precision: 'exact' });
  const all = await after(await open(), [90], { ...griffin, skipTokens: 0 });
  assert.is(all.n, 90);
  for (const skipTokens of [1, 4, 70]) {
    const [rest, first] = [await after(await open(), [90], { ...griffin, skipTokens }), await after(await open(), [skipTokens], { ...griffin, skipTokens: 0 })];
    assert.is(rest.n, 90 - skipTokens);
    const together: Sums = { n: 90, ...Object.fromEntries((['h', 'normed', 'up'] as const).map((field) => [field, rest[field].map((sums, l) => sums.map((v, i) => v + first[field][l]![i]!))])) } as Sums;
    assert.ok(distance(together, all) < 2e-6, `${skipTokens}: ${distance(together, all)}`);
  }
  const none = await after(await open(), [90], { ...griffin, skipTokens: 90 });
  assert.is(none.n, 0);
  assert.ok(none.h.every((sums) => sums.every((v) => v === 0)));
});

test('a prompt that is asked for again, or answered again, is counted once', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf')), once = await after(sequence, [90]);
  const again = await after(sequence, [90, 90]);
  assert.equal(again, once);
  for (let n = 91; n <= 95; n++) await sequence.evaluate([...ids, 5, 6, 7, 8, 9].slice(0, n), () => undefined, { selection: griffin, decodeFrom: 90 });
  assert.equal(await sumsOf(sequence), once, 'sparse tokens are not counted');
  assert.equal(await after(sequence, [90]), once, 'nor the last token, whose logits are computed again');
});

test('a shorter prompt, another one, a scored text: what is gone is forgotten', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf')), fresh = async (ends: number[], tokens = ids): Promise<Sums> => after(await openSequence(tinyPath('llama.gguf')), ends, griffin, tokens);
  await after(sequence, [90]);
  assert.ok(distance(await after(sequence, [40]), await fresh([40])) < 1e-6);
  const other = [...ids.slice(0, 30), ...ids.slice(50)];
  assert.ok(distance(await after(sequence, [other.length], griffin, other), await fresh([other.length], other)) < 1e-6);
  await sequence.score(ids.slice(0, 20), () => undefined);
  assert.is(sequence.adapt.record.get('nStat'), 0);
  assert.ok(distance(await after(sequence, [90]), await fresh([90])) < 1e-6, 'rows that were scored are computed again, and counted');
  await sequence.evaluate(ids.slice(0, 50), () => undefined); // dense: nobody counts
  assert.ok(distance(await after(sequence, [90]), await fresh([90])) < 1e-6);
});

test('a refreshed token counts, and so does a token that was run again', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf'));
  const selection: Selection = { ...griffin, refreshAfter: 1, refreshAbove: -1 }; // load 0 is high: every step
  const before = await after(sequence, [90], selection);
  let flags = 0;
  await sequence.evaluate([...ids, 5], ({ report }) => { ({ flags } = report); }, { selection, decodeFrom: 90 });
  assert.is(flags & StepFlag.refreshed, StepFlag.refreshed);
  const { n, h } = await sumsOf(sequence), rows = await lastLayer(sequence, 1);
  assert.is(n, before.n + 1);
  h[1]!.forEach((value, i) => assert.ok(Math.abs(value - before.h[1]![i]! - rows.h[0]![i]! ** 2) < 1e-5 * value));

  const rerun: Selection = { ...griffin, rerunAbove: 0 }, start = await after(sequence, [89], rerun);
  await sequence.evaluate(ids, ({ report }) => { ({ flags } = report); }, { selection: rerun, decodeFrom: 89 });
  assert.is(flags & StepFlag.reran, StepFlag.reran);
  assert.is((await sumsOf(sequence)).n, start.n + 1);
});

test.run();
