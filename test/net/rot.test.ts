/** Cached copies whose bytes are not those that were downloaded: noticed before they are used, fetched again where that can be done, an error where not. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CladaError } from '../../src/errors.ts';
import type { NetworkOptions } from '../../src/net/options.ts';
import { openRemote } from '../../src/net/open.ts';
import { sampleOf } from '../../src/net/sample.ts';
import { pull } from '../../src/text/pull.ts';
import { TestServer, noise, sha256 } from '../helpers/server.ts';
import type { Files } from '../helpers/stores.ts';
import { kinds } from '../helpers/stores.ts';

const MiB = 1024 * 1024, content = noise(9 * MiB + 77), commit = 'c0ffee'.padEnd(40, '0');
const test = suite('rot');
let server: TestServer, folder: string;
test.before.each(async () => {
  server = await new TestServer(content).start();
  folder = mkdtempSync(join(tmpdir(), 'clada-rot-'));
});
test.after.each(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads all of it as load does; what was noted on the way. */
async function use(options: NetworkOptions, address = server.url()): Promise<{ bytes: Buffer; notes: string[]; cached: boolean }> {
  const notes: string[] = [], all: Uint8Array[] = [];
  const file = await openRemote(address, { retries: 0, retryDelay: 1, onNote: (note) => { notes.push(note); }, ...options }, { mode: 'whole' });
  try {
    for (let at = 0, count = 1; count > 0; at += count) {
      const target = new Uint8Array(2 * MiB);
      count = await file.read(at, target);
      all.push(target.subarray(0, count));
    }
    await file.verified();
    return { bytes: Buffer.concat(all), notes, cached: file.cached };
  } finally {
    await file.close();
  }
}

async function failure(run: () => Promise<unknown>): Promise<CladaError> {
  try { await run(); } catch (error) { if (error instanceof CladaError) return error; throw error; }
  throw new Error('no error');
}

/** A cache, and a way to change the copy that it holds. */
interface Kept { options: NetworkOptions; address?: string; change(edit: (copy: Uint8Array) => Uint8Array): void }

const places: Record<string, () => Kept> = Object.fromEntries(Object.entries(kinds).map(([name, make]) => [name, (): Kept => {
  const files: Files = new Map();
  return {
    options: { cache: make(files) },
    change(edit) {
      const blocks = [...files.keys()].filter((key) => !key.endsWith('.json')).sort((a, b) => Number(/\d+$/.exec(a)![0]) - Number(/\d+$/.exec(b)![0]));
      const copy = edit(new Uint8Array(Buffer.concat(blocks.map((key) => files.get(key)!))));
      blocks.forEach((key, i) => { files.set(key, copy.slice(4 * MiB * i, 4 * MiB * (i + 1))); });
    },
  };
}]));

const inFile = (path: () => string) => (edit: (copy: Uint8Array) => Uint8Array): void => { writeFileSync(path(), edit(new Uint8Array(readFileSync(path())))); };
const found = (name: string): string => readdirSync(folder, { recursive: true }).map(String).map((path) => join(folder, path)).find((path) => path.endsWith(name))!;
places['a folder'] = () => ({ options: { cache: { directory: folder } }, change: inFile(() => found('model.gguf')) });
places["the hub's folder"] = () => {
  server.plan = (_, { url }) => (url!.startsWith('/o/') ? { status: 302, headers: { location: server.url('/cdn'), 'x-linked-etag': `"${sha256(content)}"`, 'x-linked-size': String(content.length), 'x-repo-commit': commit } } : {});
  return { options: { cache: { directory: folder }, endpoint: server.origin }, address: 'hf:o/r/model.gguf', change: inFile(() => found(sha256(content))) };
};

const damages: Record<string, (copy: Uint8Array) => Uint8Array> = {
  'the first byte': (copy) => { copy[0]! ^= 1; return copy; },
  'the last byte': (copy) => { copy[copy.length - 1]! ^= 128; return copy; },
  'a MiB of zeros': (copy) => copy.fill(0, 5 * MiB, 6 * MiB),
  'a cut': (copy) => copy.subarray(0, 6 * MiB),
};

for (const [place, make] of Object.entries(places)) {
  for (const [damage, edit] of Object.entries(damages)) {
    test(`${place}, ${damage}: fetched again with a note, an error where that cannot be`, async () => {
      const { options, address, change } = make();
      assert.is((await use(options, address)).cached, false);
      assert.equal(await use(options, address).then(({ notes, cached }) => ({ notes, cached })), { notes: [], cached: true });
      change(edit);
      const offline = await failure(() => use({ ...options, offline: true }, address));
      const absent = place === 'a folder' && damage === 'a cut'; // its length alone says so: no copy
      assert.is(offline.code, absent ? 'E_NETWORK' : 'E_CACHE');
      if (!absent) assert.match(offline.message, /not those that were downloaded, and no server.*Load it again while online/);
      const { plan } = server;
      server.plan = () => ({ status: 503 });
      if (!absent) assert.is((await failure(() => use(options, address))).code, 'E_CACHE', 'a server that does not answer');
      server.plan = plan;
      const mended = await use(options, address);
      assert.ok(mended.bytes.equals(content));
      assert.is(mended.notes.length, absent ? 0 : 1);
      if (!absent) assert.match(mended.notes[0]!, /model\.gguf: .*bytes are not those that were downloaded; it is fetched again/);
      assert.equal(await use(options, address).then(({ notes, cached }) => ({ notes, cached })), { notes: [], cached: true });
    });
  }

  test(`${place}: one bit anywhere is found by verify`, async () => {
    const { options, address, change } = make(), hash = address ? {} : { sha256: sha256(content) };
    await use({ ...options, ...hash }, address);
    change((copy) => { copy[7 * MiB + 300_000]! ^= 4; return copy; });
    assert.is((await use(options, address)).cached, true, 'the sample does not see it');
    assert.is((await failure(() => use({ ...options, verify: true, offline: true }, address))).code, 'E_CACHE');
    const mended = await use({ ...options, verify: true }, address);
    assert.ok(mended.bytes.equals(content));
    assert.is(mended.notes.length, 1);
    assert.equal(await use({ ...options, verify: true }, address).then(({ notes, cached }) => ({ notes, cached })), { notes: [], cached: true });
  });
}

test('verify of a copy without a hash: fetched once more, and then its hash is known', async () => {
  const { options } = places['a block store']!();
  await use(options);
  const again = await use({ ...options, verify: true });
  assert.is(again.cached, false);
  assert.match(again.notes[0]!, /no hash is known/);
  assert.is((await use({ ...options, verify: true })).cached, true);
  assert.is((await use({ ...options, verify: true, offline: true })).cached, true);
});

test('a file that another tool put into the hub folder is known from its first use on', async () => {
  const { options, address, change } = places["the hub's folder"]!(), hash = sha256(content), repo = join(folder, 'models--o--r');
  for (const path of ['blobs', `snapshots/${commit}`, 'refs']) mkdirSync(join(repo, path), { recursive: true });
  writeFileSync(join(repo, 'blobs', hash), content);
  symlinkSync(`../../blobs/${hash}`, join(repo, 'snapshots', commit, 'model.gguf'));
  writeFileSync(join(repo, 'refs', 'main'), commit);
  assert.is((await use(options, address)).cached, true);
  change(damages['a MiB of zeros']!);
  const mended = await use(options, address);
  assert.is(mended.cached, false);
  assert.ok(mended.bytes.equals(content));
  truncateSync(join(repo, 'blobs', hash), 100);
  assert.is((await use(options, address)).cached, false);
});

test('pull hashes what it finds, and says where the sound copy lies', async () => {
  const { options, change } = places['a folder']!();
  await use(options);
  change((copy) => { copy[7 * MiB + 300_000]! ^= 4; return copy; });
  const [pulled] = await pull(server.url(), { ...options, calibration: false });
  assert.is(pulled!.cached, false);
  assert.ok(readFileSync(pulled!.path!).equals(content));
});

test('a sample: of all of a small file, and of nothing', async () => {
  const hasher = () => { const parts: Uint8Array[] = []; return { update: (bytes: Uint8Array) => parts.push(bytes.slice()), hex: () => sha256(Buffer.concat(parts)) }; };
  const of = (bytes: Uint8Array, size = bytes.length) => sampleOf((at, target) => { const part = bytes.subarray(at, at + target.length); target.set(part); return Promise.resolve(part.length); }, size, hasher());
  for (const size of [1, 15, 16, 17, 1000, 2 * MiB]) {
    const bytes = noise(size), whole = await of(bytes);
    assert.is(whole, await of(bytes));
    for (const at of [0, size - 1, ...(size <= 1000 ? Array.from({ length: size }, (_, i) => i) : [])]) {
      const other = bytes.slice();
      other[at]! ^= 1;
      assert.is.not(await of(other), whole, `byte ${at} of ${size}`);
    }
    assert.is(await of(bytes.subarray(0, size - 1), size), undefined);
  }
  assert.type(await of(new Uint8Array(0)), 'string');
});

test.run();
