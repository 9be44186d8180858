/** Threads in a real Chromium: on a page of its own and in its worker, and what a page says that may have none. Skipped, visibly, where there is none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Browser } from 'playwright-core';
import { findChromium, launch } from '../helpers/browser.ts';
import { embeddedModel } from '../helpers/models.ts';
import { TestServer } from '../helpers/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)), executablePath = findChromium(), available = executablePath !== undefined;
const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const program = `
  const { load } = await import(new URL('/dist/index.js', location.origin).href);
  const found = [];
  for (const threads of [1, 2, 3]) {
    const model = await load(new URL('/model.gguf', location.origin).href, { tier: 'base', threads, contextSize: 128, calibration: false, cache: false });
    const ids = Array.from({ length: 70 }, (_, i) => 100 + 7 * i), rows = [];
    for (let i = 0; i < 8; i++) {
      const { logits, report } = await model.evaluate(ids);
      rows.push(...logits.slice(0, 500));
      ids.push(report.topToken);
    }
    const bandwidth = model.measureBandwidth() > 0;
    found.push({ threads: model.info.threads, reason: model.info.threadsReason, rows, bandwidth });
    model.close();
  }
  return found;`;
interface Found { threads: number; reason: string; rows: number[] }

const test = suite('threads in Chromium');
const model = new Uint8Array(readFileSync(embeddedModel));
let server: TestServer, browser: Browser;

test.before(async () => {
  if (!available) return;
  server = await new TestServer(model).start();
  server.plan = (_, { url }) => {
    const { pathname } = new URL(url!, 'http://x');
    if (pathname === '/') return { body: '<!doctype html>', headers: { 'content-type': 'text/html', ...isolated } };
    if (pathname === '/plain') return { body: '<!doctype html>', headers: { 'content-type': 'text/html' } };
    if (pathname === '/strict') {
      const policy = "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; worker-src 'self'";
      return { body: '<!doctype html>', headers: { 'content-type': 'text/html', ...isolated, 'content-security-policy': policy } };
    }
    if (pathname === '/worker.js') return { body: `(async () => {${program}})().then(postMessage, (error) => postMessage(String(error.stack)));`, headers: { 'content-type': 'text/javascript', ...isolated } };
    if (pathname.startsWith('/dist/')) return { body: readFileSync(join(root, pathname)), headers: { 'content-type': 'text/javascript' }, ignoreRange: true };
    return pathname === '/model.gguf' ? {} : { status: 404 };
  };
  browser = await launch(executablePath!);
});
test.after(async () => {
  if (!available) return;
  await browser.close();
  await server.close();
});

async function found(path: string, script: string): Promise<Found[]> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(server.url(path));
    const result: unknown = await page.evaluate(script);
    assert.ok(Array.isArray(result), String(result));
    return result as Found[];
  } finally {
    await context.close();
  }
}

const onPage = `(async () => {${program}})().catch((error) => String(error.stack))`;
const inWorker = "new Promise((resolve) => { const worker = new Worker('/worker.js'); worker.onmessage = ({ data }) => resolve(data); worker.onerror = ({ message }) => resolve(String(message)); })";

function same(results: readonly Found[], threads: readonly number[]): void {
  assert.equal(results.map((result) => result.threads), threads, results.map(({ reason }) => reason).join('; '));
  for (const { rows } of results) assert.equal(rows, results[0]!.rows);
}

for (const [where, script] of [['on a page', onPage], ['in a worker of one', inWorker]] as const) {
  (available ? test : test.skip)(`${where} that is cross-origin isolated: the same bits with 1, 2 and 3 threads`, async () => {
    same(await found('/', script), [1, 2, 3]);
  });
}

(available ? test : test.skip)('a page that is not isolated, or whose policy forbids workers of a Blob, has one and says why', async () => {
  const plain = await found('/plain', onPage);
  same(plain, [1, 1, 1]);
  assert.match(plain[1]!.reason, /not cross-origin isolated: send Cross-Origin-Opener-Policy/);
  const strict = await found('/strict', onPage);
  same(strict, [1, 1, 1]);
  assert.match(strict[1]!.reason, /a worker did not start/);
});

test.run();
