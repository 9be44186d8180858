/** A chat request in OpenAI's words, and in the library's. */
import * as v from 'valibot';
import type { ChatMessage, SparsityOptions } from 'clada';
import type { ChatRequest, ResponseFormat, ToolChoice, ToolDefinition } from 'clada/chat';
import { isDeep } from './body.ts';
import type { Context, Served } from './context.ts';
import { show } from '../options.ts';
import { check, optionsOf, refuseUnsupported, samplingFields } from './fields.ts';
import { invalid, missing, unsupported, wrong } from './problem.ts';

const part = v.looseObject({ type: v.string() });
const call = v.looseObject({ id: v.optional(v.string()), function: v.looseObject({ name: v.string(), arguments: v.string() }) });
export const messageSchema = v.looseObject({
  role: v.string(),
  content: v.nullish(v.union([v.string(), v.array(part)])),
  tool_calls: v.nullish(v.array(call)),
  tool_call_id: v.nullish(v.string()),
  reasoning_content: v.nullish(v.string()),
});
export const functionSchema = v.looseObject({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64), v.regex(/^[\w.-]+$/)), description: v.nullish(v.string()),
  parameters: v.nullish(v.record(v.string(), v.unknown())),
});
const tool = v.looseObject({ type: v.string(), function: v.optional(functionSchema) });
const jsonSchema = v.union([v.record(v.string(), v.unknown()), v.boolean()]);

/** What both the chat and what only renders it take. */
const chatFields = {
  ...samplingFields,
  messages: v.pipe(v.array(messageSchema), v.minLength(1), v.maxLength(10_000)),
  max_completion_tokens: samplingFields.max_tokens,
  tools: v.nullish(v.pipe(v.array(tool), v.maxLength(128))),
  tool_choice: v.nullish(v.union([v.string(), v.looseObject({ type: v.string() })])),
  parallel_tool_calls: v.nullish(v.boolean()),
  response_format: v.nullish(v.looseObject({ type: v.string() })),
  json_schema: v.nullish(jsonSchema),
  grammar: v.nullish(v.string()),
  logprobs: v.nullish(v.boolean()),
  top_logprobs: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(20))),
  reasoning_effort: v.nullish(v.string()),
  chat_template_kwargs: v.nullish(v.record(v.string(), v.unknown())),
};
export const chatSchema = v.object(chatFields);
export type ChatBody = v.InferOutput<typeof chatSchema>;

/** A content as one text: most templates take no other. @throws Problem 400 for parts that are no text */
function textOf(content: string | readonly { type: string }[], param: string): string {
  if (typeof content === 'string') return content;
  return content.map((given, i) => {
    const { type, text, refusal } = given as { type: string; text?: unknown; refusal?: unknown };
    const said = type === 'refusal' ? refusal : text;
    if (!['text', 'refusal', 'input_text', 'output_text'].includes(type)) {
      throw wrong(`${param}[${i}]`, `Content of type ${show(type)} is not supported: the model reads text alone.`, 'unsupported_content');
    }
    if (typeof said !== 'string') throw missing(`${param}[${i}].text`);
    return said;
  }).join('\n');
}

/** Arguments are JSON in JSON: what nests in them counts like the body's. */
function shallow<T extends v.InferOutput<typeof call>>(given: T, param: string): T {
  if (isDeep(given.function.arguments)) throw wrong(`${param}.function.arguments`, 'The arguments nest too many objects and lists.');
  return given;
}

const roles = ['system', 'developer', 'user', 'assistant', 'tool'];

/** `place`: what a message is called in the request. */
export function messagesOf(given: ChatBody['messages'], place = (i: number): string => `messages[${i}]`): ChatMessage[] {
  return given.map(({ role, content, audio, refusal, name, tool_calls, tool_call_id, ...rest }, i) => {
    const param = place(i);
    if (role === 'function') throw unsupported(`${param}.role`, "Use 'tool'.");
    if (!roles.includes(role)) throw wrong(`${param}.role`, `${show(role)} is no role: one of ${roles.join(', ')} is.`);
    if (audio !== undefined && audio !== null) throw unsupported(`${param}.audio`, 'The model reads text alone.');
    if ((content === null || content === undefined) && !tool_calls?.length && typeof refusal !== 'string') {
      throw missing(`${param}.content`);
    }
    const said = content ?? (typeof refusal === 'string' ? refusal : undefined);
    return {
      role: role === 'developer' ? 'system' : role,
      content: said === undefined ? null : textOf(said, `${param}.content`),
      ...(typeof name === 'string' ? { name } : {}),
      ...(tool_calls?.length ? { tool_calls: tool_calls.map((given, j) => shallow(given, `${param}.tool_calls[${j}]`)) } : {}),
      ...(tool_call_id ? { tool_call_id } : {}),
      ...(rest.reasoning_content ? { reasoning_content: rest.reasoning_content } : {}),
    };
  });
}

export function toolsOf(given: ChatBody['tools']): ToolDefinition[] {
  return (given ?? []).map(({ type, function: definition }, i) => {
    if (type !== 'function' || !definition) throw unsupported(`tools[${i}].type`, "Use 'function'.");
    const { name, description, parameters } = definition;
    return { name, ...(description ? { description } : {}), ...(parameters ? { parameters } : {}) };
  });
}

interface NamedChoice { readonly type: string; readonly name?: unknown; readonly function?: { readonly name?: unknown } }

export function toolChoiceOf(given: ChatBody['tool_choice'], tools: readonly ToolDefinition[]): ToolChoice | undefined {
  if (given === null || given === undefined) return undefined;
  if (given === 'auto' || given === 'none') return given;
  if (given === 'required') {
    if (tools.length === 0) throw wrong('tool_choice', "'tool_choice' is 'required', and there are no 'tools'.");
    return given;
  }
  const { type, name, function: named } = (typeof given === 'string' ? { type: given } : given) as NamedChoice;
  const wanted = named?.name ?? name;
  if (type !== 'function' || typeof wanted !== 'string') {
    throw invalid('tool_choice', "'auto', 'none', 'required' or { type: 'function', function: { name } }", show(given));
  }
  if (!tools.some((one) => one.name === wanted)) throw invalid('tool_choice', "a function of 'tools'", show(wanted));
  return { name: wanted };
}

/** OpenAI's response_format, or llama-server's fields. @throws Problem 400 where there are two */
export function formatOf(
  { response_format: format, json_schema: schema, grammar }: Pick<ChatBody, 'response_format' | 'json_schema' | 'grammar'>,
): ResponseFormat | undefined {
  const said = format && format.type !== 'text' ? format : undefined;
  const given = [said && 'response_format', schema !== null && schema !== undefined && 'json_schema', grammar && 'grammar'].filter(Boolean);
  if (given.length > 1) throw wrong(String(given[1]), `${given.map((name) => `'${String(name)}'`).join(' and ')} together: give one.`);
  if (grammar) return { type: 'gbnf', grammar };
  if (schema !== null && schema !== undefined) return { type: 'json_schema', schema };
  if (!said) return undefined;
  const nested = said['json_schema'] as { schema?: unknown } | undefined;
  const wanted = said['schema'] ?? nested?.schema; // llama-server has it beside the type
  const param = nested ? 'response_format.json_schema.schema' : 'response_format.schema';
  if (said.type === 'json_object' && wanted === undefined) return { type: 'json_object' };
  if (said.type !== 'json_object' && said.type !== 'json_schema') {
    throw invalid('response_format.type', 'text, json_object or json_schema', show(said.type));
  }
  if (wanted === undefined) throw missing(param);
  if ((typeof wanted !== 'object' && typeof wanted !== 'boolean') || wanted === null || Array.isArray(wanted)) {
    throw invalid(param, 'a JSON schema', show(wanted), 'invalid_type');
  }
  return { type: 'json_schema', schema: wanted as Record<string, unknown> };
}

/** What a request's effort means: for the template, and where the server says so for the weights that are read. */
export function effortOf(effort: string | null | undefined, { options }: Context): Effort {
  if (!effort) return {};
  return {
    variables: { reasoning_effort: effort, ...(effort === 'none' ? { enable_thinking: false } : {}) },
    ...(options.efforts && Object.hasOwn(options.efforts, effort) ? { sparsity: options.efforts[effort]! } : {}),
  };
}

interface Effort { readonly variables?: Readonly<Record<string, unknown>>; readonly sparsity?: SparsityOptions }

/** The request for one answer. @throws Problem 400 */
export function chatRequestOf(raw: Readonly<Record<string, unknown>>, body: ChatBody, { model }: Served, context: Context): ChatRequest {
  refuseUnsupported(raw);
  const options = optionsOf(body, context.defaults, (text) => model.tokenizer.encode(text), model.tokenizer.vocabSize);
  if (body.top_logprobs && body.logprobs !== true) throw wrong('top_logprobs', "'top_logprobs' needs 'logprobs': true.");
  const tools = toolsOf(body.tools), toolChoice = toolChoiceOf(body.tool_choice, tools), responseFormat = formatOf(body);
  const { variables: ofEffort, sparsity } = effortOf(body.reasoning_effort, context);
  const variables = { ...ofEffort, ...body.chat_template_kwargs };
  return {
    ...options, ...(sparsity && !body.sparsity ? { sparsity } : {}),
    messages: messagesOf(body.messages),
    ...(tools.length > 0 ? { tools } : {}), ...(toolChoice !== undefined && tools.length > 0 ? { toolChoice } : {}),
    ...(body.parallel_tool_calls === false && tools.length > 0 ? { parallelToolCalls: false } : {}),
    ...(responseFormat ? { responseFormat } : {}),
    ...(body.logprobs ? { logprobs: Math.max(1, body.top_logprobs ?? 0) } : {}), // from 1 on log-probabilities are exact
    ...(Object.keys(variables).length > 0 ? { template: { variables } } : {}),
  };
}

/** A body that {@link chatSchema} takes. */
export const checkChat = (body: unknown): ChatBody => check(chatSchema, body);
