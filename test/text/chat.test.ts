/** Conversations: turns one after the other, histories that stay whole, a context that is full. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Chat, CladaError, GenerateOptions } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('chat');
const model = await load(embeddedModel, { tier: 'base', contextSize: 160 });
const short: GenerateOptions = { maxTokens: 5, temperature: 0, ignoreEos: true };
const roles = (chat: Chat): string => chat.messages.map(({ role }) => role[0]).join('');
const code = (error: unknown): string => (error as CladaError).code;

test('two questions at once: the second waits for the answer to the first', async () => {
  const chat = model.chat({ system: 'Be brief.' });
  const [first, second] = await Promise.all([chat.send('Name a colour.', short).text(), chat.send('Name an animal.', short).text()]);
  assert.equal(chat.messages, [
    { role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Name a colour.' }, { role: 'assistant', content: first },
    { role: 'user', content: 'Name an animal.' }, { role: 'assistant', content: second },
  ]);
});

test('an answer that is saved before its turn has begun still follows those before it', async () => {
  const told: string[] = [];
  for (const saves of [false, true]) {
    const chat = model.chat(), first = chat.send('Name a colour.', short), second = chat.send('Name an animal.', short);
    if (saves) await second.save();
    await first.text();
    await second.text();
    told.push(model.tokenizer.decode(Uint32Array.from(second.ids)));
  }
  assert.match(told[0]!, 'colour');
  assert.is(told[1], told[0]);
});

test('one that is aborted takes its own question with it, whether it waits or runs', async () => {
  for (const aborted of [0, 1]) {
    const chat = model.chat(), abort = new AbortController();
    const both = ['First?', 'Second?'].map((question, i) => chat.send(question, { ...short, ...(i === aborted ? { signal: abort.signal } : {}) }).text().then(() => 'ok', code));
    abort.abort();
    assert.equal(await Promise.all(both), aborted === 0 ? ['E_ABORTED', 'ok'] : ['ok', 'E_ABORTED']);
    assert.equal(chat.messages.filter(({ role }) => role === 'user').map(({ content }) => content), [aborted === 0 ? 'Second?' : 'First?']);
    assert.is(roles(chat), 'ua');
  }
});

test('a turn is in the history as far as it went: by break, by return, by an abort in the middle, by nobody asking any more', async () => {
  const chat = model.chat(), abort = new AbortController();
  for await (const token of chat.send('Tell a story.', short)) { assert.ok(token); break; }
  assert.is(roles(chat), 'ua');
  let n = 0;
  await chat.send('And?', { ...short, signal: abort.signal, onPrompt: () => undefined }).text().catch(() => undefined);
  try {
    for await (const token of chat.send('More.', { ...short, signal: abort.signal })) { assert.ok(token); if (++n === 2) abort.abort(); }
    assert.unreachable();
  } catch (error) {
    assert.is(code(error), 'E_ABORTED');
  }
  assert.is(roles(chat), 'uauaua');
  const dropped = chat.send('Still there?', short)[Symbol.asyncIterator](), said = (await dropped.next()).value!.text;
  assert.is(roles(chat), 'uauauau', 'the question is there while it is being answered');
  const saved = await chat.save();
  await chat.send('Hello?', short).text();
  assert.is(roles(chat), 'uauauauaua');
  assert.is(chat.messages.at(-3)!.content, said);
  assert.is((await dropped.next()).done, true, 'it has ended, without an error');
  assert.is((await model.restore(saved)).unfinished, said);
});

test('an answer is iterated once, and a second time changes nothing', async () => {
  const chat = model.chat(), answer = chat.send('Hi', short);
  await answer.text();
  assert.is(await answer.text().then(() => 'none', code), 'E_OPTION');
  assert.is(roles(chat), 'ua');
});

test('conversations side by side keep their prefixes, in turns and at once', async () => {
  const chats = ['You know birds.', 'You know fish.', 'You know trees.'].map((system) => model.chat({ system }));
  const computed = async (chat: Chat, question: string): Promise<number> => {
    const answer = chat.send(question, short);
    await answer.text();
    return answer.stats().promptTokens - answer.stats().cachedTokens;
  };
  for (const chat of chats) await computed(chat, 'Tell me about them.');
  const apart = [], together = model.chat(), alone = await computed(together, 'x');
  for (const chat of chats) apart.push(await computed(chat, 'And where do they live?'));
  assert.ok(apart.every((n) => n < 24) && alone > 0, `only what is new is computed: ${apart.join(', ')}`);
  const atOnce = await Promise.all(chats.map((chat) => computed(chat, 'And where do they live?')));
  assert.equal(atOnce, apart, 'at once no more than one after the other');
});

test('a full context: the oldest turns are left out, the system message stays, and the answer goes on', async () => {
  const chat = model.chat({ system: 'You are a lighthouse.' });
  let shifted = 0;
  for (let i = 0; i < 8; i++) {
    const answer = chat.send(`Question ${i}: what do you see?`, { ...short, maxTokens: 24 });
    await answer.text();
    assert.is(answer.stats().generatedTokens, 24);
    assert.is(answer.stats().stopReason, 'length');
    assert.ok(answer.ids.length <= 160);
    if (i > 4) assert.match(model.tokenizer.decode(answer.ids as number[]), /You are a lighthouse/);
    shifted += answer.stats().shiftedTokens;
  }
  assert.is(chat.messages.length, 17, 'the history keeps them all');
  const long = chat.send('And now a long story.', { ...short, maxTokens: 180 });
  await long.text();
  assert.is(long.stats().generatedTokens, 180, 'longer than the context');
  assert.ok(long.stats().shiftedTokens > 0 && shifted >= 0);
  assert.match(model.tokenizer.decode(long.ids as number[]), /You are a lighthouse/);
  const strict = model.chat({ messages: chat.messages });
  assert.is(await strict.send('And?', { ...short, overflow: 'error' }).text().then(() => 'none', code), 'E_CONTEXT_FULL');
  assert.is(strict.messages.length, chat.messages.length, 'the question that was refused is not there');
  assert.is(await model.chat().send('word '.repeat(400), short).text().then(() => 'none', code), 'E_CONTEXT_FULL', 'a question alone that does not fit');
});

test('megabytes are refused before they are tokenised, wherever they come in; a turn of them leaves with the oldest', async () => {
  const large = ' '.repeat(8_000_000), started = performance.now(), encoded: string[] = []; // five seconds to tokenise
  const refused = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'none', code);
  encoded.push(await refused(model.generate(large).text()), await refused(model.embed(['a', large])), await refused(model.chat().send(large).text()));
  encoded.push(await refused(model.chat({ messages: [{ role: 'user', content: large }, { role: 'assistant', content: 'Yes.' }] }).send('And?', { overflow: 'error' }).text()));
  encoded.push(await refused((async () => model.encodeChat([{ role: 'user', content: large }], { maxTokens: 256 }))()));
  assert.equal(encoded, Array(5).fill('E_CONTEXT_FULL'));
  const chat = model.chat({ messages: [{ role: 'user', content: large }, { role: 'assistant', content: large }] });
  assert.is((await chat.send('Hello', { ...short, maxTokens: 2 }).tokens()).length, 2);
  assert.ok(performance.now() - started < 4000, `${performance.now() - started} ms`);
  assert.is(model.encodeChat([{ role: 'user', content: 'word '.repeat(400) }]).length > 400, true, 'who asks for tokens alone gets them');
  assert.throws(() => model.encodeChat([{ role: 'user', content: 'word '.repeat(400) }], { maxTokens: 400 }), /found \d+ tokens; expected at most 400/);
});

test('a text goes on past the context where it may: the first token and the younger half stay', async () => {
  const options: GenerateOptions = { ...short, maxTokens: 120 }, prompt = Array.from({ length: 120 }, (_, i) => 1000 + i);
  const ends = model.generate(prompt, options);
  await ends.text();
  assert.equal([ends.stats().stopReason, ends.stats().generatedTokens, ends.stats().shiftedTokens], ['context', 40, 0]);
  const goesOn = model.generate(prompt, { ...options, overflow: 'shift' });
  let saved: Uint8Array | undefined, n = 0;
  const ids: number[] = [];
  for await (const { id } of goesOn) { ids.push(id); if (++n === 60) saved = await goesOn.save(); }
  assert.equal([goesOn.stats().stopReason, ids.length, goesOn.ids[0]], ['length', 120, 1000]);
  assert.is(goesOn.stats().shiftedTokens + goesOn.ids.length, 240);
  const resumed = await model.resume(saved!), rest = (await resumed.tokens()).map(({ id }) => id);
  assert.equal(rest, ids.slice(60), 'a snapshot behind a shift goes on with the same tokens');
  assert.throws(() => model.generate(prompt, { overflow: 'wrap' as 'shift' }), /"error" or "shift"/);
});

test.run();
