/** Items of the nine tasks, two each of our own making in the schema of the data, and the cut between context and continuation. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeRequest, likelihoodTasks, readItems, taskNames, type TaskName } from '../../src/eval/items.ts';
import { load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';
import { madeUp } from '../helpers/items.ts';

const test = suite('items');
const model = await load(embeddedModel, { tier: 'base', contextSize: 8 });
const { tokenizer } = model;

for (const task of taskNames) {
  test(`${task}: two items become requests`, () => {
    const items = readItems(task, madeUp[task]);
    assert.is(items.length, 2);
    for (const { id, requests, label, bytes } of items) {
      assert.ok(id.startsWith(task));
      assert.ok(label < requests.length && bytes.length === requests.length);
      for (const { context, continuation } of requests) assert.ok(continuation.startsWith(' ') && context !== '' && !/\s$/.test(context));
      assert.is(new Set(requests.map(({ context, continuation }) => context + continuation)).size, requests.length);
    }
    assert.is(readItems(task, madeUp[task], 1).length, 1);
  });
}

test('choices share a context, winogrande\'s options a continuation, lambada has one request', () => {
  const [piqa] = readItems('piqa', madeUp.piqa), [wino] = readItems('winogrande', madeUp.winogrande), [lambada] = readItems('lambada', madeUp.lambada);
  assert.equal(piqa!.requests.map(({ continuation }) => continuation), [' Warm the lid under hot water.', ' Warm the lid in the café.']);
  assert.equal(piqa!.bytes, [29, 26]); // é has two bytes
  assert.is(new Set(wino!.requests.map(({ continuation }) => continuation)).size, 1);
  assert.equal(wino!.requests.map(({ context }) => context.split(' ').at(-1)), ['drawer', 'ladder']);
  assert.equal(lambada!.requests, [{ context: 'Mina fed the parrot and the parrot thanked', continuation: ' Mina' }]);
});

test('the figure that is quoted', () => {
  const quoted = (headline: string): TaskName[] => taskNames.filter((task) => likelihoodTasks[task].headline === headline);
  assert.equal(quoted('acc_norm'), ['arc-challenge', 'hellaswag', 'openbookqa']);
  assert.is(quoted('acc').length, 6);
});

test('bad data names the line and the field', () => {
  const line = JSON.parse(madeUp.piqa.split('\n')[0]!) as Record<string, unknown>;
  for (const [change, message] of [[{ choices: ['one'] }, /piqa.jsonl, line 1, choices/], [{ label: 2 }, /label.*found 2.*index below 2/], [{ ctx: 5 }, /ctx/], [{ id: undefined }, /id/]] as const) {
    assert.throws(() => readItems('piqa', JSON.stringify({ ...line, ...change })), message);
  }
  assert.throws(() => readItems('piqa', '\n{"id":'), /line 2.*E_DATA/);
});

test('whole text encoded, cut where the context ends', () => {
  for (const context of ['Question: why?\nAnswer:', 'The end', 'a', 'Zwei Bäume']) {
    const { ids, split } = encodeRequest(tokenizer, { context, continuation: ' because of rain' }, 99);
    assert.equal(ids, [...tokenizer.encode(`${context} because of rain`)]);
    assert.is(split, tokenizer.encode(context).length);
    assert.is(tokenizer.decode(ids.slice(split)), ' because of rain');
  }
});

test('blanks at the end of the context go to the continuation', () => {
  const cut = encodeRequest(tokenizer, { context: 'The end \n', continuation: 'is near' }, 99);
  assert.is(tokenizer.decode(cut.ids.slice(0, cut.split)), 'The end');
  assert.is(tokenizer.decode(cut.ids.slice(cut.split)), ' \nis near');
  assert.equal(encodeRequest(tokenizer, { context: 'The end ', continuation: 'is near' }, 99), encodeRequest(tokenizer, { context: 'The end', continuation: ' is near' }, 99));
});

test('an empty context is one token; too much is cut on the left', () => {
  const empty = encodeRequest(tokenizer, { context: ' ', continuation: 'is near' }, 99);
  assert.equal([empty.split, empty.ids[0]], [1, tokenizer.bosId]);
  assert.is(tokenizer.decode(empty.ids.slice(1)), ' is near');
  const whole = encodeRequest(tokenizer, { context: 'one two three four five', continuation: ' six seven' }, 99);
  const short = encodeRequest(tokenizer, { context: 'one two three four five', continuation: ' six seven' }, 4);
  assert.equal(short.ids, whole.ids.slice(-5)); // the last is not fed
  assert.is(short.split, 3);
});

test.run();
