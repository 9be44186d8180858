/** What the AI SDK calls a language model with, as a chat request. */
import type { GenerateOptions, Model } from 'clada';
import type { ChatRequest, ResponseFormat, ToolChoice, ToolDefinition } from 'clada/chat';
import { InputError } from '../errors.ts';
import { checkNames } from '../options.ts';
import { chatMessages } from './messages.ts';
import { UnsupportedInputError } from './refusals.ts';
import type { CallOptions, CallTool, CallWarning } from './types.ts';

/** `providerOptions.clada` of a language model: what the AI SDK has no setting for. Names and meanings are those of `respond`. */
export interface CladaLanguageOptions extends Pick<GenerateOptions,
  'sparsity' | 'minP' | 'typicalP' | 'repeatPenalty' | 'repeatLastN' | 'logitBias' | 'ignoreEos' | 'loopGuard' | 'logprobs' | 'overflow'>,
  Pick<ChatRequest, 'parallelToolCalls' | 'constrainTools' | 'template'> {
  /** A form that is no JSON: `{ type: 'regex', pattern }`, `{ type: 'gbnf', grammar }`. */
  readonly responseFormat?: ResponseFormat;
}

const ownNames = [
  'sparsity', 'minP', 'typicalP', 'repeatPenalty', 'repeatLastN', 'logitBias', 'ignoreEos', 'loopGuard', 'logprobs', 'overflow',
  'parallelToolCalls', 'constrainTools', 'template', 'responseFormat',
] as const satisfies readonly (keyof CladaLanguageOptions)[];

function toolDefinitions(tools: readonly CallTool[], warnings: CallWarning[]): ToolDefinition[] {
  return tools.flatMap((tool): ToolDefinition[] => {
    if (tool.type !== 'function') {
      const details = 'clada runs no tools: define one with execute.';
      warnings.push({ type: 'unsupported', feature: `provider tool ${tool.id}`, details });
      return [];
    }
    const { name, description, inputSchema, inputExamples } = tool;
    if (inputExamples?.length) {
      warnings.push({ type: 'unsupported', feature: `inputExamples of ${name}`, details: 'Say them in the description.' });
    }
    return [{ name, ...(description === undefined ? {} : { description }), parameters: inputSchema as Record<string, unknown> }];
  });
}

const toolChoiceOf = (choice: NonNullable<CallOptions['toolChoice']>): ToolChoice =>
  (choice.type === 'tool' ? { name: choice.toolName } : choice.type);

function formatOf(format: NonNullable<CallOptions['responseFormat']>, own: ResponseFormat | undefined): ResponseFormat | undefined {
  if (format.type === 'text') return own;
  if (own !== undefined) {
    throw new InputError('E_OPTION', {
      subject: 'providerOptions.clada.responseFormat', found: own.type, expected: 'none beside an object that the AI SDK asks for',
      remedy: 'Leave one of them out.',
    });
  }
  return format.schema === undefined ? { type: 'json_object' } : { type: 'json_schema', schema: format.schema as Record<string, unknown> };
}

/** Seeds of the AI SDK are any integers; they are folded into the 32 bits that the sampler has. */
const seedOf = (seed: number | undefined): number | undefined =>
  (Number.isSafeInteger(seed) ? ((seed! % 2 ** 32) + 2 ** 32) % 2 ** 32 : seed);

/** Variables by which templates turn thinking off and on, where this model's reads one of them. */
function reasoningVariables(
  model: Model, request: Pick<ChatRequest, 'messages' | 'template'>, effort: string, warnings: CallWarning[],
): Readonly<Record<string, unknown>> {
  const off = effort === 'none', variables = { enable_thinking: !off, ...(off ? {} : { reasoning_effort: effort }) };
  const given = request.template ?? {}, now = new Date(0), render = (more: object): string =>
    model.template.render(request.messages, { ...given, now, variables: { ...given.variables, ...more } });
  if (render({ enable_thinking: true }) === render({ enable_thinking: false }) && render(variables) === render({})) {
    warnings.push({ type: 'unsupported', feature: 'reasoning', details: `The chat template of ${model.info.name} knows no thinking.` });
    return {};
  }
  return variables;
}

/**
 * The request that a call stands for, and what of it cannot be done.
 * @throws InputError `E_OPTION`; ModelError and InputError `E_CHAT_TEMPLATE`
 */
export function chatRequest(model: Model, call: CallOptions): { request: ChatRequest; warnings: CallWarning[] } {
  const warnings: CallWarning[] = [], { clada = {} } = call.providerOptions ?? {};
  checkNames('providerOptions.clada', clada, ownNames);
  const { responseFormat: ownFormat, template: given = {}, ...own } = clada as CladaLanguageOptions, messages = chatMessages(call.prompt);
  const { reasoning = 'provider-default' } = call;
  const thinking = reasoning === 'provider-default' ? {} : reasoningVariables(model, { messages, template: given }, reasoning, warnings);
  const tools = toolDefinitions(call.tools ?? [], warnings), toolChoice = toolChoiceOf(call.toolChoice ?? { type: 'auto' });
  const responseFormat = formatOf(call.responseFormat ?? { type: 'text' }, ownFormat);
  if (tools.length > 0 && toolChoice !== 'none' && responseFormat && responseFormat.type !== 'text') {
    throw new UnsupportedInputError('an object together with tools that may be called', {
      subject: 'the form of the answer', expected: 'one of the two',
      remedy: "Ask for the object in a call of its own, or with toolChoice: 'none' (prepareStep can say so for the last step).",
    });
  }
  return {
    warnings,
    request: {
      ...own, messages, template: { ...given, variables: { ...thinking, ...given.variables } },
      ...(tools.length > 0 ? { tools, toolChoice } : {}),
      ...(responseFormat === undefined ? {} : { responseFormat }),
      maxTokens: call.maxOutputTokens, temperature: call.temperature, topP: call.topP, topK: call.topK, seed: seedOf(call.seed),
      presencePenalty: call.presencePenalty, frequencyPenalty: call.frequencyPenalty,
      ...(call.stopSequences ? { stop: call.stopSequences } : {}), ...(call.abortSignal ? { signal: call.abortSignal } : {}),
    },
  };
}
