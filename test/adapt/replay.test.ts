/** The controller, replayed from telemetry alone: every load, factor and refresh of 1,000 tokens, bit for bit; and its rules one by one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SparsityOptions } from '../../src/adapt/methods.ts';
import { resolveSparsity } from '../../src/adapt/resolve.ts';
import type { ReplayedStep } from '../../src/adapt/replay.ts';
import { CogLoadReplay } from '../../src/adapt/replay.ts';
import type { CogLoadControl } from '../../src/adapt/selection.ts';
import { noCogLoad } from '../../src/adapt/selection.ts';
import type { GeneratedToken, Model } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { Random } from '../../src/sampler/random.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('load replay');
const { path, calibration } = await calibratedCopy(tinyPath('llama.gguf'));
const random = new Random(3);
/** Lengths around the chunk, the first positions that no statistics count, and one token. */
const prompts = [48, 1, 3, 20, 52].map((length) => Array.from({ length }, () => 3 + random.uint32() % 440));
const perPrompt = 201; // 200 of them by a step; the context of the fixture is 256
const traits = { nLayers: calibration.nLayers, ffn: calibration.ffn, gated: true, relu: false, downShare: 1 / 3 };

/** The replay of a generation, from what its telemetry says. */
function replayed(options: SparsityOptions, tokens: readonly GeneratedToken[]): ReplayedStep[] {
  const { selection } = resolveSparsity(options, traits, calibration);
  const replay = new CogLoadReplay(selection.cogLoad, selection.refreshAfter, selection.refreshAbove);
  return tokens.slice(0, -1).map(({ surprisal, entropy }) => replay.step(surprisal!, entropy!));
}

const figures = (tokens: readonly GeneratedToken[]): ReplayedStep[] =>
  tokens.slice(1).map(({ step }) => ({ cogLoad: step!.cogLoad, factor: step!.factor, refresh: step!.refreshed }));

function sameBits(found: readonly ReplayedStep[], wanted: readonly ReplayedStep[]): void {
  assert.is(found.length, wanted.length);
  found.forEach((step, i) => {
    for (const field of ['cogLoad', 'factor', 'refresh'] as const) assert.ok(Object.is(step[field], wanted[i]![field]), `token ${i + 1}: ${field} ${step[field]}, not ${wanted[i]![field]}`);
  });
}

const run = (model: Model, options: SparsityOptions, prompt: readonly number[], seed: number, maxTokens = perPrompt): Promise<GeneratedToken[]> =>
  model.generate(prompt, { maxTokens, ignoreEos: true, temperature: 1, topK: 0, topP: 1, minP: 0, seed, telemetry: true, sparsity: options }).tokens();

const settings: Record<string, SparsityOptions> = {
  'clada with load': { method: 'clada', density: 0.6, cogLoad: true },
  'clada, hard loads, no warmup': { method: 'clada', density: 0.6, cogLoad: true, cogLoadGain: 0.5, cogLoadClamp: 0.75, cogLoadWarmup: 0, surprisalWeight: 0.3, entropyWeight: 0.9 },
  'clada-paper, refreshed': { method: 'clada-paper', level: 1, refreshAfter: 3, refreshAbove: 0.25 },
};
for (const tier of ['base', 'relaxed'] as const) {
  for (const [name, options] of Object.entries(settings)) {
    if (tier === 'relaxed' && !options.refreshAfter) continue; // the load is the same code
    test(`${name}, ${tier}: 1,000 tokens of five prompts`, async () => {
      const model = await load(path, { tier });
      let steps = 0, moved = 0, refreshes = 0;
      for (const [i, prompt] of prompts.entries()) {
        const tokens = await run(model, options, prompt, i + 1);
        assert.is(tokens[0]!.step, undefined, 'the first token comes out of the prompt');
        const found = figures(tokens);
        sameBits(found, replayed(options, tokens));
        steps += found.length;
        moved += found.filter(({ factor }) => factor !== 1).length;
        refreshes += found.filter(({ refresh }) => refresh).length;
        for (const { step } of tokens.slice(1)) {
          if (!step!.refreshed) continue;
          assert.is(step!.density, 1, 'a refreshed token runs dense');
          assert.equal(step!.layers, [], 'and skips no neuron');
        }
      }
      model.close();
      assert.is(steps, 1000);
      assert.ok(moved > 900, `${moved} factors other than 1`);
      assert.ok(options.refreshAfter ? refreshes >= 10 : refreshes === 0, `${refreshes} refreshes`);
    });
  }
}

test('without load: no load, factor 1', async () => {
  const model = await load(path, { tier: 'base' });
  const tokens = await run(model, { method: 'clada', density: 0.6 }, prompts[3]!, 1);
  assert.ok(figures(tokens).every(({ cogLoad, factor, refresh }) => cogLoad === 0 && factor === 1 && !refresh));
  model.close();
});

test('generations that take turns on one model decide what each decides alone', async () => {
  const model = await load(path, { tier: 'base' }), options = settings['clada with load']!;
  const [same, other] = [prompts[3]!, [...prompts[3]!.slice(0, 12), 7, 8, 9]];
  const start = ([prompt, seed]: readonly [readonly number[], number]): Promise<GeneratedToken[]> => run(model, options, prompt, seed, 32);
  const runs = [[same, 1], [same, 2], [other, 1]] as const, alone: GeneratedToken[][] = [];
  for (const one of runs) alone.push(await start(one));
  const together = await Promise.all(runs.map(start));
  for (const [i, tokens] of together.entries()) {
    assert.equal(tokens.map(({ id }) => id), alone[i]!.map(({ id }) => id));
    sameBits(figures(tokens), figures(alone[i]!));
  }
  model.close();
});

const control: CogLoadControl = { ...noCogLoad, mode: 'measured', surprisalWeight: 1, entropyWeight: 0, gain: 0.1, clamp: 2, warmup: 2 };

test('the rules: warmup, standardising by what came before, clamp, not known = 0', () => {
  const replay = new CogLoadReplay(control);
  const loads = [1, 3, 2, 100, NaN, 2].map((surprisal) => replay.step(surprisal, 0).cogLoad);
  // before the third: mean 2, deviation 1; before the fourth: mean 2, deviation sqrt(2/3): clamped; NaN leaves the state alone
  assert.equal(loads.slice(0, 5), [0, 0, 0, 2, 0]);
  const mean = (1 + 3 + 2 + 100) / 4, deviation = Math.sqrt([1, 3, 2, 100].reduce((sum, v) => sum + (v - mean) ** 2, 0) / 4);
  assert.ok(Math.abs(loads[5]! - (2 - mean) / deviation) < 1e-5);
  const again = new CogLoadReplay(control);
  [1, 3].forEach((surprisal) => again.step(surprisal, 0));
  const { cogLoad, factor } = again.step(3, 0);
  assert.is(cogLoad, 1);
  assert.ok(Math.abs(factor - Math.exp(-0.1)) < 1e-7);
});

test('a hard token lowers thresholds, linearly or by an exponential', () => {
  for (const linear of [true, false]) {
    const replay = new CogLoadReplay({ ...control, linear });
    [1, 3].forEach((surprisal) => replay.step(surprisal, 0));
    assert.ok(replay.step(3, 0).factor < 1);
    assert.ok(replay.step(0, 0).factor > 1);
  }
});

test('refresh: so many high loads in a row, then counted anew', () => {
  const replay = new CogLoadReplay({ ...control, warmup: 0 }, 2, 0.5);
  const refreshes = [1, 3, 9, 30, 90, 300, 900, 1, 3000].map((surprisal) => replay.step(surprisal, 0).refresh);
  assert.equal(refreshes, [false, false, false, true, false, true, false, false, false]);
});

test.run();
