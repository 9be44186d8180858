/**
 * Whether sharing the work pays, measured on the calls themselves: where a machine has other things to do, a thread that waits for another
 * one's core is slower than one that does everything. All numbers of threads give the same bits, so any call may try the other way.
 */

/** Calls between two tries of the other way, at first and at most; and by how much it must be faster. */
const soonest = 2, latest = 128, margin = 0.97;
/** A call that took so much longer than those before it is reason to try at once. */
const sudden = 1.3;

class Way {
  /** ms a token, lately; undefined before the first. */
  ms: number | undefined;

  note(ms: number): void { this.ms = this.ms === undefined ? ms : Math.min(2 * this.ms, 0.6 * this.ms + 0.4 * ms); }
}

/** Calls of one kind. */
class Kind {
  readonly #ways = [new Way(), new Way()] as const;
  #shared = true;
  #wait = soonest;
  #left: number = soonest;

  /** Whether the next call is shared. */
  next(): boolean { return this.#left > 0 ? this.#shared : !this.#shared; }

  /** What the call took. */
  took(shared: boolean, ms: number): void {
    const way = this.#ways[shared ? 1 : 0], other = this.#ways[shared ? 0 : 1];
    const slower = way.ms !== undefined && ms > sudden * way.ms;
    way.note(ms);
    if (shared === this.#shared) {
      this.#left = slower && shared ? Math.min(this.#left, 1) - 1 : this.#left - 1;
      return;
    }
    const better = other.ms !== undefined && way.ms! < margin * other.ms;
    if (better) this.#shared = shared;
    this.#wait = better ? soonest : Math.min(2 * this.#wait, latest);
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
