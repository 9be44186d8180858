/**
 * Gives the event loop a turn. Tokens are computed synchronously; without this a `for await` over them would starve timers, sockets and
 * the very abort signal that should stop it.
 */
const sliceMs = 12;

/**
 * One task later: setImmediate where there is one (Node, Deno, Bun), else a message, which browsers do not delay as they do timers, else a
 * timer: where there is neither, or a stub that throws (Next's edge runtime has one of each).
 */
function nextTask(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (f: () => void) => unknown };
  return new Promise((resolve) => {
    try {
      if (setImmediate) setImmediate(resolve);
      else message(resolve);
    } catch {
      setTimeout(resolve);
    }
  });
}

function message(resolve: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); resolve(); };
  port2.postMessage(null);
}

/**
 * A clock that yields once `sliceMs` of work have passed since the last turn; every time where the clock stands still (Workers, between
 * I/O).
 */
export class Turns {
  #last = performance.now();

  get due(): boolean {
    const elapsed = performance.now() - this.#last;
    return !(elapsed > 0 && elapsed < sliceMs);
  }

  async give(): Promise<void> {
    if (this.due) await this.take();
  }

  /** A turn now, due or not. */
  async take(): Promise<void> {
    await nextTask();
    this.#last = performance.now();
  }
}
