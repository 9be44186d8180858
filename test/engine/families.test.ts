/** A tiny model of every family against llama.cpp on the same bytes, and what holds for all of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { denseSelection } from '../../src/adapt/selection.ts';
import { Stage } from '../../src/model/enums.ts';
import { families } from '../../src/model/family.ts';
import { openSequence } from '../helpers/models.ts';
import { asked, greedyTokens, promptRows, readTruth, tinyModelPath, tinyModels } from '../helpers/tiny-models.ts';

/** Root of the mean square of the difference, in the reference's own spread; rows may differ by a constant. */
function difference(got: Float32Array, want: Float32Array): number {
  const mean = (row: Float32Array): number => row.reduce((sum, v) => sum + v, 0) / row.length, a = mean(got), b = mean(want);
  let error = 0, norm = 0;
  want.forEach((v, i) => { error += (got[i]! - a - (v - b)) ** 2; norm += (v - b) ** 2; });
  return Math.sqrt(error / norm);
}

const bits = (row: Float32Array): Buffer => Buffer.from(row.slice().buffer);

for (const tier of ['base', 'relaxed'] as const) {
  const test = suite(`families (${tier})`);

  for (const [name, { tolerance = 1e-5, contextSize = 256 }] of Object.entries(tinyModels)) {
    test(`${name}: rows and greedy tokens as llama.cpp computes them`, async () => {
      const sequence = await openSequence(await tinyModelPath(name), { tier, contextSize }), { rows, greedy, margins } = readTruth(name), tokens = [...asked];
      const row = async (ids: readonly number[], i: number): Promise<void> => {
        const error = await sequence.evaluate(ids, ({ logits }) => difference(logits, rows[i]!));
        assert.ok(error < tolerance, `row ${i}: ${error} of the reference's spread`);
        if (process.env['VERBOSE']) console.log(name, tier, i, error.toExponential(1));
      };
      for (let i = 0; i < promptRows; i++) await row(asked.slice(0, asked.length - promptRows + i + 1), i); // a prompt, then single tokens
      for (const [i, token] of greedy.entries()) {
        const top = await sequence.evaluate(tokens, ({ report }) => report.topToken);
        if (margins[i]! > 1e-3) assert.is(top, token, `greedy token ${i}`);
        tokens.push(token);
      }
      assert.is(tokens.length, asked.length + greedyTokens);
      await row(tokens, promptRows);
    });
  }

  test.run();
}

const test = suite('families: what holds for all');

test('every architecture of the table has a model', () => {
  for (const { architectures } of families) for (const name of architectures) assert.ok(name in tinyModels, name);
});

for (const [name, { contextSize = 256 }] of Object.entries(tinyModels)) {
  test(`${name}: a prompt cut anywhere gives the same bits`, async () => {
    const sequence = await openSequence(await tinyModelPath(name), { contextSize });
    const whole = await sequence.evaluate(asked, ({ logits }) => bits(logits));
    for (let cut = 1; cut < asked.length; cut++) {
      await sequence.evaluate([1], () => undefined); // another one, so that nothing of this is reused
      await sequence.evaluate(asked.slice(0, cut), () => undefined);
      assert.equal(await sequence.evaluate(asked, ({ logits }) => bits(logits)), whole, `cut after ${cut}`);
    }
  });

  test(`${name}: masks and thresholds at density 1 give the bits of dense`, async () => {
    const sequence = await openSequence(await tinyModelPath(name), { contextSize }), from = asked.length - 4;
    const decode = async (selection: typeof denseSelection): Promise<Buffer> => {
      await sequence.evaluate(asked.slice(0, from), () => undefined, { selection, decodeFrom: from });
      return sequence.evaluate(asked, ({ logits }) => bits(logits), { selection, decodeFrom: from });
    };
    const dense = await decode(denseSelection);
    assert.equal(await decode({ ...denseSelection, stages: Stage.mask, rule: 'topK', density: 1 }), dense, 'mask');
    assert.equal(await decode({ ...denseSelection, stages: Stage.product, productBase: 0 }), dense, 'thresholds');
  });
}

test.run();
