/**
 * Whether sharing the work pays, measured on the calls themselves: where a machine has other things to do, a thread that waits for another
 * one's core is slower than one that does everything. All numbers of threads give the same bits, so any call may try the other way.
 */

/** Calls between two tries of the other way, at first and at most; and by how much it must be faster. */
const soonest = 2, latest = 128, margin = 0.97;
/** Tries in a row that must be faster before work is shared again: on a busy machine one may be by luck. */
const enough = 3;
/** A call that took so much longer than those before it is reason to try at once. */
const sudden = 1.3;

/** Calls of one kind. */
class Kind {
  /** How it is done; ms a token of that, lately; NaN before the first. */
  #shared = true;
  #ms = NaN;
  #wait = soonest;
  /** Calls until the next try. */
  #left: number = soonest;
  #faster = 0;

  /** Whether the next call is shared. */
  next(): boolean { return this.#left > 0 ? this.#shared : !this.#shared; }

  /** What the call took. */
  took(shared: boolean, ms: number): void {
    if (shared === this.#shared) {
      this.#left = shared && ms > sudden * this.#ms ? 0 : this.#left - 1;
      this.#ms = Number.isNaN(this.#ms) ? ms : 0.6 * this.#ms + 0.4 * ms;
      return;
    }
    this.#faster = ms < margin * this.#ms ? this.#faster + 1 : 0;
    if (this.#faster === 0) this.#wait = Math.min(2 * this.#wait, latest);
    else if (this.#faster < (shared ? enough : 1)) return; // once more
    else {
      this.#shared = shared;
      this.#ms = ms;
      this.#wait = soonest;
      this.#faster = 0;
    }
    this.#left = this.#wait;
  }
}

export class Pace {
  /** One token, a few, many: each has its own answer. */
  readonly #kinds = [new Kind(), new Kind(), new Kind()] as const;

  /** Runs a pass of `tokens` tokens; `share` is told before whether it is shared. */
  run<T>(tokens: number, share: (shared: boolean) => void, pass: () => T): T {
    const kind = this.#kinds[tokens === 1 ? 0 : tokens <= 16 ? 1 : 2], shared = kind.next();
    share(shared);
    const started = performance.now(), result = pass();
    kind.took(shared, (performance.now() - started) / tokens);
    return result;
  }
}
