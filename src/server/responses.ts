/** POST /v1/responses: OpenAI's newer way to ask, without what it keeps between requests. */
import * as v from 'valibot';
import type { ChatMessage } from 'clada';
import type { ChatPart, ChatRequest, ResponseFormat } from 'clada/chat';
import { respond } from 'clada/chat';
import { Account, answersOf } from './answers.ts';
import { freshId, unixSeconds, type Context } from './context.ts';
import { check, optionsOf, refuseUnsupported, samplingFields } from './fields.ts';
import type { Job } from './job.ts';
import { effortOf, formatOf, functionSchema, messagesOf, toolChoiceOf, toolsOf } from './messages.ts';
import { missing, problemOf, unsupported } from './problem.ts';
import { ResponseWriter } from './response-items.ts';
import { eventStream, type ServerEvent } from './sse.ts';

const part = v.looseObject({ type: v.string() });
const item = v.looseObject({
  type: v.nullish(v.string()), role: v.optional(v.string()), content: v.nullish(v.union([v.string(), v.array(part)])),
  call_id: v.optional(v.string()), name: v.optional(v.string()), arguments: v.optional(v.string()),
  output: v.nullish(v.union([v.string(), v.array(part)])),
});
const schema = v.object({
  ...samplingFields,
  input: v.union([v.string(), v.pipe(v.array(item), v.minLength(1))]),
  instructions: v.nullish(v.string()),
  max_output_tokens: samplingFields.max_tokens,
  tools: v.nullish(v.pipe(v.array(v.looseObject({ type: v.string() })), v.maxLength(128))),
  tool_choice: v.nullish(v.union([v.string(), v.looseObject({ type: v.string() })])),
  parallel_tool_calls: v.nullish(v.boolean()),
  text: v.nullish(v.looseObject({ format: v.nullish(v.looseObject({ type: v.string() })) })),
  reasoning: v.nullish(v.looseObject({ effort: v.nullish(v.string()) })),
  metadata: v.nullish(v.record(v.string(), v.string())),
});
type Body = v.InferOutput<typeof schema>;

/** Values under which a field of OpenAI's changes nothing here. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  previous_response_id: [], conversation: [], prompt: [], max_tool_calls: [],
  background: [false], truncation: ['disabled'], top_logprobs: [0],
};
const remedies: Readonly<Record<string, string>> = {
  previous_response_id: 'Nothing is kept between requests: send the whole conversation as input.', conversation: 'Send it as input.',
};

/** What was said so far, in the words of the chat. */
function conversationOf({ input, instructions }: Body): ChatMessage[] {
  const messages: Parameters<typeof messagesOf>[0] = [], places: string[] = [];
  const add = (place: string, message: typeof messages[number]): void => { messages.push(message); places.push(place); };
  if (instructions) add('instructions', { role: 'system', content: instructions });
  const items = typeof input === 'string' ? [{ role: 'user', content: input } as v.InferOutput<typeof item>] : input;
  for (const [i, { type, role, content, call_id, name, arguments: given, output }] of items.entries()) {
    const param = `input[${i}]`;
    if (type === 'reasoning') continue; // templates show thoughts of earlier turns to no model
    if (type === 'function_call') {
      if (!call_id || !name) throw missing(`${param}.${call_id ? 'name' : 'call_id'}`);
      const call = { id: call_id, type: 'function', function: { name, arguments: given ?? '{}' } }, last = messages.at(-1);
      if (last?.role === 'assistant') last.tool_calls = [...last.tool_calls ?? [], call];
      else add(param, { role: 'assistant', content: null, tool_calls: [call] });
    } else if (type === 'function_call_output') {
      if (!call_id) throw missing(`${param}.call_id`);
      if (output === null || output === undefined) throw missing(`${param}.output`);
      add(param, { role: 'tool', tool_call_id: call_id, content: output });
    } else if (type === 'message' || !type) {
      if (!role) throw missing(`${param}.role`);
      add(param, { role, content });
    } else throw unsupported(`${param}.type`, 'Use messages, function_call and function_call_output.');
  }
  return messagesOf(messages, (i) => places[i]!);
}

function requestOf(raw: Readonly<Record<string, unknown>>, body: Body, context: Context): ChatRequest {
  const { model } = context.find(body.model);
  refuseUnsupported(raw);
  for (const [name, passing] of Object.entries(neutral)) {
    const value = raw[name];
    if (value !== undefined && value !== null && !passing.includes(value)) throw unsupported(name, remedies[name] ?? 'Leave it out.');
  }
  const sampling = { ...body, max_tokens: body.max_output_tokens }, { tokenizer } = model;
  const options = optionsOf(sampling, context.defaults, (text) => tokenizer.encode(text), tokenizer.vocabSize);
  const tools = toolsOf((body.tools ?? []).map((tool) => (
    tool.type === 'function' ? { type: tool.type, function: check(functionSchema, tool) } : { type: tool.type })));
  const toolChoice = toolChoiceOf(body.tool_choice, tools), format = body.text?.format;
  const responseFormat: ResponseFormat | undefined = formatOf({ response_format: format });
  const { variables, sparsity } = effortOf(body.reasoning?.effort, context), messages = conversationOf(body);
  return {
    ...options, ...(sparsity && !body.sparsity ? { sparsity } : {}), messages,
    ...(tools.length > 0 ? { tools } : {}), ...(toolChoice !== undefined && tools.length > 0 ? { toolChoice } : {}),
    ...(body.parallel_tool_calls === false && tools.length > 0 ? { parallelToolCalls: false } : {}),
    ...(responseFormat ? { responseFormat } : {}), ...(variables ? { template: { variables } } : {}),
  };
}

export async function responses(raw: Readonly<Record<string, unknown>>, job: Job, context: Context): Promise<Response> {
  const body = check(schema, raw), served = context.find(body.model), request = requestOf(raw, body, context);
  const answer = respond(served.model, { ...request, signal: job.signal }), [parts] = answersOf<ChatPart>(served, job, [() => answer]);
  const account = new Account(context), writer = new ResponseWriter({
    id: freshId('resp_'), object: 'response', created_at: unixSeconds(), model: served.id, error: null, incomplete_details: null,
    instructions: body.instructions ?? null, max_output_tokens: body.max_output_tokens ?? null, metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true, previous_response_id: null, store: false,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    temperature: body.temperature ?? null, top_p: body.top_p ?? null, text: { format: body.text?.format ?? { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto', tools: body.tools ?? [], truncation: 'disabled', background: false,
  });
  async function* events(): AsyncGenerator<ServerEvent, void, undefined> {
    let first = true;
    for await (const { part: given } of parts!) {
      if (first) yield* writer.begin();
      first = false;
      if (given.type === 'reasoning') account.thought(given.tokens.length);
      if (given.type !== 'finish') { yield* writer.add(given); continue; }
      account.add(given.stats);
      const { prompt, cached, completion, reasoning } = account;
      yield* writer.finish(given.reason, {
        input_tokens: prompt, input_tokens_details: { cached_tokens: cached }, output_tokens: completion,
        output_tokens_details: { reasoning_tokens: reasoning }, total_tokens: prompt + completion,
      }, account.clada);
    }
  }
  if (body.stream === true) return eventStream(events(), job, (error) => writer.failure(problemOf(error)));
  for await (const event of events()) void event;
  return Response.json(writer.response);
}
