/** Models loaded, planned and pulled over the network give the tokens of the file on disk, in the library and on the command line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CladaError } from '../../src/errors.ts';
import type { ModelSource } from '../../src/format/gguf/parts.ts';
import type { LoadOptions, Progress } from '../../src/text/load.ts';
import { load, plan } from '../../src/text/load.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { embeddedModel, tinyPath } from '../helpers/models.ts';
import { TestServer, noise, sha256 } from '../helpers/server.ts';
import { rewritten } from '../helpers/twin.ts';

const path = tinyPath('llama256-q4_1.gguf'), bytes = new Uint8Array(readFileSync(path));
const calibrated = await calibratedCopy(path);
const test = suite('load over the network');
let server: TestServer, folder: string;
/** What the server has, by path. */
let files: Record<string, Uint8Array>;

test.before.each(async () => {
  server = await new TestServer(bytes).start();
  folder = mkdtempSync(join(tmpdir(), 'clada-net-'));
  files = { '/models/tiny.gguf': bytes };
  server.plan = (_, { url }) => { const body = files[new URL(url!, 'http://x').pathname]; return body ? { body } : { status: 404 }; };
});
test.after.each(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const options = (more: LoadOptions = {}): LoadOptions => ({ tier: 'base', contextSize: 64, cache: { directory: folder }, retryDelay: 1, ...more });
async function logitsOf(source: ModelSource, more: LoadOptions = {}): Promise<Float32Array> {
  const model = await load(source, options(more));
  try { return (await model.evaluate([1, 5, 9])).logits; } finally { model.close(); }
}
async function code(run: () => Promise<unknown>): Promise<string> {
  try { await run(); } catch (error) { if (error instanceof CladaError) return error.code; throw error; }
  return 'no error';
}
const truth = await logitsOf(path);

/** The model in two parts, as gguf-split makes them. */
async function split(): Promise<[Uint8Array, Uint8Array]> {
  const part = (no: number) => rewritten(bytes, (parts) => {
    const all = parts.tensors.length, half = all >> 1;
    parts.tensors = no === 0 ? parts.tensors.slice(0, half) : parts.tensors.slice(half);
    if (no > 0) parts.metadata = {};
    Object.assign(parts.metadata, { 'split.no': { type: 'u16', value: no }, 'split.count': { type: 'u16', value: 2 }, 'split.tensors.count': { type: 'i32', value: all } });
  });
  return [await part(0), await part(1)];
}

test('a URL, a URL object, a Response, with a cache and without: the logits of the file', async () => {
  const url = server.url('/models/tiny.gguf');
  for (const [source, more] of [[url, {}], [new URL(url), {}], [url, { cache: false }], [url, { cache: false, connections: 1, sha256: sha256(bytes) }]] as [ModelSource, LoadOptions][]) {
    assert.equal(await logitsOf(source, more), truth, JSON.stringify(more));
  }
  assert.equal(await logitsOf(await fetch(url)), truth);
  assert.equal(await logitsOf(new Response(new Blob([bytes]).stream())), truth, 'of unknown length');
  assert.is(await code(async () => load(await fetch(server.url('/none')))), 'E_NOT_FOUND');
  assert.is(await code(async () => load(await fetch(url, { headers: { range: 'bytes=0-99' } }))), 'E_OPTION');
});

test('progress: the bytes that are here grow to the whole, with a cache and through a window; none where all was here', async () => {
  const url = server.url('/models/tiny.gguf');
  const downloads = async (source: ModelSource, more: LoadOptions): Promise<Progress['download'][]> => {
    const told: Progress[] = [];
    (await load(source, options({ ...more, onProgress: (progress) => { told.push(progress); } }))).close();
    assert.is(told[0]!.phase, 'header');
    assert.is(told.at(-1)!.loaded, told.at(-1)!.total);
    return told.map(({ download }) => download);
  };
  for (const more of [{ cache: false, sha256: sha256(bytes) }, {}] as LoadOptions[]) {
    const told = await downloads(url, more), loaded = told.filter((one) => one !== undefined).map((one) => one.loaded);
    assert.equal(loaded, [...loaded].sort((a, b) => a - b), JSON.stringify(more));
    assert.equal(told.at(-1), { loaded: bytes.length, total: bytes.length });
  }
  assert.equal(new Set(await downloads(url, {})), new Set([undefined]), 'from the cache');
  assert.equal(new Set(await downloads(path, {})), new Set([undefined]), 'from disk');
});

test('the first part names the others; Files come in any order', async () => {
  const [first, second] = await split();
  files = { '/m-00001-of-00002.gguf': first, '/m-00002-of-00002.gguf': second };
  assert.equal(await logitsOf(server.url('/m-00001-of-00002.gguf?x=1')), truth);
  assert.equal(await logitsOf(server.url('/m-00001-of-00002.gguf'), { cache: false, connections: 1, sha256: [sha256(first), sha256(second)] }), truth);
  assert.is(await code(() => logitsOf(server.url('/m-00001-of-00002.gguf'), { cache: false, sha256: [sha256(first), sha256(first)] })), 'E_HASH');
  const picked = [new File([second as BlobPart], 'm-00002-of-00002.gguf'), new File([first as BlobPart], 'm-00001-of-00002.gguf')];
  assert.equal(await logitsOf(picked), truth);
  delete files['/m-00002-of-00002.gguf'];
  rmSync(folder, { recursive: true });
  assert.is(await code(() => logitsOf(server.url('/m-00001-of-00002.gguf'))), 'E_NOT_FOUND');
});

test('the calibration beside the model is found; none is fine, a web page is none, offline too', async () => {
  files['/models/tiny.clada.gguf'] = new Uint8Array(readFileSync(calibrated.file));
  const url = server.url('/models/tiny.gguf?download=true');
  const found = async (more: LoadOptions = {}): Promise<boolean> => { const model = await load(url, options(more)); model.close(); return model.calibration !== undefined; };
  assert.ok(await found());
  assert.not.ok(await found({ calibration: false }));
  assert.ok(await found({ calibration: server.url('/models/tiny.clada.gguf') }));
  assert.ok(await found({ offline: true }), 'it is cached too');
  rmSync(folder, { recursive: true });
  delete files['/models/tiny.clada.gguf'];
  assert.not.ok(await found());
  assert.not.ok(await found({ offline: true }));
  const plain = server.plan;
  server.plan = (n, request) => { const answer = plain(n, request); return answer.status === 404 ? { body: '<html>', headers: { 'content-type': 'text/html' } } : answer; };
  assert.not.ok(await found());
  files['/models/tiny.clada.gguf'] = noise(5000);
  assert.is(await code(() => found()), 'E_GGUF_MAGIC', 'one that is damaged is said to be');
});

test('plan reads the header only, and keeps nothing', async () => {
  const source = server.url('/embedded.gguf');
  files['/embedded.gguf'] = new Uint8Array(readFileSync(embeddedModel));
  const { memory } = await plan(source, { cache: { directory: folder }, contextSize: 64 });
  assert.equal(memory, (await plan(embeddedModel, { contextSize: 64 })).memory);
  assert.ok(server.sent < 8 * 1024 * 1024, `${server.sent} bytes`);
  assert.equal(readdirSync(folder), []);
});

test('an abort while loading, a cut that does not pass, a wrong hash: an error, and what arrived serves the next load', async () => {
  const url = server.url('/models/tiny.gguf');
  server.pace = { bytes: 4096, ms: 2 };
  const stop = new AbortController();
  setTimeout(() => { stop.abort(); }, 60);
  assert.is(await code(() => load(url, options({ signal: stop.signal }))), 'E_ABORTED');
  server.pace = undefined;
  assert.is(await code(() => load(url, options({ sha256: 'f'.repeat(64) }))), 'E_HASH');
  assert.equal(await logitsOf(url), truth);
  const before = server.sent;
  assert.equal(await logitsOf(url), truth);
  assert.ok(server.sent - before <= 1, 'from the cache');
});

// ── The command line ──

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
function clada(args: string[], env: Record<string, string> = {}, interrupt?: () => boolean): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd: tmpdir(), env: { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: folder, HF_HOME: join(folder, 'hf'), ...env } });
    let stdout = '', stderr = '';
    child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString(); });
    child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString(); });
    child.stdin.end();
    const watch = interrupt && setInterval(() => { if (interrupt()) { clearInterval(watch); child.kill('SIGINT'); } }, 5);
    child.on('close', (status) => { resolve({ status, stdout, stderr }); });
  });
}

test('clada pull: the path on stdout; run, inspect take the address', async () => {
  const url = server.url('/models/tiny.gguf');
  const pulled = await clada(['pull', url, '--sha256', sha256(bytes)]);
  assert.is(pulled.status, 0, pulled.stderr);
  assert.ok(readFileSync(pulled.stdout.trim()).equals(bytes));
  assert.ok(pulled.stdout.startsWith(join(folder, 'clada')), pulled.stdout);
  assert.match(pulled.stderr, /fetched.*sha256 [0-9a-f]{64}/);
  const [again] = JSON.parse((await clada(['pull', url, '--json'])).stdout) as { cached: boolean }[];
  assert.is(again!.cached, true);
  const args = ['run', '-p', 'a', '-n', '4', '--temp', '0', '--raw', '--tier', 'base', '-c', '64'];
  const here = await clada([...args, '-m', path]), there = await clada([...args, '-m', url]);
  assert.is(there.status, 0, there.stderr);
  assert.is(there.stdout, here.stdout);
  assert.match((await clada(['inspect', url])).stdout, /GGUF v3/);
  const hub = await clada(['pull', 'hf:o/r/models/tiny.gguf'], { HF_ENDPOINT: server.origin });
  assert.is(hub.status, 1);
  assert.match(hub.stderr, /E_NOT_FOUND/);
  files['/o/r/resolve/main/models/tiny.gguf'] = bytes;
  assert.is((await clada(['pull', 'hf:o/r/models/tiny.gguf'], { HF_ENDPOINT: server.origin })).status, 0);
});

test('clada pull, stopped by Ctrl-C: exit 130, and the next one goes on', async () => {
  files['/models/tiny.gguf'] = noise(6_000_000);
  const url = server.url('/models/tiny.gguf');
  server.pace = { bytes: 8192, ms: 2 };
  const stopped = await clada(['pull', url], {}, () => server.sent > 2_000_000);
  assert.is(stopped.status, 130, stopped.stderr);
  assert.is(stopped.stdout, '');
  server.pace = undefined;
  const before = server.sent;
  const { status, stdout, stderr } = await clada(['pull', url]);
  assert.is(status, 0, stderr);
  assert.ok(readFileSync(stdout.trim()).equals(files['/models/tiny.gguf']!));
  assert.ok(server.sent - before < 5_800_000, `${server.sent - before}`); // some of the rest was in the sockets' buffers
});

test('mistakes on the command line: exit 2', async () => {
  for (const [args, message] of [[['pull'], /clada pull hf:/], [['pull', 'model.gguf'], /needs no pull/], [['pull', server.url(), '--sha256', 'abc'], /64 hexadecimal/], [['calibrate', '-m', server.url()], /--out/]] as [string[], RegExp][]) {
    const { status, stderr } = await clada(args);
    assert.is(status, 2, stderr);
    assert.match(stderr, message);
  }
});

test.run();
