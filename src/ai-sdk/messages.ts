/** The AI SDK's prompts as messages that chat templates read. */
import type { ChatMessage } from 'clada';
import { InputError } from '../errors.ts';
import { UnsupportedInputError } from './refusals.ts';
import type { PromptMessage, PromptPart, ToolOutput } from './types.ts';

function refused(what: string, role: string): never {
  throw new UnsupportedInputError(what, {
    subject: `a part of a message (${role})`, expected: 'text, reasoning, tool calls or tool results',
    remedy: 'Leave it out, or put its text into the message.',
  });
}

/** @throws InputError `E_OPTION` for what JSON cannot hold */
function written(value: unknown): string {
  try { return JSON.stringify(value); } catch (cause) {
    throw new InputError('E_OPTION', {
      subject: 'result of a tool', found: (cause as Error).message.split('\n')[0]!, expected: 'what JSON can hold',
      remedy: 'Give a text or plain data.', cause,
    });
  }
}

/** What a tool gave back, as the text that the model reads. */
function outputText(output: ToolOutput): string {
  switch (output.type) {
    case 'text': case 'error-text': return output.value;
    case 'json': case 'error-json': return written(output.value ?? null);
    case 'execution-denied': return output.reason ?? 'Execution of this tool was denied.';
    case 'content':
      return output.value.map((piece) => (piece.type === 'text' ? piece.text : refused(`${piece.type} of a tool`, 'tool'))).join('\n');
    default: return refused(`a tool result of type ${(output as { type: string }).type}`, 'tool');
  }
}

type Result = Extract<PromptPart, { type: 'tool-result' }>;

const resultMessage = ({ toolCallId, toolName, output }: Result): ChatMessage =>
  ({ role: 'tool', tool_call_id: toolCallId, name: toolName, content: outputText(output) });

/** An assistant's message, and after it the results of what its provider ran itself. */
function assistantMessages(parts: readonly PromptPart[]): ChatMessage[] {
  let text = '', reasoning = '';
  const calls: unknown[] = [], results: ChatMessage[] = [];
  for (const part of parts) {
    switch (part.type) {
      case 'text': text += part.text; break;
      case 'reasoning': reasoning += part.text; break;
      case 'tool-call':
        calls.push({ id: part.toolCallId, type: 'function', function: { name: part.toolName, arguments: part.input } });
        break;
      case 'tool-result': results.push(resultMessage(part)); break;
      default: refused(part.type, 'assistant');
    }
  }
  const content = text === '' && calls.length > 0 ? null : text;
  return [{
    role: 'assistant', content,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }), ...(calls.length > 0 ? { tool_calls: calls } : {}),
  }, ...results];
}

/**
 * The messages of a prompt. Several texts of a user's message are joined by line feeds, pieces of an assistant's as they are.
 * @throws UnsupportedInputError for images and files
 */
export function chatMessages(prompt: readonly PromptMessage[]): ChatMessage[] {
  return prompt.flatMap((message): ChatMessage[] => {
    switch (message.role) {
      case 'system': return [{ role: 'system', content: message.content }];
      case 'user': return [{
        role: 'user', content: message.content.map((part) => (part.type === 'text' ? part.text : refused(part.type, 'user'))).join('\n'),
      }];
      case 'assistant': return assistantMessages(message.content);
      // approvals are of tools that a provider runs: clada runs none
      case 'tool': return message.content.flatMap((part) => {
        if (part.type === 'tool-approval-response') return [];
        return part.type === 'tool-result' ? [resultMessage(part)] : refused(part.type, 'tool');
      });
      default: return refused(`a message of role ${(message as { role: string }).role}`, 'prompt');
    }
  });
}
