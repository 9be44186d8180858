/** Requests and their answers: templates with tools, control tokens in the answer, ends of every kind. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ChatPart, ChatRequest, ToolDefinition } from '../../src/chat/index.ts';
import { respond } from '../../src/chat/index.ts';
import { prepare } from '../../src/chat/request.ts';
import type { CladaError, GeneratedToken, Generation, Model, StopReason } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { createChatTemplate } from '../../src/text/template.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('respond');
const template = (name: string): string => readFileSync(new URL(`../fixtures/templates/${name}.jinja`, import.meta.url), 'utf8');
const model = await load(embeddedModel, { tier: 'base', contextSize: 1024, chatTemplate: template('qwen-thinking') });
const weather: ToolDefinition = {
  name: 'get_weather', description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const asked: ChatRequest = { messages: [{ role: 'user', content: 'Weather in Paris?' }], tools: [weather], temperature: 0 };
const code = (error: unknown): string => (error as CladaError).code;

/** `model`, saying `text`; `control` of its texts are one control token each. */
function saying(text: string, { reason = 'eog' as StopReason, control = [] as string[], source = undefined as string | undefined } = {}): Model & { prompt: string } {
  const own = new Map(control.map((name, i) => [name, 1e6 + i])), { tokenizer } = model, pieces: number[] = [];
  for (const piece of control.length > 0 ? text.split(new RegExp(`(${control.map((one) => one.replace(/[[\]|]/g, '\\$&')).join('|')})`)) : [text]) {
    if (own.has(piece)) pieces.push(own.get(piece)!);
    else pieces.push(...tokenizer.encode(piece));
  }
  const names = new Map(Array.from(own, ([name, id]) => [id, name])), isOwn = (id: number): boolean => id >= 1e6;
  const decodeStream: typeof tokenizer.decodeStream = (options) => {
    const stream = tokenizer.decodeStream(options);
    return { push: (id) => (isOwn(id) ? '' : stream.push(id)), flush: () => stream.flush() };
  };
  const fake = {
    prompt: '', info: model.info,
    template: source === undefined ? model.template : { ...model.template, source: () => source },
    tokenizer: {
      ...tokenizer, encode: tokenizer.encode.bind(tokenizer), decodeStream, isEog: () => false, isControl: isOwn,
      decode: (ids: ArrayLike<number>) => names.get(ids[0]!) ?? tokenizer.decode(ids),
    },
    encodeChat: (...args: Parameters<Model['encodeChat']>) => model.encodeChat(...args),
    generate(prompt: ArrayLike<number>) {
      fake.prompt = tokenizer.decode(prompt);
      const stream = decodeStream({ skipSpecial: true });
      return {
        stats: () => ({ stopReason: reason, generatedTokens: pieces.length }),
        async *[Symbol.asyncIterator]() { for (const id of pieces) yield { id, text: stream.push(id), logprob: -1 } satisfies GeneratedToken; },
      } as unknown as Generation;
    },
  };
  return fake as unknown as Model & { prompt: string };
}

async function partsOf(one: Model, request: ChatRequest = asked): Promise<ChatPart[]> {
  const parts: ChatPart[] = [];
  for await (const part of respond(one, request)) parts.push(part);
  return parts;
}

const call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>';

test('thoughts, text and a call come apart, each text with its tokens', async () => {
  const parts = await partsOf(saying(`<think>\nHm, hm.\n</think>\n\nI look.\n${call}`));
  const of = (type: string): string => parts.map((part) => (part.type === type && 'text' in part ? part.text : '')).join('');
  assert.is(of('reasoning'), 'Hm, hm.');
  assert.is(of('text'), 'I look.');
  for (const part of parts) if (part.type === 'text' || part.type === 'reasoning') assert.ok(part.tokens.map(({ text }) => text).join('').includes(part.text));
  const start = parts.find((part) => part.type === 'tool-call-start')!, whole = parts.find((part) => part.type === 'tool-call')!;
  assert.equal(whole, { type: 'tool-call', index: 0, call: { id: start.type === 'tool-call-start' ? start.id : '', name: 'get_weather', arguments: '{"city": "Paris"}' } });
  const last = parts.at(-1)!;
  assert.is(last.type === 'finish' && last.reason, 'tool-calls');
});

test('control tokens that calls are made of are read, others stay hidden', async () => {
  const one = saying('Well.[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}', { control: ['[TOOL_CALLS]', '[ARGS]'], source: '[TOOL_CALLS][ARGS]' });
  const { text, toolCalls } = await respond(one, asked).result();
  assert.is(text, 'Well.');
  assert.is(toolCalls[0]!.arguments, '{"city": "Paris"}');
  assert.match(toolCalls[0]!.id, /^[a-zA-Z0-9]{9}$/);
  assert.is((await respond(saying('a[X]b', { control: ['[X]'] }), asked).result()).text, 'ab');
});

test('a call that was cut off is none; one that the model left is told as what it is', async () => {
  const cut = await respond(saying(call.slice(0, -20), { reason: 'length' }), asked).result();
  assert.equal([cut.toolCalls, cut.text, cut.reason], [[], '', 'length']);
  const left = await respond(saying(call.slice(0, -20)), asked).result();
  assert.is(left.toolCalls[0]!.invalid, 'the arguments are no JSON object');
  const whole = await respond(saying(`${call}\n${call.slice(0, 30)}`, { reason: 'stop' }), asked).result();
  assert.equal([whole.toolCalls.length, whole.reason], [1, 'tool-calls']);
});

test('a call in words of a template without tools that was cut off is no text either; any other text is', async () => {
  const source = '{% for m in messages %}{{ m.content }}{% endfor %}', plain = createChatTemplate(new Map([['tokenizer.chat_template', source]]), model.tokenizer);
  const cut = async (text: string): Promise<unknown[]> => {
    const own = { ...saying(text, { reason: 'length', source }), encodeChat: plain.encode, template: plain } as unknown as Model;
    const { text: said, toolCalls, reason } = await respond(own, asked).result();
    return [said, toolCalls.length, reason];
  };
  for (const text of ['{', '{"tool_ca', '{"tool_calls": [{"name": "get_wea', ' {"tool_call": {"name": "get_weather", "arguments": {"ci']) assert.equal(await cut(text), ['', 0, 'length'], text);
  assert.equal(await cut('{"response": "It is sun'), ['It is sun', 0, 'length']);
  assert.equal(await cut('It is'), ['It is', 0, 'length']);
  assert.equal(await cut('{"a": 1'), ['{"a": 1', 0, 'length']);
});

test('one call where no more are wanted', async () => {
  const many = saying(`${call}\n${call}`);
  assert.is((await respond(many, asked).result()).toolCalls.length, 2);
  const one = await respond(many, { ...asked, parallelToolCalls: false }).result();
  assert.equal([one.toolCalls.length, one.reason], [1, 'tool-calls']);
});

test('with \'none\' the model is not told of tools, and nothing is a call', async () => {
  const one = saying(call), { text, toolCalls, reason } = await respond(one, { ...asked, toolChoice: 'none' }).result();
  assert.equal([text, toolCalls, reason], [call, [], 'stop']);
  assert.not.match(one.prompt, 'get_weather');
});

test('the template gets tools, earlier calls and results as it wants them', async () => {
  const messages = [
    ...asked.messages, { role: 'assistant', content: null, tool_calls: [{ id: 'a', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Paris"}' } }] },
    { role: 'tool', tool_call_id: 'a', content: 'Rain' },
  ];
  const one = saying('It rains.');
  assert.is((await respond(one, { ...asked, messages }).result()).text, 'It rains.');
  assert.match(one.prompt, '{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city.", "parameters": {"type": "object", "properties"');
  assert.match(one.prompt, '{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>');
  assert.match(one.prompt, '<tool_response>\nRain\n</tool_response>');
});

/** The model with another template. */
const templated = (source: string): Model => {
  const own = createChatTemplate(new Map(), model.tokenizer, { chatTemplate: source });
  return { ...saying('{"response": "Yes."}'), template: own, encodeChat: own.encode.bind(own) } as unknown as Model;
};
const history: ChatRequest['messages'] = [
  { role: 'system', content: 'Be brief.' }, ...asked.messages,
  { role: 'assistant', content: null, tool_calls: [{ id: 'abcdefghi', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Paris"}' } }] },
  { role: 'tool', tool_call_id: 'abcdefghi', content: 'Rain' },
];

test('templates of the families show tools, calls and results', () => {
  const shows: Record<string, readonly [string, string]> = {
    'qwen-thinking': ['hermes', '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'],
    'llama3-tools': ['llama3', '{"name": "get_weather", "parameters": {"city": "Paris"}}'],
    'mistral-tools': ['mistral', '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}, "id": "abcdefghi"}]'],
    chatml: ['generic', '{"tool_call":{"name":"get_weather","arguments":{"city":"Paris"}}}'],
    'no-system': ['generic', '{"tool_call":{"name":"get_weather","arguments":{"city":"Paris"}}}'],
  };
  for (const [name, [format, call]] of Object.entries(shows)) {
    const { prompt, form } = prepare(templated(template(name)), { ...asked, messages: history }), text = model.tokenizer.decode(prompt);
    assert.is(form.format!.name, format, name);
    const system = name === 'mistral-tools' ? [] : ['Be brief.']; // shown with the last message only, there
    for (const part of [call, 'Rain', 'The weather of a city.', ...system]) assert.ok(text.includes(part), `${name} shows ${part}: ${text}`);
  }
});

test('a template that reads no tools gets them in words, also where it has the marks of a family', async () => {
  const source = `{# <tool_call> #}${template('chatml')}`, { prompt, form } = prepare(templated(source), asked);
  assert.is(form.format!.name, 'generic');
  assert.match(model.tokenizer.decode(prompt), 'You can call these tools:');
  const { text, toolCalls } = await respond(templated(source), asked).result();
  assert.equal([text, toolCalls], ['Yes.', []]);
});

test('what makes no sense is refused at once', () => {
  const wrong: Partial<Record<keyof ChatRequest, unknown>>[] = [
    { toolChoice: 'must' }, { toolChoice: { name: 'fly' } }, { toolChoice: 'required', tools: [] }, { parallelToolCalls: 1 }, { tools: {} }, { tools: [{}] },
    { tools: [weather, weather] }, { tools: [{ name: 'a b' }] }, { tools: [{ name: 'a', parameters: 3 }] }, { tools: [{ name: 'a', parameters: { type: 'string' } }] },
    { tools: [{ name: 'a', parameters: { type: 'object', properties: [] } }] }, { tools: [{ name: 'a', description: 3 }] }, { tools: [{ name: 'a', parametres: {} }] },
    { tools: [{ name: 'a', parameters: { '~standard': {} } }] }, { responseFormat: { type: 'json_object' } }, { template: { tools: [] } }, { temprature: 0 } as object,
    { template: null }, { tools: [], responseFormat: 5 }, { tools: [], responseFormat: { type: 'regex' } }, { messages: [{ role: 'assistant', content: '', tool_calls: [null] }] },
  ];
  for (const one of wrong) {
    try {
      respond(model, { ...asked, ...one } as ChatRequest);
      assert.unreachable(JSON.stringify(one));
    } catch (error) {
      assert.is(code(error), 'E_OPTION', JSON.stringify(one));
    }
  }
});

test('what JSON cannot hold is refused by name, whether the template takes objects, texts or no tools at all', () => {
  const circle: Record<string, unknown> = {}, deep = `${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}`;
  circle.self = circle;
  const texts = createChatTemplate(new Map([['tokenizer.chat_template', "{% if tools %}<tool_call>{{ tools }}{% endif %}{{ messages[1].tool_calls[0].function.arguments }}"]]), model.tokenizer);
  const plain = createChatTemplate(new Map([['tokenizer.chat_template', '{% for m in messages %}{{ m.content }}{% endfor %}']]), model.tokenizer);
  const values = [circle, { x: 10n }, { x: Infinity }, { x: [NaN] }, deep];
  const [no, yes, long] = ['E_OPTION', 'taken', 'E_CONTEXT_FULL'];
  // Python's templates write every number, and what is a text already is shown as it is
  for (const [template, expected] of [[model.template, [no, no, yes, yes, no]], [texts, [no, no, no, no, long]], [plain, [no, no, no, no, no]]] as const) {
    const own = { ...saying('x'), template, encodeChat: template.encode } as unknown as Model;
    const found = values.map((given) => {
      const call = { id: 'a', function: { name: 'get_weather', arguments: given } };
      try { respond(own, { ...asked, messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: '', tool_calls: [call] }] }); } catch (error) { return code(error) ?? String(error); }
      return yes;
    });
    assert.equal(found, expected);
    const wrong = [{ type: 'object', properties: { a: { const: Infinity } } }, circle];
    for (const parameters of wrong) assert.throws(() => respond(own, { ...asked, tools: [{ name: 'a', parameters }] }), (error: unknown) => code(error) === 'E_OPTION');
  }
});

test('thoughts, calls and results that no context holds are refused before they are tokenised', () => {
  const large = ' '.repeat(6_000_000), started = performance.now();
  const hermes = createChatTemplate(new Map([['tokenizer.chat_template', template('qwen-thinking')]]), model.tokenizer), own = { ...saying('x'), template: hermes, encodeChat: hermes.encode } as unknown as Model;
  const messages = [
    [{ role: 'user', content: large }], [{ role: 'user', content: 'x' }, { role: 'assistant', content: '', reasoning_content: large }],
    [{ role: 'user', content: 'x' }, { role: 'assistant', content: '', tool_calls: [{ id: 'a', function: { name: 'get_weather', arguments: { city: large } } }] }],
    [{ role: 'user', content: 'x' }, { role: 'assistant', content: '', tool_calls: [{ id: 'a', function: { name: 'get_weather', arguments: {} } }] }, { role: 'tool', tool_call_id: 'a', content: large }],
  ];
  for (const one of messages) assert.throws(() => respond(own, { ...asked, messages: one }), (error: unknown) => code(error) === 'E_CONTEXT_FULL');
  assert.ok(performance.now() - started < 10_000, `${performance.now() - started} ms`);
});

test('a real answer: its parts are the text that generate gives', async () => {
  const request: ChatRequest = { messages: [{ role: 'user', content: 'Hello' }], temperature: 0, maxTokens: 12, ignoreEos: true };
  const { text, reason, stats } = await respond(model, request).result();
  assert.is(text, await model.generate(model.encodeChat(request.messages), { temperature: 0, maxTokens: 12, ignoreEos: true }).text());
  assert.equal([reason, stats.generatedTokens], ['length', 12]);
});

test.after(() => { model.close(); });
test.run();
