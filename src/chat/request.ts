/** A chat request, checked, and what it means for the model: a prompt, and how the answer is read. */
import type { ChatMessage, GenerateOptions, Model } from 'clada';
import { InputError } from '../errors.ts';
import { show } from '../options.ts';
import type { AnswerForm } from './answer.ts';
import { formatOf, generic, thinkingOf } from './formats.ts';
import { messagesFor, toolInput } from './messages.ts';
import type { Tool } from './schemas.ts';
import { readTools } from './schemas.ts';
import type { ChatRequest, ToolChoice } from './types.ts';

/** What a request comes to. */
export interface Prepared {
  readonly prompt: Uint32Array;
  readonly options: GenerateOptions;
  readonly form: AnswerForm;
  /** Control tokens that belong to calls or thoughts. */
  readonly control: readonly string[];
  /** The answer ends with its first call. */
  readonly single: boolean;
}

const refuse = (subject: string, found: string, expected: string, remedy: string): never => {
  throw new InputError('E_OPTION', { subject, found, expected, remedy });
};

function choiceOf(choice: ToolChoice | undefined, tools: readonly Tool[]): ToolChoice {
  if (choice === undefined || choice === null) return tools.length > 0 ? 'auto' : 'none';
  if (choice === 'auto' || choice === 'none') return tools.length > 0 ? choice : 'none';
  if (choice !== 'required' && typeof (choice as { name?: unknown }).name !== 'string') {
    refuse('toolChoice', show(choice), "'auto', 'none', 'required' or { name }", 'Pass one of them.');
  }
  if (tools.length === 0) refuse('toolChoice', show(choice), 'tools to choose from', 'Pass tools, or leave it out.');
  if (choice !== 'required' && !tools.some(({ name }) => name === choice.name)) {
    refuse('toolChoice', show(choice.name), `one of ${tools.map(({ name }) => name).join(', ')}`, 'Name one of the tools.');
  }
  return choice;
}

/** @throws InputError `E_OPTION` for malformed tools and options that exclude each other; as `model.encodeChat` */
export function prepare(model: Model, request: ChatRequest): Prepared {
  const {
    messages, tools: given, toolChoice, parallelToolCalls = true, constrainTools: _constrain, responseFormat, template = {}, ...options
  } = request;
  if (typeof parallelToolCalls !== 'boolean') {
    refuse('parallelToolCalls', show(parallelToolCalls), 'true or false', 'Leave it out for true.');
  }
  if ('tools' in template) refuse('template', 'tools', 'documents and variables', 'Pass tools beside the template.');
  const tools = readTools(given ?? []), choice = choiceOf(toolChoice, tools), calls = choice !== 'none';
  if (calls && responseFormat && responseFormat.type !== 'text') {
    const found = `${show(responseFormat.type)} together with tools`;
    refuse('responseFormat', found, 'one of the two', "Leave it out, or pass toolChoice: 'none'.");
  }
  if (responseFormat && responseFormat.type !== 'text') {
    refuse('responseFormat', show(responseFormat.type), "'text'", 'This version cannot hold the model to it.');
  }
  const told = calls ? toolInput(tools) : undefined, source = model.template.source(told ? { tools: told } : {});
  const format = calls ? formatOf(source) : undefined;
  if (format === generic) {
    refuse('tools', 'a chat template that knows none', 'one that does', "Pass one as chatTemplate, or toolChoice: 'none'.");
  }
  if (choice === 'required' || typeof choice === 'object') {
    refuse('toolChoice', show(choice), "'auto' or 'none'", 'This version cannot hold the model to it.');
  }
  const thinking = thinkingOf(source);
  const said: readonly ChatMessage[] = messagesFor(model, messages, told);
  const prompt = model.encodeChat(said, { ...template, ...(told && format !== generic ? { tools: told } : {}) });
  return {
    prompt, options, single: calls && !parallelToolCalls,
    control: [...(format?.control ?? []), ...(thinking ? [thinking.open, thinking.close] : [])],
    form: {
      format, thinking, opened: thinking !== undefined && endsWith(model, prompt, thinking.open),
      tools: new Map(tools.map(({ name, parameters }) => [name, parameters])),
    },
  };
}

/** Whether a prompt ends with a text, white space aside. */
function endsWith(model: Model, prompt: Uint32Array, text: string): boolean {
  return model.tokenizer.decode(prompt.slice(-16 - text.length)).trimEnd().endsWith(text.trimEnd());
}
