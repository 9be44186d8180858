/** Waiting for something to change: whoever waits looks for himself whether it was what he waited for. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Wakes everybody who waits. */
  notify(): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of all) wake();
  }

  /** Resolves at the next change, or when `signal` is aborted. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      if (signal?.aborted) { resolve(); return; }
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }
}
