/** Workers in a real Chromium: one page, several pages at one model, and what keeps a worker from running. Skipped, visibly, where there is none. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { findChromium, launch } from '../helpers/browser.ts';
import { embeddedModel } from '../helpers/models.ts';
import { TestServer } from '../helpers/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)), executablePath = findChromium(), available = executablePath !== undefined;
const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const test = suite('worker in Chromium'), it = available ? test : test.skip;
const model = new Uint8Array(readFileSync(embeddedModel));
let server: TestServer, elsewhere: TestServer, browser: Browser, fetched = 0, ended = 0;

const script = (path: string): { body: Buffer; headers: Record<string, string>; ignoreRange: true } => (
  { body: readFileSync(join(root, path)), ignoreRange: true, headers: { 'content-type': 'text/javascript', 'access-control-allow-origin': '*', ...isolated, 'cross-origin-resource-policy': 'cross-origin' } });
/** Pages by their paths, and the policies that they are sent with. */
const pages: Record<string, string> = {
  '/': "default-src 'self'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; worker-src 'self' blob:",
  '/no-workers': "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; worker-src 'none'",
  '/foreign': "object-src 'none'",
};

test.before(async () => {
  if (!available) return;
  server = await new TestServer(model).start();
  server.plan = (_, { url }) => {
    const { pathname } = new URL(url!, 'http://x'), policy = pages[pathname];
    if (policy !== undefined) return { body: '<!doctype html>', headers: { 'content-type': 'text/html', 'content-security-policy': policy, ...isolated } };
    if (pathname === '/missing/worker.js') return script('dist/worker.js');
    if (/^\/(missing\/)?(dist|errors|chunks)/.test(pathname)) return script(join('dist', pathname.replace(/^\/(missing|dist)\//, '')));
    if (pathname === '/own.js') return { body: "import { provide } from '/dist/worker-main.js'; provide({ end() { self.close(); } });", headers: { 'content-type': 'text/javascript', ...isolated } };
    if (pathname === '/ending.js') return { body: ended++ ? "import '/dist/worker-main.js';" : 'onconnect = () => { self.close(); };', headers: { 'content-type': 'text/javascript', ...isolated } };
    if (pathname === '/model.gguf') { fetched++; return {}; }
    return { status: 404 };
  };
  elsewhere = await new TestServer(model).start();
  elsewhere.plan = (_, { url }) => { const { pathname } = new URL(url!, 'http://x'); return pathname.startsWith('/dist/') ? script(pathname.slice(1)) : { status: 404 }; };
  browser = await launch(executablePath!);
});
test.after(async () => {
  if (!available) return;
  await browser.close();
  await Promise.all([server.close(), elsewhere.close()]);
});

/** A page with `load(source?, options?)`, whose model is kept as `model`. */
async function open(context: BrowserContext, path = '/', library = '/dist/worker.js'): Promise<Page> {
  const page = await context.newPage();
  await page.goto(server.url(path));
  await page.evaluate(`globalThis.load = async (options, source = 'model.gguf') => {
    const { loadInWorker } = await import(${JSON.stringify(library)});
    try { globalThis.model = await loadInWorker(source, { contextSize: 256, calibration: false, ...options }); return 'loaded'; } catch (error) { return error.code + ' ' + error.found; }
  }; globalThis.short = { maxTokens: 24, temperature: 0, ignoreEos: true };`);
  return page;
}
async function within(use: (context: BrowserContext) => Promise<void>): Promise<void> {
  const context = await browser.newContext();
  try { await use(context); } finally { await context.close(); }
}
const ask = <T>(page: Page, code: string): Promise<T> => page.evaluate(`(async () => { ${code} })()`) as Promise<T>;

/** Memory of Chromium in bytes, what processes share counted once. */
function memory(): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try { parents.set(Number(name), Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))![1])); } catch { /* it has ended */ }
  }
  const mine = (pid: number): boolean => { for (let at: number | undefined = pid; at; at = parents.get(at)) if (at === process.pid) return at !== pid; return false; };
  return [...parents.keys()].filter(mine).reduce((sum, pid) => {
    try { return sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0); } catch { return sum; }
  }, 0);
}

it('a page of its own: threads, a relative address, tokens that stream, sources of every kind', () => within(async (context) => {
  const page = await open(context);
  assert.is(await ask(page, 'return load({})'), 'loaded');
  const { threads, text, streamed } = await ask<{ threads: string; text: string; streamed: string[] }>(page, `
    const streamed = [];
    for await (const { text } of model.generate('Once upon a time', short)) streamed.push(text);
    return { threads: model.info.threadsReason, text: await model.generate('Once upon a time', short).text(), streamed };`);
  assert.match(threads, /^\d+ cores?$/);
  assert.is(streamed.join(''), text);
  assert.equal(await ask(page, `
    model.close();
    const found = [], response = () => fetch('/model.gguf'), of = async (source) => { found.push(await load({}, source)); found.push(await model.generate('Once upon a time', short).text()); model.close(); };
    await of(new URL('/model.gguf', location.href));
    await of(await response());
    await of((await response()).body);
    await of(await (await response()).blob());
    return found;`), Array(4).fill(['loaded', text]).flat());
}));

it('two pages share one model: one load, one memory, side by side; one goes, the other goes on; the last one frees it', () => within(async (context) => {
  fetched = 0;
  const first = await open(context), second = await open(context), empty = memory(), shared = "load({ shared: 'test', cache: false })";
  assert.is(await ask(first, `return ${shared}`), 'loaded');
  const one = memory(), requests = fetched;
  assert.is(await ask(second, `return ${shared}`), 'loaded');
  const two = memory();
  assert.is(fetched, requests, 'nothing was fetched again');
  const { weightBytes, reason, placement } = await ask<{ weightBytes: number; reason: string; placement: object }>(second, 'return { weightBytes: model.info.memoryBytes, reason: model.info.threadsReason, placement: model.placement }');
  assert.equal(placement, { shared: true, sharedReason: 'a SharedWorker' });
  console.log(`threads of a shared worker: ${reason}; memory: ${[empty, one, two].map((bytes) => Math.round(bytes / 1e6)).join(', ')} MB, the model's ${Math.round(weightBytes / 1e6)} MB`);
  assert.ok(one - empty > 0.8 * weightBytes && two - one < 0.3 * weightBytes);
  assert.is(await ask(first, 'return model.info.loadMs'), await ask(second, 'return model.info.loadMs'));

  const alone = await ask<string>(first, "return model.generate('Once upon a time', short).text()");
  const reads = 'const out = { text: "", from: Date.now(), to: 0 }; for await (const { text } of model.generate("Once upon a time", short)) out.text += text; out.to = Date.now(); return out;';
  const [a, b] = await Promise.all([ask<{ text: string; from: number; to: number }>(first, reads), ask<{ text: string; from: number; to: number }>(second, reads)]);
  assert.equal([a.text, b.text], [alone, alone]);
  assert.ok(a.from < b.to && b.from < a.to, 'at the same time');

  void first.evaluate("void model.generate('Once upon a time', { ...short, maxTokens: 200 }).text().catch(() => undefined)");
  const going = ask<{ text: string }>(second, reads.replace('short', '{ ...short, maxTokens: 60 }'));
  await first.close(); // in the middle of its answer, without a word
  assert.ok((await going).text.startsWith(alone));
  const third = await open(context);
  assert.is(await ask(third, 'return load({ shared: "test", cache: false, contextSize: 128 })'), 'E_OPTION another source, or other options, than those that it was loaded with');
  await ask(second, 'model.close()');
  let after = memory();
  for (let i = 0; i < 50 && after > two - 0.6 * weightBytes; i++) { await new Promise((resolve) => { setTimeout(resolve, 200); }); after = memory(); }
  console.log(`after the last has closed it: ${Math.round(after / 1e6)} MB`);
  assert.ok(after < two - 0.6 * weightBytes);
  const again = 'const found = []; for (let i = 0; i < 3; i++) { found.push(await load({ shared: "test", cache: false, contextSize: 128 })); model.close(); } return found';
  assert.equal(await ask(third, again), ['loaded', 'loaded', 'loaded'], 'no page meets one that is ending');
}));

it('a shared worker that ends just when it is found: the next one of the name answers', () => within(async (context) => {
  const page = await open(context);
  assert.is(await ask(page, "return load({ worker: () => new SharedWorker('/ending.js', { type: 'module', name: 'ending' }) })"), 'loaded');
  assert.equal([ended, await ask(page, 'return model.placement.shared')], [2, true]);
}));

it('where there is no SharedWorker: a model of its own, and the reason', () => within(async (context) => {
  const page = await open(context);
  assert.is(await ask(page, 'delete globalThis.SharedWorker; return load({ shared: "test" })'), 'loaded');
  assert.equal(await ask(page, 'return model.placement'), { shared: false, sharedReason: 'this runtime has no SharedWorker' });
}));

it('a worker that ends is a typed error, and so is one that cannot start', () => within(async (context) => {
  const page = await open(context);
  assert.is(await ask(page, "return load({ worker: () => new Worker('/own.js', { type: 'module' }) })"), 'loaded');
  assert.match(await ask<string>(page, "const waiting = model.generate('Once', { ...short, maxTokens: 200 }).text().catch((error) => error.code + ' ' + error.found); void model.run('end').catch(() => undefined); return waiting"), /^E_WORKER that it ended/);
  assert.match(await ask<string>(page, "return load({ worker: () => new Worker('/nowhere.js', { type: 'module' }) })"), /^E_WORKER its script/);
  const missing = await open(context, '/', '/missing/worker.js');
  assert.match(await ask<string>(missing, 'return load({})'), /^E_WORKER its script/);
  assert.match(await ask<string>(missing, "return load({ shared: 'x' })"), /^E_WORKER its script/);
  const strict = await open(context, '/no-workers');
  assert.match(await ask<string>(strict, 'return load({})'), /^E_WORKER /);
  assert.match(await ask<string>(strict, "return load({ shared: 'y' })"), /^E_WORKER /);
}));

it('from another origin: the worker starts all the same, and is not shared', () => within(async (context) => {
  const page = await open(context, '/foreign', elsewhere.url('/dist/worker.js'));
  assert.is(await ask(page, 'return load({ shared: "x" })'), 'loaded');
  assert.match(await ask<string>(page, 'return model.placement.sharedReason'), /another origin/);
}));

it('a page that is slow: what reading ahead gains, and what a message costs', () => within(async (context) => {
  const page = await open(context);
  await ask(page, 'return load({ threads: 1 })'); // the other core is the page's
  const rates = await ask<number[]>(page, `
    const rate = async (options, work) => {
      const generation = model.generate('Once upon a time', { ...short, maxTokens: 60, ...options }), from = performance.now();
      if (work < 0) await generation.text();
      else for await (const _ of generation) for (const end = performance.now() + work; performance.now() < end;);
      return 60000 / (performance.now() - from);
    };
    await rate({}, -1);
    return [await rate({}, -1), await rate({}, 0), await rate({}, 8), await rate({ readAhead: 8 }, 8)];`);
  console.log(`tokens a second: text() ${rates[0]!.toFixed(1)}, token by token ${rates[1]!.toFixed(1)}; 8 ms of work a token: ${rates[2]!.toFixed(1)}, read ahead ${rates[3]!.toFixed(1)}`);
  assert.ok(rates[1]! > 0.6 * rates[0]! && rates[3]! > 0.8 * rates[2]!);
}));

test.run();
