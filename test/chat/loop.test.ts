/** Real answers that are held to tools and forms, in every family's format, and the loop that runs tools. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ChatRequest, RunnableTool, ToolRunPart } from '../../src/chat/index.ts';
import { respond, runTools } from '../../src/chat/index.ts';
import { closed, readTools } from '../../src/chat/schemas.ts';
import type { CladaError, Model } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('tools');
const model = await load(embeddedModel, { contextSize: 2048 });
const code = (error: unknown): string => (error as CladaError).code;

/** The model with a template that says it is another family's. */
const as = (source: string): Model => ({
  info: model.info, tokenizer: model.tokenizer, template: { ...model.template, source: () => source },
  encodeChat: model.encodeChat.bind(model), generate: model.generate.bind(model),
}) as unknown as Model;

const unit = { type: 'string', enum: ['celsius', 'kelvin'] };
const tools: RunnableTool[] = [
  { name: 'get_weather', description: 'Weather of the coming days', parameters: { type: 'object', properties: { days: { type: 'integer', minimum: 1, maximum: 7 }, unit }, required: ['days', 'unit'] }, execute: () => 'Rain' },
  { name: 'get_time', parameters: { type: 'object', properties: { exact: { type: 'boolean' } }, required: ['exact'] }, execute: () => ({ time: '12:00' }) },
];
const asked: ChatRequest = {
  messages: [{ role: 'user', content: 'What will the weather be tomorrow?' }], maxTokens: 200, temperature: 1, seed: 3, toolChoice: 'required', parallelToolCalls: false,
  tools: tools.map(({ execute: _, ...tool }) => tool),
};
const sources: Record<string, string> = {
  hermes: '<tool_call>', 'qwen3-coder': '<tool_call><function=<parameter=', glm: '<tool_call><arg_key>', llama3: '<|python_tag|>', mistral: '[TOOL_CALLS]',
  'mistral by name': '[TOOL_CALLS][ARGS][CALL_ID]', granite: '<|tool_call|>', lfm2: '<|tool_call_start|>', gemma: 'tool_code', functiongemma: '<start_function_call>',
  gemma4: "'<|tool_call>call:'", generic: '', 'hermes with thoughts': '<tool_call><think></think>',
};

for (const [name, source] of Object.entries(sources)) {
  test(`${name}: a call that must come is a valid one`, async () => {
    const { toolCalls, text, reason } = await respond(as(source), asked).result();
    assert.equal([toolCalls.length, text], [1, ''], reason);
    const { name: tool, arguments: args, invalid } = toolCalls[0]!, value = JSON.parse(args) as Record<string, unknown>;
    assert.is(invalid, undefined);
    if (tool === 'get_time') assert.equal(Object.keys(value).concat(typeof value.exact), ['exact', 'boolean']);
    else assert.ok(tool === 'get_weather' && [1, 2, 3, 4, 5, 6, 7].includes(value.days as number) && unit.enum.includes(value.unit as string), args);
  });
}

test('the tool that is named is the one that is called', async () => {
  for (const name of ['get_time', 'get_weather']) {
    const { toolCalls } = await respond(as(''), { ...asked, toolChoice: { name } }).result();
    assert.is(toolCalls[0]!.name, name);
  }
});

test('a tool has the parameters that it tells: none where it tells of none, any where it says so', async () => {
  const { toolCalls } = await respond(as(''), { ...asked, tools: [{ name: 'noop' }] }).result();
  assert.equal(JSON.parse(toolCalls[0]!.arguments), {});
  const [open, told] = readTools([{ name: 'a', parameters: { type: 'object' } }, { name: 'b', parameters: { properties: {} } }]);
  assert.equal(closed(open!.parameters), { type: 'object', properties: {}, additionalProperties: true });
  assert.equal(closed(told!.parameters), { type: 'object', properties: {}, additionalProperties: false });
});

test('a form of the answer holds', async () => {
  const plain: ChatRequest = { messages: asked.messages, maxTokens: 60, temperature: 1, seed: 1 };
  const schema = { type: 'object', properties: { unit, n: { type: 'integer' } }, required: ['unit', 'n'], additionalProperties: false };
  const value = JSON.parse((await respond(model, { ...plain, responseFormat: { type: 'json_schema', schema } }).result()).text) as Record<string, unknown>;
  assert.ok(unit.enum.includes(value.unit as string) && Number.isInteger(value.n));
  assert.match((await respond(model, { ...plain, responseFormat: { type: 'regex', pattern: 'yes|no' } }).result()).text, /^(yes|no)$/);
  assert.match((await respond(model, { ...plain, responseFormat: { type: 'gbnf', grammar: 'root ::= "a" [0-9]' } }).result()).text, /^a\d$/);
  for (const responseFormat of [{ type: 'json_schema', schema: { type: 'nothing' } }, { type: 'regex', pattern: '(' }, { type: 'xml' }] as ChatRequest['responseFormat'][]) {
    assert.throws(() => respond(model, { ...plain, responseFormat: responseFormat! }), (error: unknown) => code(error) === 'E_OPTION');
  }
  assert.throws(() => respond(model, { ...asked, tools: [{ name: 'a', parameters: { properties: { x: { type: 'nothing' } } } }] }), (error: unknown) => code(error) === 'E_OPTION');
});

test('calls are run and their results go back, until the last step', async () => {
  const run = runTools(as(''), { ...asked, tools, maxSteps: 2 }), parts: ToolRunPart[] = [];
  for await (const part of run) parts.push(part);
  const { steps, messages, reason } = await runTools(as(''), { ...asked, tools, maxSteps: 2 }).result();
  assert.ok(parts.some(({ type }) => type === 'tool-result'));
  assert.is(steps[0]!.results.length, 1);
  assert.equal(messages.slice(0, 2).map(({ role }) => role), ['assistant', 'tool']);
  assert.is(messages[1]!.content, (messages[1]!.name === 'get_time' ? '{"time":"12:00"}' : 'Rain'));
  assert.ok(steps.length === 2 && (reason === 'max-steps') === (steps[1]!.results.length > 0));
  await run[Symbol.asyncIterator]().next().then(() => assert.unreachable(), (error: unknown) => { assert.is(code(error), 'E_OPTION'); });
});

test('a tool that throws, refuses its arguments, gives what is no JSON or never returns: the model is told', async () => {
  const content = async (tool: Partial<RunnableTool>, options = {}): Promise<string> => {
    const { steps } = await runTools(as(''), { ...asked, toolChoice: { name: 'get_time' }, maxSteps: 1, tools: [{ ...tools[1]!, ...tool }], ...options }).result();
    const [result] = steps[0]!.results;
    assert.is(result!.error !== undefined, result!.content.startsWith('Error: '));
    return result!.content;
  };
  assert.is(await content({ execute: () => { throw new Error('no clock'); } }), 'Error: no clock');
  assert.is(await content({ execute: () => Promise.reject(new Error('no hands')) }), 'Error: no hands');
  assert.match(await content({ execute: () => 1n }), /^Error: .*BigInt/);
  assert.is(await content({ execute: () => undefined }), 'null');
  assert.is(await content({ execute: () => Symbol('x') }), 'Error: result of get_time: found a symbol; expected what JSON can hold. Give a text or plain data. [E_OPTION]');
  assert.is(await content({ execute: () => { throw Object.create(null); } }), 'Error: it failed and cannot say how');
  let told: AbortSignal | undefined;
  assert.is(await content({ execute: (_, { signal }) => { told = signal; return new Promise(() => undefined); } }, { timeout: 20 }), 'Error: get_time gave nothing within 20 ms');
  assert.ok(told!.aborted);
  const validate = (): unknown => ({ issues: [{ message: 'too exact', path: ['exact'] }] });
  const jsonSchema = { input: () => tools[1]!.parameters };
  assert.is(await content({ parameters: { '~standard': { validate, jsonSchema } } }), 'Error: arguments of get_time: found exact: too exact; expected what its schema takes. Call it again with other arguments. [E_OPTION]');
  assert.is(await content({ parameters: { '~standard': { validate: () => ({ value: { made: 1 } }), jsonSchema } }, execute: (args) => args }), '{"made":1}');
});

test('an abort ends a tool that runs', async () => {
  const abort = new AbortController(), slow: RunnableTool = { ...tools[1]!, execute: () => { abort.abort(); return new Promise(() => undefined); } };
  await runTools(as(''), { ...asked, tools: [slow], signal: abort.signal }).result().then(() => assert.unreachable(), (error: unknown) => { assert.is(code(error), 'E_ABORTED'); });
});

test('what cannot be run is refused at once', () => {
  for (const wrong of [{ tools: [{ name: 'a' }] }, { tools: 3 }, { maxSteps: 0 }, { timeout: -1 }, { tools: [], toolChoice: 'required' }]) {
    assert.throws(() => runTools(model, { ...asked, tools, ...wrong } as never), (error: unknown) => code(error) === 'E_OPTION', JSON.stringify(wrong));
  }
});

test.after(() => { model.close(); });
test.run();
