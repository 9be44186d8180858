/**
 * The bytes of one file from its server: ranges over a few connections, in the order in which they will be read, into a cache or (without
 * one) a window of memory; the hash follows behind. Bytes of two versions never meet: every answer is held against the first.
 */
import { CladaError, throwIfAborted } from '../errors.ts';
import type { CacheEntry, FileInfo, Hasher, Stretch } from './cache.ts';
import { sameVersion } from './cache.ts';
import { Changes } from './changes.ts';
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
/** How far a window runs ahead of its reader. */
const windowAhead = 16 * MiB;
/** Reads of a source that is opened to look around are rounded up to this. */
const demandBytes = 64 * 1024;

export interface FetchSetup {
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

/** An unfinished copy. */
interface Part { readonly info: FileInfo; readonly held: readonly Stretch[] }

export class Fetching {
  /** What the server said of the version begun. */
  info: FileInfo = {};
  size: number | undefined;
  /** Whether all comes in one answer: the server knows no ranges. */
  plain = false;
  /** How far a window has been filled from one answer: such a one cannot go back. */
  passed = 0;
  readonly has: Holdings;
  /** Of the reader: the stretch it waits for, whether it wants the rest up to the end, whether it has had bytes of this version. */
  readonly need = { demand: [0, 0] as Stretch, draining: false, served: false };
  /** Of what is held, and of what is needed. */
  readonly changes = new Changes();
  /** Where ranges are fetched: behind the redirects. */
  #url: string;

  constructor(private readonly setup: FetchSetup, private readonly signal: AbortSignal, onHashed: () => void) {
    const { requester: { target }, entry, fallBack, hasRoom, mode } = setup;
    this.#url = target.url;
    this.has = new Holdings({ name: target.url, entry: mode === 'whole' ? entry : undefined, fallBack, hasRoom, onHashed });
  }

  /** The first answer: settles which version this is, whether ranges work, and what of an unfinished copy can be kept. */
  async begin(part: Part | undefined, ranged: boolean): Promise<Reply> {
    const { requester, expected, mode } = this.setup, { url } = requester.target, retry = new Retry(requester.options, this.signal);
    for (;;) {
      const held = new Ranges(part?.held), size = part?.info.size;
      if (size !== undefined && held.covers(0, size)) held.remove(size - 1, size); // something must be asked for
      const from = held.endOf(0), to = from + firstBytes;
      let reply: Reply;
      try {
        reply = await request(requester, url, ranged ? this.#range(from, to, part?.info) : {}, this.signal);
      } catch (error) {
        await retry.after(error);
        continue;
      }
      const { info, range } = reply, { status, headers } = reply.response;
      if (expected !== undefined && info.sha256 !== undefined && expected !== info.sha256) {
        reply.cancel();
        throw mismatch(url, info.sha256, expected);
      }
      const same = part !== undefined && this.#same(info, part.info);
      if (status === 416) {
        reply.cancel();
        if (!part && !ranged) throw lie(url, 'status 416 to a request for the whole file');
        if (part) part = undefined; else ranged = false;
        continue;
      }
      if (part && !same && (status === 206 || headers.get('accept-ranges') === 'bytes')) { // begun anew
        reply.cancel();
        part = undefined;
        continue;
      }
      if (status === 206) {
        if (!ranged) { reply.cancel(); throw lie(url, 'a part (206) where the whole was asked for'); }
        const sound = range?.[0] === from && range[1] <= to && info.size !== undefined && range[1] <= info.size;
        const known = expected ?? info.sha256 ?? info.etag ?? info.lastModified; // something that two answers can be held against
        if (!sound || known === undefined) { reply.cancel(); ranged = false; continue; }
      }
      const keep = part !== undefined && same;
      if (this.need.served && !keep) { reply.cancel(); throw changed(url); }
      this.passed = 0;
      this.plain = status === 200;
      this.info = info;
      this.size = info.size;
      this.#url = reply.url;
      const hasher = mode === 'whole' ? this.setup.hasher((expected ?? info.sha256) !== undefined) : undefined;
      await this.has.begin(info, keep ? held : undefined, hasher);
      return reply;
    }
  }

  /** Fetches the rest behind the first answer; each promise is of one connection. */
  start(first: Reply, signal: AbortSignal): Promise<void>[] {
    if (this.plain) return [this.#stream(first, signal)];
    return Array.from({ length: this.setup.connections }, (_, i) => this.#worker(i === 0 ? first : undefined, signal));
  }

  /** Whether an answer is of the version begun. Where no server says, the hash that the caller knows will. */
  #same(info: FileInfo, begun = this.info): boolean {
    if (sameVersion(begun, info)) return true;
    const silent = [begun, info].some(({ etag, lastModified, sha256 }) => (etag ?? lastModified ?? sha256) === undefined);
    return silent && this.setup.expected !== undefined && (begun.size ?? info.size) === (info.size ?? begun.size);
  }

  /**
   * Asks for a range, of this version only where it is not bound by a hash. Not across origins in a page: that would need the server's
   * consent.
   */
  #range(start: number, end: number, info: FileInfo | undefined): Record<string, string> {
    const range = `bytes=${start}-${end - 1}`, { location } = globalThis as { location?: { origin?: string } };
    const isForeign = location?.origin !== undefined && new URL(this.#url).origin !== location.origin;
    if (!info || info.sha256 !== undefined || isForeign) return { range };
    const validator = info.etag !== undefined && !info.etag.startsWith('W/') ? info.etag : info.lastModified;
    return validator === undefined ? { range } : { range, 'if-range': validator };
  }

  /** Fetches span after span until all is here. */
  async #worker(first: Reply | undefined, signal: AbortSignal): Promise<void> {
    const { pool, rank, requester: { options, target } } = this.setup, retry = new Retry(options, signal);
    for (let reply = first; ; reply = undefined) {
      throwIfAborted(signal, target.url);
      const release = reply ? undefined : await pool.acquire(() => (this.has.held.covers(...this.need.demand) ? rank : -1));
      const span = reply ? reply.range! : this.#claim();
      if (!span || signal.aborted) {
        release?.();
        if (this.#complete()) return;
        if (!signal.aborted) await this.changes.next(signal);
        continue;
      }
      this.has.taken.add(...span);
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
    for (let gap = this.has.held.gap(start, end); gap; gap = this.has.held.gap(gap[1], end)) this.has.taken.remove(...gap);
    this.changes.notify();
  }

  /** The next stretch to fetch: what the reader waits for, else what comes next. */
  #claim(): Stretch | undefined {
    const { taken, window, hasher, hashed } = this.has, limit = Math.min(this.size!, this.#limit());
    const isGone = window && !hasher; // what lies before the reader is of no use any more
    const gap = taken.gap(this.need.demand[0], limit) ?? (isGone ? undefined : taken.gap(window ? hashed : 0, limit));
    if (!gap) return undefined;
    const share = Math.ceil(this.size! / (4 * this.setup.connections) / blockBytes) * blockBytes;
    const most = Math.min(share, window ? spanBytes / 4 : spanBytes);
    return [gap[0], Math.min(gap[1], (Math.floor(gap[0] / blockBytes) * blockBytes) + most)];
  }

  /** How far to fetch now. */
  #limit(): number {
    const { demand, draining } = this.need;
    if (!this.has.window) return Infinity;
    if (this.setup.mode === 'demand') return Math.ceil(demand[1] / demandBytes) * demandBytes;
    return windowAhead + (draining ? this.has.hashed : demand[1]);
  }

  async #span([start, end]: Stretch, first: Reply | undefined, signal: AbortSignal, retry: Retry): Promise<void> {
    const reply = first ?? await this.#ask(start, end, signal);
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
    if (buffer.position < end && !buffer.refused) throw cut(this.setup.requester.target.url, buffer.position, end);
  }

  /** A range of the version begun. @throws as request; TransferError `E_CHANGED`, `E_RANGE` */
  async #ask(start: number, end: number, signal: AbortSignal): Promise<Reply> {
    const { requester } = this.setup, { url } = requester.target, direct = this.#url;
    const reply = await request(requester, direct, this.#range(start, end, this.info), signal).catch((error: unknown) => {
      const isExpired = error instanceof CladaError && (error.code === 'E_ACCESS' || error.code === 'E_NOT_FOUND');
      if (direct === url || !isExpired) throw error;
      this.#url = url; // a signed address has expired: ask for another
      throw new RetryableTransferError('E_ACCESS', error, 0);
    });
    const { range, info, response: { status, headers } } = reply;
    if (status === 416 || !this.#same(info)) { reply.cancel(); throw changed(url); }
    if (status !== 206 || range?.[0] !== start || range[1] > end) {
      reply.cancel();
      throw lie(url, status === 206 ? `Content-Range ${headers.get('content-range')}` : `status ${status}`, `${start}-${end - 1}`);
    }
    return reply;
  }

  /** The whole file in one answer, for servers without ranges; what is held already is passed over. */
  async #stream(first: Reply, signal: AbortSignal): Promise<void> {
    const { requester } = this.setup, { url } = requester.target, retry = new Retry(requester.options, signal);
    for (let reply: Reply | undefined = first; ; reply = undefined) {
      try {
        reply ??= await request(requester, url, {}, signal);
        if (reply.response.status !== 200) { reply.cancel(); throw lie(url, `status ${reply.response.status}`, 'the whole'); }
        if (reply !== first && !this.#same(reply.info)) { reply.cancel(); throw changed(url); }
        return await this.#pour(reply, signal, retry);
      } catch (error) {
        await retry.after(error);
        if (this.#same(this.info)) continue;
        throw changed(url, 'an answer that was cut, and a server that names no version of the file (no ETag, no Last-Modified)');
      }
    }
  }

  async #pour(reply: Reply, signal: AbortSignal, retry: Retry): Promise<void> {
    const { url } = this.setup.requester.target, { has } = this;
    const buffer = new Blocks(0, async (at, bytes) => {
      const end = at + bytes.length;
      for (let gap = has.held.gap(at, end); gap; gap = has.held.gap(gap[1], end)) {
        if (gap[1] <= this.passed) continue; // read, hashed and dropped
        const [from, to] = gap, missing = bytes.subarray(from - at, to - at);
        while (!signal.aborted && !(this.#limit() > from && await this.#store(from, missing))) await this.changes.next(signal);
        retry.progress();
      }
      this.passed = Math.max(this.passed, end);
      return true;
    });
    try {
      for await (const chunk of reply.chunks()) {
        await buffer.add(chunk.subarray(0, (this.size ?? Infinity) - buffer.position));
        throwIfAborted(signal, url);
        if (buffer.position === this.size) break;
      }
    } finally {
      await buffer.flush();
    }
    if (this.size !== undefined && buffer.position < this.size) throw cut(url, buffer.position, this.size);
    this.size = buffer.position;
    this.changes.notify();
    while (!this.#complete() && has.hasher) { // the hash is behind
      throwIfAborted(signal, url);
      await this.changes.next(signal);
    }
  }

  async #store(offset: number, bytes: Uint8Array): Promise<boolean> {
    if (!await this.has.store(offset, bytes, () => this.#limit())) return false;
    // A window that went back counts bytes twice.
    this.setup.onProgress?.(Math.min(this.has.arrived, this.size ?? Infinity), this.size);
    this.changes.notify();
    return true;
  }

  #complete(): boolean {
    const { has, size } = this;
    if (this.setup.mode === 'demand' || size === undefined) return false;
    return has.window ? has.hasher !== undefined && has.hashed >= size : has.held.covers(0, size);
  }
}
