/** The official client against a running server. */
import OpenAI, { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { makeParseableResponseFormat } from 'openai/lib/parser';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';
import { embeddedModel } from '../helpers/models.ts';
import { serving } from '../helpers/serving.ts';

const model = await load(embeddedModel, { contextSize: 1024, sequences: 4, threads: 1 });
const name = 'smollm2-135m-instruct-q4_1';
const at = await serving(model, { slots: 4 }), { client } = at;
const test = suite('openai');
test.after(async () => {
  await at.close();
  model.close();
});

const question = [{ role: 'user' as const, content: 'What is the capital of France?' }], greedy = { model: name, temperature: 0, seed: 1 };

/** What the promise was rejected with. */
async function refused<T>(promise: Promise<T>): Promise<InstanceType<typeof OpenAI.APIError>> {
  return promise.then(() => { throw new Error('it was not refused'); }, (error: unknown) => {
    if (error instanceof OpenAI.APIError) return error;
    throw error;
  });
}

test('models: listed, and found by name', async () => {
  const list = await client.models.list();
  assert.equal(list.data.map(({ id }) => id), [name]);
  assert.is((await client.models.retrieve(name)).id, name);
  assert.instance(await refused(client.models.retrieve('gpt-4')), NotFoundError);
});

test('chat: the answer that the library gives, and its usage', async () => {
  const answer = await client.chat.completions.create({ ...greedy, messages: question, max_tokens: 16 });
  const alone = model.generate(model.encodeChat(question), { temperature: 0, maxTokens: 16 }), text = await alone.text();
  assert.is(answer.choices[0]!.message.content, text);
  const { promptTokens, generatedTokens, stopReason } = alone.stats();
  assert.is(answer.usage!.prompt_tokens, promptTokens);
  assert.is(answer.usage!.completion_tokens, generatedTokens);
  assert.is(answer.usage!.total_tokens, promptTokens + generatedTokens);
  assert.is(answer.choices[0]!.finish_reason, stopReason === 'eog' ? 'stop' : 'length');
  const again = await client.chat.completions.create({ ...greedy, messages: question, max_completion_tokens: 1 });
  assert.is(again.usage!.prompt_tokens_details!.cached_tokens, promptTokens - 1, 'the prompt is in a cache');
  assert.is(again.choices[0]!.finish_reason, 'length');
});

test('streaming: the same text in pieces, one finish, usage where it is asked for', async () => {
  const whole = await client.chat.completions.create({ ...greedy, messages: question, max_tokens: 24 });
  const stream = await client.chat.completions.create({ ...greedy, messages: question, max_tokens: 24, stream: true, stream_options: { include_usage: true } });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
  assert.is(text, whole.choices[0]!.message.content);
  assert.ok(chunks.length > 5, `${chunks.length} chunks`);
  assert.is(chunks[0]!.choices[0]!.delta.role, 'assistant');
  assert.is(new Set(chunks.map(({ id }) => id)).size, 1);
  assert.equal(chunks.flatMap(({ choices }) => choices.map(({ finish_reason }) => finish_reason)).filter(Boolean), [whole.choices[0]!.finish_reason]);
  const last = chunks.at(-1)!;
  assert.equal(last.choices, []);
  assert.is(last.usage!.completion_tokens, whole.usage!.completion_tokens);
  assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null));
  const runner = client.chat.completions.stream({ ...greedy, messages: question, max_tokens: 24 });
  assert.is((await runner.finalMessage()).content, text);
});

test('the events, byte for byte as OpenAI frames them', async () => {
  const response = await at.post('/v1/chat/completions', { ...greedy, messages: question, max_tokens: 2, stream: true });
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const text = await response.text(), frames = text.split('\n\n');
  assert.is(frames.pop(), '');
  assert.is(frames.pop(), 'data: [DONE]');
  for (const frame of frames) {
    assert.match(frame, /^data: \{.*\}$/);
    const chunk = JSON.parse(frame.slice(6)) as { object: string; usage?: unknown };
    assert.is(chunk.object, 'chat.completion.chunk');
    assert.not('usage' in chunk);
  }
});

test('n: answers with seeds of their own, which can be had again', async () => {
  const ask = (seed: number, n: number) => client.chat.completions.create({ model: name, messages: question, max_tokens: 12, temperature: 1.5, seed, n });
  const three = await ask(7, 3), texts = three.choices.map(({ message }) => message.content);
  assert.equal(three.choices.map(({ index }) => index), [0, 1, 2]);
  assert.is(new Set(texts).size, 3);
  assert.is((await ask(8, 1)).choices[0]!.message.content, texts[1], 'the second has the next seed');
  assert.equal((await ask(7, 3)).choices.map(({ message }) => message.content), texts);
  const streamed = ['', '', ''];
  for await (const { choices } of await client.chat.completions.create({ model: name, messages: question, max_tokens: 12, temperature: 1.5, seed: 7, n: 3, stream: true })) {
    for (const { index, delta } of choices) streamed[index] += delta.content ?? '';
  }
  assert.equal(streamed, texts);
  assert.is(three.usage!.completion_tokens > 12, true, 'of all answers');
});

test('stop, logit_bias, seeds, penalties reach the sampler', async () => {
  const list = [{ role: 'user' as const, content: 'Count: one two three' }];
  const free = (await client.chat.completions.create({ ...greedy, messages: list, max_tokens: 24 })).choices[0]!.message.content!;
  const word = /\w{3,}/.exec(free.slice(4))![0];
  const cut = await client.chat.completions.create({ ...greedy, messages: list, max_tokens: 24, stop: [word] });
  assert.is(cut.choices[0]!.message.content, free.slice(0, free.indexOf(word)));
  assert.is(cut.choices[0]!.finish_reason, 'stop');
  const [first] = model.tokenizer.encode(free);
  const other = await client.chat.completions.create({ ...greedy, messages: list, max_tokens: 4, logit_bias: { [first!]: -100 } });
  assert.not(other.choices[0]!.message.content!.startsWith(model.tokenizer.decode([first!])));
  const banned = await at.post('/v1/chat/completions', { ...greedy, messages: list, max_tokens: 4, logit_bias: [[first!, false]] });
  assert.is(((await banned.json()) as OpenAI.ChatCompletion).choices[0]!.message.content, other.choices[0]!.message.content);
});

test('logprobs: of every token, with alternatives', async () => {
  const answer = await client.chat.completions.create({ ...greedy, messages: question, max_tokens: 5, logprobs: true, top_logprobs: 3 });
  const content = answer.choices[0]!.logprobs!.content!;
  assert.is(content.length, 5);
  assert.is(content.map(({ token }) => token).join(''), answer.choices[0]!.message.content);
  for (const { token, logprob, bytes, top_logprobs } of content) {
    assert.ok(logprob <= 0);
    assert.equal(bytes, [...new TextEncoder().encode(token)]);
    assert.is(top_logprobs.length, 3);
    assert.is(top_logprobs[0]!.token, token, 'greedy takes the best');
    assert.is(top_logprobs[0]!.logprob, logprob);
  }
  const plain = await client.chat.completions.create({ ...greedy, messages: question, max_tokens: 2, logprobs: true });
  assert.equal(plain.choices[0]!.logprobs!.content![0]!.top_logprobs, []);
  const streamed = [];
  for await (const { choices } of await client.chat.completions.create({ ...greedy, messages: question, max_tokens: 5, logprobs: true, top_logprobs: 3, stream: true })) {
    streamed.push(...choices[0]!.logprobs?.content ?? []);
  }
  assert.equal(streamed, content);
});

test('completions: texts and ids, several prompts, echo, logprobs', async () => {
  const prompt = 'The capital of France is';
  const one = await client.completions.create({ ...greedy, prompt, max_tokens: 4, logprobs: 2 });
  assert.is(one.choices[0]!.text, await model.generate(prompt, { temperature: 0, maxTokens: 4 }).text());
  const { tokens, token_logprobs, top_logprobs, text_offset } = one.choices[0]!.logprobs!;
  assert.is(tokens!.join(''), one.choices[0]!.text);
  assert.is(token_logprobs!.length, 4);
  assert.is(Object.keys(top_logprobs![0]!).length, 2);
  assert.is(text_offset![1], tokens![0]!.length);
  const ids = [...model.tokenizer.encode(prompt, { addSpecial: 'start' })];
  const many = await client.completions.create({ ...greedy, prompt: [ids, ids], max_tokens: 4, n: 2 });
  assert.equal(many.choices.map(({ text }) => text), Array(4).fill(one.choices[0]!.text));
  assert.is(many.usage!.prompt_tokens, 2 * ids.length);
  const echoed = await client.completions.create({ ...greedy, prompt, max_tokens: 4, echo: true });
  assert.is(echoed.choices[0]!.text, prompt + one.choices[0]!.text);
  let streamed = '';
  for await (const { choices } of await client.completions.create({ ...greedy, prompt, max_tokens: 4, echo: true, stream: true })) streamed += choices[0]?.text ?? '';
  assert.is(streamed, echoed.choices[0]!.text);
});

test('sparsity rides along, and its report', async () => {
  const ask = (body: object) => at.post('/v1/chat/completions', { ...greedy, messages: question, max_tokens: 12, ...body }).then((response) => response.json()) as Promise<{ clada: { answers: { sparsity: { method: string; density: number } }[] } }>;
  const [dense, half] = [await ask({}), await ask({ sparsity: { method: 'clada', density: 0.5 } })];
  assert.equal(dense.clada.answers[0]!.sparsity, { method: 'dense', density: 1 });
  const { method, density } = half.clada.answers[0]!.sparsity;
  assert.is(method, 'clada');
  assert.ok(density > 0.3 && density < 0.7, String(density));
  const { fetch: answer } = createServer(model, { efforts: { low: { method: 'clada', density: 0.6 } } });
  const methodOf = async (body: object): Promise<string> => {
    const response = await answer(new Request('http://x/v1/chat/completions', { method: 'POST', body: JSON.stringify({ ...greedy, messages: question, max_tokens: 2, ...body }) }));
    return ((await response.json()) as { clada: { answers: { sparsity: { method: string } }[] } }).clada.answers[0]!.sparsity.method;
  };
  assert.equal([await methodOf({ reasoning_effort: 'low' }), await methodOf({ reasoning_effort: 'high' }), await methodOf({ reasoning_effort: 'low', sparsity: 'dense' })], ['clada', 'dense', 'dense']);
});

test("llama-server's routes: tokens, text, template, properties, slots", async () => {
  const json = async (path: string, body?: object) => (await (body ? at.post(path, body) : fetch(at.origin + path))).json() as Promise<Record<string, unknown>>;
  const content = 'Hello, 世界!', ids = [...model.tokenizer.encode(content)];
  assert.equal(await json('/tokenize', { content }), { tokens: ids });
  assert.equal(await json('/detokenize', { tokens: ids }), { content });
  const pieces = (await json('/tokenize', { content, with_pieces: true }))['tokens'] as { id: number; piece: string | number[] }[];
  const bytes = pieces.flatMap(({ piece }) => (typeof piece === 'string' ? [...new TextEncoder().encode(piece)] : piece));
  assert.is(new TextDecoder().decode(new Uint8Array(bytes)), content);
  assert.equal((await json('/tokenize', { content: '<|im_end|>' }))['tokens'], [...model.tokenizer.encode('<|im_end|>', { parseSpecial: true })]);
  assert.equal((await json('/tokenize', { content: '<|im_end|>', parse_special: false }))['tokens'], [...model.tokenizer.encode('<|im_end|>')]);
  assert.equal(await json('/apply-template', { messages: question }), { prompt: model.template.render(question) });
  const props = await json('/props');
  assert.equal([props['total_slots'], props['model_alias'], props['eos_token']], [4, name, '<|im_end|>']);
  assert.is(((await json('/slots')) as unknown as unknown[]).length, 4);
  assert.equal(await json('/health'), { status: 'ok' });
});

test('embeddings: the vectors of the library, as numbers and as the base64 that the client asks for', async () => {
  const input = ['The cat sleeps.', 'A dog barks.'], { embeddings, tokens } = await model.embed(input);
  const answer = await client.embeddings.create({ model: name, input });
  assert.equal(answer.data.map(({ embedding }) => new Float32Array(embedding)), embeddings);
  assert.is(answer.usage.prompt_tokens, tokens);
  const numbers = (await (await at.post('/v1/embeddings', { input: input[1], encoding_format: 'float', dimensions: 64 })).json()) as OpenAI.CreateEmbeddingResponse;
  assert.equal(new Float32Array(numbers.data[0]!.embedding), (await model.embed(input[1]!, { dimensions: 64 })).embeddings[0]);
  const error = await refused(client.embeddings.create({ model: name, input: 'word '.repeat(2000) }));
  assert.equal([error.status, error.code, error.param], [400, 'context_length_exceeded', 'input']);
  assert.is((await refused(client.embeddings.create({ model: name, input: '' }))).param, 'input');
});

test('completions keep to a grammar and to a schema', async () => {
  const pick = await at.post('/v1/completions', { ...greedy, prompt: 'Red, green or blue? I like', grammar: 'root ::= " red" | " green"', max_tokens: 8 });
  assert.match(((await pick.json()) as OpenAI.Completion).choices[0]!.text, /^ (red|green)$/);
  const schema = { type: 'object', properties: { colour: { enum: ['red', 'green'] } }, required: ['colour'], additionalProperties: false };
  const made = await at.post('/v1/completions', { ...greedy, prompt: 'The colour as JSON: ', json_schema: schema, max_tokens: 32 });
  assert.ok(['red', 'green'].includes((JSON.parse(((await made.json()) as OpenAI.Completion).choices[0]!.text) as { colour: string }).colour));
  assert.is((await at.post('/v1/completions', { prompt: 'a', grammar: 'root ::= (' })).status, 400);
});

test('responses: whole and streamed, as the client puts them together', async () => {
  const ask = { ...{ model: name, temperature: 0 }, instructions: 'Be brief.', input: 'What is the capital of France?', max_output_tokens: 12 };
  const messages = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: ask.input }];
  const text = await model.generate(model.encodeChat(messages), { temperature: 0, maxTokens: 12 }).text();
  const whole = await client.responses.create(ask);
  assert.is(whole.output_text, text);
  assert.is(whole.status, whole.usage!.output_tokens === 12 ? 'incomplete' : 'completed');
  const events: string[] = [], runner = client.responses.stream(ask);
  let deltas = '', last = -1;
  for await (const event of runner) {
    assert.is(event.sequence_number, ++last);
    events.push(event.type);
    if (event.type === 'response.output_text.delta') deltas += event.delta;
  }
  assert.is(deltas, text);
  const final = await runner.finalResponse();
  assert.is(final.output_text, text);
  assert.equal(final.usage!.output_tokens, whole.usage!.output_tokens);
  assert.equal([...new Set(events)], [
    'response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta',
    'response.output_text.done', 'response.content_part.done', 'response.output_item.done', `response.${whole.status}`,
  ]);
  const turn = [{ role: 'user' as const, content: 'Say one.' }, ...whole.output.filter((item) => item.type === 'message'), { role: 'user' as const, content: [{ type: 'input_text' as const, text: 'And two.' }] }];
  assert.is((await client.responses.create({ ...ask, input: turn })).object, 'response');
  const kept = await refused(client.responses.create({ ...ask, previous_response_id: 'resp_1' }));
  assert.equal([kept.status, kept.param, kept.code], [400, 'previous_response_id', 'unsupported_parameter']);
  assert.is((await refused(client.responses.create({ ...ask, input: 'word '.repeat(2000), stream: true }))).code, 'context_length_exceeded');
});

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather', description: 'The weather of a city.', strict: true,
    parameters: { type: 'object', properties: { city: { type: 'string', enum: ['Paris', 'Rome'] }, days: { type: 'integer', minimum: 1, maximum: 7 } }, required: ['city', 'days'], additionalProperties: false },
  },
};
const weatherOf = (text: string): { city: string; days: number } => JSON.parse(text) as { city: string; days: number };

test('tools: a call that is asked for, whole and streamed, and its result in the next turn', async () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'How is the weather in Rome for three days?' }];
  const ask = { ...greedy, messages, tools: [weather], tool_choice: { type: 'function' as const, function: { name: 'get_weather' } }, parallel_tool_calls: false, max_tokens: 64 };
  const { message, finish_reason } = (await client.chat.completions.create(ask)).choices[0]!, [call] = message.tool_calls!;
  assert.is(finish_reason, 'tool_calls');
  assert.is(message.content, null);
  assert.is(call!.type, 'function');
  const { name: called, arguments: given } = (call as OpenAI.ChatCompletionMessageFunctionToolCall).function, { city, days } = weatherOf(given);
  assert.is(called, 'get_weather');
  assert.ok(['Paris', 'Rome'].includes(city) && days >= 1 && days <= 7, given);
  const runner = client.chat.completions.stream(ask), streamed = (await runner.finalMessage()).tool_calls![0] as OpenAI.ChatCompletionMessageFunctionToolCall;
  assert.is(streamed.function.arguments, given);
  const next = await client.chat.completions.create({ ...greedy, max_tokens: 8, tools: [weather], messages: [...messages, message, { role: 'tool', tool_call_id: call!.id, content: 'Sunny.' }] });
  assert.is(next.choices[0]!.message.role, 'assistant');
  const cut = await client.chat.completions.create({ ...ask, max_tokens: 12 });
  assert.is(cut.choices[0]!.finish_reason, 'length');
  const { type: _, function: { strict: __, ...definition } } = weather;
  const response = await client.responses.create({ model: name, temperature: 0, input: messages as OpenAI.Responses.ResponseInput, tools: [{ type: 'function', strict: true, ...definition }], tool_choice: 'required', max_output_tokens: 64 });
  const item = response.output.find(({ type }) => type === 'function_call') as OpenAI.Responses.ResponseFunctionToolCall;
  assert.is(item.name, 'get_weather');
  weatherOf(item.arguments);
  const answered = await client.responses.create({ model: name, temperature: 0, max_output_tokens: 8, input: [...messages as OpenAI.Responses.ResponseInput, item, { type: 'function_call_output', call_id: item.call_id, output: 'Sunny.' }] });
  assert.is(answered.object, 'response');
});

test("structured output: valid against the schema, by the client's own parser too", async () => {
  const schema = weather.function.parameters, messages = [{ role: 'user' as const, content: 'Rome for three days, as JSON.' }];
  const response_format = makeParseableResponseFormat({ type: 'json_schema', json_schema: { name: 'trip', strict: true, schema } }, weatherOf);
  const { parsed } = (await client.chat.completions.parse({ ...greedy, messages, response_format, max_tokens: 64 })).choices[0]!.message;
  assert.ok(['Paris', 'Rome'].includes(parsed!.city) && parsed!.days >= 1);
  const any = await client.chat.completions.create({ ...greedy, messages, response_format: { type: 'json_object' }, max_tokens: 200 });
  if (any.choices[0]!.finish_reason === 'stop') assert.type(JSON.parse(any.choices[0]!.message.content!), 'object');
  const response = await client.responses.create({ model: name, temperature: 0, input: 'Rome for three days, as JSON.', max_output_tokens: 64, text: { format: { type: 'json_schema', name: 'trip', schema } } });
  assert.equal(weatherOf(response.output_text), parsed);
  const own = await at.post('/v1/chat/completions', { ...greedy, messages, grammar: 'root ::= "yes" | "no"' });
  assert.match(((await own.json()) as OpenAI.ChatCompletion).choices[0]!.message.content!, /^(yes|no)$/);
  const never = await refused(client.chat.completions.create({ ...greedy, messages, response_format: { type: 'json_schema', json_schema: { name: 'none', schema: { type: 'object', allOf: [{ type: 'string' }] } } } }));
  assert.instance(never, BadRequestError);
});

test('errors: each class with what OpenAI calls it', async () => {
  const ask = (body: object) => refused(client.chat.completions.create({ ...greedy, messages: question, ...body } as OpenAI.ChatCompletionCreateParamsNonStreaming));
  const missing = await ask({ model: 'gpt-4o' });
  assert.instance(missing, NotFoundError);
  assert.equal([missing.code, missing.param, missing.type], ['model_not_found', 'model', 'invalid_request_error']);
  const hot = await ask({ temperature: 'hot' });
  assert.instance(hot, BadRequestError);
  assert.is(hot.param, 'temperature');
  assert.is((await ask({ messages: [] })).param, 'messages');
  assert.is((await ask({ top_p: 7 })).param, 'top_p');
  assert.is((await ask({ modalities: ['text', 'audio'] })).code, 'unsupported_parameter');
  const long = await ask({ messages: [{ role: 'user', content: 'word '.repeat(2000) }] });
  assert.instance(long, BadRequestError);
  assert.equal([long.code, long.param], ['context_length_exceeded', 'messages']);
  const streamed = await refused(client.chat.completions.create({ ...greedy, messages: [{ role: 'user', content: 'word '.repeat(2000) }], stream: true }));
  assert.is(streamed.code, 'context_length_exceeded', 'before the stream begins');
});

test('a key: asked for, compared whole', async () => {
  const locked = await serving(model, { apiKeys: ['right', 'other'] }, 'right');
  try {
    assert.is((await locked.client.models.list()).data.length, 1);
    for (const key of ['wrong', 'righ', 'right2', '']) {
      const error = await refused(new OpenAI({ baseURL: `${locked.origin}/v1`, apiKey: key || ' ', maxRetries: 0 }).models.list().then((list) => list.data));
      assert.instance(error, AuthenticationError, key);
      assert.is(error.code, 'invalid_api_key');
    }
    assert.is((await fetch(`${locked.origin}/health`)).status, 200);
    assert.is((await fetch(`${locked.origin}/v1/models`)).status, 401);
    assert.is((await fetch(`${locked.origin}/metrics`)).status, 401);
  } finally {
    await locked.close();
  }
});

test('abort: the slot is free at once', async () => {
  const controller = new AbortController();
  const stream = await client.chat.completions.create({ ...greedy, messages: question, ignore_eos: true, stream: true } as OpenAI.ChatCompletionCreateParamsStreaming, { signal: controller.signal });
  let n = 0;
  for await (const _ of stream) if (++n === 3) { stream.controller.abort(); break; }
  await at.idle();
  const waiting = client.chat.completions.create({ ...greedy, messages: question, ignore_eos: true } as OpenAI.ChatCompletionCreateParamsNonStreaming, { signal: controller.signal });
  setTimeout(() => { controller.abort(); }, 100);
  assert.instance(await refused(waiting), APIUserAbortError);
  await at.idle();
});

test('a full queue: 429 with Retry-After, which the client heeds', async () => {
  const small = await serving(model, { slots: 1, queue: 1 });
  try {
    const ask = (n: number) => small.client.chat.completions.create({ ...greedy, messages: question, max_tokens: n });
    const running = [ask(40), ask(4)];
    while (small.server.active < 2) await new Promise((resolve) => { setTimeout(resolve, 2); });
    const error = await refused(ask(4));
    assert.instance(error, RateLimitError);
    assert.is(error.code, 'rate_limit_exceeded');
    assert.match(error.headers!.get('retry-after')!, /^\d+$/);
    await Promise.all(running);
    const patient = small.client.withOptions({ maxRetries: 5 });
    const answers = await Promise.all([1, 2, 3].map(() => patient.chat.completions.create({ ...greedy, messages: question, max_tokens: 4 })));
    assert.is(new Set(answers.map(({ choices }) => choices[0]!.message.content)).size, 1);
  } finally {
    await small.close();
  }
});

test.run();
