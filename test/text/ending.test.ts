/** What ends a generation, and what keeps it from ending: `ignoreEos`, `loopGuard`, `maxTokens` without a limit. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { LoopGuard } from '../../src/text/loop.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('ending');
const model = await load(tinyPath('llama.gguf'), { tier: 'base', contextSize: 96 });
const prompt = [5, 6, 7, 8], eog = Array.from({ length: model.tokenizer.vocabSize }, (_, id) => id).filter((id) => model.tokenizer.isEog(id));

test('ignoreEos: an end is never sampled, whatever its logit; a bias of the caller holds beside it', async () => {
  assert.ok(eog.length > 0);
  const wanted = { temperature: 0, maxTokens: 12, logitBias: { [eog[0]!]: 1000, 9: 500 } };
  const ends = model.generate(prompt, wanted), goesOn = model.generate(prompt, { ...wanted, ignoreEos: true });
  assert.equal((await ends.tokens()).length, 0);
  assert.is(ends.stats().stopReason, 'eog');
  assert.equal((await goesOn.tokens()).map(({ id }) => id), Array(12).fill(9));
  assert.is(goesOn.stats().stopReason, 'length');
});

test('maxTokens: null and -1 are no limit, as leaving it out; other options take null too', async () => {
  for (const maxTokens of [undefined, null, -1]) {
    const generation = model.generate(prompt, { maxTokens, ignoreEos: true, temperature: null, stop: null, sparsity: null, logprobs: null } as never);
    await generation.text();
    assert.is(generation.stats().stopReason, 'context', String(maxTokens));
  }
});

test('loopGuard ends what says one thing over and over; a saved one stays ended, and goes on without the guard', async () => {
  const generation = model.generate(prompt, { temperature: 0, ignoreEos: true, loopGuard: 4, logitBias: { 9: 1000 } });
  assert.is((await generation.tokens()).length, 32);
  assert.is(generation.stats().stopReason, 'loop');
  const snapshot = await generation.save();
  assert.is((await (await model.resume(snapshot)).tokens()).length, 0);
  assert.is((await (await model.resume(snapshot, { loopGuard: 0, maxTokens: 5 })).tokens()).length, 5);
  const begun = model.generate(prompt, { temperature: 0, ignoreEos: true, loopGuard: 4, logitBias: { 9: 1000 }, maxTokens: 30 });
  await begun.text();
  assert.is((await (await model.resume(await begun.save(), { maxTokens: 9 })).tokens()).length, 2, 'the guard remembers what was said');
  const free = model.generate(prompt, { temperature: 0, ignoreEos: true, logitBias: { 9: 1000 }, maxTokens: 60 });
  assert.is((await free.tokens()).length, 60);
});

/** Tokens until the guard speaks; Infinity where it never does. */
function firstLoop(times: number, ids: Iterable<number>): number {
  const guard = new LoopGuard(times);
  let count = 0;
  for (const id of ids) {
    count++;
    if (guard.push(id)) return count;
  }
  return Infinity;
}

test('what counts as a loop: so many times in a row, over 32 tokens, passages of up to 256', () => {
  const passage = (length: number, from = 100): number[] => Array.from({ length }, (_, i) => from + i);
  const said = (length: number, times: number): number[] => [...passage(70, 5000), ...Array.from({ length: times }, () => passage(length)).flat()];
  for (const [length, times, expected] of [[1, 40, 32], [2, 40, 32], [7, 10, 32], [8, 10, 32], [10, 10, 40], [100, 4, 400], [256, 4, 1024]] as const) {
    assert.is(firstLoop(4, said(length, times)) - 70, expected, `${length} tokens, ${times} times`);
    assert.is(firstLoop(4, said(length, times).slice(0, 70 + expected - 1)), Infinity);
  }
  assert.is(firstLoop(4, said(257, 6)), Infinity, 'longer than is looked for');
  assert.is(firstLoop(4, passage(3000)), Infinity);
  assert.is(firstLoop(2, said(20, 2)) - 70, 40);
  const rows = Array.from({ length: 40 }, (_, row) => [...passage(10), 900 + row]).flat(); // a list whose numbers rise is no loop
  assert.is(firstLoop(4, rows), Infinity);
});

test.run();
