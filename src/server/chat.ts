/** POST /v1/chat/completions */
import type { ChatPart, ChatResponse, FinishReason } from 'clada/chat';
import { respond } from 'clada/chat';
import { Account, answersOf, seeded } from './answers.ts';
import { freshId, logprobsOf, unixSeconds, type Context, type Served } from './context.ts';
import type { Job } from './job.ts';
import { chatRequestOf, checkChat, type ChatBody } from './messages.ts';
import { eventStream, merge, type ServerEvent } from './sse.ts';

export const finishNames: Record<FinishReason, string> = {
  stop: 'stop', length: 'length', 'tool-calls': 'tool_calls', 'content-filter': 'content_filter', error: 'stop',
};

type Answers = ReturnType<typeof answersOf<ChatPart>>;

export async function chatCompletions(raw: Readonly<Record<string, unknown>>, job: Job, context: Context): Promise<Response> {
  const body = checkChat(raw), served = context.find(body.model), request = chatRequestOf(raw, body, served, context);
  const one = (index: number): ChatResponse => respond(served.model, { ...seeded(request, index), signal: job.signal });
  const first = one(0); // refuses at once what it cannot answer, and what it can the others can
  const sources = Array.from({ length: body.n ?? 1 }, (_, index) => () => (index === 0 ? first : one(index)));
  const answers = answersOf(served, job, sources);
  const head = { id: freshId('chatcmpl-'), created: unixSeconds(), model: served.id, system_fingerprint: fingerprintOf(served) };
  return body.stream === true
    ? eventStream(chunks(answers, head, body, served, context), job, undefined, { data: '[DONE]' })
    : Response.json(await whole(answers, head, body, served, context));
}

/** What decides the numbers beside the request: weights, build, cache. */
export const fingerprintOf = ({ model: { info } }: Served): string => `clada-${info.tier}-${info.kv}`;

type Head = Readonly<Record<'id' | 'model' | 'system_fingerprint', string> & { created: number }>;

interface Call { id: string; type: 'function'; function: { name: string; arguments: string } }

async function whole(answers: Answers, head: Head, body: ChatBody, { model }: Served, context: Context): Promise<object> {
  const account = new Account(context);
  const choices = answers.map((_, index) => (
    { index, text: '', reasoning: '', calls: [] as Call[], logprobs: [] as object[], finish: 'stop' }));
  for await (const { index, part } of merge(answers)) {
    const choice = choices[index]!;
    if (part.type === 'text') {
      choice.text += part.text;
      if (body.logprobs) choice.logprobs.push(...logprobsOf(model, part.tokens, body.top_logprobs ?? 0));
    } else if (part.type === 'reasoning') {
      choice.reasoning += part.text;
      account.thought(part.tokens.length);
    } else if (part.type === 'tool-call-start') {
      choice.calls.push({ id: part.id, type: 'function', function: { name: part.name, arguments: '' } });
    } else if (part.type === 'tool-call-delta') {
      choice.calls[part.index]!.function.arguments += part.arguments; // also of a call that is cut off
    } else if (part.type === 'finish') {
      choice.finish = finishNames[part.reason];
      account.add(part.stats);
    }
  }
  return {
    ...head, object: 'chat.completion',
    choices: choices.map(({ index, text, reasoning, calls, logprobs, finish }) => ({
      index, finish_reason: finish,
      message: {
        role: 'assistant', content: text === '' && calls.length > 0 ? null : text, refusal: null,
        ...(reasoning ? { reasoning_content: reasoning } : {}), ...(calls.length > 0 ? { tool_calls: calls } : {}),
      },
      logprobs: body.logprobs ? { content: logprobs, refusal: null } : null,
    })),
    usage: account.usage(), timings: account.timings, clada: { answers: account.clada },
  };
}

async function* chunks(
  answers: Answers, head: Head, body: ChatBody, { model }: Served, context: Context,
): AsyncGenerator<ServerEvent, void, undefined> {
  const account = new Account(context), withUsage = body.stream_options?.include_usage === true;
  const chunk = (fields: object): ServerEvent =>
    ({ data: { ...head, object: 'chat.completion.chunk', ...(withUsage ? { usage: null } : {}), ...fields } });
  const delta = (index: number, content: object, finish: string | null = null, logprobs: object | null = null): ServerEvent =>
    chunk({ choices: [{ index, delta: content, logprobs, finish_reason: finish }] });
  const begun = new Set<number>();
  let left = answers.length;
  for await (const { index, part } of merge(answers)) {
    if (!begun.has(index)) {
      begun.add(index);
      yield delta(index, { role: 'assistant', content: '', refusal: null });
    }
    switch (part.type) {
      case 'text': {
        const logprobs = body.logprobs ? { content: logprobsOf(model, part.tokens, body.top_logprobs ?? 0), refusal: null } : null;
        if (part.text !== '' || logprobs?.content.length) yield delta(index, { content: part.text }, null, logprobs);
        break;
      }
      case 'reasoning':
        account.thought(part.tokens.length);
        if (part.text !== '') yield delta(index, { reasoning_content: part.text });
        break;
      case 'tool-call-start':
        yield delta(index, {
          tool_calls: [{ index: part.index, id: part.id, type: 'function', function: { name: part.name, arguments: '' } }],
        });
        break;
      case 'tool-call-delta':
        yield delta(index, { tool_calls: [{ index: part.index, function: { arguments: part.arguments } }] });
        break;
      case 'finish': {
        account.add(part.stats);
        const closing = --left === 0 ? { timings: account.timings, clada: { answers: account.clada } } : {};
        yield chunk({ choices: [{ index, delta: {}, logprobs: null, finish_reason: finishNames[part.reason] }], ...closing });
        break;
      }
      case 'tool-call': break; // its pieces were sent
    }
  }
  if (withUsage) yield chunk({ choices: [], usage: account.usage() });
}
