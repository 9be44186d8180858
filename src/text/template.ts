/**
 * Chat templates: the Jinja program in a file's metadata (`tokenizer.chat_template`), run by `@huggingface/jinja`.
 *
 * Control tokens count only where the template wrote them. A message that contains "<|im_end|>" must not end its own turn, so before rendering
 * every control token inside a message is swapped for a private-use character that no message contains; after the rendered text has been cut at
 * its control tokens the originals come back, as plain text. Templates may trim, test and join contents as they like.
 */
import { Template } from '@huggingface/jinja';
import { CladaError, InputError, ModelError } from '../errors.ts';
import type { Metadata } from '../format/gguf/metadata.ts';
import { getString } from '../format/gguf/metadata.ts';
import { show } from '../options.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** One message of a conversation. */
export interface ChatMessage {
  /** 'system', 'user', 'assistant', or what else the template knows. */
  role: 'system' | 'user' | 'assistant' | 'tool' | (string & {});
  /** Its text. */
  content: string;
  /** Whatever else a template reads: tool_calls, name, … */
  [key: string]: unknown;
}

/** How messages become a prompt. */
export interface RenderOptions {
  /** End with the beginning of the assistant's turn. Default true. */
  addGenerationPrompt?: boolean;
  /** Tool descriptions, as the template wants them. */
  tools?: readonly unknown[];
}

/** What turns messages into a prompt. */
export interface ChatTemplate {
  /** The text that the messages become. @throws ModelError `E_CHAT_TEMPLATE`; InputError `E_OPTION` for malformed messages */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
  /** Its tokens; control tokens are those of the template only, never those inside a message. */
  encode(messages: readonly ChatMessage[], options?: RenderOptions): Uint32Array;
}

const firstPrivate = 0xe000, lastPrivate = 0xf8ff;

/** Private-use characters that `text` does not contain, one for each entry. */
function substitutes(count: number, text: string): string[] {
  const free: string[] = [];
  for (let code = firstPrivate; code <= lastPrivate && free.length < count; code++) {
    const char = String.fromCharCode(code);
    if (!text.includes(char)) free.push(char);
  }
  if (free.length === count) return free;
  throw new InputError('E_UTF8', { subject: 'chat messages', found: 'nearly all private-use characters', expected: `${count} that are free`, remedy: 'Remove characters U+E000 to U+F8FF from the messages.' });
}

/** Applies `change` to every string inside a value. */
function mapStrings<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (Array.isArray(value)) return value.map((entry: unknown) => mapStrings(entry, change)) as T;
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, mapStrings(entry as unknown, change)])) as T;
  }
  return value;
}

function checkMessages(messages: readonly ChatMessage[]): void {
  const wrong = (found: string): never => {
    throw new InputError('E_OPTION', { subject: 'chat messages', found, expected: 'a list of { role, content }', remedy: 'Pass at least one message with a role and a text.' });
  };
  if (!Array.isArray(messages) || messages.length === 0) wrong(show(messages));
  for (const message of messages as readonly Partial<ChatMessage>[]) {
    if (typeof message !== 'object' || message === null || typeof message.role !== 'string' || message.content === undefined) wrong(show(message));
  }
}

/** The template of a file. A missing one is an error only when it is used: most models can do without. */
export function createChatTemplate(metadata: Metadata, tokenizer: Tokenizer): ChatTemplate {
  const source = getString(metadata, 'tokenizer.chat_template', '');
  const specials = controlTexts(tokenizer);
  const tokenText = (id: number | undefined): string => (id === undefined ? '' : tokenizer.decode([id]));
  let template: Template | undefined;

  const render = (messages: readonly ChatMessage[], { addGenerationPrompt = true, tools }: RenderOptions = {}): string => {
    if (source === '') {
      throw new ModelError('E_CHAT_TEMPLATE', { subject: 'tokenizer.chat_template', found: 'none in this file', expected: 'a Jinja template', remedy: 'This is not a chat model: use generate() with a prompt of your own.' });
    }
    try {
      template ??= new Template(source);
      return template.render({
        messages: messages as unknown as Record<string, unknown>[], add_generation_prompt: addGenerationPrompt,
        bos_token: tokenText(tokenizer.bosId), eos_token: tokenText(tokenizer.eosId), ...(tools ? { tools } : {}),
      });
    } catch (cause) {
      if (cause instanceof CladaError) throw cause;
      throw new ModelError('E_CHAT_TEMPLATE', {
        subject: 'chat template', found: cause instanceof Error ? cause.message : String(cause), expected: 'messages that this template accepts',
        remedy: 'Many templates want user and assistant to alternate and know no other roles; change the messages.', cause,
      });
    }
  };

  return {
    render(messages, options) {
      checkMessages(messages);
      return render(messages, options);
    },
    encode(messages, options) {
      checkMessages(messages);
      const everything = JSON.stringify(messages);
      const used = specials.filter((text) => everything.includes(JSON.stringify(text).slice(1, -1)));
      const stand = substitutes(used.length, everything);
      const swap = (text: string): string => used.reduce((result, special, i) => result.replaceAll(special, stand[i]!), text);
      const restore = (text: string): string => used.reduce((result, special, i) => result.replaceAll(stand[i]!, special), text);
      return tokenizer.encodeParts(render(mapStrings(messages, swap), options), restore);
    },
  };
}

/** All control tokens as text, longest first, so that none is swapped inside another. */
function controlTexts(tokenizer: Tokenizer): string[] {
  const texts: string[] = [];
  for (let id = 0; id < tokenizer.vocabSize; id++) if (tokenizer.isControl(id)) texts.push(tokenizer.decode([id]));
  return texts.filter((text) => text !== '').sort((a, b) => b.length - a.length);
}
