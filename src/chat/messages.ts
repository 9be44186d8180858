/** Messages as OpenAI's clients write them, as templates want them. */
import type { ChatMessage, Model } from 'clada';
import { InputError } from '../errors.ts';
import { show } from '../options.ts';
import { jsonOf } from './json.ts';
import type { Tool } from './schemas.ts';
import { isObject } from './schemas.ts';

/** An earlier call, as OpenAI's clients write it. */
export interface Call { id?: string; type?: string; function?: { name?: string; arguments?: unknown } }

/** Tools in the shape that templates know, as transformers hands them over. */
export const toolInput = (tools: readonly Tool[]): readonly object[] => tools.map(({ name, description, parameters }) => ({
  type: 'function', function: { name, ...(description === undefined ? {} : { description }), parameters },
}));

const wants = new WeakMap<object, Map<string, boolean>>();

/** Whether a template writes arguments that are objects as JSON; if not it wants their text. Tried once. */
function wantsObjects(model: Model, tools: readonly object[] | undefined): boolean {
  const { template } = model, source = template.source({ tools: tools ?? [] }), known = wants.get(template) ?? new Map<string, boolean>();
  wants.set(template, known);
  let answer = known.get(source);
  if (answer !== undefined) return answer;
  const rendered = (given: unknown): string => {
    try {
      return template.render([
        { role: 'user', content: '.' },
        { role: 'assistant', content: '', tool_calls: [{ id: 'abcdefghi', type: 'function', function: { name: 'f', arguments: given } }] },
      ], { addGenerationPrompt: false, ...(tools ? { tools } : {}) });
    } catch {
      return ''; // one that cannot write them says so when it is asked to
    }
  };
  const asObject = rendered({ probe: 'value' }), asText = rendered('{"probe": "value"}');
  answer = !asText.includes('{"probe": "value"}') || (asObject.includes('probe') && !asObject.includes("'probe'"));
  known.set(source, answer);
  return answer;
}

/** A call with its arguments as the template wants them. */
function callFor(call: Call, asObject: boolean): Call {
  const given = call.function?.arguments;
  if (asObject && typeof given === 'string') {
    try {
      return { ...call, function: { ...call.function, arguments: JSON.parse(given === '' ? '{}' : given) } };
    } catch {
      return call; // what was never JSON is shown as it was said
    }
  }
  if (!asObject && typeof given === 'object') {
    return { ...call, function: { ...call.function, arguments: jsonOf(given ?? {}, 'arguments of a call') } };
  }
  return call;
}

/** @throws InputError `E_OPTION` for what is no call */
function callsOf({ tool_calls: calls }: ChatMessage): readonly Call[] {
  if (!Array.isArray(calls)) return [];
  const wrong: unknown = calls.find((call) => !isObject(call));
  if (wrong === undefined) return calls as Call[];
  throw new InputError('E_OPTION', {
    subject: 'tool_calls', found: show(wrong), expected: 'calls: { id, function: { name, arguments } }', remedy: 'Pass those there were.',
  });
}

/**
 * Messages for the model's template: arguments of earlier calls as it wants them, an empty text where there are calls only, results with
 * the name of their tool.
 */
export function messagesFor(model: Model, messages: readonly ChatMessage[], tools: readonly object[] | undefined): readonly ChatMessage[] {
  if (!Array.isArray(messages) || !messages.some((message) => message?.tool_calls || message?.role === 'tool')) return messages;
  const asObject = wantsObjects(model, tools), names = new Map<string, string>();
  return messages.map((message: ChatMessage) => {
    const calls = callsOf(message);
    for (const { id, function: called } of calls) if (id !== undefined && called?.name !== undefined) names.set(id, called.name);
    if (calls.length > 0) {
      return { ...message, content: message.content ?? '', tool_calls: calls.map((call) => callFor(call, asObject)) };
    }
    const name = message.role === 'tool' && message.name === undefined ? names.get(message.tool_call_id as string) : undefined;
    return name === undefined ? message : { ...message, name };
  });
}
