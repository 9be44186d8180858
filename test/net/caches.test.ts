/** The caches that are not a folder: their logic over platform interfaces in memory, full ones, broken ones, shared ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CladaError } from '../../src/errors.ts';
import { blockCache } from '../../src/net/blocks.ts';
import type { BlockStore } from '../../src/net/cache.ts';
import type { NetworkOptions } from '../../src/net/options.ts';
import { openRemote } from '../../src/net/open.ts';
import type { DirectoryLike } from '../../src/net/stores.ts';
import { pull } from '../../src/text/pull.ts';
import { TestServer, noise, sha256 } from '../helpers/server.ts';
import type { Files } from '../helpers/stores.ts';
import { directory, kinds, mapStore } from '../helpers/stores.ts';

const MiB = 1024 * 1024;
const content = noise(13 * MiB + 77);
const test = suite('caches');
let server: TestServer;
test.before.each(async () => { server = await new TestServer(content).start(); });
test.after.each(() => server.close());

async function failure(run: () => Promise<unknown>): Promise<string> {
  try { await run(); } catch (error) { if (error instanceof CladaError) return error.code; throw error; }
  return 'no error';
}

async function readAll(options: NetworkOptions): Promise<Uint8Array> {
  const source = await openRemote(server.url(), { retryDelay: 1, ...options }, { mode: 'whole' }), all: Uint8Array[] = [];
  try {
    for (let at = 0, count = 1; count > 0; at += count) {
      const target = new Uint8Array(2 * MiB);
      count = await source.read(at, target);
      all.push(target.subarray(0, count));
    }
    await source.verified();
    return Buffer.concat(all);
  } finally {
    await source.close();
  }
}

for (const [name, make] of Object.entries(kinds)) {
  test(`${name}: kept, read back, resumed, replaced by a new version`, async () => {
    const files: Files = new Map(), cache = make(files);
    server.pace = { bytes: 8 * 1024, ms: 1 };
    for (const share of [0.2, 0.5, 0.8]) {
      const stop = new AbortController();
      assert.is(await failure(() => pull(server.url(), { cache, signal: stop.signal, connections: 2, calibration: false, onProgress: ({ loaded }) => { if (loaded > share * content.length) stop.abort(); } })), 'E_ABORTED');
    }
    server.pace = undefined;
    const [pulled] = await pull(server.url(), { cache, sha256: sha256(content), calibration: false });
    assert.equal({ ...pulled }, { url: server.url(), path: undefined, bytes: content.length, sha256: sha256(content), cached: false });
    assert.ok(server.sent < 1.1 * content.length, `${server.sent} bytes`);
    const before = server.sent;
    assert.ok(Buffer.from(await readAll({ cache })).equals(content));
    assert.ok(server.sent - before <= 1, 'from the cache');
    const other = noise(5 * MiB, 9);
    server.change(other);
    assert.ok(Buffer.from(await readAll({ cache })).equals(other));
    const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
    assert.ok(bytes < other.length + 2000, `${bytes} bytes: the old version is gone`);
    assert.ok(Buffer.from(await readAll({ cache, offline: true })).equals(other));
  });
}

test('no room: E_CACHE where the cache was asked for; with more room it goes on', async () => {
  const files: Files = new Map();
  assert.is(await failure(() => pull(server.url(), { cache: mapStore(files, 6 * MiB), calibration: false })), 'E_CACHE');
  assert.is(await failure(() => readAll({ cache: mapStore(files), offline: true })), 'E_NETWORK', 'a part is not taken for the whole');
  assert.ok(Buffer.from(await readAll({ cache: mapStore(files) })).equals(content));
});

for (const [name, room] of [['at once', 0], ['after 6 MiB', 6 * MiB]] as const) {
  test(`no room ${name}, cache 'auto': the load goes on in memory, verified`, async () => {
    const files: Files = new Map();
    await withNavigator({ storage: { getDirectory: async () => ({ getDirectoryHandle: async () => full(directory(files), files, room) }) } }, async () => {
      assert.ok(Buffer.from(await readAll({ sha256: sha256(content) })).equals(content));
      assert.is(await failure(() => readAll({ sha256: '0'.repeat(64) })), 'E_HASH');
    });
    assert.is([...files.values()].reduce((sum, file) => sum + file.length, 0), 0, 'nothing is left');
    assert.ok(server.sent < 2.6 * content.length, `${server.sent} bytes`);
  });
}

test('no room by the estimate: nothing is written; a private window: nothing is kept', async () => {
  const files: Files = new Map(), getDirectory = async () => ({ getDirectoryHandle: async () => directory(files) });
  await withNavigator({ storage: { getDirectory, estimate: async () => ({ quota: MiB, usage: 0 }) } }, async () => {
    assert.ok(Buffer.from(await readAll({})).equals(content));
  });
  assert.is(files.size, 0);
  await withNavigator({ storage: { getDirectory: async () => { throw new Error('SecurityError'); } } }, async () => {
    assert.ok(Buffer.from(await readAll({})).equals(content));
    assert.is(await failure(() => readAll({ cache: 'opfs' })), 'E_CACHE');
  });
});

test('two loads of one address at once: each gets its bytes, the second keeps out of the way', async () => {
  const files: Files = new Map(), held = new Set<string>();
  const cache: BlockStore = { ...mapStore(files), lock: async (name) => (held.has(name) ? undefined : (held.add(name), () => { held.delete(name); })) };
  for (const all of await Promise.all([readAll({ cache }), readAll({ cache })])) assert.ok(Buffer.from(all).equals(content));
  assert.is(held.size, 0);
  assert.ok(Buffer.from(await readAll({ cache, offline: true })).equals(content));
});

test('a damaged index is as good as nothing', async () => {
  const files: Files = new Map(), cache = mapStore(files);
  await readAll({ cache });
  for (const name of files.keys()) if (name.endsWith('.json')) files.set(name, new TextEncoder().encode('{"whole":'));
  assert.ok(Buffer.from(await readAll({ cache })).equals(content));
  assert.is(typeof blockCache(cache).open, 'function');
});

/** A directory whose files hold `room` bytes at most in all. */
function full(inner: DirectoryLike, files: Files, room: number): DirectoryLike {
  return {
    ...inner,
    async getFileHandle(name, options) {
      const handle = await inner.getFileHandle(name, options);
      return {
        ...handle,
        async createWritable() {
          const writable = await handle.createWritable();
          return {
            ...writable,
            async write(data) {
              const used = [...files].reduce((sum, [key, value]) => sum + (key === name ? 0 : value.length), 0);
              if (used + data.length > room) throw Object.assign(new Error('no room'), { name: 'QuotaExceededError' });
              await writable.write(data);
            },
          };
        },
      };
    },
  };
}

/** Runs with this `navigator` and without what makes this runtime Node. */
async function withNavigator(navigator: object, run: () => Promise<void>): Promise<void> {
  const saved = ['navigator', 'process'].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)!] as const);
  const { process } = globalThis;
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  Object.defineProperty(globalThis, 'process', { value: Object.create(process, { versions: { value: {} } }) as unknown, configurable: true });
  try { await run(); } finally { for (const [name, descriptor] of saved) if (descriptor) Object.defineProperty(globalThis, name, descriptor); else delete (globalThis as Record<string, unknown>)[name]; }
}

test.run();
