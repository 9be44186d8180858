/** A language model of the AI SDK: one answer, as a stream of parts or folded into a whole. */
import type { GeneratedToken, Model } from 'clada';
import type { ChatPart } from 'clada/chat';
import { respond } from 'clada/chat';
import { CladaError } from '../errors.ts';
import type { TextOf } from './report.ts';
import { finishOf, logprobsOf, metadataOf, unknownUsage, usageOf } from './report.ts';
import { chatRequest } from './request.ts';
import type {
  AnswerContent, CallOptions, CallWarning, CladaLanguageModel, GenerateAnswer, ResponseIdentity, Specification, StreamPart,
} from './types.ts';

/**
 * Parts of an answer in the SDK's words: texts and thoughts have a beginning and an end, calls of tools a history.
 * `textOf`: of tokens, where their log-probabilities are asked for.
 */
export async function* streamParts(
  answer: AsyncIterable<ChatPart>, raw: boolean, textOf: TextOf | undefined,
): AsyncGenerator<StreamPart, void, undefined> {
  let block: { type: 'text' | 'reasoning'; id: string } | undefined, blocks = 0, reasoningTokens = 0;
  const tokens: GeneratedToken[] = [], started = new Set<string>();
  let open: string | undefined; // the call that is being written
  const end = function* (): Generator<StreamPart> {
    if (block) yield { type: `${block.type}-end`, id: block.id };
    block = undefined;
  };
  /** Also what is cut off has an end. */
  const endAll = function* (): Generator<StreamPart> {
    yield* end();
    if (open !== undefined) yield { type: 'tool-input-end', id: open };
    open = undefined;
  };
  const start = function* (id: string, toolName: string): Generator<StreamPart> {
    if (started.has(id)) return;
    started.add(id);
    open = id;
    yield { type: 'tool-input-start', id, toolName };
  };
  try {
    for await (const part of answer) {
      if (raw) yield { type: 'raw', rawValue: part };
      if (block && part.type !== block.type) yield* end();
      switch (part.type) {
        case 'text': case 'reasoning':
          if (part.type === 'reasoning') reasoningTokens += part.tokens.length;
          if (textOf) tokens.push(...part.tokens);
          if (part.text === '') break;
          if (!block) {
            block = { type: part.type, id: String(blocks++) };
            yield { type: `${part.type}-start`, id: block.id };
          }
          yield { type: `${part.type}-delta`, id: block.id, delta: part.text };
          break;
        case 'tool-call-start': yield* start(part.id, part.name); break;
        case 'tool-call-delta': yield { type: 'tool-input-delta', id: part.id, delta: part.arguments }; break;
        case 'tool-call': {
          const { id, name, arguments: input } = part.call;
          if (!started.has(id)) yield* start(id, name), yield { type: 'tool-input-delta', id, delta: input };
          yield* endAll();
          yield { type: 'tool-call', toolCallId: id, toolName: name, input };
          break;
        }
        case 'finish':
          yield* endAll();
          yield {
            type: 'finish', usage: usageOf(part.stats, reasoningTokens), finishReason: finishOf(part.reason, part.stats.stopReason),
            providerMetadata: metadataOf(part.stats, textOf && logprobsOf(tokens, textOf)),
          };
      }
    }
  } catch (error) {
    yield* endAll();
    throw error;
  }
}

/** All parts as one answer. */
export async function folded(
  parts: AsyncIterable<StreamPart>, response: ResponseIdentity, warnings: CallWarning[],
): Promise<GenerateAnswer> {
  const content: AnswerContent[] = [];
  const answer: GenerateAnswer = { content, finishReason: finishOf(undefined, undefined), usage: unknownUsage, response, warnings };
  for await (const part of parts) {
    switch (part.type) {
      case 'text-start': content.push({ type: 'text', text: '' }); break;
      case 'reasoning-start': content.push({ type: 'reasoning', text: '' }); break;
      case 'text-delta': case 'reasoning-delta': (content.at(-1) as { text: string }).text += part.delta; break;
      case 'tool-call': content.push(part); break;
      case 'finish': {
        const { type: _type, ...finish } = part;
        Object.assign(answer, finish);
      }
    }
  }
  return answer;
}

/**
 * Parts as a stream that computes what is read. Errors are parts of it, but for aborts; whoever cancels it ends the generation.
 * `abortSignal` is followed as long as the stream lives.
 */
function streamed(
  abortSignal: AbortSignal | undefined, begin: (signal: AbortSignal) => { parts: AsyncGenerator<StreamPart>; before: StreamPart[] },
): ReadableStream<StreamPart> {
  const stop = new AbortController(), follow = (): void => { stop.abort(abortSignal!.reason); };
  const { parts, before } = begin(stop.signal), over = (): void => { abortSignal?.removeEventListener('abort', follow); };
  if (abortSignal?.aborted) follow();
  abortSignal?.addEventListener('abort', follow);
  return new ReadableStream<StreamPart>({
    async pull(controller) {
      const next = before.shift();
      if (next) { controller.enqueue(next); return; }
      try {
        const { done, value } = await parts.next();
        if (!done) { controller.enqueue(value); return; }
      } catch (error) {
        if (stop.signal.aborted) { over(); controller.error(error); return; }
        controller.enqueue({ type: 'error', error });
        const raw = error instanceof CladaError ? error.code : undefined;
        controller.enqueue({ type: 'finish', usage: unknownUsage, finishReason: finishOf('error', raw) });
      }
      over();
      controller.close();
    },
    async cancel(reason) {
      over();
      stop.abort(reason);
      await parts.return(undefined);
    },
  }, { highWaterMark: 0 });
}

/** `model` as the AI SDK takes language models. */
export function languageModel<S extends Specification>(model: Model, specificationVersion: S): CladaLanguageModel<S> {
  const modelId = model.info.name;
  const begin = (call: CallOptions): { parts: AsyncGenerator<StreamPart>; response: ResponseIdentity; warnings: CallWarning[] } => {
    const { request, warnings } = chatRequest(model, call), textOf = (id: number): string => model.tokenizer.decode([id]);
    const parts = streamParts(respond(model, request), call.includeRawChunks === true, request.logprobs ? textOf : undefined);
    return { parts, warnings, response: { id: crypto.randomUUID(), timestamp: new Date(), modelId } };
  };
  return {
    specificationVersion, provider: 'clada.chat', modelId, supportedUrls: {},
    async doGenerate(call) {
      const { parts, response, warnings } = begin(call);
      return folded(parts, response, warnings);
    },
    async doStream(call) {
      return {
        stream: streamed(call.abortSignal, (abortSignal) => {
          const { parts, response, warnings } = begin({ ...call, abortSignal });
          return { parts, before: [{ type: 'stream-start', warnings }, { type: 'response-metadata', ...response }] };
        }),
      };
    },
  };
}
