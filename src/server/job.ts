/** A request while it runs: one signal for whatever may cut it short, and what must be given back when it is over. */
import { gone, Problem } from './problem.ts';

export class Job {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #ends: (() => void)[] = [];
  #over = false;

  /** `request`: of the client, who may go away; `patience`: seconds that it may read nothing of its stream. */
  constructor(private readonly request: AbortSignal | undefined, seconds: number, readonly patience: number) {
    this.#timer = setTimeout(() => {
      this.cut(new Problem(504, `The answer took longer than ${seconds} s.`, { code: 'timeout' }));
    }, 1000 * seconds);
    this.cutShort.catch(() => undefined);
    if (request?.aborted) this.#left();
    else request?.addEventListener('abort', this.#left);
  }

  readonly #left = (): void => { this.cut(gone()); };

  /** Fires where the request is cut short; its reason is the {@link Problem}. */
  get signal(): AbortSignal { return this.#controller.signal; }

  /** Rejected with the reason when the signal fires: one for all who wait, however many answers there are. */
  readonly cutShort = new Promise<never>((_, reject) => {
    this.#controller.signal.addEventListener('abort', () => { reject(this.#controller.signal.reason as Problem); });
  });

  cut(reason: Problem): void { if (!this.#over) this.#controller.abort(reason); }

  /** Calls `end` when the job is over. */
  onEnd(end: () => void): void {
    if (this.#over) end();
    else this.#ends.push(end);
  }

  /** Over, however it went; a second time does nothing. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.request?.removeEventListener('abort', this.#left);
    for (const end of this.#ends) end();
  }
}
