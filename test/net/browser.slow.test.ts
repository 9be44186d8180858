/** OPFS and the Cache API in a real Chromium. Skipped, visibly, where there is none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Browser } from 'playwright-core';
import { findChromium, launch } from '../helpers/browser.ts';
import { tinyPath } from '../helpers/models.ts';
import { TestServer, sha256 } from '../helpers/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)), executablePath = findChromium(), available = executablePath !== undefined;

const test = suite('browser');
const model = new Uint8Array(readFileSync(tinyPath('llama256-q4_1.gguf')));
let server: TestServer, browser: Browser;

test.before(async () => {
  if (!available) return;
  server = await new TestServer(model).start();
  server.plan = (_, { url }) => {
    const path = new URL(url!, 'http://x').pathname;
    if (path === '/') return { body: '<!doctype html>', headers: { 'content-type': 'text/html' } };
    if (path.startsWith('/dist/')) return { body: readFileSync(join(root, path)), headers: { 'content-type': 'text/javascript' }, ignoreRange: true };
    return path === '/model.gguf' ? {} : { status: 404 };
  };
  browser = await launch(executablePath!);
});
test.after(async () => {
  if (!available) return;
  await browser.close();
  await server.close();
});

const run = (options: string): string => `(async () => {
  const { load } = await import('/dist/index.js');
  try {
    const model = await load(new URL('/model.gguf', location.href).href, { tier: 'base', contextSize: 64, ...${options} });
    const { logits } = await model.evaluate([1, 5, 9]);
    model.close();
    return Array.from(logits.slice(0, 8));
  } catch (error) { return error.code ?? String(error.stack); }
})()`;

for (const cache of ['opfs', 'cache-api', 'auto']) {
  const name = `cache ${cache}: kept from one page to the next, resumed, read offline, verified`;
  (available ? test : test.skip)(name, async () => {
    const context = await browser.newContext();
    try {
      let page = await context.newPage();
      await page.goto(server.url('/'));
      const wanted = await page.evaluate(run('{ cache: false }'));
      assert.ok(Array.isArray(wanted), String(wanted));
      const before = server.sent;
      server.pace = { bytes: 4096, ms: 1 };
      assert.is(await page.evaluate(run(`{ cache: '${cache}', signal: AbortSignal.timeout(120) }`)), 'E_ABORTED');
      server.pace = undefined;
      assert.equal(await page.evaluate(run(`{ cache: '${cache}', sha256: '${sha256(model)}' }`)), wanted);
      assert.ok(server.sent - before < 1.5 * model.length, `${server.sent - before} bytes`);
      page = await context.newPage();
      await page.goto(server.url('/'));
      const asked = server.requests.filter(({ url }) => url.startsWith('/model.gguf')).length;
      assert.equal(await page.evaluate(run(`{ cache: '${cache}', offline: true, calibration: false }`)), wanted);
      assert.is(server.requests.filter(({ url }) => url.startsWith('/model.gguf')).length, asked);
      assert.is(await page.evaluate(run(`{ cache: '${cache}', sha256: '${'0'.repeat(64)}' }`)), 'E_HASH');
    } finally {
      await context.close();
    }
  });
}

test.run();
