/** An engine in a page of Chromium, isolated so that it may have threads, with the models served beside it. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium, launch } from '../test/helpers/browser.ts';

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url));
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/** @returns the page's origin, and how to end it */
async function serve(models: string): Promise<{ origin: string; close: () => void }> {
  const folders: Readonly<Record<string, string>> = { dist: path('../dist'), wllama: path('peers/node_modules/@wllama/wllama/esm'), models, peers: path('peers') };
  const server = createServer((request, response) => {
    const [, folder = '', ...rest] = normalize(decodeURIComponent(new URL(request.url!, 'http://localhost').pathname)).split('/');
    const file = folders[folder] === undefined ? undefined : join(folders[folder], ...rest), size = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })?.size;
    if (file === undefined || size === undefined) { response.writeHead(404).end(); return; }
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream', 'content-length': size, 'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

/** Why there is no Chromium here; undefined where there is one. */
export const chromiumMissing = (): string | undefined => (findChromium() === undefined ? 'no Chromium on this machine ($CHROMIUM names one)' : undefined);

/** Runs a task (peers/task.mjs) in a new browser. @throws Error with what the page says, or after `seconds` */
export async function inChromium(engine: 'clada' | 'wllama', task: { readonly model: string }, seconds: number): Promise<unknown> {
  const server = await serve(dirname(task.model)), browser = await launch(findChromium()!);
  try {
    const page = await browser.newPage(), problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('crash', () => problems.push('the page crashed'));
    const query = new URLSearchParams({ engine, task: JSON.stringify({ ...task, model: `/models/${basename(task.model)}` }) });
    await page.goto(`${server.origin}/peers/page.html?${query.toString()}`);
    const limit = new Promise<never>((_, reject) => { setTimeout(() => { reject(new Error(`no result after ${seconds} s ${problems.join('; ')}`)); }, 1000 * seconds).unref(); });
    const { value, error } = (await Promise.race([page.evaluate('globalThis.result'), limit])) as { value?: unknown; error?: string };
    if (error !== undefined || value === undefined) throw new Error(error ?? `no result ${problems.join('; ')}`);
    return { ...value, browser: `Chromium ${browser.version()}` };
  } finally {
    await browser.close();
    server.close();
  }
}
