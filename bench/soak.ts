/**
 * A long run of mixed requests, more of them at once than there are sequences: greedy and sampled, short and long, chats, scores, methods that skip neurons,
 * readers that leave, aborts, prompts that do not fit. A line a minute; at the end whether memory grew, anything stalled, failed or was left behind.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { AbortedError, CladaError, load, type GenerateOptions, type Model } from 'clada';
import { Random } from '../src/sampler/random.ts';
import { modelFile } from './model.ts';
import { median } from './report.ts';

const sequences = 8, clients = 12, contextSize = 2048;
/** Milliseconds: longest time between two tokens of a stream, and with no token of any. */
const longestGap = 10_000, silence = 180_000;

interface Minute { requests: number; tokens: number; gap: number; wait: number }
const fresh = (): Minute => ({ requests: 0, tokens: 0, gap: 0, wait: 0 });

class Soak {
  minute = fresh();
  readonly errors: string[] = [];
  lastToken = performance.now();
  stopped = false;
  readonly #random = new Random(1);

  constructor(private readonly model: Model, private readonly vocab = model.info.vocab) {}

  #below(n: number): number { return Math.floor(this.#random.float64() * n); }
  #tokens(count: number): number[] { return Array.from({ length: count }, () => this.#below(this.vocab)); }

  /** Reads a stream as a user does, at most `most` tokens, and notes how long it waited for each. */
  async #read(stream: AsyncIterable<unknown>, most = Infinity): Promise<void> {
    let last = performance.now(), count = 0;
    for await (const _ of stream) {
      const now = performance.now(), what = count === 0 ? 'wait' : 'gap';
      this.minute[what] = Math.max(this.minute[what], now - last);
      this.minute.tokens++;
      last = this.lastToken = now;
      if (++count >= most || this.stopped) return;
    }
  }

  readonly #kinds: readonly (() => Promise<void>)[] = [
    () => this.#read(this.model.generate(this.#tokens(1 + this.#below(100)), { temperature: 0, maxTokens: 1 + this.#below(64) })),
    () => this.#read(this.model.generate(this.#tokens(1 + this.#below(100)), { temperature: 0.8, seed: this.#below(1000), maxTokens: 1 + this.#below(64) })),
    () => this.#read(this.model.generate(this.#tokens(800 + this.#below(1000)), { maxTokens: 8, ignoreEos: true })),
    () => this.#read(this.model.generate(this.#tokens(20), { maxTokens: 200, ignoreEos: true }), 1 + this.#below(30)), // a reader that leaves
    async () => {
      const chat = this.model.chat();
      for (let turn = 0; turn < 3; turn++) await this.#read(chat.send(`Tell me about the number ${this.#below(1000)}.`, { maxTokens: 24 }));
    },
    async () => {
      const abort = new AbortController(), options: GenerateOptions = { maxTokens: 200, ignoreEos: true, signal: abort.signal };
      const timer = setTimeout(() => { abort.abort(); }, this.#below(1500));
      await this.#read(this.model.generate(this.#tokens(30), options)).catch((error: unknown) => { if (!(error instanceof AbortedError)) throw error; });
      clearTimeout(timer);
    },
    () => this.#read(this.model.generate(this.#tokens(50), { maxTokens: 32, ignoreEos: true, ...(this.model.calibration ? { sparsity: { method: 'clada', density: 0.7 } } : {}) })),
    async () => { this.minute.tokens += (await this.model.score(this.#tokens(64 + this.#below(200)))).tokens.length; },
    async () => { await this.model.evaluate(this.#tokens(1 + this.#below(64))); },
    async () => {
      const error: unknown = await this.#read(this.model.generate(this.#tokens(contextSize + 1), { maxTokens: 4 })).then(() => undefined, (reason: unknown) => reason);
      if (!(error instanceof CladaError) || error.code !== 'E_CONTEXT_FULL') throw new Error(`a prompt that does not fit: ${String(error)}`);
    },
  ];

  /** Request after request until `stopped`. */
  async client(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.#kinds[this.#below(this.#kinds.length)]!();
      } catch (error) {
        this.errors.push(String(error));
        console.log(`  failed: ${String(error)}`);
        await new Promise((resolve) => { setTimeout(resolve, 1000); }); // what fails at once is told once a second
      }
      this.minute.requests++;
      this.lastToken = performance.now();
    }
  }
}

const threadsOfProcess = (): number => { try { return Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]); } catch { return NaN; } };
const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

/** @returns whether all is well */
export async function soak(minutes: number, file = modelFile): Promise<boolean> {
  const options = { contextSize, sequences, threads: Math.min(2, availableParallelism()) };
  (await load(file, options)).close(); // whatever a process starts once is there from now on
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  const before = threadsOfProcess(), model = await load(file, options), { name, tier, threads, threadsReason } = model.info;
  console.log(`${name}, ${tier}, ${threads} thread${threads > 1 ? 's' : ''} (${threadsReason}), ${sequences} sequences, ${clients} requests at a time, ${minutes} minutes\n`);
  console.log('minute  requests   tokens    tok/s  resident MB  heap MB  longest gap ms  longest wait ms  errors');
  const run = new Soak(model), resident: number[] = [], started = performance.now();
  let gap = 0, stalled = false, told = started;
  const tell = (): void => {
    const { rss, heapUsed } = process.memoryUsage(), { minute } = run, now = performance.now(), seconds = (now - told) / 1000;
    resident.push(rss);
    gap = Math.max(gap, minute.gap);
    told = now;
    run.minute = fresh();
    const cells = [((now - started) / 60_000).toFixed(1), minute.requests, minute.tokens, (minute.tokens / seconds).toFixed(1), mb(rss), mb(heapUsed), minute.gap.toFixed(0), minute.wait.toFixed(0), run.errors.length];
    console.log(cells.map((cell, i) => String(cell).padStart([6, 9, 8, 8, 12, 8, 15, 16, 7][i]!)).join(' '));
  };
  const ticker = setInterval(tell, 60_000);
  const ended = new Promise<void>((resolve) => {
    const watch = setInterval(() => {
      stalled ||= performance.now() - run.lastToken > silence;
      if (!stalled && performance.now() - started < 60_000 * minutes) return;
      clearInterval(watch);
      run.stopped = true;
      resolve();
    }, 500);
  });
  const work = Promise.all(Array.from({ length: clients }, () => run.client()));
  await ended;
  if (!stalled) await Promise.race([work, new Promise((resolve) => { setTimeout(() => { stalled = true; resolve(undefined); }, silence).unref(); })]);
  clearInterval(ticker);
  if (run.minute.requests > 0) tell();
  model.close();
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  return verdict({ resident, gap, stalled, errors: run.errors, threads: threadsOfProcess() - before });
}

interface Outcome { readonly resident: readonly number[]; readonly gap: number; readonly stalled: boolean; readonly errors: readonly string[]; readonly threads: number }

/** Says what went wrong. Growth is the last third of the minutes against the one before: the first fills caches. @returns whether nothing did */
export function verdict({ resident, gap, stalled, errors, threads }: Outcome, say: (line: string) => void = console.log): boolean {
  const third = Math.floor(resident.length / 3), last = third && median(resident.slice(-third)), middle = third && median(resident.slice(-2 * third, -third));
  const grew = last > 1.05 * middle && last - middle > 24 * 2 ** 20;
  const faults = [
    ...(stalled ? [`stalled: no token for ${silence / 1000} s`] : []), ...(gap > longestGap ? [`a stream waited ${(gap / 1000).toFixed(1)} s for its next token`] : []),
    ...(grew ? [`memory grew from ${mb(middle)} to ${mb(last)} MB`] : []), ...(errors.length > 0 ? [`${errors.length} requests failed: ${errors[0]}`] : []),
    ...(threads > 0 ? [`${threads} threads left after close`] : []),
  ];
  say(faults.length === 0 ? `\nsound: memory ${third ? `${mb(middle)} → ${mb(last)} MB` : 'too short to tell'}, longest gap ${gap.toFixed(0)} ms, no error, no thread left` : `\n${faults.join('\n')}`);
  return faults.length === 0;
}
