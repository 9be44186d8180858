/** `hf:` addresses against a server that speaks as the hub does: names, hashes, tokens, and the folder that its own tools share. */
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CladaError } from '../../src/errors.ts';
import { fileName, isRemote, parseHub, sibling } from '../../src/net/address.ts';
import type { NetworkOptions } from '../../src/net/options.ts';
import { openRemote, resolve } from '../../src/net/open.ts';
import { pull } from '../../src/text/pull.ts';
import { calibrationPath } from '../../src/text/sparsity.ts';
import { TestServer, noise, sha256 } from '../helpers/server.ts';

const content = noise(3_500_000), commit = 'c0ffee'.padEnd(40, '0');
const test = suite('hub');
let hub: TestServer, cdn: TestServer, home: string;
const environment = { ...process.env };

/** Large files of the hub: a redirect that says what they are, to a server of bytes with an ETag of its own. */
function asHub(token?: string): TestServer['plan'] {
  return (_, { url, headers }) => {
    if (token !== undefined && headers.authorization !== `Bearer ${token}`) return { status: 401, headers: { 'x-error-message': 'Access to model is restricted' } };
    if (!/^\/owner\/repo\/resolve\/[^/]+\/models\/tiny\.gguf$/.test(url!)) return { status: 404, headers: { 'x-error-message': 'Entry not found' } };
    return { status: 302, headers: { location: cdn.url('/blob?signature=abc'), 'x-linked-etag': `"${sha256(cdn.content)}"`, 'x-linked-size': String(cdn.content.length), 'x-repo-commit': commit } };
  };
}

test.before.each(async () => {
  hub = await new TestServer(new Uint8Array(0)).start();
  cdn = await new TestServer(content).start();
  hub.plan = asHub();
  home = mkdtempSync(join(tmpdir(), 'clada-hf-'));
  for (const name of ['HF_HUB_CACHE', 'HF_TOKEN', 'HF_HUB_OFFLINE']) delete process.env[name];
  process.env['HF_HOME'] = home;
  process.env['HF_ENDPOINT'] = hub.origin;
});
test.after.each(async () => {
  await hub.close();
  await cdn.close();
  rmSync(home, { recursive: true, force: true });
});
test.after(() => { process.env = environment; });

const address = 'hf:owner/repo/models/tiny.gguf';
const repo = (): string => join(home, 'hub', 'models--owner--repo');
const get = async (more: NetworkOptions = {}, from = address) => (await pull(from, { retryDelay: 1, calibration: false, ...more }))[0]!;
async function failure(run: () => Promise<unknown>): Promise<CladaError> {
  try { await run(); } catch (error) { if (error instanceof CladaError) return error; throw error; }
  throw new Error('no error');
}

test('addresses', () => {
  assert.equal(parseHub('hf:o/r/a/b.gguf@v1.0'), { repo: 'o/r', file: 'a/b.gguf', revision: 'v1.0' });
  assert.equal(parseHub('hf://o/r/b.gguf@refs/pr/1').revision, 'refs/pr/1');
  assert.is(sibling('hf:o/r/a/b.gguf@v1', 'c.gguf'), 'hf:o/r/a/c.gguf@v1');
  assert.is(sibling('https://x.org/a/b.gguf?t=1#f', 'c d.gguf'), 'https://x.org/a/c%20d.gguf?t=1#f');
  assert.is(fileName('https://x.org/a/b%20c.gguf?t=1'), 'b c.gguf');
  assert.is(calibrationPath('hf:o/r/m-00001-of-00002.gguf@v2'), 'hf:o/r/m.clada.gguf@v2');
  assert.is(calibrationPath('https://x.org/m.gguf?download=true'), 'https://x.org/m.clada.gguf?download=true');
  for (const remote of ['http://a', 'HTTPS://a/b', 'hf:a/b/c', new URL('http://a')]) assert.ok(isRemote(remote), String(remote));
  for (const local of ['a.gguf', 'C:\\m.gguf', 'https', './hf:x', new URL('file:///a'), new Uint8Array(1), undefined]) assert.not.ok(isRemote(local), String(local));
  for (const out of ['hf:o/r/../../x', 'hf:o/r/a.gguf@../../x', 'hf:o/../a', 'hf:o/r//a', 'hf:o/r/a\\..\\b.gguf']) assert.throws(() => parseHub(out), (error: CladaError) => error.code === 'E_OPTION', out);
  assert.throws(() => resolve('https://huggingface.co/o/r/resolve/..%2F..%2Fx/m.gguf', { endpoint: 'https://huggingface.co' }), (error: CladaError) => error.code === 'E_OPTION');
  const here = { endpoint: 'https://hub.example' };
  assert.is(resolve('hf:o/r/a b.gguf@refs/pr/1', here).url, 'https://hub.example/o/r/resolve/refs%2Fpr%2F1/a%20b.gguf');
  for (const page of ['blob/main', 'resolve/main']) assert.equal(resolve(`https://hub.example/o/r/${page}/x/m.gguf?download=true`, here), resolve('hf:o/r/x/m.gguf', here));
  assert.equal(resolve('https://other.example/o/r/blob/main/m.gguf', here), { url: 'https://other.example/o/r/blob/main/m.gguf' });
});

test('a file lies where the tools of the hub look for it, and its hash is known without being given', async () => {
  const { path, sha256: hash } = await get();
  assert.is(hash, sha256(content));
  assert.is(path, join(repo(), 'snapshots', commit, 'models', 'tiny.gguf'));
  assert.ok(lstatSync(path!).isSymbolicLink());
  assert.is(readlinkSync(path!), join('..', '..', '..', 'blobs', hash!));
  assert.ok(readFileSync(path!).equals(content));
  assert.is(readFileSync(join(repo(), 'refs', 'main'), 'utf8'), commit);
  const before = cdn.sent;
  assert.is((await get()).cached, true);
  assert.ok(cdn.sent - before <= 1);
  assert.is((await get({}, `${address}@${commit}`)).cached, true);
});

test('a file that the tools of the hub fetched is used; one of a commit without asking', async () => {
  const hash = sha256(content);
  for (const folder of ['blobs', `snapshots/${commit}/models`, 'refs']) mkdirSync(join(repo(), folder), { recursive: true });
  writeFileSync(join(repo(), 'blobs', hash), content);
  symlinkSync(`../../../blobs/${hash}`, join(repo(), 'snapshots', commit, 'models', 'tiny.gguf'));
  writeFileSync(join(repo(), 'refs', 'main'), commit);
  assert.equal({ ...(await get()) }.cached, true);
  assert.ok(cdn.sent <= 1);
  const asked = hub.requests.length;
  await get({}, `${address}@${commit}`);
  assert.is(hub.requests.length, asked);
  process.env['HF_HUB_OFFLINE'] = '1';
  assert.is((await get()).cached, true);
  assert.is(hub.requests.length, asked);
});

test('bytes that are not what the hub says: E_HASH, nothing kept', async () => {
  const wrong = content.slice();
  wrong[2_000_000]! ^= 1;
  hub.plan = () => ({ status: 302, headers: { location: cdn.url(), 'x-linked-etag': `"${sha256(content)}"`, 'x-linked-size': String(content.length), 'x-repo-commit': commit } });
  cdn.change(wrong);
  assert.is((await failure(() => get())).code, 'E_HASH');
  assert.not.ok(existsSync(join(repo(), 'snapshots')));
  cdn.change(content);
  assert.is((await get()).sha256, sha256(content));
  assert.is((await failure(() => get({ sha256: '1'.repeat(64), cache: { directory: join(home, 'x') } }))).code, 'E_HASH', 'known before a byte was fetched');
});

test('a new commit: the new file beside the old; a download that was cut resumes across addresses of the CDN', async () => {
  const first = await get();
  const newer = noise(content.length, 5), next = '1'.repeat(40);
  cdn.change(newer);
  let cut = 2;
  cdn.plan = () => (cut-- > 0 ? { cutAt: 500_000 } : {});
  hub.plan = () => ({ status: 302, headers: { location: cdn.url(`/x?signature=${cut}`), 'x-linked-etag': `"${sha256(newer)}"`, 'x-linked-size': String(newer.length), 'x-repo-commit': next } });
  await failure(() => get({ retries: 0 }));
  cut = 0;
  const before = cdn.sent, second = await get();
  assert.ok(cdn.sent - before < newer.length - 900_000, 'resumed');
  assert.ok(readFileSync(second.path!).equals(newer));
  assert.ok(readFileSync(first.path!).equals(content));
  assert.is(readFileSync(join(repo(), 'refs', 'main'), 'utf8'), next);
  assert.equal(readdirSync(join(repo(), 'blobs')).sort(), [sha256(content), sha256(newer)].sort());
});

test('gated: HF_TOKEN or the option opens it; the CDN never sees the token', async () => {
  hub.plan = asHub('hf_secret');
  const error = await failure(() => get());
  assert.is(error.code, 'E_ACCESS');
  assert.match(error.message, /restricted.*HF_TOKEN/);
  process.env['HF_TOKEN'] = 'hf_secret';
  assert.is((await get()).cached, false);
  assert.ok(cdn.requests.length > 0 && cdn.requests.every(({ headers }) => headers.authorization === undefined));
  delete process.env['HF_TOKEN'];
  assert.is((await get({ token: 'hf_secret' })).cached, true);
  process.env['HF_TOKEN'] = 'hf_secret';
  await failure(() => pull(cdn.url('/other.gguf'), { cache: { directory: home }, calibration: false, sha256: '0'.repeat(64) }));
  assert.ok(cdn.requests.every(({ headers }) => headers.authorization === undefined), 'nor does any other server');
});

test('what is not there: E_NOT_FOUND with what the hub said', async () => {
  const error = await failure(() => get({}, 'hf:owner/repo/nothing.gguf'));
  assert.is(error.code, 'E_NOT_FOUND');
  assert.match(error.message, /Entry not found.*revision/);
});

test('a browser sees no redirect: the hash comes from the other interface of the hub', async () => {
  const seen: string[] = [];
  const opaque: typeof fetch = async (input, init) => {
    const url = String(input);
    seen.push(`${init?.method ?? 'GET'} ${init?.redirect} ${new URL(url).pathname}`);
    if (url.includes('/paths-info/')) return Response.json([{ path: 'models/tiny.gguf', size: content.length, lfs: { oid: sha256(content) } }]);
    if (init?.redirect === 'manual' && url.startsWith(hub.origin)) return Object.defineProperty(new Response(null, { status: 200 }), 'type', { value: 'opaqueredirect' });
    return fetch(input, init);
  };
  const source = await openRemote(address, { cache: { directory: join(home, 'b') }, fetch: opaque }, { mode: 'whole' });
  await source.verified();
  assert.is(source.sha256, sha256(content));
  await source.close();
  assert.equal(seen.slice(0, 3), ['GET manual /owner/repo/resolve/main/models/tiny.gguf', 'POST undefined /api/models/owner/repo/paths-info/main', 'GET follow /owner/repo/resolve/main/models/tiny.gguf']);
});

test.run();
