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
  /** Whether sharing was compared and found faster: until then a call that is shared may give up in the middle. */
  #sure = false;
  #ms = NaN;
  #wait = soonest;
  /** Calls until the next try. */
  #left: number = soonest;
  #faster = 0;

  /** Whether the next call is shared. */
  next(): boolean { return this.#left > 0 ? this.#shared : !this.#shared; }

  get sure(): boolean { return this.#shared && this.#sure; }

  /** What the call took; `gaveUp`: it was shared in the beginning, until others lost their cores. */
  took(shared: boolean, ms: number, gaveUp: boolean): void {
    if (gaveUp && this.#shared) this.#turn(false, ms);
    else if (shared === this.#shared) {
      this.#left = shared && ms > sudden * this.#ms ? 0 : this.#left - 1;
      this.#ms = Number.isNaN(this.#ms) ? ms : 0.6 * this.#ms + 0.4 * ms;
    } else this.#tried(shared, !gaveUp && ms < margin * this.#ms, ms);
  }

  /** The other way was tried. */
  #tried(shared: boolean, faster: boolean, ms: number): void {
    this.#faster = faster ? this.#faster + 1 : 0;
    if (!faster) {
      this.#sure = this.#shared;
      this.#wait = Math.min(2 * this.#wait, latest);
      this.#left = this.#wait;
    } else if (this.#faster >= (shared ? enough : 1)) this.#turn(shared, ms);
    // else once more
  }

  #turn(shared: boolean, ms: number): void {
    this.#sure = this.#shared = shared; // it was faster three times
    this.#ms = ms;
    this.#wait = this.#left = soonest;
    this.#faster = 0;
  }
}

export class Pace {
  /** One token, a few, many: each has its own answer. */
  readonly #kinds = [new Kind(), new Kind(), new Kind()] as const;

  /**
   * Runs a pass of `tokens` tokens; `share` is told before whether it is shared, and if it is sure that this pays; `gaveUp` says whether
   * a shared one ended alone.
   */
  run<T>(tokens: number, share: (shared: boolean, sure: boolean) => void, pass: () => T, gaveUp: () => boolean = () => false): T {
    const kind = this.#kinds[tokens === 1 ? 0 : tokens <= 16 ? 1 : 2], shared = kind.next();
    share(shared, kind.sure);
    const started = performance.now(), result = pass();
    kind.took(shared, (performance.now() - started) / tokens, shared && gaveUp());
    return result;
  }
}
