/** A waiting line: first come, first served, and who waits may leave at once. */
import { AbortedError } from '../errors.ts';

interface Waiting {
  readonly ready: () => boolean;
  readonly yields: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Line {
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `patience`: milliseconds after which the first in line should look again though nobody calls {@link wake}. */
  constructor(private readonly patience: () => number) {}

  /**
   * Settles when it is this one's turn and `ready`, which takes what is waited for, says true. `yields`: those behind it need not wait for
   * what it waits for.
   * @throws AbortedError at once where `signal` aborts; what `ready` throws
   */
  async wait(ready: () => boolean, signal: AbortSignal | undefined, what: string, yields = false): Promise<void> {
    if (signal?.aborted) throw new AbortedError(what, signal.reason);
    if (this.#waiting.every((other) => other.yields) && ready()) return;
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => { leave(); reject(new AbortedError(what, signal!.reason)); this.wake(); };
      const entry: Waiting = { ready, yields, resolve: () => { leave(); resolve(); }, reject: (error) => { leave(); reject(error); } };
      this.#waiting.push(entry);
      signal?.addEventListener('abort', abort);
      this.#arm();
    });
  }

  /** Lets those in whose turn it is. */
  wake(): void {
    for (const one of [...this.#waiting]) {
      try {
        if (one.ready()) one.resolve();
        else if (!one.yields) break;
      } catch (error) {
        one.reject(error);
      }
    }
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#waiting.length > 0 ? setTimeout(() => { this.wake(); }, Math.max(1, this.patience())) : undefined;
  }
}
