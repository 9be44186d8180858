/** A chat request, checked, and what it means for the model: a prompt, and how the answer is read. */
import type { Constraint, GenerateOptions, Model, Tokenizer } from 'clada';
import { createGrammar } from 'clada/grammar';
import { InputError } from '../errors.ts';
import { show } from '../options.ts';
import type { AnswerForm } from './answer.ts';
import { formatOf, generic, thinkingOf } from './formats.ts';
import { genericMessages } from './generic.ts';
import { messagesFor, toolInput } from './messages.ts';
import type { Tool } from './schemas.ts';
import { closed, isObject, readTools } from './schemas.ts';
import { Script } from './script.ts';
import type { ChatRequest, ResponseFormat, ToolChoice } from './types.ts';
import type { Grammars } from './writing.ts';
import { callsIn, heldAnswer } from './writing.ts';

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

/**
 * What holds a text to a form: makes a fresh constraint at each call, for one text. undefined: any text.
 * @throws InputError `E_OPTION` for what is no form; what it makes, for schemas and grammars that no text can be held to
 */
export function constraintsOf(tokenizer: Tokenizer, format: ResponseFormat | undefined): (() => Constraint) | undefined {
  if (format === undefined) return undefined;
  const grammars = (): Grammars => createGrammar(tokenizer);
  switch (format.type) {
    case 'text': return undefined;
    case 'json_object': return () => grammars().jsonSchema({ type: 'object' });
    case 'json_schema': return () => grammars().jsonSchema(format.schema);
    case 'gbnf': return () => grammars().gbnf(format.grammar);
    case 'regex': return () => grammars().regex(format.pattern);
    default: return refuse('responseFormat', show((format as { type: unknown }).type), formatNames, 'Pass one of them.');
  }
}

const formatNames = "type 'text', 'json_object', 'json_schema', 'gbnf' or 'regex'";

/** @throws InputError `E_OPTION` for malformed tools and options that exclude each other; as `model.encodeChat` */
export function prepare(model: Model, request: ChatRequest): Prepared {
  if (!isObject(request)) refuse('chat request', show(request), '{ messages }', 'Pass an object.');
  for (const name of ['template', 'responseFormat'] as const) {
    const value: unknown = request[name];
    if (value !== undefined && !isObject(value)) refuse(name, show(value), 'an object', 'Leave it out, or pass one.');
  }
  const {
    messages, tools: given, toolChoice, parallelToolCalls: parallel = true, constrainTools = true, responseFormat, template = {}, ...options
  } = request;
  for (const [name, value] of Object.entries({ parallelToolCalls: parallel, constrainTools })) {
    if (typeof value !== 'boolean') refuse(name, show(value), 'true or false', 'Leave it out for true.');
  }
  if ('tools' in template) refuse('template', 'tools', 'documents and variables', 'Pass tools beside the template.');
  const tools = readTools(given ?? []), choice = choiceOf(toolChoice, tools), calls = choice !== 'none';
  const grammars = (): Grammars => createGrammar(model.tokenizer), answer = constraintsOf(model.tokenizer, responseFormat);
  if (calls && answer) {
    const found = `${show(responseFormat!.type)} together with tools`;
    refuse('responseFormat', found, 'one of the two', "Leave it out, or pass toolChoice: 'none'.");
  }
  const must = calls && choice !== 'auto', constrained = answer !== undefined || (calls && (constrainTools || must));
  if (constrained && options.constraint) {
    refuse('constraint', 'one beside tools or a responseFormat, which make their own', 'one of them',
      'Leave it out, or pass constrainTools: false with tools that may be called.');
  }
  const told = calls ? toolInput(tools) : undefined, source = model.template.source(told ? { tools: told } : {});
  const thinking = thinkingOf(source), { contextSize: maxTokens } = model.info;
  let format = calls ? formatOf(source) : undefined, prompt: Uint32Array | undefined;
  if (format !== generic) {
    prompt = model.encodeChat(messagesFor(model, messages, told), { ...template, ...(told ? { tools: told } : {}), maxTokens });
    const text = told ? model.tokenizer.decode(prompt) : ''; // a template may know calls, and read no tools
    if (told && !tools.every(({ name }) => text.includes(name))) prompt = undefined;
  }
  if (!prompt) {
    format = generic;
    prompt = model.encodeChat(genericMessages(model, messages, told!, must, parallel), { ...template, maxTokens });
  }
  const opened = thinking !== undefined && endsWith(model, prompt, thinking.open);
  const hold = (): Constraint => {
    if (answer) {
      const own = answer(); // what no text can be held to says so now
      return thinking ? new Script(model.tokenizer, heldAnswer(answer, thinking, opened)) : own;
    }
    const named = typeof choice === 'object' ? tools.filter(({ name }) => name === choice.name) : tools;
    const wanted = named.map((tool) => ({ ...tool, parameters: closed(tool.parameters) }));
    for (const { parameters } of wanted) grammars().jsonSchema(parameters);
    const writing = { tools: wanted, grammars: grammars(), source, parallel };
    return new Script(model.tokenizer, callsIn(format!, must, thinking, opened, writing));
  };
  return {
    prompt, options: constrained ? { ...options, constraint: hold() } : options, single: calls && !parallel,
    control: [...(format?.control ?? []), ...(thinking ? [thinking.open, thinking.close] : [])],
    form: { format, thinking, opened, tools: new Map(tools.map(({ name, parameters }) => [name, parameters])) },
  };
}

/** Whether a prompt ends with a text, white space aside. */
function endsWith(model: Model, prompt: Uint32Array, text: string): boolean {
  return model.tokenizer.decode(prompt.slice(-16 - text.length)).trimEnd().endsWith(text.trimEnd());
}
