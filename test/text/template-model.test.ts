/** Chat templates by way of the model: another template at load, variables and tools in a conversation, kept when it is saved. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/text/load.ts';
import { embeddedModel } from '../helpers/models.ts';

const source = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
  + '<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{{ tone }}{{ tools | length if tools }}'
  + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const model = await load(embeddedModel, { chatTemplate: source, contextSize: 256 });
const test = suite('chat template of a model');

test('the template given at load replaces the file\'s', () => {
  const ids = model.encodeChat([{ role: 'user', content: 'Hi' }], { variables: { tone: 'kind' }, tools: [{}, {}], addGenerationPrompt: false });
  assert.is(model.tokenizer.decode(ids), '<|im_start|>user\nHi<|im_end|>\nkind2');
});

test('a conversation keeps what its template reads, also when it is saved', async () => {
  const chat = model.chat({ template: { variables: { tone: 'terse' } } });
  const first = chat.send('Hi', { maxTokens: 2, temperature: 0 });
  await first.text();
  const restored = await model.restore(await chat.save());
  const texts = await Promise.all([chat, restored].map(async (one) => {
    const answer = one.send('More', { maxTokens: 3, temperature: 0 }), text = await answer.text();
    return { text, promptTokens: answer.stats().promptTokens };
  }));
  assert.equal(texts[0], texts[1]);
  const { length } = model.encodeChat(chat.messages.slice(0, -1), { variables: { tone: 'terse' } });
  assert.is(texts[0]!.promptTokens, length);
});

test('a template that insists on alternation takes a conversation that was saved in the middle of an answer', async () => {
  const chat = model.chat(), options = { maxTokens: 6, temperature: 0, ignoreEos: true };
  let saved: Uint8Array | undefined, tokens = 0;
  for await (const _ of chat.send('Hi', options)) if (++tokens === 3) saved = await chat.save();
  const restored = await model.restore(saved!);
  await restored.resume().text();
  assert.equal(restored.messages, chat.messages);
  assert.throws(() => model.chat({ system: 'Be brief' }), /roles must alternate/);
});

test('unknown names are refused', () => {
  assert.throws(() => model.chat({ template: { tone: 'x' } as object }), /E_OPTION/);
});

test.after(() => { model.close(); });
test.run();
