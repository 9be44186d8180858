/** Real models that skip neurons: nothing skipped are the dense bits, and half of them skipped still answers. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import type { Model, SparsityOptions } from '../../src/index.ts';
import { absent, reals, textOf } from './real.ts';

const test = suite('real models, sparse');

async function answer(model: Model, sparsity: SparsityOptions): Promise<{ ids: number[]; logprobs: number[]; density: number; perSecond: number }> {
  const generation = model.generate(textOf('code').slice(0, 400), { temperature: 0, maxTokens: 24, ignoreEos: true, sparsity, logprobs: 1 });
  const tokens = await generation.tokens(), { density, generatePerSecond } = generation.stats();
  return { ids: tokens.map(({ id }) => id), logprobs: tokens.map(({ logprob }) => logprob!), density, perSecond: generatePerSecond };
}

for (const real of reals) {
  if (!real.isHere) { console.log(absent(real)); test.skip(absent(real), () => undefined); continue; }
  test(`${real.name}: density 1 is dense bit for bit; griffin (a mask) and clada at 0.5 run`, async () => {
    await using model = await load(real.path, { tier: 'relaxed', contextSize: 512, calibration: false });
    const dense = await answer(model, { method: 'dense' });
    for (const method of ['griffin', 'clada'] as const) {
      const whole = await answer(model, { method, density: 1 });
      assert.equal([whole.ids, whole.logprobs], [dense.ids, dense.logprobs], `${method} at density 1`);
      const half = await answer(model, { method, density: 0.5 });
      assert.ok(half.density < 0.6 && half.logprobs.every((value) => Number.isFinite(value)), `${method} at 0.5: density ${half.density}`);
      console.log(`${real.name}, ${method} at 0.5: ${half.perSecond.toFixed(1)} tok/s beside ${dense.perSecond.toFixed(1)} dense: ${JSON.stringify(model.tokenizer.decode(half.ids))}`);
    }
  });
}
test.run();
