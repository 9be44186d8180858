/** What holds answers to a form: the families' own texts pass, others do not, also where tokens reach over borders. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createGrammar } from '../../src/grammar/index.ts';
import { AnswerReader } from '../../src/chat/answer.ts';
import { formats } from '../../src/chat/formats.ts';
import { Script } from '../../src/chat/script.ts';
import { callsIn, heldAnswer } from '../../src/chat/writing.ts';
import { load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('script');
const model = await load(embeddedModel, { tier: 'base', contextSize: 64 }), { tokenizer } = model;
const city = { type: 'string' }, unit = { type: 'string', enum: ['celsius', 'kelvin'] };
const tools = [
  { name: 'get_weather', description: undefined, parameters: { type: 'object', properties: { city, days: { type: 'integer' }, unit, exact: { type: 'boolean' } }, required: ['city'] } },
  { name: 'get_time', description: undefined, parameters: { type: 'object', properties: { city }, required: ['city'] } },
  { name: 'noop', description: undefined, parameters: { type: 'object', properties: {} } },
];
const think = { open: '<think>', close: '</think>' };

interface Options { required?: boolean; parallel?: boolean; source?: string; thinking?: boolean; opened?: boolean }

const scriptOf = (format: string, { required = true, parallel = true, source = '', thinking = false, opened = false }: Options = {}): Script =>
  new Script(tokenizer, callsIn(formats.get(format)!, required, thinking ? think : undefined, opened, { tools, grammars: createGrammar(tokenizer), source, parallel }));

/** How much of a text passes, whether it may end there, and whether the mask agrees where it is asked. */
function follow(script: Script, text: string, ids = tokenizer.encode(text)): { passed: string; ends: boolean } {
  let passed = '';
  for (const id of ids) {
    if (!script.allows(id)) return { passed, ends: false };
    script.accept(id);
    passed += tokenizer.decode([id]);
  }
  return { passed, ends: script.allows(tokenizer.eogIds[0]!) };
}

const call = '{"name": "get_weather", "arguments": {"city": "Zürich", "days": 3}}', weather = 'get_weather';
const written: readonly (readonly [format: string, text: string, options?: Options])[] = [
  ['hermes', `<tool_call>\n${call}\n</tool_call>`],
  ['hermes', `<tool_call>\n${call}\n</tool_call>\n<tool_call>\n{"name": "noop", "arguments": {}}\n</tool_call>`],
  ['hermes', `Hm.\n<tool_call>\n${call}\n</tool_call>\nAnd so on.`, { required: false }],
  ['hermes', call, { required: false }],
  ['hermes', '{"nam": 3} is JSON, <tool_cal is not a tag', { required: false }],
  ['hermes', `<think>\nFirst <tool_call>?\n</think>\n\n<tool_call>\n${call}\n</tool_call>`, { thinking: true }],
  ['hermes', `First <tool_call>?\n</think>\n\n<tool_call>\n${call}\n</tool_call>`, { thinking: true, opened: true, required: false }],
  ['hermes', '<think>\nFirst <tool_call>?</think>Yes.', { thinking: true, required: false }],
  ['qwen3-coder', '<tool_call>\n<function=get_weather>\n<parameter=city>\nZü\n</param\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>'],
  ['qwen3-coder', '<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n<parameter=unit>\nkelvin\n</parameter>\n<parameter=exact>\ntrue\n</parameter>\n</function>\n</tool_call>'],
  ['qwen3-coder', '<tool_call>\n<function=noop>\n</function>\n</tool_call>'],
  ['glm', '<tool_call>get_time\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n</tool_call>'],
  ['llama3', '{"name": "get_weather", "parameters": {"city": "Rome"}}'],
  ['llama3', '{"name": "get_weather", "parameters": {"city": "Rome"}}', { required: false }],
  ['llama3', '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Rome"}}', { required: false }],
  ['mistral', `[TOOL_CALLS] [${call}, {"name": "noop", "arguments": {}}]`],
  ['mistral', 'Hm.[TOOL_CALLS]get_time[ARGS]{"city": "Rome"}', { required: false, source: '[ARGS]' }],
  ['mistral', '[TOOL_CALLS]get_time[ARGS]{"city": "Rome"}[TOOL_CALLS]noop[ARGS]{}', { source: '[ARGS]' }],
  ['granite', `<|tool_call|>[${call}]`],
  ['lfm2', '<|tool_call_start|>[get_weather(city="Rome", days=3, unit="kelvin", exact=True), noop()]<|tool_call_end|>'],
  ['lfm2', '<|tool_call_start|>[get_weather(city="Rome", exact=False)]<|tool_call_end|>'],
  ['gemma', '```tool_code\nget_weather(city="Rome", days=12)\n```'],
  ['functiongemma', '<start_function_call>call:get_weather{city:<escape>Rome, {x}<escape>,days:12,exact:true}<end_function_call>'],
  ['functiongemma', '<start_function_call>call:get_weather{city:<escape>Rome<escape>,unit:<escape>kelvin<escape>}<end_function_call><start_function_call>call:noop{}<end_function_call>'],
  ['gemma4', '<|tool_call>call:get_time{city:<|"|>Rome<|"|>}<tool_call|>'],
  ['generic', `{"tool_calls": [${call}]}`],
  ['generic', `{"tool_call": ${call}}`, { parallel: false }],
  ['generic', '{"response": "It is \\"fine\\"."}', { required: false }],
];

for (const [format, text, options] of written) {
  test(`${format}: ${JSON.stringify(text).slice(0, 60)} ${JSON.stringify(options ?? {})}`, () => {
    const chars = Array.from(text, (c) => Array.from(tokenizer.encode(c))).flat();
    for (const ids of [tokenizer.encode(text), Uint32Array.from(chars)]) assert.equal(follow(scriptOf(format, options), text, ids), { passed: tokenizer.decode(ids), ends: true });
    const begun = scriptOf(format, options), other = scriptOf(format, options), ids = tokenizer.encode(text), half = ids.length >> 1;
    for (const id of ids.slice(0, half)) begun.accept(id);
    other.restore(JSON.parse(JSON.stringify(begun.save())));
    for (const id of ids.slice(half, half + 3)) {
      assert.equal([begun.allows(id), other.allows(id)], [true, true], 'saved and restored');
      const own = tokenizer.encode(tokenizer.decode([id]).slice(0, 1))[0]!; // its first character alone never reaches over a border
      assert.ok((begun.mask()[own >> 5]! >>> (own & 31) & 1) === 1 || !begun.allows(own), 'the mask has it');
      begun.accept(id);
      other.accept(id);
    }
    const made = new AnswerReader({ format: formats.get(format)!, tools: new Map(tools.map((one) => [one.name, one.parameters])), thinking: options?.thinking ? think : undefined, opened: options?.opened === true });
    for (const part of [...made.push(text), ...made.finish(false)]) if (part.type === 'tool-call') assert.is(part.call.invalid, undefined, 'what is allowed is read');
  });
}

test('what is no call is refused where it leaves the way', () => {
  const stops = (format: string, text: string, options?: Options): string => follow(scriptOf(format, options), text, Uint32Array.from(Array.from(text, (c) => Array.from(tokenizer.encode(c))).flat())).passed;
  assert.is(stops('hermes', 'Hello'), '');
  assert.is(stops('hermes', '<tool_call>\n{"name": "get_whether'), '<tool_call>\n{"name": "get_w');
  assert.is(stops('hermes', `Hm <tool_call>\n{"nick`, { required: false }), 'Hm <tool_call>\n{"n');
  assert.is(stops('hermes', `<tool_call>\n${call}\n</tool_call>\n<tool`, { parallel: false }), `<tool_call>\n${call}\n</tool_call>`);
  assert.is(stops('hermes', '{"name": "fly', { required: false }), '{"name": "');
  assert.is(stops('functiongemma', '<start_function_call>call:get_weather{days'), '<start_function_call>call:get_weather{');
  assert.is(stops('qwen3-coder', '<tool_call>\n<function=get_weather>\n</'), '<tool_call>\n<function=get_weather>\n<');
  assert.is(follow(scriptOf('hermes'), '<tool_call>').ends, false);
  assert.is(follow(scriptOf('hermes', { thinking: true, opened: true, required: false }), 'Hm').ends, false, 'thoughts have an end');
});

test('an answer that is held to a schema may think before', () => {
  const make = (): Script => new Script(tokenizer, heldAnswer(() => createGrammar(tokenizer).jsonSchema({ type: 'object' }), think, false));
  assert.equal(follow(make(), '{"a": 1}').ends, true);
  assert.equal(follow(make(), '<think>Hm {</think>\n\n{"a": 1}').ends, true);
  assert.equal(follow(make(), 'Well, {').passed, '');
});

test('a state that is another\'s is refused', () => {
  for (const state of [undefined, {}, { ended: false, stands: [{ node: 99 }] }, { ended: false, stands: [{ node: 0, at: 1e9 }] }]) assert.throws(() => { scriptOf('hermes').restore(state); }, /E_OPTION/);
  assert.ok(weather);
});

test.after(() => { model.close(); });
test.run();
