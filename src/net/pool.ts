/** Connections shared by all parts of a load: a free one goes to who needs it first. */
export class Pool {
  #free: number;
  readonly #waiting: { rank: () => number; resolve: (release: () => void) => void }[] = [];

  constructor(size: number) { this.#free = size; }

  /** Waits for a connection; the least `rank` is served first. Resolves to what gives it back. */
  acquire(rank: () => number): Promise<() => void> {
    return new Promise((resolve) => { this.#waiting.push({ rank, resolve }); this.#serve(); });
  }

  #serve(): void {
    while (this.#free > 0 && this.#waiting.length > 0) {
      const first = this.#waiting.reduce((best, { rank }, i) => (rank() < this.#waiting[best]!.rank() ? i : best), 0);
      this.#free--;
      let given = true;
      this.#waiting.splice(first, 1)[0]!.resolve(() => {
        if (given) { given = false; this.#free++; this.#serve(); }
      });
    }
  }
}
