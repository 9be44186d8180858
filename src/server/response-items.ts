/** A response in the making: its items, and the events that tell of them. */
import type { ChatPart, FinishReason } from 'clada/chat';
import { freshId } from './context.ts';
import type { Problem } from './problem.ts';
import type { ServerEvent } from './sse.ts';

interface TextPart { type: 'output_text' | 'reasoning_text'; text: string; annotations?: unknown[]; logprobs?: unknown[] }
type Item =
  | { type: 'message'; id: string; status: string; role: 'assistant'; content: TextPart[] }
  | { type: 'reasoning'; id: string; status: string; summary: unknown[]; content: TextPart[] }
  | { type: 'function_call'; id: string; status: string; call_id: string; name: string; arguments: string };
type Events = Generator<ServerEvent, void, undefined>;

export class ResponseWriter {
  readonly #output: Item[] = [];
  #count = 0;
  #status = 'in_progress';
  #rest: object = { usage: null };

  constructor(private readonly head: Readonly<Record<string, unknown>>) {}

  /** The response as it stands. */
  get response(): object { return { ...this.head, status: this.#status, output: structuredClone(this.#output), ...this.#rest }; }

  * begin(): Events {
    yield this.#event('response.created', { response: this.response });
    yield this.#event('response.in_progress', { response: this.response });
  }

  * add(part: Exclude<ChatPart, { type: 'finish' }>): Events {
    switch (part.type) {
      case 'text': if (part.text !== '') yield* this.#text('message', part.text); return;
      case 'reasoning': if (part.text !== '') yield* this.#text('reasoning', part.text); return;
      case 'tool-call-start':
        yield* this.#open({
          type: 'function_call', id: freshId('fc_'), status: 'in_progress', call_id: part.id, name: part.name, arguments: '',
        });
        return;
      case 'tool-call-delta': {
        const item = this.#output.at(-1)!;
        if (item.type !== 'function_call') return;
        item.arguments += part.arguments;
        yield this.#event('response.function_call_arguments.delta', { ...this.#place, delta: part.arguments });
        return;
      }
      case 'tool-call': yield* this.#close();
    }
  }

  * finish(reason: FinishReason, usage: object, clada: object): Events {
    const cut = reason === 'length';
    yield* this.#close(cut ? 'incomplete' : 'completed');
    this.#status = cut ? 'incomplete' : 'completed';
    this.#rest = { usage, clada: { answers: clada }, ...(cut ? { incomplete_details: { reason: 'max_output_tokens' } } : {}) };
    yield this.#event(`response.${this.#status}`, { response: this.response });
  }

  /** What went wrong after the stream began. */
  failure({ body: { error } }: Problem): ServerEvent {
    return this.#event('error', { code: error.code, message: error.message, param: error.param, error });
  }

  #event(type: string, fields: object): ServerEvent { return { event: type, data: { type, sequence_number: this.#count++, ...fields } }; }

  /** Where the last item is. */
  get #place() { return { item_id: this.#output.at(-1)!.id, output_index: this.#output.length - 1 }; }

  * #open(item: Item): Events {
    yield* this.#close();
    this.#output.push(item);
    yield this.#event('response.output_item.added', { output_index: this.#output.length - 1, item: structuredClone(item) });
  }

  * #text(type: 'message' | 'reasoning', text: string): Events {
    let item = this.#output.at(-1);
    if (item?.type !== type || item.status !== 'in_progress') {
      const common = { id: freshId(type === 'message' ? 'msg_' : 'rs_'), status: 'in_progress', content: [] };
      yield* this.#open(type === 'message' ? { type, role: 'assistant', ...common } : { type, summary: [], ...common });
      item = this.#output.at(-1) as Extract<Item, { content: TextPart[] }>;
      item.content.push(type === 'message' ? { type: 'output_text', text: '', annotations: [], logprobs: [] }
        : { type: 'reasoning_text', text: '' });
      yield this.#event('response.content_part.added', { ...this.#place, content_index: 0, part: structuredClone(item.content[0]) });
    }
    item.content[0]!.text += text;
    const more = type === 'message' ? { logprobs: [] } : {};
    yield this.#event(`response.${item.content[0]!.type}.delta`, { ...this.#place, content_index: 0, delta: text, ...more });
  }

  /** Ends the last item, where it has not ended. */
  * #close(status = 'completed'): Events {
    const item = this.#output.at(-1);
    if (!item || item.status !== 'in_progress') return;
    item.status = status;
    if (item.type === 'function_call') {
      yield this.#event('response.function_call_arguments.done', { ...this.#place, name: item.name, arguments: item.arguments });
    } else {
      const part = item.content[0]!, at = { ...this.#place, content_index: 0 };
      yield this.#event(`response.${part.type}.done`, { ...at, text: part.text, ...(item.type === 'message' ? { logprobs: [] } : {}) });
      yield this.#event('response.content_part.done', { ...at, part: structuredClone(part) });
    }
    yield this.#event('response.output_item.done', { output_index: this.#output.length - 1, item: structuredClone(item) });
  }
}
