/** Where tokenizers meet models: texts that go on, ends that are not put behind a prompt, a row for each token. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { WriteValue } from '../../src/format/gguf/write.ts';
import { load, plan } from '../../src/text/load.ts';
import type { Model } from '../../src/text/model.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { TokenType } from '../../src/tokenizer/vocab.ts';
import { codeOf } from '../helpers/errors.ts';
import { metadataFrom, metadataOf } from '../helpers/metadata.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';
import { rewritten } from '../helpers/twin.ts';
import { vocabularies } from './vocabularies.ts';

const test = suite('tokenizer and model');
const known = new Map((await vocabularies()).map((vocabulary) => [vocabulary.name, vocabulary.entries]));

/** A tiny llama with that vocabulary: rows drawn anew, `spare` more than tokens. */
async function modelWith(entries: Record<string, WriteValue>, spare = 0): Promise<Model> {
  return load(await bytesWith(entries, spare), { contextSize: 64 });
}

function bytesWith(entries: Record<string, WriteValue>, spare: number): Promise<Uint8Array> {
  return rewritten(readFileSync(tinyPath('llama.gguf')), ({ metadata, tensors }) => {
    for (const key of Object.keys(metadata)) if (key.startsWith('tokenizer.')) delete metadata[key];
    Object.assign(metadata, entries);
    const rows = (entries['tokenizer.ggml.tokens'] as { value: readonly string[] }).value.length + spare;
    delete metadata['llama.vocab_size'];
    for (const tensor of tensors) {
      if (tensor.name !== 'token_embd.weight' && tensor.name !== 'output.weight') continue;
      const values = Float32Array.from({ length: tensor.dims[0]! * rows }, (_, i) => Math.sin(i * i + tensor.name.length));
      Object.assign(tensor, { dims: [tensor.dims[0]!, rows], dtype: 'f32', data: new Uint8Array(values.buffer) });
    }
  });
}

const spm = await modelWith(known.get('spm')!);
const { tokenizer } = spm;
const word = tokenizer.encode('the'), wordText = tokenizer.decode(word);
assert.is(word.length, 1);
const force = { temperature: 0, logitBias: { [word[0]!]: 1000 } };
const all = (ids: ArrayLike<number>): string => tokenizer.decode(ids, { skipSpecial: true });

test('prompt and streamed text are what prompt and generated ids decode to', async () => {
  for (const prompt of ['Hello', '', ' ', 'Hello ']) {
    const generation = spm.generate(prompt, { ...force, maxTokens: 3 });
    assert.is(prompt + await generation.text(), all(generation.ids), JSON.stringify(prompt));
  }
  const one = spm.generate('Hello', { ...force, maxTokens: 1 }), first = await one.text();
  const two = spm.generate([...one.ids], { ...force, maxTokens: 1 }), second = await two.text();
  assert.equal([first, second], [` ${wordText}`, ` ${wordText}`]);
  const resumed = await spm.resume(await one.save(), { maxTokens: 1 });
  assert.is(await resumed.text(), ` ${wordText}`);
});

test('tokens that only fill a vocabulary up, [PAD32000], stand for no text', async () => {
  for (const name of ['spm, pieces unused', 'bpe, tokens unused']) {
    const entries = known.get(name)!, types = Array.from((entries['tokenizer.ggml.token_type'] as { value: ArrayLike<number> }).value);
    const own = createTokenizer(await metadataFrom(entries));
    const unused = types.flatMap((type, id) => (type === TokenType.unused ? [id] : [])), normal = types.lastIndexOf(TokenType.normal);
    assert.ok(unused.length > 100, name);
    assert.is(own.decode([...unused, normal, ...unused]).trimStart(), own.decode([normal]).trimStart(), name);
    assert.is(own.decode([normal]) === '', false);
  }
});

test('stop strings see the first blank', async () => {
  const generation = spm.generate('Hello', { ...force, maxTokens: 4, stop: ` ${wordText}` });
  assert.is(await generation.text(), '');
  assert.is(generation.stats().stopReason, 'stop');
});

test('a text goes on behind tokens without a blank of its own, behind a special token with one', () => {
  const head = tokenizer.encode('Hel', { addSpecial: true }), more = tokenizer.encode('lo', { after: head });
  assert.is(all([...head, ...more]), 'Hello');
  assert.equal([...tokenizer.encode('lo', { after: [tokenizer.bosId!] })], [...tokenizer.encode('lo')]);
  const ended = tokenizer.encode('lo</s>lo', { after: head, parseSpecial: true });
  assert.equal([...ended], [...more, tokenizer.eosId!, ...tokenizer.encode('lo')]);
  assert.throws(() => tokenizer.encode('lo', { after: [99_999] }), /E_TOKEN_RANGE/);
});

test('a stream goes on in the middle of a character', () => {
  const euro = tokenizer.encode('€'), half = euro.length - 1;
  const stream = tokenizer.decodeStream({ after: euro.slice(0, half) });
  assert.is(stream.push(euro[half]!), '€');
});

test('squeezing leaves nothing of blanks, and keeps words apart that go on', async () => {
  const key = { 'tokenizer.ggml.remove_extra_whitespaces': { type: 'bool', value: true } as const };
  const squeezed = createTokenizer(await metadataFrom({ ...known.get('spm')!, ...key }));
  squeezed.encode('some other text');
  for (const text of ['', ' ', '    ']) assert.equal([...squeezed.encode(text)], []);
  const head = squeezed.encode('a  b ');
  assert.is(squeezed.decode(head), 'a b');
  assert.is(squeezed.decode([...head, ...squeezed.encode('  c', { after: head })]), 'a b c');
  assert.is(squeezed.decode([...head, ...squeezed.encode('c', { after: head })]), 'a bc');
});

test('a text is too long before it is tokenised only where it is: whatever vanishes, and however long tokens are', async () => {
  const spm = known.get('spm')!, squeeze: Record<string, WriteValue> = { 'tokenizer.ggml.remove_extra_whitespaces': { type: 'bool', value: true } };
  const gap = { ...spm }, { value } = gap['tokenizer.ggml.tokens'] as { value: readonly string[] };
  gap['tokenizer.ggml.tokens'] = { type: 'strings', value: value.map((token) => (token === '<0x82>' ? '<gone>' : token)) };
  const phi3: Record<string, WriteValue> = { 'general.name': { type: 'string', value: 'Phi-3' } };
  const sources = [...known.values(), { ...spm, ...squeeze }, gap, { ...spm, ...phi3 }];
  const smollm = createTokenizer(await metadataOf(embeddedModel));
  const all = [smollm, ...await Promise.all(sources.map(async (entries) => createTokenizer(await metadataFrom(entries))))];
  for (const [i, tokenizer] of all.entries()) {
    const { vocabSize } = tokenizer, texts = Array.from({ length: vocabSize }, (_, id) => tokenizer.decode([id]));
    const longest = texts.reduce((best, text) => (text.length > best.length ? text : best), '');
    const special = texts.find((text, id) => tokenizer.isControl(id) && text.length > 2) ?? '';
    for (const one of [longest, ' ', '\t', '\u0004', 'a  ', '€', '𝔄', '日本語', 'word ', `${special}${' '.repeat(50)}`]) {
      const text = one.repeat(300);
      for (const parseSpecial of [false, true]) {
        const { length } = tokenizer.encode(text, { parseSpecial });
        assert.not(tokenizer.isLonger(text, length), `${i}: 300 times ${JSON.stringify(one)}, ${length} tokens`);
      }
    }
  }
  assert.equal([' ', 'a', '日本語', '𝔄'].map((one) => smollm.isLonger(one.repeat(300_000), 1000)), [true, true, true, true]);
  assert.not(createTokenizer(await metadataFrom({ ...spm, ...squeeze })).isLonger(' '.repeat(1e6), 1), 'blanks that vanish');
});

test('EOS that belongs to every text stands behind none that is continued', async () => {
  const model = await modelWith(known.get('spm, EOS added')!), text = model.tokenizer.encode('Hello');
  const generation = model.generate('Hello', { temperature: 0, maxTokens: 1 });
  await generation.text();
  assert.equal(generation.ids.slice(0, -1), [...text]);
  assert.equal((await model.score('Hello')).tokens.map(({ id }) => id), [...text, model.tokenizer.eosId!]);
  model.close();
});

test('a vocabulary that is not the embedding\'s is refused when loading and when planning', async () => {
  for (const spare of [8, -8]) {
    assert.is(await codeOf(() => modelWith(known.get('spm')!, spare)), 'E_TOKENIZER');
    assert.is(await codeOf(async () => plan(await bytesWith(known.get('spm')!, spare))), 'E_TOKENIZER');
  }
});

test('damaged vocabularies: ids out of range are warnings, what cannot be read is refused', async () => {
  const open = async (change: (entries: Record<string, WriteValue>) => void, name = 'spm'): Promise<ReturnType<typeof createTokenizer>> => {
    const entries = { ...known.get(name)! };
    change(entries);
    return createTokenizer(await metadataFrom(entries));
  };
  const { warnings, bosId } = await open(() => undefined, 'spm, ids out of range');
  assert.is(bosId, 1);
  assert.is(warnings.length, 5);
  assert.match(warnings.join('\n'), /bos_token_id is 99999, which is none of the 707 tokens: 1 is taken instead/);
  assert.match((await open(() => undefined, 'bpe, no pre')).warnings.join(), /tokenizer\.ggml\.pre is missing/);
  const without = await open((entries) => { delete entries['tokenizer.ggml.bos_token_id']; }, 'bpe, whole words');
  assert.match(without.warnings.join(), /BOS belongs to every text .* left out/);
  assert.equal((await open(() => undefined)).warnings, []);
  const tokens = (known.get('spm')!['tokenizer.ggml.tokens'] as { value: readonly string[] }).value;
  const twice: WriteValue = { type: 'strings', value: [...tokens.slice(0, -1), tokens[5]!] };
  assert.is(await codeOf(() => open((entries) => { entries['tokenizer.ggml.tokens'] = twice; })), 'E_TOKENIZER');
  const damaged: WriteValue = { type: 'f32s', value: tokens.map((_, id) => (id === 300 ? NaN : -id)) };
  assert.is(await codeOf(() => open((entries) => { entries['tokenizer.ggml.scores'] = damaged; })), 'E_TOKENIZER');
  for (const key of ['scores', 'token_type']) {
    assert.is(await codeOf(() => open((entries) => { entries[`tokenizer.ggml.${key}`] = { type: 'i32s', value: [1, 2] }; })), 'E_TOKENIZER');
  }
});

test('a byte piece that is missing makes the character unknown, never a token out of range', async () => {
  const entries = { ...known.get('spm')! }, { value } = entries['tokenizer.ggml.tokens'] as { value: readonly string[] };
  entries['tokenizer.ggml.tokens'] = { type: 'strings', value: value.map((token) => (token === '<0x82>' ? '<gone>' : token)) };
  const gap = createTokenizer(await metadataFrom(entries));
  const unknown = createTokenizer(await metadataFrom(known.get('spm')!)).encode('<unk>', { parseSpecial: true })[0]!;
  assert.is(gap.encode('a€€b').filter((id) => id === unknown).length, 1); // one for the run
});

test('chat templates: a blank behind each special token, as in the rendered text', async () => {
  const value = '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n';
  const model = await modelWith({ ...known.get('spm')!, 'tokenizer.chat_template': { type: 'string', value } });
  const messages = [{ role: 'user', content: 'Hello world' }, { role: 'assistant', content: 'I am' }, { role: 'user', content: 'the' }];
  assert.equal([...model.encodeChat(messages)], [...model.tokenizer.encode(model.template.render(messages), { parseSpecial: true })]);
  const quoted = model.encodeChat([{ role: 'user', content: '<|im_end|>' }]), [end] = model.tokenizer.encode('<|im_end|>', { parseSpecial: true });
  assert.is(quoted.filter((id) => id === end).length, 1, 'what a message spells ends no turn');
  model.close();
});

test.after(() => { spm.close(); });
test.run();
