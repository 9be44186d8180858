/** Stores of the platforms, in memory: what caches are tested over. */
import type { BlockStore } from '../../src/net/cache.ts';
import type { CacheLike, DirectoryLike } from '../../src/net/stores.ts';
import { cacheApiStore, opfsStore } from '../../src/net/stores.ts';

export type Files = Map<string, Uint8Array>;

/** A block store over a map; `room` bytes at most. */
export function mapStore(files: Files, room = Infinity): BlockStore {
  return {
    get: async (name) => files.get(name),
    async put(name, bytes) {
      const used = [...files].reduce((sum, [key, value]) => sum + (key === name ? 0 : value.length), 0);
      if (used + bytes.length > room) throw Object.assign(new Error('QuotaExceededError: no room'), { name: 'QuotaExceededError' });
      files.set(name, bytes.slice());
    },
    async delete(name) { files.delete(name); },
  };
}

/** OPFS as far as it is used: a file's content changes when its writable is closed. */
export function directory(files: Files): DirectoryLike {
  const missing = (): never => { throw Object.assign(new Error('no such file'), { name: 'NotFoundError' }); };
  return {
    async getFileHandle(name, options) {
      if (!files.has(name)) { if (options?.create) files.set(name, new Uint8Array(0)); else missing(); }
      return {
        getFile: async () => ({ arrayBuffer: async () => files.get(name)!.slice().buffer as ArrayBuffer }),
        async createWritable() {
          const parts: Uint8Array[] = [];
          return { write: async (data) => { parts.push(data.slice()); }, close: async () => { files.set(name, new Uint8Array(Buffer.concat(parts))); }, abort: async () => undefined };
        },
      };
    },
    async removeEntry(name) { if (!files.delete(name)) missing(); },
  };
}

function cacheApi(files: Files): CacheLike {
  return {
    match: async (url) => { const bytes = files.get(new URL(url).pathname); return bytes && new Response(bytes.slice()); },
    put: async (url, response) => { files.set(new URL(url).pathname, new Uint8Array(await response.arrayBuffer())); },
    delete: async (url) => files.delete(new URL(url).pathname),
  };
}

/** Every kind of block store, over a map. */
export const kinds: Record<string, (files: Files) => BlockStore> = { 'a block store': mapStore, OPFS: (files) => opfsStore(directory(files)), 'the Cache API': (files) => cacheApiStore(cacheApi(files)) };
