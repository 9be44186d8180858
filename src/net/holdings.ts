/**
 * What has arrived of a file: in a cache, or a window of memory, or partly both where the cache ran full; and its hash, following behind.
 */
import { CladaError } from '../errors.ts';
import type { CacheEntry, FileInfo, Hasher } from './cache.ts';
import { blockBytes } from './collect.ts';
import { cacheFailure } from './failures.ts';
import { Ranges } from './ranges.ts';
import { sampleOf } from './sample.ts';
import { Window } from './window.ts';

export interface HoldingsSetup {
  readonly name: string;
  readonly entry: CacheEntry | undefined;
  /** Whether to go on in memory where the cache fails. */
  readonly fallBack: boolean;
  /** Whether so many bytes more have room in the cache. */
  readonly hasRoom: (bytes: number | undefined) => Promise<boolean>;
  /** Called whenever something was hashed. */
  readonly onHashed: () => void;
}

export class Holdings {
  held = new Ranges();
  /** Held or being fetched. */
  taken = new Ranges();
  /** Held by the entry; the rest of what is held is in the window. */
  stored = new Ranges();
  /** Memory instead of a cache; then what was read is forgotten. */
  window: Window | undefined;
  hasher: Hasher | undefined;
  hashed = 0;
  /** Of hashing or of reading back for it. */
  failure: { error: unknown } | undefined;
  #hashing: Promise<void> = Promise.resolve();
  #started = false;
  #forgotten = 0;

  constructor(private readonly setup: HoldingsSetup) {
    if (!setup.entry) this.window = new Window();
  }

  /** Bytes held, and those of a window that were held once. */
  get arrived(): number { return this.held.total + this.#forgotten; }

  /** A copy begins, with what is `held` of it already. @throws TransferError `E_CACHE` */
  async begin(info: FileInfo, held: Ranges | undefined, hasher: Hasher | undefined): Promise<void> {
    const { entry, fallBack, hasRoom, name } = this.setup;
    this.#holdOnly(held);
    this.hasher = hasher;
    this.hashed = 0;
    if (this.window) this.window = new Window();
    else {
      try {
        const more = info.size === undefined ? undefined : info.size - this.held.total;
        if (fallBack && !await hasRoom(more)) throw cacheFailure(name, 'too little quota');
        await entry!.start(info, held !== undefined);
        this.#started = true;
      } catch (error) {
        this.#overflow(error);
        this.#holdOnly(undefined);
      }
    }
    this.#advance();
  }

  /** Keeps bytes; false if there is no room for them now: behind `limit` of a window. */
  async store(offset: number, bytes: Uint8Array, limit: () => number): Promise<boolean> {
    if (bytes.length === 0) return true;
    if (!this.window) {
      try {
        await this.setup.entry!.write(offset, bytes);
        this.stored.add(offset, offset + bytes.length);
      } catch (error) {
        this.#overflow(error);
      }
    }
    if (this.window) {
      if (offset >= limit()) return false;
      this.window.write(offset, bytes);
    }
    this.held.add(offset, offset + bytes.length);
    this.taken.add(offset, offset + bytes.length);
    this.#advance();
    return true;
  }

  /** Fills `target` with bytes that are held. */
  async copy(offset: number, target: Uint8Array): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const at = offset + done, stored = this.stored.endOf(at) - at, rest = target.subarray(done);
      const count = stored > 0 ? await this.setup.entry!.read(at, rest.subarray(0, stored)) : (this.window?.read(at, rest) ?? 0);
      if (count === 0) throw cacheFailure(this.setup.name, `no bytes at ${at}`);
      done += count;
    }
    return done;
  }

  /** Forgets what lies before `offset`, is in memory, and is hashed. */
  forget(offset: number): void {
    if (!this.window) return;
    for (const [start, end] of this.window.drop(Math.min(offset, this.hasher ? this.hashed : Infinity))) {
      this.held.remove(start, end);
      this.taken.remove(start, end);
      this.#forgotten += end - start;
    }
  }

  /** All bytes are here: their hash, where one is made. */
  async hash(size: number): Promise<string | undefined> {
    await this.#hashing;
    return this.hashed === size ? this.hasher?.hex() : undefined;
  }

  /** The copy is whole and right; `hasher` makes the sample that it is known by from now on. @throws TransferError `E_CACHE` */
  async finish(info: FileInfo, hasher: Hasher): Promise<void> {
    if (this.window) return;
    const entry = this.setup.entry!;
    try {
      await entry.finish({ ...info, sample: await sampleOf((offset, target) => entry.read(offset, target), info.size!, hasher) });
    } catch (error) {
      if (!this.setup.fallBack) throw cacheFailure(this.setup.name, String(error), error);
    }
  }

  async discard(): Promise<void> {
    if (this.#started) await this.setup.entry!.remove();
    this.#started = false;
  }

  /** Nothing is hashed from here on; a copy without room in the cache gives back what it took. */
  async close(): Promise<void> {
    this.hasher = undefined;
    await this.#hashing;
    if (this.window) await this.discard().catch(() => undefined);
  }

  #holdOnly(held: Ranges | undefined): void {
    this.held = held ?? new Ranges();
    this.stored = new Ranges(this.held.list);
    this.taken = new Ranges(this.held.list);
    this.#forgotten = 0;
  }

  /** The cache failed: on in memory, or not at all. What it holds stays readable. */
  #overflow(cause: unknown): void {
    if (!this.setup.fallBack) throw cause instanceof CladaError ? cause : cacheFailure(this.setup.name, String(cause), cause);
    this.window ??= new Window();
  }

  /** Hashes what has arrived without a gap, one piece at a time. */
  #advance(): void {
    const { hasher } = this;
    if (!hasher) return;
    this.#hashing = this.#hashing.then(async () => {
      while (hasher === this.hasher && this.held.endOf(this.hashed) > this.hashed) {
        const piece = new Uint8Array(Math.min(blockBytes, this.held.endOf(this.hashed) - this.hashed));
        await this.copy(this.hashed, piece);
        if (hasher !== this.hasher) return;
        hasher.update(piece);
        this.hashed += piece.length;
        this.setup.onHashed();
      }
    }).catch((error: unknown) => { this.failure ??= { error }; this.setup.onHashed(); });
  }
}
