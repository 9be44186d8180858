/**
 * Chat templates: the Jinja program in a file's metadata, rendered as transformers' `apply_chat_template` does.
 *
 * Control tokens count only where the template wrote them: a message, a tool or any other value that contains "<|im_end|>" must not end its
 * own turn (`jinja/marks.ts`).
 */
import { InputError, ModelError } from '../errors.ts';
import type { Metadata } from '../format/gguf/metadata.ts';
import { getNumber, getString } from '../format/gguf/metadata.ts';
import { show } from '../options.ts';
import { contextFull } from '../session/request.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { valueOf } from './jinja/input.ts';
import { run } from './jinja/interpreter.ts';
import { markable, marker, plain } from './jinja/marks.ts';
import { parseTemplate } from './jinja/parser.ts';
import type { Template } from './jinja/syntax.ts';
import { TemplateFault } from './jinja/fault.ts';
import type { Value } from './jinja/values.ts';

/** One message of a conversation. */
export interface ChatMessage {
  /** 'system', 'user', 'assistant', or what else the template knows. */
  role: 'system' | 'user' | 'assistant' | 'tool' | (string & {});
  /** A text, parts of one for templates that take them, or null where there are `tool_calls` instead. */
  content: string | readonly ContentPart[] | null;
  /** Whatever else a template reads: tool_calls, name, … What is null counts as absent, as in transformers. */
  [key: string]: unknown;
}

/** A part of a content: `{ type: 'text', text: 'Hello' }`. */
export interface ContentPart {
  /** 'text', or what else the template knows. */
  type: string;
  /** Its text, and whatever else the template reads. */
  [key: string]: unknown;
}

/** How messages become a prompt. */
export interface RenderOptions {
  /** End with the beginning of the assistant's turn. Default true. */
  addGenerationPrompt?: boolean;
  /** Tool descriptions (JSON schemas), as the template wants them. Default: the template sees `none`. */
  tools?: readonly unknown[];
  /** Documents to answer from, for templates that take them. Default: the template sees `none`. */
  documents?: readonly unknown[];
  /** Whatever else this template reads: `{ enable_thinking: false }`. */
  variables?: Readonly<Record<string, unknown>>;
  /** The time that the template's `strftime_now` tells. Default: now. */
  now?: Date;
  /** So many tokens at most: more are refused, and a text that cannot be as few is not even tokenised. Default: any number. */
  maxTokens?: number;
}

/** What a conversation hands to its template besides the messages. */
export type TemplateInput = Pick<RenderOptions, 'tools' | 'documents' | 'variables'>;

/** Which template a model takes. */
export interface TemplateOptions {
  /** Source of a template that replaces the file's, or the name of one of the file's (`tool_use`). Default: the file's. */
  chatTemplate?: string | undefined;
}

/**
 * What turns messages into a prompt.
 * @throws (all three) ModelError `E_CHAT_TEMPLATE` where there is no template, where it has a mistake or needs what this Jinja has not;
 * InputError `E_CHAT_TEMPLATE` with the template's own words where it refuses the messages; InputError `E_OPTION` for malformed messages
 */
export interface ChatTemplate {
  /** The text that the messages become. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
  /**
   * Its tokens; control tokens are those of the template only, never those a caller's text has inside.
   * @throws InputError `E_UTF8`; `E_CONTEXT_FULL` for more than `maxTokens`
   */
  encode(messages: readonly ChatMessage[], options?: RenderOptions): Uint32Array;
  /**
   * Tries a conversation that may not be complete yet, before anything is generated: is there a template, can it be run, does it take these
   * messages, followed by a user's where it is the user's turn?
   */
  check(messages: readonly ChatMessage[], options?: RenderOptions): void;
  /** Its source: the one that conversations with these `tools` take. */
  source(options?: Pick<RenderOptions, 'tools'>): string;
}

const prefix = 'tokenizer.chat_template';
/** Special tokens that a template may name besides the first and last, and the keys of their ids. */
const specialKeys = { unk_token: 'unknown', sep_token: 'seperator', pad_token: 'padding', mask_token: 'mask' };
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const ownNames = ['messages', 'tools', 'documents', 'add_generation_prompt'];

/** The template of a file. A missing one is an error only when it is used: most models can do without. */
export function createChatTemplate(metadata: Metadata, tokenizer: Tokenizer, options: TemplateOptions = {}): ChatTemplate {
  const sources = fileTemplates(metadata), programs = new Map<string, Template>(), specials = specialTexts(metadata, tokenizer);
  let marking: ReturnType<typeof controlMarks> | undefined;

  const render = (messages: readonly ChatMessage[], mark: (text: string) => string, given: RenderOptions): string => {
    checkMessages(messages);
    const { addGenerationPrompt = true, tools, documents, variables = {}, now = new Date() } = given;
    const source = chooseSource(sources, options.chatTemplate, tools);
    checkVariables(variables);
    checkList('tools', tools);
    checkList('documents', documents);
    return reported(() => {
      let program = programs.get(source);
      if (!program) programs.set(source, program = parseTemplate(source));
      const value = (given: unknown): Value => valueOf(given, mark);
      return run(program, new Map<string, Value>([
        ...specials, ...Object.entries(variables).map(([name, given]) => [name, value(given)] as const),
        ['messages', value(messages.map(normal))], ['tools', value(tools)], ['documents', value(documents)],
        ['add_generation_prompt', addGenerationPrompt],
      ]), now);
    });
  };

  return {
    render: (messages, given = {}) => render(messages, (text) => text, given),
    encode(messages, given = {}) {
      const { maxTokens = Infinity } = given, text = render(messages, marking ??= controlMarks(tokenizer), given);
      if (tokenizer.isLonger(text, maxTokens)) throw contextFull(`${text.length} characters`, maxTokens);
      const ids = tokenizer.encodeParts(text, plain);
      if (ids.length > maxTokens) throw contextFull(`${ids.length} tokens`, maxTokens);
      return ids;
    },
    source: ({ tools } = {}) => chooseSource(sources, options.chatTemplate, tools),
    check(messages, given = {}) {
      const last = messages.at(-1), isUsersTurn = last?.role !== 'user' && last?.role !== 'tool';
      if (messages.length > 0) render(isUsersTurn ? [...messages, { role: 'user', content: '.' }] : messages, (text) => text, given);
      else reported(() => parseTemplate(chooseSource(sources, options.chatTemplate, given.tools)));
    },
  };
}

/** Templates of a file by name; the unnamed one is "default". */
function fileTemplates(metadata: Metadata): Map<string, string> {
  const sources = new Map<string, string>(), unnamed = getString(metadata, prefix, '');
  if (unnamed !== '') sources.set('default', unnamed);
  for (const key of metadata.keys()) if (key.startsWith(`${prefix}.`)) sources.set(key.slice(prefix.length + 1), getString(metadata, key));
  return sources;
}

/** As transformers and llama.cpp choose: the caller's, `tool_use` where there are tools, else the default. */
function chooseSource(sources: ReadonlyMap<string, string>, wanted: string | undefined, tools: readonly unknown[] | undefined): string {
  const source = wanted !== undefined ? sources.get(wanted) ?? wanted : (tools && sources.get('tool_use')) ?? sources.get('default');
  if (source !== undefined && source !== '') return source;
  const names = [...sources.keys()].join(', ');
  throw new ModelError('E_CHAT_TEMPLATE', {
    subject: prefix, found: names ? `no default among ${names}` : 'none in this file', expected: 'a Jinja template',
    remedy: names ? 'Name one of them as chatTemplate.' : 'This is not a chat model: use generate(), or pass a template as chatTemplate.',
  });
}

function specialTexts(metadata: Metadata, tokenizer: Tokenizer): [string, Value][] {
  const keyed = Object.entries(specialKeys).flatMap(([name, key]): [string, number][] => {
    const id = metadata.has(`tokenizer.ggml.${key}_token_id`) ? getNumber(metadata, `tokenizer.ggml.${key}_token_id`) : -1;
    return id >= 0 && id < tokenizer.vocabSize ? [[name, id]] : [];
  });
  const ids = [['bos_token', tokenizer.bosId], ['eos_token', tokenizer.eosId], ...keyed] as const;
  return ids.flatMap(([name, id]): [string, Value][] => (id === undefined ? [] : [[name, tokenizer.decode([id])]]));
}

/** Marks in a caller's text the characters that control tokens begin with. */
function controlMarks(tokenizer: Tokenizer): (text: string) => string {
  const first = new Set<string>(), others: string[] = [];
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    if (!tokenizer.isControl(id)) continue;
    const text = tokenizer.decode([id]), character = Array.from(text).find((c) => c.charCodeAt(0) < markable);
    if (character !== undefined) for (const c of [character, character.toLowerCase(), character.toUpperCase()]) first.add(c);
    else if (text !== '') others.push(text);
  }
  const mark = marker(new Set([...first].filter((c) => c.length === 1 && c.charCodeAt(0) < markable)));
  return (text) => {
    const token = others.find((one) => text.includes(one)), isBroken = loneSurrogate.test(text);
    if (token === undefined && !isBroken) return mark(text);
    throw new InputError('E_UTF8', {
      subject: 'chat messages', found: isBroken ? 'a lone surrogate, which no UTF-8 can hold' : `the control token ${token!}`,
      expected: isBroken ? 'well-formed strings' : 'texts that cannot be taken for one',
      remedy: isBroken ? 'Call toWellFormed() on the texts.' : 'Remove it from the messages.',
    });
  };
}

function checkMessages(messages: readonly ChatMessage[]): void {
  const wrong = (found: string): never => {
    throw new InputError('E_OPTION', {
      subject: 'chat messages', found, expected: 'a list of { role, content }', remedy: 'Pass at least one message with a role and a text.',
    });
  };
  if (!Array.isArray(messages) || messages.length === 0) wrong(show(messages));
  for (const message of messages as readonly Partial<ChatMessage>[]) {
    if (typeof message !== 'object' || message === null || typeof message.role !== 'string') wrong(show(message));
    if (message.content === undefined && !message.tool_calls) wrong(show(message));
  }
}

/** Tools and documents: lists of objects, as transformers wants them. */
function checkList(subject: string, list: unknown): void {
  const isPlain = (item: unknown): boolean => typeof item === 'object' && item !== null && !Array.isArray(item);
  if (list === undefined || (Array.isArray(list) && list.every(isPlain))) return;
  throw new InputError('E_OPTION', {
    subject, found: show(list), expected: 'a list of objects', remedy: `Pass ${subject} as plain objects.`,
  });
}

function checkVariables(variables: Readonly<Record<string, unknown>>): void {
  const own = Object.keys(variables).find((name) => ownNames.includes(name));
  if (own === undefined) return;
  throw new InputError('E_OPTION', {
    subject: 'template variables', found: own, expected: `none of ${ownNames.join(', ')}`, remedy: 'These have arguments of their own.',
  });
}

/** Other names under which reasoning is handed over; all are given, as transformers does. */
const reasoningNames = ['reasoning_content', 'thinking', 'reasoning'];

/** A message as transformers hands it to a template: null is absent, and reasoning goes by the names that templates read. */
function normal(message: ChatMessage): Record<string, unknown> {
  const kept = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined));
  const reasoning = reasoningNames.map((name) => kept[name]).find((value) => value !== undefined);
  return reasoning === undefined ? kept : { thinking: reasoning, ...kept, reasoning_content: reasoning };
}

/** Faults of a template as errors of this library: who is to blame is said. */
function reported<T>(task: () => T): T {
  try {
    return task();
  } catch (cause) {
    if (!(cause instanceof TemplateFault)) throw cause;
    const message = plain(cause.message), where = `line ${cause.line}: ${message}`;
    if (cause.blame === 'refusal') {
      throw new InputError('E_CHAT_TEMPLATE', {
        subject: 'chat messages', found: `that the model's chat template refuses them: ${message}`, expected: 'messages that it accepts',
        remedy: 'Change the messages; the words are the template\'s own.', cause,
      });
    }
    throw new ModelError('E_CHAT_TEMPLATE', cause.blame === 'mistake' ? {
      subject: 'chat template', found: where, expected: 'a template that Jinja2 can run',
      remedy: 'The template has a mistake, or misses something in the messages; pass another as chatTemplate.', cause,
    } : {
      subject: 'chat template', found: `${where}, which this version cannot run`, expected: 'the parts of Jinja2 that it can',
      remedy: 'Pass a template without it as chatTemplate.', cause,
    });
  }
}
