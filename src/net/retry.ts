/** Waiting between tries: exponential, reset by every byte that arrives. */
import type { NetworkOptions } from './options.ts';
import { RetryableTransferError } from './request.ts';
import { sleep } from './sleep.ts';

const longestDelay = 30_000;
/** A server that asks for more patience than this is not waited for. */
const longestRetryAfter = 120_000;

export class Retry {
  #failures = 0;
  constructor(private readonly options: NetworkOptions, private readonly signal: AbortSignal) {}

  /** Something arrived: the next failure is the first again. */
  progress(): void { this.#failures = 0; }

  /** Waits for the next try. @throws the error itself where there is none: it will not pass, or has not passed too often */
  async after(error: unknown): Promise<void> {
    if (!(error instanceof RetryableTransferError)) throw error;
    const { retries = 5, retryDelay = 500 } = this.options;
    if (this.#failures >= retries || (error.after ?? 0) > longestRetryAfter) throw error;
    await sleep(Math.max(error.after ?? 0, Math.min(longestDelay, retryDelay * 2 ** this.#failures++)), this.signal, 'download');
  }
}
