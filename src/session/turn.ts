/**
 * Gives the event loop a turn. Tokens are computed synchronously; without this a `for await` over them would starve timers, sockets and
 * the very abort signal that should stop it.
 */
const sliceMs = 12;

/** One task later: setImmediate where there is one (Node, Deno, Bun), else a message, which browsers do not delay as they do timers. */
function nextTask(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (f: () => void) => unknown };
  if (setImmediate) return new Promise((resolve) => { setImmediate(resolve); });
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { channel.port1.close(); resolve(); };
    channel.port2.postMessage(null);
  });
}

/** A clock that yields once `sliceMs` of work have passed since the last turn. */
export class Turns {
  #last = performance.now();

  async give(): Promise<void> {
    if (performance.now() - this.#last < sliceMs) return;
    await nextTask();
    this.#last = performance.now();
  }
}
