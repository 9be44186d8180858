/** Chat templates against transformers' own renderings: texts to the letter, refusals in the template's words, mistakes as errors. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, ModelError } from '../../src/errors.ts';
import type { ChatMessage, RenderOptions } from '../../src/text/template.ts';
import { createChatTemplate } from '../../src/text/template.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { metadataOf } from '../helpers/metadata.ts';
import { embeddedModel } from '../helpers/models.ts';

interface Head {
  now: string;
  specials: Record<string, string>;
  chats: Record<string, ChatMessage[]>;
  extras: Record<string, Pick<RenderOptions, 'tools' | 'documents' | 'variables'> & { add_generation_prompt?: boolean }>;
  variables: Record<string, unknown>;
}
interface Vector {
  name: string;
  template?: string;
  file?: string;
  chat?: string;
  extra?: string;
  text?: string;
  error?: 'refusal' | 'mistake' | 'unsupported';
  says?: string;
}

const folder = new URL('../fixtures/templates/', import.meta.url);
const [first, ...lines] = readFileSync(new URL('vectors.jsonl', folder), 'utf8').trim().split('\n');
const head = JSON.parse(first!) as Head, vectors = lines.map((line) => JSON.parse(line) as Vector);

const all = await metadataOf(embeddedModel), tokenizer = createTokenizer(all);
// the vectors' special tokens are variables; others must not be known
const metadata = new Map([...all].filter(([key]) => !/_token_id$/.test(key)));

function given({ template, file, chat = 'one', extra }: Vector) {
  const more: Head['extras'][string] = extra === undefined ? { variables: head.variables } : head.extras[extra]!;
  const { add_generation_prompt: addGenerationPrompt = true, variables, ...rest } = more;
  const options: RenderOptions = { ...rest, addGenerationPrompt, now: new Date(head.now), variables: { ...head.specials, ...variables } };
  const chatTemplate = template ?? readFileSync(new URL(file!, folder), 'utf8');
  return { renderer: createChatTemplate(metadata, tokenizer, { chatTemplate }), messages: head.chats[chat]!, options };
}

/** Probes of what Jinja2 does and this library does not, with the words that must name it. */
const foreign: readonly RegExp[] = [
  /recursive/, /"wordcount"/, /'%'/, /'\{:>3\}' in str\.format\(\)/, /"format"/, /"batch"/, /"groupby"/, /"center"/, /"truncate"/, /"urlencode"/,
  /\{% block %\}/, /\{% print %\}/, /'\*' on a text marked safe/, /joiner\(\)/, /cycler\(\)/, /str\.encode\(\)/, /\{% autoescape %\}/, /expandtabs/, /a range/, /fromkeys/,
  /"wordwrap"/, /"filter"/, /\\N/, /"pprint"/, /%G/, /generator/,
];

const texts = vectors.filter(({ name, text }) => text !== undefined && !name.startsWith('probe: foreign'));

function errorOf(run: () => unknown): unknown {
  try {
    return `no error but ${String(run())}`;
  } catch (error) {
    return error;
  }
}

const test = suite('chat template vectors');

test('every text is that of transformers, to the letter', () => {
  assert.ok(texts.length > 600);
  for (const vector of texts) {
    const { renderer, messages, options } = given(vector);
    assert.is(renderer.render(messages, options), vector.text, vector.name);
  }
});

test('hiding the control tokens of a caller changes no text', () => {
  for (const vector of texts) {
    const { renderer, messages, options } = given(vector);
    assert.is(tokenizer.decode(renderer.encode(messages, options)), vector.text, vector.name);
  }
});

test('what a template refuses, it refuses here, and the error says so in its words', () => {
  for (const vector of vectors.filter(({ error }) => error === 'refusal')) {
    const { renderer, messages, options } = given(vector), error = errorOf(() => renderer.render(messages, options));
    assert.ok(error instanceof InputError && error.code === 'E_CHAT_TEMPLATE', vector.name);
    assert.ok(error.message.includes(`refuses them: ${vector.says!};`), error.message);
  }
});

test('where Jinja2 fails, so does this, and blames the template', () => {
  for (const vector of vectors.filter(({ error }) => error === 'mistake' || error === 'unsupported')) {
    const { renderer, messages, options } = given(vector), error = errorOf(() => renderer.render(messages, options));
    assert.ok(error instanceof ModelError && error.code === 'E_CHAT_TEMPLATE', `${vector.name}: ${String(error)}`);
    assert.match(error.message, /line \d+: /, vector.name);
    assert.not.match(error.message, /alternate|refuses/);
  }
});

test('what Jinja2 can and this cannot is an error that names it, never another text', () => {
  for (const [i, words] of foreign.entries()) {
    const { renderer, messages, options } = given(vectors.find(({ name }) => name === `probe: foreign ${i}`)!);
    const error = errorOf(() => renderer.render(messages, options));
    assert.ok(error instanceof ModelError && error.code === 'E_CHAT_TEMPLATE', String(i));
    assert.match(error.message, /cannot run/);
    assert.match(error.message, words);
  }
});

test.run();
