/**
 * Documents to calibrate on: the model's own samples, so that no corpus is needed and what it is calibrated on is what it says. Three of
 * four are chats (a question, the model's answer, the next question …) where the file has a chat template, the others continue a plain
 * opening.
 */
import { CladaError } from '../errors.ts';
import { checkNames, checkNumber } from '../options.ts';
import { seedRange } from '../sampler/options.ts';
import { Random } from '../sampler/random.ts';
import type { Model } from '../text/model.ts';
import type { ChatMessage } from '../text/template.ts';
import { openings, questions } from './openings.ts';
import { MAX_DOCUMENT } from './record.ts';

/** How a model writes its own documents. */
export interface SampleOptions {
  /** Documents, and tokens of each (at most 512, and the model's context). Default 32 of 320. */
  readonly count?: number | undefined;
  /** Tokens of each document. Default 320. */
  readonly tokens?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Documents that are written side by side; the same ones whatever this is. Default 1; as many as the model has sequences pay. */
  readonly together?: number | undefined;
  /** Ends it between two tokens. */
  readonly signal?: AbortSignal | undefined;
  /** After every document. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Undistorted but for the temperature: no filter cuts the tail that the statistics should see. */
const sampling = { temperature: 0.9, topK: 0, topP: 1, minP: 0 } as const;

/**
 * ```ts
 * const documents = await sampleDocuments(model, { count: 32, tokens: 320, seed: 1 });
 * ```
 * @returns token ids, each document exactly `tokens` long
 * @throws as `model.generate`
 */
export async function sampleDocuments(model: Model, options: SampleOptions = {}): Promise<number[][]> {
  const documents: number[][] = [];
  await completeDocuments(model, documents, options);
  return documents;
}

/** Writes those of the documents that are not there yet. */
export async function completeDocuments(model: Model, documents: (number[] | undefined)[], options: SampleOptions): Promise<void> {
  checkNames('sample options', options, ['count', 'tokens', 'seed', 'together', 'signal', 'onProgress']);
  const count = checkNumber('count', { min: 1, integer: true }, options.count ?? 32);
  const { contextSize } = model.info, most = Math.min(MAX_DOCUMENT, contextSize);
  const size = checkNumber('tokens', { min: 16, max: most, integer: true }, options.tokens ?? Math.min(320, contextSize));
  const random = new Random(checkNumber('seed', seedRange, options.seed ?? 1)), { signal } = options, chats = canChat(model);
  const together = checkNumber('together', { min: 1, integer: true }, options.together ?? 1);
  const ask = inRandomOrder(questions, random), open = inRandomOrder(openings, random);
  // what begins each document, and a generator of its own: it depends on none beside it
  const begun = Array.from({ length: count }, (_, i) => {
    const chat = chats && i % 4 !== 3;
    return { chat, opening: chat ? ask() : open(), own: new Random(random.uint32()) };
  });
  let next = 0, done = 0;
  const write = async (): Promise<void> => {
    while (next < count) {
      const i = next++, { chat, opening, own } = begun[i]!;
      documents[i] ??= await (chat ? chatDocument : plainDocument)(model, opening, size, own, signal);
      options.onProgress?.(++done, count);
    }
  };
  await Promise.all(Array.from({ length: Math.min(together, count) }, write));
}

function canChat({ template }: Model): boolean {
  try {
    template.encode([{ role: 'user', content: 'Hello' }], { addGenerationPrompt: true });
    return true;
  } catch (error) {
    if (error instanceof CladaError && error.code === 'E_CHAT_TEMPLATE') return false;
    throw error;
  }
}

/** Gives one entry after the other, shuffled anew when all have had their turn. */
function inRandomOrder<T>(entries: readonly T[], random: Random): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = [...entries];
    return left.splice(Math.floor(random.float64() * left.length), 1)[0]!;
  };
}

async function chatDocument(
  model: Model, question: string, size: number, random: Random, signal: AbortSignal | undefined,
): Promise<number[]> {
  const messages: ChatMessage[] = [], ask = inRandomOrder(questions, random);
  for (let content = question; ; content = ask()) {
    messages.push({ role: 'user', content });
    const ids = [...model.template.encode(messages, { addGenerationPrompt: true })];
    if (ids.length >= size) return ids.slice(0, size);
    let answer = '';
    for await (const { id, text } of model.generate(ids, {
      ...sampling, seed: random.uint32(), maxTokens: size - ids.length, ...(signal ? { signal } : {}),
    })) {
      ids.push(id);
      answer += text;
    }
    if (ids.length >= size) return ids;
    messages.push({ role: 'assistant', content: answer });
  }
}

async function plainDocument(
  model: Model, opening: string, size: number, random: Random, signal: AbortSignal | undefined,
): Promise<number[]> {
  const ids = [...model.tokenizer.encode(opening, { addSpecial: 'start' })].slice(0, size);
  if (ids.length === size) return ids;
  for await (const { id } of model.generate([...ids], {
    ...sampling, seed: random.uint32(), maxTokens: size - ids.length, ignoreEos: true, ...(signal ? { signal } : {}),
  })) {
    ids.push(id);
  }
  return ids;
}
