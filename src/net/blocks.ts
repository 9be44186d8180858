/** A model cache made of named blocks: the logic behind browsers' and the edge's storage, and behind stores that a caller brings. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, randomBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { BlockStore, CacheEntry, FileInfo, ModelCache, Stretch } from './cache.ts';
import { Ranges } from './ranges.ts';

const blockBytes = 4 * 1024 * 1024;
/** Blocks between two writes of the index: what a tab that dies may lose. */
const indexEvery = 4;

/** A copy's blocks are named by an id of their own: those of two versions, or of two tabs, never meet. */
interface Copy { id: string; info: FileInfo; held: readonly Stretch[] }
interface Index { whole?: Copy | undefined; part?: Copy | undefined }

export function blockCache(store: BlockStore): ModelCache {
  return {
    async open({ url }) {
      const name = `clada-${bytesToHex(sha256(utf8ToBytes(url))).slice(0, 32)}`;
      const release = store.lock ? await store.lock(name) : () => undefined;
      const index = readIndex(await store.get(`${name}.json`));
      return new BlockEntry(store, name, release ? index : { whole: index.whole }, release);
    },
  };
}

/** What is damaged is as good as nothing. */
function readIndex(bytes: Uint8Array | undefined): Index {
  if (!bytes) return {};
  try { return JSON.parse(new TextDecoder().decode(bytes)) as Index; } catch { return {}; }
}

class BlockEntry implements CacheEntry {
  #copy: Copy | undefined;
  #held = new Ranges();
  /** Blocks not yet put, or put in part. */
  readonly #open = new Map<number, { bytes: Uint8Array; filled: Ranges }>();
  #sinceIndex = 0;
  #last: { block: number; bytes: Uint8Array } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  /** Without `release` somebody else writes here: this one's copy appears in the index only when it is whole. */
  constructor(
    private readonly store: BlockStore, private readonly name: string, private readonly index: Index,
    private readonly release: (() => void) | undefined,
  ) {}

  get whole(): FileInfo | undefined { return this.index.whole?.info; }
  get part(): Copy | undefined { return this.index.part; }

  async start(info: FileInfo, keep: boolean): Promise<void> {
    if (this.index.part && !keep) await this.#erase(this.index.part);
    this.#open.clear();
    this.#last = undefined;
    this.#copy = keep && this.index.part ? { ...this.index.part, info } : { id: bytesToHex(randomBytes(8)), info, held: [] };
    this.#held = new Ranges(this.#copy.held);
    await this.#writeIndex();
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      for (let done = 0; done < bytes.length;) {
        const at = offset + done, block = Math.floor(at / blockBytes), start = block * blockBytes;
        const end = Math.min(at + bytes.length - done, start + blockBytes);
        const open = this.#open.get(block) ?? await this.#openBlock(block);
        open.bytes.set(bytes.subarray(done, done + end - at), at - start);
        open.filled.add(at, end);
        done += end - at;
        if (open.filled.covers(start, Math.min(start + blockBytes, this.#copy!.info.size ?? Infinity))) await this.#put(block);
      }
      if (this.#sinceIndex >= indexEvery) await this.#writeIndex();
    });
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const copy = this.#copy ?? this.index.whole;
    if (!copy) return 0;
    let done = 0;
    while (done < target.length) {
      const at = offset + done, block = Math.floor(at / blockBytes);
      const kept = this.#open.get(block)?.bytes ?? (this.#last?.block === block ? this.#last.bytes : undefined);
      const bytes = kept ?? await this.store.get(`${this.name}-${copy.id}-${block}`);
      if (!bytes) break;
      if (!this.#open.has(block)) this.#last = { block, bytes };
      const part = bytes.subarray(at - block * blockBytes, at - block * blockBytes + target.length - done);
      if (part.length === 0) break;
      target.set(part, done);
      done += part.length;
    }
    return done;
  }

  finish(info: FileInfo): Promise<void> {
    return this.#inTurn(async () => {
      for (const block of [...this.#open.keys()]) await this.#put(block);
      const old = this.index.whole;
      this.index.whole = { id: this.#copy!.id, info, held: [[0, info.size ?? 0]] };
      this.index.part = this.#copy = this.#last = undefined;
      await this.store.put(`${this.name}.json`, encode(this.index));
      if (old) await this.#erase(old);
    });
  }

  async note(info: FileInfo): Promise<void> {
    if (!this.release || !this.index.whole) return;
    this.index.whole = { ...this.index.whole, info };
    await this.store.put(`${this.name}.json`, encode(this.index));
  }

  async remove(): Promise<void> {
    const begun = this.#copy;
    const copy = begun ? { ...begun, held: [...this.#held.list, [0, begun.info.size ?? 0] as const] } : this.index.whole;
    if (begun) this.#copy = this.index.part = undefined; else this.index.whole = undefined;
    this.#open.clear();
    this.#last = undefined;
    if (!copy) return;
    if (this.release || !begun) {
      const name = `${this.name}.json`;
      await (this.index.whole || this.index.part ? this.store.put(name, encode(this.index)) : this.store.delete(name));
    }
    await this.#erase(copy);
  }

  async close(): Promise<void> {
    await this.#queue.catch(() => undefined);
    try {
      if (!this.#copy) return;
      if (this.release) {
        for (const block of [...this.#open.keys()]) await this.#put(block);
        await this.#writeIndex();
      } else await this.#erase({ ...this.#copy, held: this.#held.list });
    } finally {
      this.#copy = undefined;
      this.release?.();
    }
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(run);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** A block to write to, with what an earlier time put of it. */
  async #openBlock(block: number): Promise<{ bytes: Uint8Array; filled: Ranges }> {
    const start = block * blockBytes, filled = new Ranges();
    const bytes = new Uint8Array(Math.min(blockBytes, (this.#copy!.info.size ?? Infinity) - start));
    if (this.#held.list.some(([s, e]) => s < start + blockBytes && e > start)) {
      const before = await this.store.get(`${this.name}-${this.#copy!.id}-${block}`);
      if (before) {
        bytes.set(before.subarray(0, bytes.length));
        for (const [s, e] of this.#held.list) filled.add(Math.max(s, start), Math.min(e, start + blockBytes));
      }
    }
    const open = { bytes, filled };
    this.#open.set(block, open);
    return open;
  }

  async #put(block: number): Promise<void> {
    const { bytes, filled } = this.#open.get(block)!, end = filled.list.at(-1)![1] - block * blockBytes;
    await this.store.put(`${this.name}-${this.#copy!.id}-${block}`, bytes.subarray(0, end));
    for (const stretch of filled.list) this.#held.add(...stretch);
    this.#open.delete(block);
    if (this.#last?.block === block) this.#last = undefined;
    this.#sinceIndex++;
  }

  async #writeIndex(): Promise<void> {
    this.#sinceIndex = 0;
    if (!this.release) return;
    this.index.part = { ...this.#copy!, held: this.#held.list };
    await this.store.put(`${this.name}.json`, encode(this.index));
  }

  async #erase({ id, held }: Copy): Promise<void> {
    const last = Math.max(0, ...held.map(([, end]) => Math.ceil(end / blockBytes)));
    for (let block = 0; block < last; block++) await this.store.delete(`${this.name}-${id}-${block}`);
  }
}

const encode = (index: Index): Uint8Array => utf8ToBytes(JSON.stringify(index));
