/** The storage of browsers and of the edge as block stores. Small on purpose: their logic is in blocks.ts, which is tested without them. */
import type { BlockStore } from './cache.ts';

/** What is used of a directory handle (browsers' `FileSystemDirectoryHandle`). */
export interface DirectoryLike {
  getFileHandle(name: string, options?: { create?: boolean }): Promise<{
    getFile(): Promise<{ arrayBuffer(): Promise<ArrayBuffer> }>;
    createWritable(): Promise<{ write(data: Uint8Array<ArrayBuffer>): Promise<void>; close(): Promise<void>; abort(): Promise<void> }>;
  }>;
  removeEntry(name: string): Promise<void>;
}

/** Browsers: the origin's private file system. A file appears when its writable is closed, so a put is all or nothing. */
export function opfsStore(directory: DirectoryLike): BlockStore {
  const absent = (error: unknown): undefined => {
    if ((error as { name?: string }).name === 'NotFoundError') return undefined;
    throw error;
  };
  return {
    async get(name) {
      const handle = await directory.getFileHandle(name).catch(absent);
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async put(name, bytes) {
      const writable = await (await directory.getFileHandle(name, { create: true })).createWritable();
      try {
        await writable.write(bytes as Uint8Array<ArrayBuffer>);
        await writable.close();
      } catch (error) {
        await writable.abort().catch(() => undefined); // what the file held before stays
        throw error;
      }
    },
    async delete(name) { await directory.removeEntry(name).catch(absent); },
    ...webLocks(),
  };
}

/** What is used of a `Cache`. */
export interface CacheLike {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
  delete(url: string): Promise<boolean>;
}

/** The edge (and browsers without a private file system): one cached response a block. */
export function cacheApiStore(cache: CacheLike): BlockStore {
  const address = (name: string): string => `https://clada.invalid/${name}`;
  return {
    async get(name) {
      const response = await cache.match(address(name));
      return response && new Uint8Array(await response.arrayBuffer());
    },
    async put(name, bytes) {
      const headers = {
        'content-length': String(bytes.length), 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=31536000',
      };
      await cache.put(address(name), new Response(bytes as Uint8Array<ArrayBuffer>, { headers }));
    },
    async delete(name) { await cache.delete(address(name)); },
    ...webLocks(),
  };
}

interface LockManagerLike {
  request(name: string, options: { ifAvailable: true }, held: (lock: unknown) => Promise<void> | undefined): Promise<unknown>;
}

/** Two tabs that load one model do not write each other's blocks. */
function webLocks(): Pick<BlockStore, 'lock'> {
  const { locks } = (globalThis.navigator ?? {}) as { locks?: LockManagerLike };
  if (!locks) return {};
  return {
    lock: (name) => new Promise((resolve, reject) => {
      locks.request(name, { ifAvailable: true }, (lock) => {
        if (!lock) { resolve(undefined); return undefined; }
        return new Promise<void>((release) => { resolve(release); });
      }).catch(reject);
    }),
  };
}
