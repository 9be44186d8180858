/** A head read in two stages says what the whole head says: same tokens for same seeds, and nearly the same log-probabilities. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load, plan } from '../../src/index.ts';
import type { GenerateOptions, Model } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';
import { asked, tinyModel } from '../helpers/tiny-models.ts';

const test = suite('head in two stages');
const prompts = ['The capital of France is', 'def fibonacci(n):\n'];
const open = (head: 'whole' | { deviations: number }): Promise<Model> => load(embeddedModel, { head, contextSize: 256, threads: 1 });

test('draws the same tokens, greedy and with every way to draw that it serves', async () => {
  await using whole = await open('whole');
  await using staged = await open({ deviations: 6 });
  if (staged.info.tier === 'base') return;
  assert.is(whole.info.headDeviations, 0);
  assert.is(staged.info.headDeviations, 6);
  const ways: GenerateOptions[] = [{ temperature: 0 }, { seed: 5 }, { seed: 7, topP: 1 }, { seed: 9, repeatPenalty: 1.3 }, { seed: 2, minP: 0, topP: 1, topK: 5 }, { seed: 4, typicalP: 0.9 }];
  for (const way of ways) for (const prompt of prompts) {
    const options = { ...way, maxTokens: 12, telemetry: true } as const;
    const [a, b] = [await whole.generate(prompt, options).tokens(), await staged.generate(prompt, options).tokens()];
    assert.equal(b.map(({ id }) => id), a.map(({ id }) => id), JSON.stringify(way));
    for (const [i, { logprob, entropy }] of b.entries()) {
      assert.ok(Math.abs(logprob - a[i]!.logprob) < 0.3, `${JSON.stringify(way)}: logprob ${logprob}, whole ${a[i]!.logprob}`);
      assert.ok(Math.abs(entropy! - a[i]!.entropy!) < 1, `entropy ${entropy}, whole ${a[i]!.entropy}`);
    }
    if (way.temperature === 0) assert.ok(b.every(({ step }) => !step || step.refined < staged.info.vocab / 3), 'few rows are read whole');
  }
});

test('log-probabilities of alternatives and raw distributions are the whole head\'s to the bit', async () => {
  await using whole = await open('whole');
  await using staged = await open({ deviations: 6 });
  const options = { temperature: 0, maxTokens: 4, logprobs: 3 } as const;
  assert.equal(await staged.generate(prompts[0]!, options).tokens(), await whole.generate(prompts[0]!, options).tokens());
  const ids = staged.tokenizer.encode(prompts[1]!);
  await staged.generate(ids, { temperature: 0, maxTokens: 1 }).tokens(); // leaves a part of them
  assert.equal((await staged.evaluate(ids)).logits, (await whole.evaluate(ids)).logits);
  assert.equal((await staged.score(ids)).tokens, (await whole.score(ids)).tokens);
});

for (const name of ['llama', 'qwen2', 'gemma', 'gpt2', 'granite']) {
  test(`a tiny ${name} draws the same tokens`, async () => {
    const bytes = await tinyModel(name), shared = { contextSize: 128, threads: 1 } as const;
    await using whole = await load(bytes, { ...shared, head: 'whole' });
    await using staged = await load(bytes, { ...shared, head: { deviations: 6 } });
    const ids = asked.map((id) => id % whole.info.vocab);
    for (const options of [{ temperature: 0 }, { seed: 3 }, { seed: 5, topK: 3 }]) {
      const [a, b] = await Promise.all([whole, staged].map(async (model) => (await model.generate(ids, { ...options, maxTokens: 20 }).tokens()).map(({ id }) => id)));
      assert.equal(b, a, JSON.stringify(options));
    }
  });
}

test('unless something is said, a large matrix of more than five bits a weight is read in two stages, where they fit', async () => {
  const roomy = await plan(embeddedModel, { contextSize: 256 }), whole = await plan(embeddedModel, { contextSize: 256, head: 'whole' });
  assert.is(roomy.model.deviations, 6);
  assert.is(whole.model.deviations, 0);
  assert.ok(roomy.memory.total > whole.memory.total);
  const tight = await plan(embeddedModel, { contextSize: 256, sequences: 1, maxBytes: (await plan(embeddedModel, { contextSize: 256, sequences: 1, head: 'whole' })).memory.total });
  assert.is(tight.model.deviations, 0);
  assert.is((await plan(embeddedModel, { contextSize: 256, precision: 'exact' })).model.deviations, 0); // the reference
  assert.is((await plan(await tinyModel('llama'), { contextSize: 64 })).model.deviations, 0); // 32,768 weights
});

test('deviations out of range are refused by name', async () => {
  for (const head of [{ deviations: 0 }, { deviations: 101 }, { deviations: NaN }, 'half', { deviation: 6 }, 6]) {
    try {
      await load(embeddedModel, { head: head as never });
      assert.unreachable(JSON.stringify(head));
    } catch (error) {
      assert.is((error as { code?: string }).code, 'E_OPTION', JSON.stringify(head));
      assert.match(String(error), /option head/);
    }
  }
});

test.run();
