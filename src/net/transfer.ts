/**
 * One file on its way: ranges over a few connections, in the order in which they will be read, into a cache or (without one) a window of memory;
 * a reader and the hash follow behind. Bytes of two versions never meet: every answer is held against the first.
 */
import { AbortedError, CladaError, throwIfAborted } from '../errors.ts';
import type { CacheEntry, FileInfo, Hasher, Stretch } from './cache.ts';
import { sameVersion } from './cache.ts';
import { Blocks, blockBytes } from './collect.ts';
import { changed, cut, lie, mismatch } from './failures.ts';
import { Holdings } from './holdings.ts';
import type { Pool } from './pool.ts';
import { Ranges } from './ranges.ts';
import type { Reply, Requester } from './request.ts';
import { RetryableTransferError, request } from './request.ts';
import { Retry } from './retry.ts';

const MiB = 1024 * 1024;
/** The first request: a header, so that reading starts before the connections are many. */
const firstBytes = MiB;
/** What one further request asks for at most: long enough to be worth a round trip, short enough to keep the order. */
const spanBytes = 16 * MiB;
/** How far a window runs ahead of its reader, and keeps behind it. */
const windowAhead = 16 * MiB, windowBehind = MiB;
/** Reads of a source that is opened to look around are rounded up to this. */
const demandBytes = 64 * 1024;

export interface Setup {
  readonly requester: Requester;
  readonly entry: CacheEntry | undefined;
  /** Whether to go on in memory where the cache fails. */
  readonly fallBack: boolean;
  /** 'whole': everything is fetched, verified and kept. 'demand': only what is read, and nothing is kept. */
  readonly mode: 'whole' | 'demand';
  /** Whether so many bytes more have room in the cache. */
  readonly hasRoom: (bytes: number | undefined) => Promise<boolean>;
  /** What the caller says the file hashes to. */
  readonly expected: string | undefined;
  readonly hasher: (known: boolean) => Hasher | undefined;
  readonly pool: Pool;
  readonly connections: number;
  /** Place among the transfers that share the pool. */
  readonly rank: number;
  readonly onProgress?: ((loaded: number, total: number | undefined) => void) | undefined;
}

interface Part { readonly info: FileInfo; readonly held: readonly Stretch[] }

export class Transfer {
  #info: FileInfo = {};
  #size: number | undefined;
  /** Where ranges are fetched: behind the redirects. */
  #url: string;
  readonly #has: Holdings;
  #demand: Stretch = [0, 0];
  #served = false;
  #draining = false;
  #plain = false;
  #sha256: string | undefined;
  #finished = false;
  #failure: { error: unknown } | undefined;
  #running: Promise<void> | undefined;
  #reads: Promise<unknown> = Promise.resolve();
  /** How far a window has been filled from one answer: such a one cannot go back. */
  #passed = 0;
  readonly #waiting = new Set<() => void>();
  readonly #abort = new AbortController();

  private constructor(private readonly setup: Setup) {
    this.#url = setup.requester.target.url;
    const { requester: { target }, entry, fallBack, hasRoom, mode } = setup;
    this.#has = new Holdings({ name: target.url, entry: mode === 'whole' ? entry : undefined, fallBack, hasRoom, onHashed: () => { this.#trim(); } });
    const { signal } = setup.requester.options;
    if (signal?.aborted) this.#abort.abort(signal.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => { this.#abort.abort(this.setup.requester.options.signal?.reason); };

  /** Resolves when the server has answered: what can be wrong with an address is known then. @throws as request */
  static async open(setup: Setup): Promise<Transfer> {
    const transfer = new Transfer(setup);
    try {
      const first = await transfer.#begin(setup.mode === 'whole' ? setup.entry?.part : undefined, true);
      transfer.#running = transfer.#run(first).catch((error: unknown) => { transfer.#failure = { error }; }).finally(() => { transfer.#notify(); });
      return transfer;
    } catch (error) {
      await transfer.close();
      throw error;
    }
  }

  get name(): string { return this.setup.requester.target.url; }
  get size(): number | undefined { return this.#size; }
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
    this.#draining = true;
    this.#trim();
    await this.#until(() => this.#finished || (this.#has.window !== undefined && !this.#has.hasher)); // nothing kept, nothing to hold it against
  }

  /** Stops; what has arrived is kept for the next time. */
  async close(): Promise<void> {
    this.setup.requester.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#abort.abort();
    await this.#running;
    await this.#has.close();
    await this.setup.entry?.close().catch(() => undefined); // what cannot be kept is fetched again
  }

  async #read(offset: number, target: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    const end = (): number => Math.max(offset, Math.min(offset + target.length, this.#size ?? Infinity));
    this.#demand = [offset, end()];
    this.#trim();
    await this.#until(() => {
      if (this.#plain && this.#has.window && !this.#has.held.covers(offset, Math.min(end(), this.#passed))) throw lie(this.name, 'one answer, which has gone by', `a read back at byte ${offset}`);
      return this.#has.held.covers(offset, end());
    }, signal);
    this.#served = true;
    return this.#has.copy(offset, target.subarray(0, end() - offset));
  }

  /** Makes room behind the reader, and wakes whoever fetches ahead of it. */
  #trim(): void {
    this.#has.forget(this.#draining ? Infinity : this.#demand[0] - windowBehind);
    this.#notify();
  }

  // ── Fetching ──

  /** The first answer: settles which version this is, whether ranges work, and what of an unfinished copy can be kept. */
  async #begin(part: Part | undefined, ranged: boolean): Promise<Reply> {
    const { requester, expected } = this.setup, retry = new Retry(requester.options, this.#abort.signal);
    for (;;) {
      const held = new Ranges(part?.held), size = part?.info.size;
      if (size !== undefined && held.covers(0, size)) held.remove(size - 1, size); // something must be asked for
      const from = held.endOf(0), to = from + firstBytes;
      let reply: Reply;
      try {
        reply = await request(requester, requester.target.url, ranged ? { range: `bytes=${from}-${to - 1}`, ...this.#ifRange(part?.info) } : {}, this.#abort.signal);
      } catch (error) {
        await retry.after(error);
        continue;
      }
      const { info, range } = reply, { status, headers } = reply.response;
      if (expected !== undefined && info.sha256 !== undefined && expected !== info.sha256) { reply.cancel(); throw mismatch(this.name, info.sha256, expected); }
      const same = part !== undefined && this.#same(info, part.info);
      if (status === 416) {
        reply.cancel();
        if (!part && !ranged) throw lie(this.name, 'status 416 to a request for the whole file');
        if (part) part = undefined; else ranged = false;
        continue;
      }
      if (part && !same && (status === 206 || headers.get('accept-ranges') === 'bytes')) { reply.cancel(); part = undefined; continue; } // begun anew
      if (status === 206) {
        if (!ranged) { reply.cancel(); throw lie(this.name, 'a part (206) where the whole was asked for'); }
        const sound = range?.[0] === from && range[1] <= to && info.size !== undefined && range[1] <= info.size;
        const known = expected ?? info.sha256 ?? info.etag ?? info.lastModified; // something that two answers can be held against
        if (!sound || known === undefined) { reply.cancel(); ranged = false; continue; }
      }
      const keep = part !== undefined && same;
      if (this.#served && !keep) { reply.cancel(); throw changed(this.name); }
      this.#passed = 0;
      this.#plain = status === 200;
      this.#info = info;
      this.#size = info.size;
      this.#url = reply.url;
      await this.#has.begin(info, keep ? held : undefined, this.setup.mode === 'whole' ? this.setup.hasher((expected ?? info.sha256) !== undefined) : undefined);
      return reply;
    }
  }

  /** Whether an answer is of the version begun. Where no server says, the hash that the caller knows will. */
  #same(info: FileInfo, begun = this.#info): boolean {
    if (sameVersion(begun, info)) return true;
    const silent = [begun, info].some(({ etag, lastModified, sha256 }) => (etag ?? lastModified ?? sha256) === undefined);
    return silent && this.setup.expected !== undefined && (begun.size ?? info.size) === (info.size ?? begun.size);
  }

  /** Asks for ranges of this version only, where it is not bound by a hash. Not across origins in a page: that would need the server's consent. */
  #ifRange(info: FileInfo | undefined): Record<string, string> {
    const { location } = globalThis as { location?: { origin?: string } };
    if (!info || info.sha256 !== undefined || (location?.origin !== undefined && new URL(this.#url).origin !== location.origin)) return {};
    const validator = info.etag !== undefined && !info.etag.startsWith('W/') ? info.etag : info.lastModified;
    return validator === undefined ? {} : { 'if-range': validator };
  }

  async #run(first: Reply): Promise<void> {
    for (let restarts = 0; ; restarts++) {
      const generation = new AbortController(), stop = (): void => { generation.abort(); };
      if (this.#abort.signal.aborted) stop();
      this.#abort.signal.addEventListener('abort', stop, { once: true });
      const workers = this.#plain ? [this.#stream(first, generation.signal)]
        : Array.from({ length: this.setup.connections }, (_, i) => this.#worker(i === 0 ? first : undefined, generation.signal));
      try {
        await Promise.all(workers);
        return await this.#finish();
      } catch (error) {
        generation.abort();
        this.#notify();
        await Promise.allSettled(workers);
        const code = error instanceof CladaError ? error.code : undefined;
        if (code === 'E_RANGE' && !this.#plain) first = await this.#begin({ info: this.#info, held: this.#has.stored.list }, false);
        else if (code === 'E_CHANGED' && !this.#served && restarts < 3) first = await this.#begin(undefined, true);
        else throw error;
      } finally {
        this.#abort.signal.removeEventListener('abort', stop);
      }
    }
  }

  /** Fetches span after span until all is here. */
  async #worker(first: Reply | undefined, signal: AbortSignal): Promise<void> {
    const retry = new Retry(this.setup.requester.options, signal);
    for (let reply = first; ; reply = undefined) {
      throwIfAborted(signal, this.name);
      const release = reply ? undefined : await this.setup.pool.acquire(() => (this.#has.held.covers(...this.#demand) ? this.setup.rank : -1));
      const span = reply ? reply.range! : this.#claim();
      if (!span || signal.aborted) {
        release?.();
        if (this.#complete()) return;
        if (!signal.aborted) await this.#change(signal);
        continue;
      }
      this.#has.taken.add(...span);
      let failure: { error: unknown } | undefined;
      try {
        await this.#span(span, reply, signal, retry);
      } catch (error) {
        failure = { error };
      }
      release?.();
      this.#release(span);
      if (failure) await retry.after(failure.error);
    }
  }

  /** What of a span did not arrive is free to be fetched again. */
  #release([start, end]: Stretch): void {
    for (let gap = this.#has.held.gap(start, end); gap; gap = this.#has.held.gap(gap[1], end)) this.#has.taken.remove(...gap);
    this.#notify();
  }

  /** The next stretch to fetch: what the reader waits for, else what comes next. */
  #claim(): Stretch | undefined {
    const limit = Math.min(this.#size!, this.#limit());
    const gap = this.#has.taken.gap(this.#demand[0], limit) ?? (this.#has.window && !this.#has.hasher ? undefined : this.#has.taken.gap(this.#has.window ? this.#has.hashed : 0, limit));
    if (!gap) return undefined;
    const share = Math.ceil(this.#size! / (4 * this.setup.connections) / blockBytes) * blockBytes, most = Math.min(share, this.#has.window ? spanBytes / 4 : spanBytes);
    return [gap[0], Math.min(gap[1], (Math.floor(gap[0] / blockBytes) * blockBytes) + most)];
  }

  /** How far to fetch now. */
  #limit(): number {
    if (!this.#has.window) return Infinity;
    if (this.setup.mode === 'demand') return Math.ceil(this.#demand[1] / demandBytes) * demandBytes;
    return windowAhead + (this.#draining ? this.#has.hashed : this.#demand[1]);
  }

  async #span([start, end]: Stretch, reply: Reply | undefined, signal: AbortSignal, retry: Retry): Promise<void> {
    if (!reply) {
      const { requester } = this.setup, direct = this.#url;
      reply = await request(requester, direct, { range: `bytes=${start}-${end - 1}`, ...this.#ifRange(this.#info) }, signal).catch((error: unknown) => {
        if (direct === requester.target.url || !(error instanceof CladaError) || (error.code !== 'E_ACCESS' && error.code !== 'E_NOT_FOUND')) throw error;
        this.#url = requester.target.url; // a signed address has expired: ask for another
        throw new RetryableTransferError('E_ACCESS', error, 0);
      });
      const { range, info, response: { status } } = reply;
      if (status === 416 || !this.#same(info)) { reply.cancel(); throw changed(this.name); }
      if (status !== 206 || range?.[0] !== start || range[1] > end) { reply.cancel(); throw lie(this.name, status === 206 ? `Content-Range ${reply.response.headers.get('content-range')}` : `status ${status}`, `${start}-${end - 1}`); }
    }
    const buffer = new Blocks(start, (at, bytes) => this.#store(at, bytes));
    try {
      for await (const chunk of reply.chunks()) {
        if (chunk.length > 0) retry.progress();
        if (!await buffer.add(chunk.subarray(0, end - buffer.position))) break;
        if (buffer.position === end) return; // more than was asked for is nothing to us
      }
    } finally {
      await buffer.flush();
    }
    if (buffer.position < end && !buffer.refused) throw cut(this.name, buffer.position, end);
  }

  /** The whole file in one answer, for servers without ranges; what is held already is passed over. */
  async #stream(first: Reply, signal: AbortSignal): Promise<void> {
    const retry = new Retry(this.setup.requester.options, signal);
    for (let reply: Reply | undefined = first; ; reply = undefined) {
      try {
        reply ??= await request(this.setup.requester, this.name, {}, signal);
        if (reply.response.status !== 200) { reply.cancel(); throw lie(this.name, `status ${reply.response.status}`, 'the whole'); }
        if (reply !== first && !this.#same(reply.info)) { reply.cancel(); throw changed(this.name); }
        return await this.#pour(reply, signal, retry);
      } catch (error) {
        await retry.after(error);
        if (!this.#same(this.#info)) throw changed(this.name, 'an answer that was cut, and a server that names no version of the file (no ETag, no Last-Modified)');
      }
    }
  }

  async #pour(reply: Reply, signal: AbortSignal, retry: Retry): Promise<void> {
    const buffer = new Blocks(0, async (at, bytes) => {
      for (let gap = this.#has.held.gap(at, at + bytes.length); gap; gap = this.#has.held.gap(gap[1], at + bytes.length)) {
        if (gap[1] <= this.#passed) continue; // read, hashed and dropped
        while (!signal.aborted && !(this.#limit() > gap[0] && await this.#store(gap[0], bytes.subarray(gap[0] - at, gap[1] - at)))) await this.#change(signal);
        retry.progress();
      }
      this.#passed = Math.max(this.#passed, at + bytes.length);
      return true;
    });
    try {
      for await (const chunk of reply.chunks()) {
        await buffer.add(chunk.subarray(0, (this.#size ?? Infinity) - buffer.position));
        throwIfAborted(signal, this.name);
        if (buffer.position === this.#size) break;
      }
    } finally {
      await buffer.flush();
    }
    if (this.#size !== undefined && buffer.position < this.#size) throw cut(this.name, buffer.position, this.#size);
    this.#size = buffer.position;
    this.#notify();
    while (!this.#complete() && this.#has.hasher) { // the hash is behind
      throwIfAborted(signal, this.name);
      await this.#change(signal);
    }
  }

  async #store(offset: number, bytes: Uint8Array): Promise<boolean> {
    if (!await this.#has.store(offset, bytes, () => this.#limit())) return false;
    this.setup.onProgress?.(Math.min(this.#has.arrived, this.#size ?? Infinity), this.#size); // a window that went back counts bytes twice
    this.#notify();
    return true;
  }

  #complete(): boolean {
    if (this.setup.mode === 'demand' || this.#size === undefined) return false;
    return this.#has.window ? this.#has.hasher !== undefined && this.#has.hashed >= this.#size : this.#has.held.covers(0, this.#size);
  }

  async #finish(): Promise<void> {
    if (this.#has.window && !this.#has.hasher) return;
    this.#sha256 = await this.#has.hash(this.#size!);
    if (this.#has.failure) throw this.#has.failure.error;
    const expected = this.setup.expected ?? this.#info.sha256;
    if (expected !== undefined && this.#sha256 !== expected) {
      this.#failure = { error: mismatch(this.name, this.#sha256 ?? 'no hash', expected) };
      this.#notify();
      await this.#reads; // nobody reads what is taken away
      await this.#has.discard();
      throw this.#failure.error;
    }
    await this.#has.finish({ ...this.#info, size: this.#size, sha256: this.#sha256 ?? this.#info.sha256 }, this.setup.hasher(true)!);
    this.#finished = true;
    this.#notify();
  }

  // ── Waiting ──

  #notify(): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of all) wake();
  }

  #change(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => { signal?.removeEventListener('abort', wake); this.#waiting.delete(wake); resolve(); };
      if (signal?.aborted) { resolve(); return; }
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  async #until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    for (;;) {
      throwIfAborted(signal, this.name);
      const failure = this.#failure ?? this.#has.failure;
      if (failure) throw failure.error;
      if (condition()) return;
      if (this.#abort.signal.aborted) throw new AbortedError(this.name, this.#abort.signal.reason);
      await this.#change(signal);
    }
  }
}
