/** Downloads against a real server that misbehaves: resumed, verified, never mixed, never more than a little twice. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CladaError, InputError, TransferError } from '../../src/errors.ts';
import type { NetworkOptions } from '../../src/net/options.ts';
import { openRemote } from '../../src/net/open.ts';
import { pull } from '../../src/text/pull.ts';
import { TestServer, noise, sha256 } from '../helpers/server.ts';

const MiB = 1024 * 1024;
const content = noise(12 * MiB + 12_345);
const test = suite('transfer');
let server: TestServer, folder: string;

test.before.each(async () => {
  server = await new TestServer(content).start();
  folder = mkdtempSync(join(tmpdir(), 'clada-net-'));
});
test.after.each(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const quick = (more: NetworkOptions = {}): NetworkOptions => ({ cache: { directory: folder }, retryDelay: 1, ...more });
const fetchIt = async (more: NetworkOptions = {}): Promise<Awaited<ReturnType<typeof pull>>[0]> => (await pull(server.url(), { ...quick(more), calibration: false }))[0]!;

async function failure(run: () => Promise<unknown>): Promise<CladaError> {
  try { await run(); } catch (error) { if (error instanceof CladaError) return error; throw error; }
  throw new Error('no error');
}
/** Every file in the cache's folder that somebody could take for a model. */
const files = (): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /model\.gguf$|blobs\/[0-9a-f]+$/.test(path));

async function readAll(source: { read(offset: number, target: Uint8Array): Promise<number> }, piece = 1_500_000): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const target = new Uint8Array(piece), count = await source.read(at, target);
    all.push(target.subarray(0, count));
    at += count;
    if (count < piece) return Buffer.concat(all);
  }
}

test('a file comes whole, over several connections, and the second time from the cache', async () => {
  const first = await fetchIt({ sha256: sha256(content) });
  assert.is(first.cached, false);
  assert.ok(readFileSync(first.path!).equals(content));
  assert.is(first.sha256, sha256(content));
  assert.is(server.sent, content.length);
  assert.ok(server.requests.length > 4, `${server.requests.length} requests`);
  const second = await fetchIt();
  assert.equal(second, { ...first, cached: true });
  assert.ok(server.sent <= content.length + 1, 'nothing was sent again');
  assert.ok(!readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((path) => /\.part|\.lock/.test(path)));
});

test('cut at 20 random points: resumed, verified, at most 1.1 times the bytes', async () => {
  const cuts = Array.from(noise(20, 7), (byte, i) => 1 + ((byte * 8191 + i * 104_729) % (700 * 1024)));
  let left = cuts.length;
  server.plan = () => (left > 0 ? { cutAt: cuts[--left]! } : {});
  const { path } = await fetchIt({ sha256: sha256(content), retries: 20 });
  assert.is(left, 0, 'all cuts happened');
  assert.ok(readFileSync(path!).equals(content));
  assert.ok(server.sent <= 1.1 * content.length, `${server.sent} of ${content.length} bytes`);
});

test('stopped 20 times and started anew: whatever had arrived is not fetched again', async () => {
  server.pace = { bytes: 8 * 1024, ms: 1 };
  let arrived = 0;
  for (let i = 0; i < 20; i++) {
    const stop = new AbortController(), until = Math.floor(((i + 1) * content.length) / 21);
    let first: number | undefined, last = 0;
    const onProgress = ({ loaded }: { loaded: number }): void => { first ??= loaded; last = loaded; if (loaded >= until) stop.abort(); };
    assert.is((await failure(() => pull(server.url(), { ...quick({ signal: stop.signal, connections: 2 }), calibration: false, onProgress }))).code, 'E_ABORTED');
    assert.ok((first ?? Infinity) >= arrived, `begins with ${first} of ${arrived} bytes`);
    arrived = last;
    assert.equal(files(), [], 'nothing half-written has the name of a whole file');
  }
  server.pace = undefined;
  const { path } = await fetchIt({ sha256: sha256(content) });
  assert.ok(readFileSync(path!).equals(content));
  assert.ok(server.sent <= content.length + 20 * 300_000, `${server.sent} bytes: only what was in the sockets came twice`);
});

test('a stop is heard although the request was garbage-collected', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void, timer = setInterval(gc, 20);
  server.pace = { bytes: 16 * 1024, ms: 2 };
  try {
    for (let i = 1; i <= 4; i++) {
      const stop = new AbortController();
      assert.is((await failure(() => pull(server.url(), { ...quick({ signal: stop.signal }), calibration: false, onProgress: ({ loaded }) => { if (loaded >= i * 600_000) stop.abort(); } }))).code, 'E_ABORTED');
    }
  } finally {
    clearInterval(timer);
  }
});

test('a reader gets the bytes while they arrive, with and without a cache', async () => {
  for (const cache of [{ directory: folder }, false] as const) {
    const source = await openRemote(server.url(), quick({ cache, sha256: sha256(content) }), { mode: 'whole' });
    assert.ok(Buffer.from(await readAll(source)).equals(content), String(cache));
    await source.verified();
    await source.close();
  }
  assert.is(server.sent, 2 * content.length);
});

test('opened on demand, only what is read is fetched, any order', async () => {
  const source = await openRemote(server.url(), quick(), { mode: 'demand' });
  const target = new Uint8Array(1000);
  for (const at of [11 * MiB, 5, content.length - 10, 6 * MiB, 11 * MiB]) {
    const count = await source.read(at, target);
    assert.ok(Buffer.from(target.subarray(0, count)).equals(content.subarray(at, at + 1000)), String(at));
  }
  await source.close();
  assert.ok(server.sent < 2 * MiB, `${server.sent} bytes`);
  assert.equal(files(), []);
});

test('the file changes between two sessions: begun anew, not mixed', async () => {
  server.pace = { bytes: 32 * 1024, ms: 1 };
  const stop = new AbortController();
  await failure(() => pull(server.url(), { ...quick({ signal: stop.signal }), calibration: false, onProgress: ({ loaded }) => { if (loaded > 4 * MiB) stop.abort(); } }));
  const other = noise(content.length, 2);
  server.change(other);
  server.pace = undefined;
  assert.ok(readFileSync((await fetchIt()).path!).equals(other));
});

for (const ignoreIfRange of [false, true]) test(`the file changes under way${ignoreIfRange ? ', and the server knows no If-Range' : ''}: begun anew for the cache, E_CHANGED for who has read of the old one`, async () => {
  const other = noise(content.length, 3);
  let n = 0;
  server.plan = () => { if (n++ === 3) server.change(other); return { ignoreIfRange }; };
  assert.ok(readFileSync((await fetchIt({ connections: 1 })).path!).equals(other));
  server.change(content);
  rmSync(folder, { recursive: true, force: true });
  n = 0;
  const source = await openRemote(server.url(), quick({ connections: 1 }), { mode: 'whole' });
  assert.is((await failure(async () => { await readAll(source, 100_000); await source.verified(); })).code, 'E_CHANGED');
  await source.close();
  assert.equal(files(), []);
});

test('the cached file changed on the server: fetched anew; the server is down: the cached one', async () => {
  await fetchIt();
  const other = noise(5 * MiB, 4);
  server.change(other);
  const { path, cached } = await fetchIt();
  assert.is(cached, false);
  assert.ok(readFileSync(path!).equals(other));
  const url = server.url();
  await server.close();
  const [offline] = await pull(url, { ...quick({ retries: 0 }), calibration: false });
  assert.is(offline!.cached, true);
  assert.ok(readFileSync(offline!.path!).equals(other));
  assert.is((await failure(() => pull(`${url}2`, { ...quick({ retries: 1 }), calibration: false }))).code, 'E_NETWORK');
  assert.is((await failure(() => pull(`${url}2`, { ...quick({ offline: true }), calibration: false }))).code, 'E_NETWORK');
});

test('a wrong hash: E_HASH, and nothing is kept', async () => {
  const error = await failure(() => fetchIt({ sha256: '0'.repeat(64) }));
  assert.instance(error, TransferError);
  assert.is(error.code, 'E_HASH');
  assert.equal(files(), []);
  const source = await openRemote(server.url(), quick({ cache: false, sha256: '1'.repeat(64) }), { mode: 'whole' });
  await readAll(source);
  assert.is((await failure(() => source.verified())).code, 'E_HASH');
  await source.close();
});

test('a cached copy that a disk changed is found by pull, and fetched again', async () => {
  const { path } = await fetchIt();
  const bytes = readFileSync(path!);
  bytes[5_000_000]! ^= 1;
  (await import('node:fs')).writeFileSync(path!, bytes);
  const again = await fetchIt();
  assert.is(again.cached, false);
  assert.ok(readFileSync(again.path!).equals(content));
});

for (const [name, plan, most] of [
  ['200 instead of 206, always', () => ({ ignoreRange: true }), 1],
  ['200 instead of 206, from the third request on', (n) => (n > 2 ? { ignoreRange: true } : {}), 2.2],
  ['a wrong Content-Range', (n) => ({ contentRange: n === 0 ? undefined : 'bytes 7-99/100' }), 2.2],
  ['a Content-Range of another place', () => ({ contentRange: `bytes 5-1048580/${content.length}` }), 1.1],
  ['no Content-Range', () => ({ contentRange: null }), 1.1],
] as [string, TestServer['plan'], number][]) {
  test(`a server that lies about ranges (${name}): fetched whole instead`, async () => {
    server.plan = plan as TestServer['plan'];
    const { path } = await fetchIt({ sha256: sha256(content) });
    assert.ok(readFileSync(path!).equals(content));
    assert.ok(server.sent <= most * content.length + 2 * MiB, `${server.sent} bytes`);
  });
}

test('ranges that nothing can be done about: E_RANGE', async () => {
  server.plan = () => ({ status: 206, headers: { 'content-range': 'bytes 0-9/10' }, body: '0123456789' });
  server.etag = undefined;
  assert.is((await failure(() => fetchIt())).code, 'E_RANGE');
});

test('no ranges and cuts: the held part is passed over, and verified', async () => {
  let left = 3;
  server.plan = () => ({ ignoreRange: true, ...(left > 0 ? { cutAt: 2 * MiB * (4 - left--) } : {}) });
  const { path } = await fetchIt({ sha256: sha256(content) });
  assert.ok(readFileSync(path!).equals(content));
});

test('no ranges, no cache: the stream is read as it comes, within bounded memory', async () => {
  server.plan = () => ({ ignoreRange: true });
  const source = await openRemote(server.url(), quick({ cache: false, sha256: sha256(content) }), { mode: 'whole' });
  assert.ok(Buffer.from(await readAll(source)).equals(content));
  await source.verified();
  assert.is((await failure(() => source.read(0, new Uint8Array(10)))).code, 'E_RANGE');
  await source.close();
});

test('what has arrived is counted to the end, through a window that forgets it too', async () => {
  for (const cache of [{ directory: folder }, false] as const) {
    const told: number[] = [];
    const source = await openRemote(server.url(), quick({ cache, sha256: sha256(content) }), { mode: 'whole', onProgress: (loaded) => { told.push(loaded); } });
    await readAll(source);
    await source.verified();
    await source.close();
    assert.equal(told, [...told].sort((a, b) => a - b), JSON.stringify(cache));
    assert.is(told.at(-1), content.length);
  }
});

test('no validators: nothing is resumed that might be another file', async () => {
  server.etag = undefined;
  let left = 2;
  server.plan = () => (left-- > 0 ? { cutAt: 3 * MiB } : {});
  const { path } = await fetchIt();
  assert.ok(readFileSync(path!).equals(content));
});

test('Last-Modified alone is enough to resume', async () => {
  server.etag = undefined;
  server.lastModified = 'Wed, 21 Oct 2015 07:28:00 GMT';
  let left = 5;
  server.plan = () => (left-- > 0 ? { cutAt: 300_000 } : {});
  const { path } = await fetchIt();
  assert.ok(readFileSync(path!).equals(content));
  assert.ok(server.sent <= 1.1 * content.length, `${server.sent}`);
  assert.ok(server.requests.some(({ headers }) => headers['if-range'] === server.lastModified));
});

test('too little data: the answers end early every time', async () => {
  server.plan = () => ({ short: 0, cutAt: 0 });
  const error = await failure(() => fetchIt({ retries: 2 }));
  assert.ok(['E_INCOMPLETE', 'E_NETWORK'].includes(error.code), error.code);
  server.plan = () => ({ ignoreRange: true, cutAt: 1000 });
  assert.ok(['E_INCOMPLETE', 'E_NETWORK'].includes((await failure(() => fetchIt({ retries: 2 }))).code));
});

test('a connection that falls silent is given up and made again', async () => {
  server.plan = (n) => (n === 1 ? { stall: true } : {});
  const { path } = await fetchIt({ idleTimeout: 200 });
  assert.ok(readFileSync(path!).equals(content));
});

for (const [status, expected] of [[404, 'E_NOT_FOUND'], [410, 'E_NOT_FOUND'], [401, 'E_ACCESS'], [403, 'E_ACCESS'], [429, 'E_RATE_LIMIT'], [500, 'E_SERVER'], [503, 'E_SERVER'], [418, 'E_SERVER']] as [number, string][]) {
  test(`status ${status}: ${expected}`, async () => {
    server.plan = () => ({ status });
    const error = await failure(() => fetchIt({ retries: 2 }));
    assert.is(error.code, expected);
    assert.instance(error, status === 404 || status === 410 ? InputError : TransferError);
    assert.ok(error.found.includes(String(status)) && error.remedy.length > 10, error.message);
    assert.is(server.requests.length, [429, 500, 503].includes(status) ? 3 : 1);
  });
}

test('rate limits and failures that pass are waited for; Retry-After is kept', async () => {
  server.plan = (n) => (n < 2 ? { status: 429, headers: { 'retry-after': '1' } } : n % 3 === 0 ? { status: 503 } : {});
  const started = performance.now();
  const { path } = await fetchIt({ retries: 4 });
  assert.ok(performance.now() - started >= 1900, 'two waits of a second');
  assert.ok(readFileSync(path!).equals(content));
  server.plan = () => ({ status: 429, headers: { 'retry-after': '86400' } });
  rmSync(folder, { recursive: true, force: true });
  assert.is((await failure(() => fetchIt())).code, 'E_RATE_LIMIT', 'a day is not waited for');
});

test('redirects: followed, the token stays with its server, circles are seen', async () => {
  const other = await new TestServer(content).start();
  server.plan = (_, { url }) => (url === '/model.gguf' ? { status: 302, headers: { location: other.url('/elsewhere.bin') } } : { status: 302, headers: { location: url === '/a' ? '/b' : '/a' } });
  const { path } = await fetchIt({ token: 'secret' });
  assert.ok(readFileSync(path!).equals(content));
  assert.ok(server.requests.every(({ headers }) => headers.authorization === 'Bearer secret'));
  assert.ok(other.requests.length > 1 && other.requests.every(({ headers }) => headers.authorization === undefined));
  assert.is(server.requests.length, 1, 'ranges go straight to where the bytes are');
  assert.is((await failure(() => openRemote(server.url('/a'), quick(), { mode: 'whole' }))).code, 'E_REDIRECT');
  await other.close();
});

test('a signed address expires under way: another is asked for', async () => {
  const other = await new TestServer(content).start();
  let signature = 0;
  server.plan = () => ({ status: 302, headers: { location: other.url(`/x?signature=${++signature}`) } });
  other.plan = (n, { url }) => (n > 3 && url === '/x?signature=1' ? { status: 403 } : {});
  const { path } = await fetchIt();
  assert.ok(readFileSync(path!).equals(content));
  assert.ok(signature >= 2);
  await other.close();
});

test('a web page is not a model', async () => {
  server.plan = () => ({ headers: { 'content-type': 'text/html; charset=utf-8' } });
  assert.is((await failure(() => fetchIt())).code, 'E_NOT_FOUND');
});

test('options that make no sense', async () => {
  for (const wrong of [{ sha256: 'abc' }, { sha256: [] }, { connections: 0 }, { retries: -1 }, { cache: 'disk' }, { cache: {} }, { tokn: 'x' }] as NetworkOptions[]) {
    assert.is((await failure(() => openRemote(server.url(), { ...quick(), ...wrong }, { mode: 'whole' }))).code, 'E_OPTION', JSON.stringify(wrong));
  }
  for (const wrong of ['hf:owner', 'hf:owner/repo', 'hf:owner/repo/../x', 'https://']) assert.is((await failure(() => openRemote(wrong, quick(), { mode: 'whole' }))).code, 'E_OPTION', wrong);
});

test.run();
