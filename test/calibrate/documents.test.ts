/** Documents sampled from a model: right length, right shape, the same for the same seed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sampleDocuments } from '../../src/calibrate/documents.ts';
import { openings, questions } from '../../src/calibrate/openings.ts';
import type { Model } from '../../src/text/model.ts';
import { load } from '../../src/text/load.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';

const test = suite('documents');

test('chats and plain text of the embedded model, each as long as asked for', async () => {
  await using model = await load(embeddedModel, { contextSize: 512, tier: 'base' });
  const progress: number[] = [];
  const documents = await sampleDocuments(model, { count: 4, tokens: 56, seed: 3, onProgress: (done) => { progress.push(done); } });
  assert.equal(documents.map(({ length }) => length), [56, 56, 56, 56]);
  assert.equal(progress, [1, 2, 3, 4]);
  const texts = documents.map((ids) => model.tokenizer.decode(ids));
  assert.ok(texts.slice(0, 3).every((text) => text.includes('<|im_start|>user') && questions.some((question) => text.includes(question))), texts.join('\n'));
  assert.ok(openings.some((opening) => texts[3]!.includes(opening)), texts[3]!);
  assert.is(new Set(texts).size, 4);
  assert.equal(await sampleDocuments(model, { count: 2, tokens: 56, seed: 3 }), documents.slice(0, 2));
  assert.not.equal(await sampleDocuments(model, { count: 1, tokens: 56, seed: 4 }), documents.slice(0, 1));
  if (process.env['VERBOSE']) console.log(texts.join('\n────\n'));
});

test('a chat goes on with another question when the answer is short', async () => {
  const asked: string[][] = [];
  const model = {
    info: { contextSize: 512 },
    template: { encode: (messages: { role: string; content: string }[]) => { asked.push(messages.map(({ content }) => content)); return messages.flatMap(({ role }) => (role === 'user' ? [1, 1, 1] : [2])); } },
    generate: async function* () { yield { id: 2, text: 'Yes.' }; },
  } as unknown as Model;
  const [document] = await sampleDocuments(model, { count: 1, tokens: 18 });
  assert.equal(document, [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1]);
  assert.equal(asked.at(-1)!.map((text) => (text === 'Yes.' ? 'answer' : questions.includes(text) ? 'question' : text)), ['question', 'answer', 'question', 'answer', 'question', 'answer', 'question', 'answer', 'question']);
});

test('a model without a chat template continues plain openings', async () => {
  await using model = await load(tinyPath('gpt2.gguf'));
  const documents = await sampleDocuments(model, { count: 3, tokens: 48 });
  assert.equal(documents.map(({ length }) => length), [48, 48, 48]);
  assert.ok(documents.flat().every((id) => id >= 0 && id < 448));
});

test.run();
