/**
 * One file on its way, seen by who reads it: the bytes in order as they arrive ({@link Fetching} brings them), begun anew where the file
 * has changed, held against its hash at the end.
 */
import { AbortedError, CladaError, throwIfAborted } from '../errors.ts';
import { Fetching, type FetchSetup } from './fetching.ts';
import { lie, mismatch } from './failures.ts';
import type { Reply } from './request.ts';

/** How far a window keeps what lies behind its reader. */
const windowBehind = 1024 * 1024;

export class Transfer {
  readonly #fetching: Fetching;
  #sha256: string | undefined;
  #finished = false;
  #failure: { error: unknown } | undefined;
  #running: Promise<void> | undefined;
  #reads: Promise<unknown> = Promise.resolve();
  readonly #abort = new AbortController();

  private constructor(private readonly setup: FetchSetup) {
    this.#fetching = new Fetching(setup, this.#abort.signal, () => { this.#trim(); });
    const { signal } = setup.requester.options;
    if (signal?.aborted) this.#abort.abort(signal.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => { this.#abort.abort(this.setup.requester.options.signal?.reason); };

  /** Resolves when the server has answered: what can be wrong with an address is known then. @throws as request */
  static async open(setup: FetchSetup): Promise<Transfer> {
    const transfer = new Transfer(setup);
    try {
      const first = await transfer.#fetching.begin(setup.mode === 'whole' ? setup.entry?.part : undefined, true);
      transfer.#running = transfer.#run(first)
        .catch((error: unknown) => { transfer.#failure = { error }; })
        .finally(() => { transfer.#fetching.changes.notify(); });
      return transfer;
    } catch (error) {
      await transfer.close();
      throw error;
    }
  }

  get name(): string { return this.setup.requester.target.url; }
  get size(): number | undefined { return this.#fetching.size; }
  get sha256(): string | undefined { return this.#sha256; }

  /** Fills `target` from `offset` on, as soon as the bytes are here. */
  read(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<number> {
    const turn = this.#reads.then(() => this.#read(offset, target, signal));
    this.#reads = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when everything is here, has the right hash, and is whole in the cache. @throws TransferError `E_HASH` and as request */
  async verified(): Promise<void> {
    if (this.setup.mode === 'demand') return;
    const { has, need } = this.#fetching;
    need.draining = true;
    this.#trim();
    await this.#until(() => this.#finished || (has.window !== undefined && !has.hasher)); // nothing kept, nothing to hold it against
  }

  /** Stops; what has arrived is kept for the next time. */
  async close(): Promise<void> {
    this.setup.requester.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#abort.abort();
    await this.#running;
    await this.#fetching.has.close();
    await this.setup.entry?.close().catch(() => undefined); // what cannot be kept is fetched again
  }

  async #read(offset: number, target: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    const fetching = this.#fetching, { has, need } = fetching;
    const end = (): number => Math.max(offset, Math.min(offset + target.length, fetching.size ?? Infinity));
    need.demand = [offset, end()];
    this.#trim();
    await this.#until(() => {
      if (fetching.plain && has.window && !has.held.covers(offset, Math.min(end(), fetching.passed))) {
        throw lie(this.name, 'one answer, which has gone by', `a read back at byte ${offset}`);
      }
      return has.held.covers(offset, end());
    }, signal);
    need.served = true;
    return has.copy(offset, target.subarray(0, end() - offset));
  }

  /** Makes room behind the reader, and wakes whoever fetches ahead of it. */
  #trim(): void {
    const { has, need, changes } = this.#fetching;
    has.forget(need.draining ? Infinity : need.demand[0] - windowBehind);
    changes.notify();
  }

  /** Fetches until all is here: without ranges where the server turns out to have none, anew where the file has changed unseen. */
  async #run(first: Reply): Promise<void> {
    const fetching = this.#fetching;
    for (let restarts = 0; ; restarts++) {
      const generation = new AbortController(), stop = (): void => { generation.abort(); };
      if (this.#abort.signal.aborted) stop();
      this.#abort.signal.addEventListener('abort', stop, { once: true });
      const workers = fetching.start(first, generation.signal);
      try {
        await Promise.all(workers);
        return await this.#finish();
      } catch (error) {
        generation.abort();
        fetching.changes.notify();
        await Promise.allSettled(workers);
        const code = error instanceof CladaError ? error.code : undefined;
        const { info, has, need, plain } = fetching;
        if (code === 'E_RANGE' && !plain) first = await fetching.begin({ info, held: has.stored.list }, false);
        else if (code === 'E_CHANGED' && !need.served && restarts < 3) first = await fetching.begin(undefined, true);
        else throw error;
      } finally {
        this.#abort.signal.removeEventListener('abort', stop);
      }
    }
  }

  async #finish(): Promise<void> {
    const { has, info, size, changes } = this.#fetching;
    if (has.window && !has.hasher) return;
    this.#sha256 = await has.hash(size!);
    if (has.failure) throw has.failure.error;
    const expected = this.setup.expected ?? info.sha256;
    if (expected !== undefined && this.#sha256 !== expected) {
      this.#failure = { error: mismatch(this.name, this.#sha256 ?? 'no hash', expected) };
      changes.notify();
      await this.#reads; // nobody reads what is taken away
      await has.discard();
      throw this.#failure.error;
    }
    await has.finish({ ...info, size, sha256: this.#sha256 ?? info.sha256 }, this.setup.hasher(true)!);
    this.#finished = true;
    changes.notify();
  }

  async #until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    for (;;) {
      throwIfAborted(signal, this.name);
      const failure = this.#failure ?? this.#fetching.has.failure;
      if (failure) throw failure.error;
      if (condition()) return;
      if (this.#abort.signal.aborted) throw new AbortedError(this.name, this.#abort.signal.reason);
      await this.#fetching.changes.next(signal);
    }
  }
}
