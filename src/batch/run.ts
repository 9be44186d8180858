/** A batch from its first line to its last: so many requests at a time, each result written once, nothing else kept. */
import { AbortedError } from '../errors.ts';
import { checkNames, checkNumber } from '../options.ts';
import { answerRequest, hasFailed, type BatchResult, type Handler } from './answer.ts';
import { batchOf, idOf, Ledger, Names } from './ledger.ts';
import { readLines, type Bytes } from './lines.ts';
import { readRequest, type BatchRequest, type LineError } from './request.ts';

/** What answers a line: a handler of requests, or whoever passes the line on to one. */
export type Answer = (request: BatchRequest, line: Asked) => Promise<BatchResult>;

/** A line that is answered: its number, its result's id, how much of it is held. */
interface Asked { readonly number: number; readonly id: string; readonly bytes: number }

/** How a batch is run. */
export interface BatchOptions {
  /** Answers requests: `createServer(model).fetch`, or `fetch` to a server. */
  handler: Handler;
  /** Takes a result, and has it in a safe place when it returns. Called for one at a time, in the order in which they are there. */
  write: (result: BatchResult) => void | Promise<void>;
  /** Requests at a time: the model's `sequences`. Default 4. */
  concurrency?: number;
  /** Bytes that a line may have. Default 16 MiB. */
  maxLineBytes?: number;
  /** Bytes that the lines being answered may have together; one is always let in. Default 64 MiB. */
  maxBytes?: number;
  /** Results of an earlier run: their lines are not asked again. */
  done?: AsyncIterable<Pick<BatchResult, 'id'>> | Iterable<Pick<BatchResult, 'id'>>;
  /** No line begins from then on; those that run are finished. */
  signal?: AbortSignal;
  /** Called after every line. */
  onProgress?: (progress: BatchProgress) => void;
}

/** How far a batch is. Lines that are blank do not count. */
export interface BatchProgress {
  /** Lines read. */
  readonly lines: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Of them had a result from before. */
  readonly before: number;
  /** Got one now. */
  readonly completed: number;
  /** Of those say that it failed. */
  readonly failed: number;
  /** Running now. */
  readonly running: number;
  /** Tokens of prompts, as the answers say. */
  readonly promptTokens: number;
  /** Tokens generated, as the answers say. */
  readonly completionTokens: number;
  /** The input was read to its end, and every line has its result. */
  readonly ended: boolean;
}

/** @internal */
export interface LoopOptions extends Omit<BatchOptions, 'handler' | 'done'> { answer: Answer; batch: string; ledger: Ledger }

const defaults = { concurrency: 4, maxLineBytes: 16 * 2 ** 20, maxBytes: 64 * 2 ** 20 };
const names = [...Object.keys(defaults), 'handler', 'write', 'done', 'signal', 'onProgress'];

/**
 * Answers a file of requests in OpenAI's batch format. Every line that is not blank gets one result, also one that is no request; results
 * come in the order in which they are ready.
 *
 * ```ts
 * const { fetch } = createServer(model);
 * await runBatch(file.stream(), { handler: fetch, write: (result) => { results.push(result); } });
 * ```
 * @returns how far it came: all of it, unless `signal` fired
 * @throws InputError `E_OPTION`; FormatError `E_DATA` where `done` is of another input; StateError `E_CLOSED`; what `write` and `input`
 * throw
 */
export async function runBatch(input: Bytes, options: BatchOptions): Promise<BatchProgress> {
  checkNames('batch options', options, names);
  for (const name of Object.keys(defaults) as (keyof typeof defaults)[]) {
    if (options[name] !== undefined) checkNumber(name, { min: 1, integer: true }, options[name]);
  }
  const { handler, done = [], ...rest } = options, ledger = new Ledger();
  let batch: string | undefined;
  for await (const { id } of done) batch = ledger.read(id);
  const hard = new AbortController(); // what still runs when writing has failed
  return runLines(input, {
    ...rest, ledger, batch: batch ?? batchOf('', crypto.randomUUID()),
    answer: (request, { id, number }) => answerRequest(id, number, request, handler, hard.signal),
  }).finally(() => { hard.abort(); });
}

/** @internal the loop, whoever answers */
export async function runLines(input: Bytes, options: LoopOptions): Promise<BatchProgress> {
  const { answer, batch, ledger, write, signal, onProgress } = options;
  const { concurrency, maxLineBytes, maxBytes } = { ...defaults, ...options }, given = new Names();
  const progress = {
    lines: 0, bytes: 0, before: 0, completed: 0, failed: 0, running: 0, promptTokens: 0, completionTokens: 0, ended: false,
  };
  let held = 0, read = false, left = 0, failure: { error: unknown } | undefined, writing = Promise.resolve(), wake = (): void => undefined;
  const tell = (): void => { onProgress?.({ ...progress }); };
  const stopped = (): boolean => failure !== undefined || signal?.aborted === true;
  const woken = (): Promise<void> => new Promise((resolve) => { wake = resolve; });
  const onAbort = (): void => { wake(); };
  signal?.addEventListener('abort', onAbort);

  const finish = async (request: BatchRequest, line: Asked): Promise<void> => {
    try {
      const result = await answer(request, line);
      await (writing = writing.then(async () => { if (!failure) await write(result); }));
      if (failure) return;
      const usage = usageOf(result);
      progress.promptTokens += usage.prompt;
      progress.completionTokens += usage.completion;
      progress.completed++;
      if (hasFailed(result)) progress.failed++;
    } catch (error) {
      left++;
      if (!(error instanceof AbortedError && signal?.aborted)) failure ??= { error };
    } finally {
      held -= line.bytes;
      progress.running--;
      wake();
      tell();
    }
  };

  try {
    for await (const line of readLines(input, maxLineBytes)) {
      progress.bytes += line.bytes + (line.whole ? 1 : 0);
      if (line.text !== undefined && line.text.trim() === '') continue;
      let request = readRequest(line, maxLineBytes);
      if (request.customId !== null && !given.add(request.customId)) request = { ...request, error: duplicate(line.number) };
      const done = ledger.has(line);
      const bytes = line.text === undefined ? 0 : line.bytes;
      const full = (): boolean => progress.running > 0 && (progress.running >= concurrency || held + bytes > maxBytes);
      while (!done && !stopped() && full()) await woken();
      if (stopped()) break;
      progress.lines++;
      if (done) { progress.before++; tell(); continue; }
      progress.running++;
      held += bytes;
      void finish(request, { number: line.number, id: idOf(batch, line), bytes });
    }
    read = !stopped();
  } catch (error) {
    if (!stopped()) failure = { error }; // an input that was closed because nobody reads on says so too
  }
  while (progress.running > 0 && !failure) await woken();
  signal?.removeEventListener('abort', onAbort);
  await writing.catch(() => undefined);
  if (failure) throw failure.error;
  return { ...progress, ended: read && left === 0 };
}

const duplicate = (line: number): LineError =>
  ({ code: 'duplicate_custom_id', message: 'An earlier line has this custom_id.', line });

/** Chat and completions call them so; embeddings have the first only, responses other names. */
function usageOf({ response }: BatchResult): { prompt: number; completion: number } {
  const usage = (response?.body as { usage?: Record<string, unknown> } | null | undefined)?.usage ?? {};
  const count = (...known: string[]): number => Number(known.map((name) => usage[name]).find((value) => typeof value === 'number') ?? 0);
  return { prompt: count('prompt_tokens', 'input_tokens'), completion: count('completion_tokens', 'output_tokens') };
}
