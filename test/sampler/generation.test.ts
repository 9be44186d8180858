/** Generations under a constraint: how they end, what they refuse, and that snapshots keep where it stood. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, Constraint, GenerateOptions, Tokenizer } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('sampler/generation');
const model = await load(embeddedModel, { tier: 'base', contextSize: 256 });

/** Exactly so many digits, one token each, then the end. */
function digits(tokenizer: Tokenizer, count: number): Constraint {
  const ids = new Set(Array.from('0123456789', (digit) => tokenizer.encode(digit)[0]!)), ends = new Set(tokenizer.eogIds);
  let said = 0;
  const allows = (id: number): boolean => (said < count ? ids : ends).has(id);
  return {
    allows,
    mask: () => {
      const mask = new Uint32Array((tokenizer.vocabSize + 31) >> 5);
      for (const id of said < count ? ids : ends) mask[id >> 5]! |= 1 << (id & 31);
      return mask;
    },
    accept: (id) => { assert.ok(allows(id)); said++; },
    save: () => ({ said }),
    restore: (state) => { said = (state as { said: number }).said; },
  };
}

async function codeOf(run: () => unknown): Promise<string> {
  try { await run(); } catch (error) { return (error as CladaError).code ?? String(error); }
  return 'none';
}

const options = (): GenerateOptions => ({ seed: 5, temperature: 1, constraint: digits(model.tokenizer, 12) });

test('the text follows the constraint and ends where it does; log-probabilities are those of the model', async () => {
  const generation = model.generate('Once upon a time', options()), tokens = await generation.tokens();
  assert.match(tokens.map(({ text }) => text).join(''), /^\d{12}$/);
  assert.is(generation.stats().stopReason, 'eog');
  assert.is(generation.stats().generatedTokens, 13);
  assert.ok(Math.min(...tokens.map(({ logprob }) => logprob)) < -5, 'a digit was not likely there');
  const again = await model.generate('Once upon a time', { ...options(), logprobs: 3 }).tokens(); // all rows are exact then
  for (const [i, { id, logprob }] of tokens.entries()) {
    assert.is(id, again[i]!.id);
    assert.ok(Math.abs(logprob - again[i]!.logprob) < 0.05);
  }
  assert.not.match(again[0]!.top!.map(({ id }) => model.tokenizer.decode([id])).join(''), /\d/);
});

test('other ends come first; contradictions and second uses are refused', async () => {
  const short = model.generate('One, two,', { ...options(), maxTokens: 4 });
  assert.match(await short.text(), /^\d{4}$/);
  assert.is(short.stats().stopReason, 'length');
  assert.is(await codeOf(() => model.generate('One', { ...options(), ignoreEos: true })), 'E_OPTION');
  assert.is(await codeOf(() => model.generate('One', { constraint: {} as never })), 'E_OPTION');
  const used = options();
  await model.generate('One', used).text();
  assert.is(await codeOf(() => model.generate('One', used).text()), 'E_OPTION');
});

test('snapshots keep where it stood; without a constraint they do not go on', async () => {
  const whole = await model.generate('Once upon a time', options()).text();
  for (const cut of [0, 1, 7, 12]) {
    const begun = model.generate('Once upon a time', { ...options(), ...(cut > 0 ? { maxTokens: cut } : {}) });
    const first = cut > 0 ? await begun.text() : '', snapshot = await begun.save();
    assert.is(await codeOf(() => model.resume(snapshot)), 'E_OPTION');
    const rest = await model.resume(snapshot, { constraint: digits(model.tokenizer, 12), maxTokens: 30 });
    assert.is(first + await rest.text(), whole);
    assert.is(rest.stats().stopReason, 'eog');
  }
  const chat = model.chat(), answer = chat.send('Say a number.', options()), seen: string[] = [];
  let within: Uint8Array | undefined;
  for await (const { text } of answer) if (seen.push(text) === 5) within = await chat.save();
  const restored = await model.restore(within!);
  assert.is(await codeOf(() => restored.resume().text()), 'E_OPTION');
  assert.is(restored.unfinished + await restored.resume({ constraint: digits(model.tokenizer, 12) }).text(), seen.join(''));
});

test.after(() => { model.close(); });
test.run();
