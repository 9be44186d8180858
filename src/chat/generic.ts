/**
 * Tools for models whose template knows none: they are described in the system message, and the answer is one JSON object, as with
 * llama.cpp's generic format.
 */
import type { ChatMessage, Model } from 'clada';
import { InputError } from '../errors.ts';
import type { Calls, Outcome } from './calls.ts';
import { callArray, callObject } from './calls.ts';
import { jsonOf, saidIn, textOf } from './json.ts';
import type { Call } from './messages.ts';
import type { Reader, Reading } from './reader.ts';

/** Reads `{"response": "…"}`, `{"tool_call": {…}}` or `{"tool_calls": […]}`. */
export function* readGeneric(r: Reader, calls: Calls, say: (text: string, from: number) => void): Reading<Outcome> {
  if (!(yield* r.takes('{'))) return 'none';
  yield* r.space();
  const key = yield* textOf(r);
  yield* r.space();
  if (key === undefined || !(yield* r.takes(':'))) return 'none';
  yield* r.space();
  let outcome: Outcome = 'none';
  if (key === 'response') outcome = (yield* saidIn(r, say)) ? 'call' : 'broken';
  else if (key === 'tool_call') outcome = yield* callObject(r, calls, false);
  else if (key === 'tool_calls') outcome = yield* callArray(r, calls);
  if (outcome === 'call') {
    yield* r.space();
    yield* r.takes('}');
  }
  return outcome;
}

const example = '{"name": "…", "arguments": {…}}';

const instructions = (tools: readonly object[], required: boolean, parallel: boolean): string => [
  'You can call these tools:', ...tools.map((tool) => JSON.stringify(tool)),
  `Answer with one JSON object: ${parallel ? `{"tool_calls": [${example}]} to call tools` : `{"tool_call": ${example}} to call a tool`}`
  + `${required ? '' : ', or {"response": "…"} to say something'}.`,
].join('\n');

/** Arguments as they are meant: what is no JSON stays a text. */
function objectOf(given: unknown): unknown {
  if (typeof given !== 'string') return given ?? {};
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

/** Calls and results as texts of the two roles that every template knows. */
function plainTurns(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  for (const message of messages) {
    const { tool_calls: given, tool_call_id: _id, name, ...rest } = message;
    if (message.role === 'tool') {
      const response = { ...(typeof name === 'string' ? { name } : {}), content: message.content };
      const text = jsonOf({ tool_response: response }, 'result of a tool');
      const last = turns.at(-1);
      if (last?.role === 'user' && typeof last.content === 'string') {
        turns[turns.length - 1] = { ...last, content: `${last.content}\n${text}` };
      } else turns.push({ role: 'user', content: text });
    } else if (Array.isArray(given) && given.length > 0) {
      const calls = (given as Call[]).map(({ function: call }) => ({ name: call?.name, arguments: objectOf(call?.arguments) }));
      const text = jsonOf(calls.length === 1 ? { tool_call: calls[0] } : { tool_calls: calls }, 'arguments of a call');
      const { content } = message;
      turns.push({ ...rest, content: typeof content === 'string' && content !== '' ? `${content}\n${text}` : text } as ChatMessage);
    } else {
      turns.push(message);
    }
  }
  return turns;
}

/** Messages with the tools described; in the first user's message where the template takes no system message. */
export function genericMessages(
  model: Model, messages: readonly ChatMessage[], tools: readonly object[], required: boolean, parallel: boolean,
): readonly ChatMessage[] {
  const turns = plainTurns(messages), [first] = turns;
  let told = instructions(tools, required, parallel);
  const added = (i: number): ChatMessage[] => turns.map((turn, at) => {
    const { role, content } = turn;
    if (at !== i || typeof content !== 'string') return turn;
    return { ...turn, content: role === 'system' ? `${content}\n\n${told}` : `${told}\n\n${content}` };
  });
  const withSystem = first?.role === 'system' ? added(0) : [{ role: 'system', content: told }, ...turns];
  try {
    model.template.check(withSystem);
    return withSystem;
  } catch (error) {
    const user = turns.findIndex(({ role, content }) => role === 'user' && typeof content === 'string');
    if (!(error instanceof InputError) || user < 0) throw error;
    if (first?.role !== 'system') return added(user);
    told = `${typeof first.content === 'string' ? `${first.content}\n\n` : ''}${told}`;
    return added(user).slice(1);
  }
}
