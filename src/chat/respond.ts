/** One turn of a conversation: messages in, parts of the answer out. */
import type { Generation, Model, StopReason } from 'clada';
import { InputError, StateError } from '../errors.ts';
import type { ChatPart, ChatRequest, ChatResult, FinishReason, ToolCall } from './types.ts';

const reasons: Record<StopReason, FinishReason> = { eog: 'stop', stop: 'stop', length: 'length', context: 'length', loop: 'stop' };

/** An answer in the making: iterated part by part, or run to its end by `result()`. */
export class ChatResponse implements AsyncIterable<ChatPart> {
  #begun = false;

  /** @internal use {@link respond} */
  constructor(private readonly generation: Generation) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatPart, void, undefined> {
    if (this.#begun) {
      throw new InputError('E_OPTION', {
        subject: 'chat response', found: 'a second iteration', expected: 'one', remedy: 'Call respond() again.',
      });
    }
    this.#begun = true;
    for await (const token of this.generation) yield { type: 'text', text: token.text, tokens: [token] };
    const stats = this.generation.stats();
    yield { type: 'finish', reason: reasons[stats.stopReason!], stats };
  }

  /** All of it. */
  async result(): Promise<ChatResult> {
    let text = '', reasoning = '';
    const toolCalls: ToolCall[] = [];
    for await (const part of this) {
      if (part.type === 'text') text += part.text;
      else if (part.type === 'reasoning') reasoning += part.text;
      else if (part.type === 'tool-call') toolCalls.push(part.call);
      else if (part.type === 'finish') return { text, reasoning, toolCalls, reason: part.reason, stats: part.stats };
    }
    throw new StateError('E_CLOSED', {
      subject: 'chat response', found: 'no end', expected: 'one', remedy: 'Somebody else took over its sequence: ask again.',
    });
  }
}

/**
 * Answers the messages. Nothing runs until it is iterated; what the cache holds of the conversation is not computed again.
 *
 * ```ts
 * for await (const part of respond(model, { messages: [{ role: 'user', content: 'Hello' }] })) if (part.type === 'text') write(part.text);
 * ```
 * @throws as `model.encodeChat` at once; as `model.generate` while iterating
 */
export function respond(model: Model, { messages, template = {}, ...options }: ChatRequest): ChatResponse {
  return new ChatResponse(model.generate(model.encodeChat(messages, template), options));
}
