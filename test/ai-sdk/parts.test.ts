/** What the AI SDK says in messages, tools and settings, as clada's chat requests; parts of answers, as the AI SDK's. */
import type { LanguageModel } from 'ai6';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folded, streamParts } from '../../src/ai-sdk/language.ts';
import { chatMessages } from '../../src/ai-sdk/messages.ts';
import { chatRequest } from '../../src/ai-sdk/request.ts';
import type { CallOptions, StreamPart } from '../../src/ai-sdk/types.ts';
import type { ChatPart } from '../../src/chat/index.ts';
import type { CladaError, GenerationStats } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

type Call = Parameters<Extract<LanguageModel, { specificationVersion: 'v3' }>['doGenerate']>[0];
type Message = Call['prompt'][number];
type Output = Extract<Extract<Message, { role: 'tool' }>['content'][number], { type: 'tool-result' }>['output'];

const test = suite('ai-sdk parts');
const model = await load(embeddedModel, { tier: 'base', contextSize: 256 });
/** One whose template knows thinking, as Qwen3's does, and effort, as gpt-oss's does. */
const thinking = await load(embeddedModel, { tier: 'base', contextSize: 256, chatTemplate: '{{ reasoning_effort }}{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}' });

const text = (text: string): { type: 'text'; text: string } => ({ type: 'text', text });
const user: Message = { role: 'user', content: [text('Hi')] };
const resultOf = (output: Output): Message => ({ role: 'tool', content: [{ type: 'tool-result', toolCallId: 'a', toolName: 'sum', output }] });
const refusal = (prompt: Message[]): string => {
  try { chatMessages(prompt); } catch (error) { return (error as { functionality: string }).functionality; }
  return 'none';
};

test('messages: texts, reasoning, calls and results', () => {
  const prompt: Message[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [text('One'), text('Two')] },
    { role: 'assistant', content: [{ type: 'reasoning', text: 'Let me add.' }, text('I '), text('add.'), { type: 'tool-call', toolCallId: 'a', toolName: 'sum', input: { of: [1, 2] } }] },
    { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'a', toolName: 'sum', output: { type: 'json', value: { is: 3 } } }, { type: 'tool-approval-response', approvalId: 'b', approved: true }] },
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'c', toolName: 'search', input: {} }, { type: 'tool-result', toolCallId: 'c', toolName: 'search', output: { type: 'text', value: 'found' } }] },
  ];
  assert.equal(chatMessages(prompt), [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'One\nTwo' },
    { role: 'assistant', content: 'I add.', reasoning_content: 'Let me add.', tool_calls: [{ id: 'a', type: 'function', function: { name: 'sum', arguments: { of: [1, 2] } } }] },
    { role: 'tool', tool_call_id: 'a', name: 'sum', content: '{"is":3}' },
    { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'search', arguments: {} } }] },
    { role: 'tool', tool_call_id: 'c', name: 'search', content: 'found' },
  ]);
});

test('results of tools, every kind', () => {
  const outputs: [Output, string][] = [
    [{ type: 'text', value: 'x' }, 'x'], [{ type: 'json', value: [1, null] }, '[1,null]'], [{ type: 'json', value: null }, 'null'],
    [{ type: 'error-text', value: 'no' }, 'no'], [{ type: 'error-json', value: { code: 3 } }, '{"code":3}'],
    [{ type: 'execution-denied' }, 'Execution of this tool was denied.'], [{ type: 'execution-denied', reason: 'Not today.' }, 'Not today.'],
    [{ type: 'content', value: [text('a'), text('b')] }, 'a\nb'],
  ];
  for (const [output, content] of outputs) assert.is(chatMessages([resultOf(output)])[0]!.content, content, JSON.stringify(output));
});

test('what is no text is refused, wherever it stands', () => {
  const file = { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array(1) };
  assert.is(refusal([{ role: 'user', content: [text('See'), file] }]), 'file');
  assert.is(refusal([{ role: 'assistant', content: [file] }]), 'file');
  assert.is(refusal([resultOf({ type: 'content', value: [text('a'), { type: 'image-url', url: 'https://example.com/a.png' }] })]), 'image-url of a tool');
  assert.is(refusal([{ role: 'developer', content: 'x' } as never]), 'a message of role developer');
  assert.is(refusal([resultOf({ type: 'sound' } as never)]), 'a tool result of type sound');
});

const call: Call = { prompt: [user] };
const requestOf = (more: Partial<CallOptions>, of = model): ReturnType<typeof chatRequest> => chatRequest(of, { ...call, ...more });
const parameters = { type: 'object', properties: { a: { type: 'number' } } } as const;
const tool = { type: 'function', name: 'sum', description: 'Adds.', inputSchema: parameters } as const;

test('settings by their names', () => {
  const { request, warnings } = requestOf({ maxOutputTokens: 5, temperature: 0.3, topP: 0.5, topK: 7, seed: 9, presencePenalty: 0.1, frequencyPenalty: 0.2, stopSequences: ['x'] });
  const { maxTokens, temperature, topP, topK, seed, presencePenalty, frequencyPenalty, stop } = request;
  assert.equal([maxTokens, temperature, topP, topK, seed, presencePenalty, frequencyPenalty, stop], [5, 0.3, 0.5, 7, 9, 0.1, 0.2, ['x']]);
  assert.equal(warnings, []);
  assert.equal(['tools', 'toolChoice', 'responseFormat', 'signal'].filter((name) => name in request), []);
});

test('tools, and which of them', () => {
  const { request, warnings } = requestOf({ tools: [tool, { type: 'provider', id: 'openai.web_search', name: 'web' }, { ...tool, name: 'more', inputExamples: [{ input: { a: 1 } }] }] });
  assert.equal(request.tools!.map(({ name }) => name), ['sum', 'more']);
  assert.equal(request.tools![0], { name: 'sum', description: 'Adds.', parameters });
  assert.is(request.toolChoice, 'auto');
  assert.equal(warnings.map((warning) => 'feature' in warning && warning.feature), ['provider tool openai.web_search', 'inputExamples of more']);
  for (const type of ['auto', 'none', 'required'] as const) assert.is(requestOf({ tools: [tool], toolChoice: { type } }).request.toolChoice, type);
  assert.equal(requestOf({ tools: [tool], toolChoice: { type: 'tool', toolName: 'sum' } }).request.toolChoice, { name: 'sum' });
  assert.is(requestOf({ tools: [], toolChoice: { type: 'required' } }).request.toolChoice, undefined);
});

test('forms of the answer', () => {
  const formOf = (more: Partial<CallOptions>): unknown => requestOf(more).request.responseFormat;
  assert.equal(formOf({ responseFormat: { type: 'json', schema: parameters } }), { type: 'json_schema', schema: parameters });
  assert.equal(formOf({ responseFormat: { type: 'json' } }), { type: 'json_object' });
  const regex = { type: 'regex', pattern: '[0-9]+' }, providerOptions = { clada: { responseFormat: regex } };
  assert.equal(formOf({ responseFormat: { type: 'text' }, providerOptions }), regex);
  const both: Partial<CallOptions> = { tools: [tool], responseFormat: { type: 'json' } };
  assert.throws(() => formOf(both), (error: { functionality: string }) => error.functionality === 'an object together with tools that may be called');
  assert.equal(formOf({ ...both, toolChoice: { type: 'none' } }), { type: 'json_object' });
  assert.throws(() => formOf({ responseFormat: { type: 'json' }, providerOptions }), (error: CladaError) => error.code === 'E_OPTION');
});

test('reasoning: off, on, and a warning where the template knows none', () => {
  const variables = (reasoning: string, own = {}): unknown => requestOf({ reasoning, providerOptions: { clada: own } }, thinking).request.template!.variables;
  assert.equal(variables('provider-default'), {});
  assert.equal(variables('none'), { enable_thinking: false });
  assert.equal(variables('high'), { enable_thinking: true, reasoning_effort: 'high' });
  assert.equal(variables('none', { template: { variables: { enable_thinking: true, x: 1 } } }), { enable_thinking: true, x: 1 }, 'what is said in so many words wins');
  assert.equal(requestOf({ reasoning: 'low' }, thinking).warnings, []);
  const { request, warnings } = requestOf({ reasoning: 'none' });
  assert.equal(request.template!.variables, {});
  assert.is(warnings.length, 1);
});

const stats = { stopReason: 'eog', promptTokens: 10, cachedTokens: 4, generatedTokens: 7, promptPerSecond: NaN, density: 1, warnings: [], seed: 3, promptMs: 1, generateMs: 2 } as unknown as GenerationStats;
const token = (id: number): { id: number; text: string; logprob: number } => ({ id, text: '', logprob: -Infinity });
const parts: ChatPart[] = [
  { type: 'reasoning', text: 'Hm', tokens: [token(1), token(2)] }, { type: 'reasoning', text: '.', tokens: [token(3)] },
  { type: 'text', text: '', tokens: [token(4)] }, { type: 'text', text: 'I add.', tokens: [] },
  { type: 'tool-call-start', index: 0, id: 'a', name: 'sum' }, { type: 'tool-call-delta', index: 0, id: 'a', arguments: '{"a":' }, { type: 'tool-call-delta', index: 0, id: 'a', arguments: '1}' },
  { type: 'tool-call', index: 0, call: { id: 'a', name: 'sum', arguments: '{"a":1}' } }, { type: 'tool-call', index: 1, call: { id: 'b', name: 'sum', arguments: '{}' } },
  { type: 'finish', reason: 'tool-calls', stats },
];
async function* all(): AsyncGenerator<ChatPart> { yield* parts; }

test('parts of a stream: blocks begin and end, calls are told once', async () => {
  const found: StreamPart[] = [];
  for await (const part of streamParts(all(), false, String)) found.push(part);
  const finish = found.pop() as Extract<StreamPart, { type: 'finish' }>;
  assert.equal(found, [
    { type: 'reasoning-start', id: '0' }, { type: 'reasoning-delta', id: '0', delta: 'Hm' }, { type: 'reasoning-delta', id: '0', delta: '.' }, { type: 'reasoning-end', id: '0' },
    { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta: 'I add.' }, { type: 'text-end', id: '1' },
    { type: 'tool-input-start', id: 'a', toolName: 'sum' }, { type: 'tool-input-delta', id: 'a', delta: '{"a":' }, { type: 'tool-input-delta', id: 'a', delta: '1}' },
    { type: 'tool-input-end', id: 'a' }, { type: 'tool-call', toolCallId: 'a', toolName: 'sum', input: '{"a":1}' },
    { type: 'tool-input-start', id: 'b', toolName: 'sum' }, { type: 'tool-input-delta', id: 'b', delta: '{}' },
    { type: 'tool-input-end', id: 'b' }, { type: 'tool-call', toolCallId: 'b', toolName: 'sum', input: '{}' },
  ]);
  assert.equal(finish.finishReason, { unified: 'tool-calls', raw: 'eog' });
  assert.equal(finish.usage, { inputTokens: { total: 10, noCache: 6, cacheRead: 4, cacheWrite: undefined }, outputTokens: { total: 7, text: 4, reasoning: 3 } });
  const figures = finish.providerMetadata!['clada']!;
  assert.equal(JSON.parse(JSON.stringify(figures)), figures, 'all of it is JSON');
  assert.equal([figures['promptPerSecond'], (figures['logprobs'] as unknown[]).length], [null, 4]);
  assert.equal((figures['logprobs'] as unknown[])[0], { id: 1, token: '1', logprob: null, top: [] });
});

test('what is cut off, or fails in the middle, has its ends: texts, and calls, which stay no calls', async () => {
  const [start, delta] = parts.slice(4, 6), text = parts[3]!, last = { type: 'finish', reason: 'length', stats } as const;
  const typesOf = async (given: readonly ChatPart[], error?: Error): Promise<string[]> => {
    const types: string[] = [];
    async function* answer(): AsyncGenerator<ChatPart> { yield* given; if (error) throw error; }
    try { for await (const { type } of streamParts(answer(), false, undefined)) types.push(type); } catch (caught) { types.push((caught as Error).message); }
    return types;
  };
  assert.equal(await typesOf([start!, delta!, last]), ['tool-input-start', 'tool-input-delta', 'tool-input-end', 'finish']);
  assert.equal(await typesOf([text, start!], new Error('lost')), ['text-start', 'text-delta', 'text-end', 'tool-input-start', 'tool-input-end', 'lost']);
  assert.equal(await typesOf([text], new Error('lost')), ['text-start', 'text-delta', 'text-end', 'lost']);
});

test('seeds of any size, and results that JSON cannot hold', () => {
  assert.equal([7, -5, 1_764_259_200_000, 2 ** 32, undefined].map((seed) => requestOf({ seed }).request.seed), [7, 4_294_967_291, 1_764_259_200_000 % 2 ** 32, 0, undefined]);
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const value of [circle, 5n]) assert.throws(() => chatMessages([resultOf({ type: 'json', value } as unknown as Output)]), (error: CladaError) => error.code === 'E_OPTION');
});

test('raw parts where they are asked for', async () => {
  const raw: unknown[] = [];
  for await (const part of streamParts(all(), true, undefined)) if (part.type === 'raw') raw.push(part.rawValue);
  assert.equal(raw, parts);
});

test('the same parts as a whole answer', async () => {
  const { content, finishReason, usage } = await folded(streamParts(all(), false, undefined), { id: 'x', timestamp: new Date(0), modelId: 'm' }, []);
  assert.equal(content, [
    { type: 'reasoning', text: 'Hm.' }, { type: 'text', text: 'I add.' },
    { type: 'tool-call', toolCallId: 'a', toolName: 'sum', input: '{"a":1}' }, { type: 'tool-call', toolCallId: 'b', toolName: 'sum', input: '{}' },
  ]);
  assert.equal([finishReason.unified, usage.outputTokens.total], ['tool-calls', 7]);
});

test.run();
