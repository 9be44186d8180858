/** The provider under the real `ai` packages of both majors, on the embedded model. */
import * as ai6 from 'ai6';
import * as ai7 from 'ai7';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clada } from '../../src/ai-sdk/index.ts';
import { createClada, NoSuchModelError, UnsupportedInputError } from '../../src/ai-sdk/index.ts';
import type { CladaError } from '../../src/index.ts';
import { InputError, load } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const model = await load(embeddedModel, { tier: 'base', contextSize: 512 });
const system = 'You answer in one sentence.', prompt = 'What is the capital of France?', answer = 'The capital of France is Paris.';
const asked = { system, prompt, temperature: 0 };
const long = 'word '.repeat(600);

/** Tests call what both majors have; what their types take of a provider is asked in `typed`. */
const majors = [
  { ai: ai7, clada: createClada(model), specification: 'v4' },
  { ai: ai6 as unknown as typeof ai7, clada: createClada(model, { specification: 'v3' }) as unknown as Clada, specification: 'v3' },
];

/** Compiled, not run: what each major's types take. */
export function typed(): void {
  const current = createClada({ chat: model, embedding: model }), previous = createClada(model, { specification: 'v3' });
  const models: [ai7.LanguageModel, ai7.EmbeddingModel, ai6.LanguageModel, ai6.EmbeddingModel] =
    [current(), current.embeddingModel(), previous.languageModel(), previous.textEmbeddingModel()];
  ai7.createProviderRegistry({ clada: current, of6: previous });
  ai6.createProviderRegistry({ clada: previous });
  ai7.wrapLanguageModel({ model: current(), middleware: ai7.extractReasoningMiddleware({ tagName: 'think' }) });
  ai6.wrapLanguageModel({ model: previous(), middleware: ai6.extractReasoningMiddleware({ tagName: 'think' }) });
  // @ts-expect-error one of the current major is none of the previous
  models[2] = current();
}

/** The SDK's advice on what the next major leaves out is not of this test. */
process.removeAllListeners('warning');
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

const properties = { city: { type: 'string', maxLength: 20 }, population: { type: 'integer', minimum: 0, maximum: 99_999_999 } } as const;
const citySchema = { type: 'object', properties, required: ['city', 'population'], additionalProperties: false } as const;
const weatherSchema = { type: 'object', properties: { city: { type: 'string', enum: ['Paris', 'Rome'] } }, required: ['city'], additionalProperties: false } as const;

/** Silent: streamText tells errors on the console, too. */
const onError = (): void => undefined;

async function failure(run: () => PromiseLike<unknown>): Promise<CladaError> {
  try { await run(); } catch (error) { return error as CladaError; }
  return assert.unreachable() as never;
}

for (const { ai, clada, specification } of majors) {
  const test = suite(`ai of specification ${specification}`), { generateText, streamText } = ai;

  test('generateText: text, usage, reason, figures of clada', async () => {
    const result = await generateText({ model: clada(), ...asked });
    assert.is(result.text, answer);
    assert.equal([result.finishReason, result.rawFinishReason], ['stop', 'eog']);
    assert.equal([result.usage.inputTokens, result.usage.outputTokens, result.usage.outputTokenDetails.reasoningTokens], [27, 8, 0]);
    assert.equal(result.warnings, []);
    assert.is(result.response.modelId, model.info.name);
    const { sparsity } = result.providerMetadata!['clada']!;
    assert.equal(sparsity, { method: 'dense', density: 1, expected: null, measured: null, warnings: [] });
  });

  test('settings: length, stop texts, seeds; a second call reads the cache', async () => {
    const cut = await generateText({ model: clada(), ...asked, maxOutputTokens: 3 });
    assert.equal([cut.text, cut.finishReason, cut.rawFinishReason], ['The capital of', 'length', 'length']);
    assert.ok(cut.usage.inputTokenDetails.cacheReadTokens! >= 20);
    const stopped = await generateText({ model: clada(), ...asked, stopSequences: [' France'] });
    assert.equal([stopped.text, stopped.rawFinishReason], ['The capital of', 'stop']);
    const drawn = (seed: number): Promise<{ text: string }> => generateText({ model: clada(), prompt, seed, temperature: 1.5, maxOutputTokens: 12 }) as Promise<{ text: string }>;
    assert.is((await drawn(5)).text, (await drawn(5)).text);
  });

  test('streamText: parts in their order, the text piece by piece', async () => {
    const result = streamText({ model: clada(), ...asked }), types: string[] = [], deltas: string[] = [];
    for await (const part of result.fullStream) {
      if (types.at(-1) !== part.type) types.push(part.type);
      if (part.type === 'text-delta') deltas.push(part.text);
    }
    assert.equal(types, ['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish']);
    assert.is(deltas.length, 7);
    assert.is(deltas.join(''), answer);
    assert.equal([(await result.usage).totalTokens, await result.finishReason], [35, 'stop']);
    assert.is(((await result.providerMetadata)!['clada'] as { stopReason: string }).stopReason, 'eog');
  });

  test('a conversation: what was said before is read', async () => {
    const messages = [{ role: 'user' as const, content: prompt }, { role: 'assistant' as const, content: [{ type: 'text' as const, text: answer }] }, { role: 'user' as const, content: 'And of Italy?' }];
    assert.is((await generateText({ model: clada(), system, messages, temperature: 0 })).text, 'The capital of Italy is Rome.');
  });

  test('providerOptions: sparsity with its report, log-probabilities; unknown names are refused', async () => {
    const options = { sparsity: { method: 'clada', density: 0.5 }, logprobs: 2 };
    const { providerMetadata } = await generateText({ model: clada(), ...asked, maxOutputTokens: 4, providerOptions: { clada: options } });
    const { sparsity, logprobs } = providerMetadata!['clada'] as unknown as { sparsity: { method: string; density: number; expected: { cost: number; kl: number } }; logprobs: { token: string; logprob: number; top: { token: string }[] }[] };
    assert.is(sparsity.method, 'clada');
    assert.ok(sparsity.density > 0.35 && sparsity.density < 0.65, String(sparsity.density));
    assert.ok(Math.abs(sparsity.expected.cost - 0.5) < 0.1 && sparsity.expected.kl > 0);
    assert.equal(logprobs.map(({ token, top }) => [token, top.length]).slice(0, 3), [['The', 2], [' capital', 2], [' of', 2]]);
    const error = await failure(() => generateText({ model: clada(), prompt, providerOptions: { clada: { sparsty: {} } } }));
    assert.equal([error.code, error.remedy], ['E_OPTION', 'Did you mean sparsity?']);
  });

  test('aborts: before, in the middle of a stream and of an answer; the next call runs', async () => {
    assert.is((await failure(() => generateText({ model: clada(), prompt, abortSignal: AbortSignal.abort() }))).name, 'AbortError');
    const stop = new AbortController(), types: string[] = [];
    const result = streamText({ model: clada(), prompt, abortSignal: stop.signal, onError });
    for await (const { type } of result.fullStream) {
      types.push(type);
      if (types.filter((one) => one === 'text-delta').length === 3) stop.abort();
    }
    assert.is(types.at(-1), 'abort');
    assert.ok(types.filter((one) => one === 'text-delta').length <= 5);
    const late = new AbortController();
    setTimeout(() => { late.abort(); }, 100);
    assert.is((await failure(() => generateText({ model: clada(), prompt: 'Tell a long story.', abortSignal: late.signal }))).name, 'AbortError');
    assert.is((await generateText({ model: clada(), ...asked })).text, answer);
  });

  test('a model that fails in the middle: what was said has its end, and the error is told', async () => {
    const failing = Object.assign(Object.create(model) as typeof model, {
      template: model.template, tokenizer: model.tokenizer, info: model.info, encodeChat: model.encodeChat.bind(model),
      generate: (...args: Parameters<typeof model.generate>) => {
        const generation = model.generate(...args);
        return { stats: () => generation.stats(), async *[Symbol.asyncIterator]() { let n = 0; for await (const token of generation) { if (++n > 3) throw new Error('lost'); yield token; } } };
      },
    });
    const own = (specification === 'v4' ? createClada(failing) : createClada(failing, { specification: 'v3' })) as Clada, types: string[] = [], errors: unknown[] = [];
    const result = streamText({ model: own(), ...asked, onError: ({ error }) => { errors.push(error); } });
    for await (const { type } of result.fullStream) if (types.at(-1) !== type) types.push(type);
    assert.equal(types, ['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'error', 'finish-step', 'finish']);
    assert.equal([errors.map((error) => (error as Error).message), await result.finishReason], [['lost'], 'error']);
  });

  test('a reader who goes away ends the generation', async () => {
    const { stream } = await clada().doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Tell a long story.' }] }] });
    const reader = stream.getReader();
    for (let i = 0; i < 5; i++) await reader.read();
    await reader.cancel();
    assert.is((await generateText({ model: clada(), ...asked })).text, answer);
  });

  test('embed, embedMany: model.embed\'s vectors, tokens counted, options of clada', async () => {
    const values = ['A cat sat on the mat.', 'A kitten lay on the rug.', 'Interest rates rose by a quarter.'];
    const { embeddings, usage } = await ai.embedMany({ model: clada.embeddingModel(), values }), { embeddings: own, tokens } = await model.embed(values);
    assert.equal(embeddings, own.map((vector) => Array.from(vector)));
    assert.is(usage.tokens, tokens);
    assert.ok(ai.cosineSimilarity(embeddings[0]!, embeddings[1]!) > ai.cosineSimilarity(embeddings[0]!, embeddings[2]!));
    const one = async (own: Record<string, string | number>): Promise<{ embedding: number[] }> =>
      ai.embed({ model: clada.embeddingModel(), value: values[0]!, providerOptions: { clada: own } });
    assert.equal((await one({ dimensions: 16, pooling: 'mean' })).embedding, Array.from((await model.embed(values[0]!, { dimensions: 16, pooling: 'mean' })).embeddings[0]!));
    assert.is((await failure(() => one({ pooling: 'none' }))).code, 'E_OPTION');
    assert.is((await failure(() => one({ dimension: 3 }))).code, 'E_OPTION');
    const { embeddings: [short] } = await clada.embeddingModel().doEmbed({ values: ['x'], dimensions: 8 });
    assert.is(short!.length, 8);
    assert.is((await failure(() => ai.embed({ model: clada.embeddingModel(), value: 'x', abortSignal: AbortSignal.abort() }))).name, 'AbortError');
  });

  const schema = ai.jsonSchema<{ city: string; population: number }>(citySchema), object = { prompt: 'Tell me of the capital of France.', temperature: 0 };
  const isCity = ({ city, population }: { city: string; population: number }): boolean => city === 'Paris' && Number.isInteger(population);

  test('objects: what the schema says, whole and in the making; choices; texts of a pattern', async () => {
    assert.ok(isCity((await ai.generateObject({ model: clada(), schema, ...object })).object));
    assert.ok(isCity((await generateText({ model: clada(), output: ai.Output.object({ schema }), ...object })).output));
    assert.is((await generateText({ model: clada(), output: ai.Output.choice({ options: ['sunny', 'rainy'] }), ...object })).output, 'sunny');
    const stream = ai.streamObject({ model: clada(), schema, ...object }), partial: unknown[] = [];
    for await (const part of stream.partialObjectStream) partial.push(part);
    assert.ok(partial.length > 1 && isCity(await stream.object));
    const providerOptions = { clada: { responseFormat: { type: 'regex', pattern: '[0-9]{4}' } } };
    assert.match((await generateText({ model: clada(), prompt: 'When did the war end?', temperature: 0, providerOptions })).text, /^[0-9]{4}$/);
    const cut = await failure(() => ai.generateObject({ model: clada(), schema, ...object, maxOutputTokens: 3 }));
    assert.ok(ai.NoObjectGeneratedError.isInstance(cut));
  });

  const asksWeather = { prompt: 'What is the weather in Rome?', temperature: 0, providerOptions: { clada: { parallelToolCalls: false } } };
  const weather = ai.tool({ description: 'Weather of a city', inputSchema: ai.jsonSchema<{ city: string }>(weatherSchema), execute: async ({ city }) => ({ city, degrees: 21 }) });

  test('tools: called, run and read in a loop', async () => {
    const { steps, text, totalUsage } = await generateText({
      model: clada(), tools: { weather }, ...asksWeather, maxOutputTokens: 60, stopWhen: ai.stepCountIs(3),
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' }),
    });
    assert.equal(steps.map(({ finishReason }) => finishReason).slice(0, 1), ['tool-calls']);
    assert.is(steps.length, 2);
    assert.equal(steps[0]!.toolCalls.map(({ toolName, input }) => [toolName, input]), [['weather', { city: 'Rome' }]]);
    assert.equal(steps[0]!.toolResults.map(({ output }) => output), [{ city: 'Rome', degrees: 21 }]);
    assert.ok(text !== '' && totalUsage.outputTokens! > steps[0]!.usage.outputTokens!);
  });

  test('tools: the one that is named, streamed as it is written', async () => {
    const result = streamText({ model: clada(), tools: { weather }, toolChoice: { type: 'tool', toolName: 'weather' }, ...asksWeather }), types: string[] = [];
    let input = '';
    for await (const part of result.fullStream) {
      if (types.at(-1) !== part.type) types.push(part.type);
      if (part.type === 'tool-input-delta') input += part.delta;
    }
    assert.equal(types, ['start', 'start-step', 'tool-input-start', 'tool-input-delta', 'tool-input-end', 'tool-call', 'tool-result', 'finish-step', 'finish']);
    assert.equal(JSON.parse(input), { city: 'Rome' });
    const both = await failure(() => generateText({ model: clada(), tools: { weather }, output: ai.Output.object({ schema }), prompt }));
    assert.ok(ai.UnsupportedFunctionalityError.isInstance(both));
  });

  test('errors keep their codes: a prompt beyond the context, a value out of range, an image', async () => {
    assert.is((await failure(() => generateText({ model: clada(), prompt: long }))).code, 'E_CONTEXT_FULL');
    assert.is((await failure(() => generateText({ model: clada(), prompt, topP: 3 }))).code, 'E_OPTION');
    const errors: unknown[] = [], result = streamText({ model: clada(), prompt: long, onError: ({ error }) => { errors.push(error); } });
    await result.consumeStream();
    assert.equal(errors.map((error) => (error as CladaError).code), ['E_CONTEXT_FULL']);
    const image = { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array([137, 80, 78, 71]) };
    const refused = await failure(() => generateText({ model: clada(), messages: [{ role: 'user', content: [image] }] }));
    assert.ok(ai.UnsupportedFunctionalityError.isInstance(refused) && ai.AISDKError.isInstance(refused) && refused instanceof InputError, refused.message);
    assert.instance(refused, UnsupportedInputError);
  });

  test.run();
}

const test = suite('createClada');

test('models by name, or by their own', () => {
  const { name } = model.info, clada = createClada({ chat: model, other: model });
  for (const id of [undefined, 'chat', 'other', name]) assert.is(clada.languageModel(id).modelId, name);
  assert.is(createClada({ embedding: model }).embeddingModel().modelId, name);
  assert.throws(() => createClada({ embedding: model })(), (error: NoSuchModelError) => error.modelId === 'chat' && error.code === 'E_NOT_FOUND');
  assert.throws(() => clada.languageModel('gpt'), (error: Error) => ai7.NoSuchModelError.isInstance(error) && ai6.NoSuchModelError.isInstance(error) && /one of chat, other/.test(error.message));
  assert.throws(() => clada.imageModel('any'), (error: Error) => error instanceof NoSuchModelError && /no image model/.test(error.message));
  assert.is(ai7.createProviderRegistry({ clada }).languageModel('clada:other').modelId, name);
});

test('what is no model, and no specification', () => {
  for (const wrong of [undefined, {}, 'model.gguf', { chat: {} }, { chat: Promise.resolve(model) }]) {
    assert.throws(() => createClada(wrong as never), (error: CladaError) => error.code === 'E_OPTION', String(wrong));
  }
  assert.throws(() => createClada(model, { specification: 'v2' as never }), /'v4' or 'v3'/);
  assert.throws(() => createClada(model, { spec: 'v3' } as never), /unknown option/);
});

test.run();
