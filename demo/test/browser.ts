/** What the tests of the page share: a server that can be told to misbehave. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { buildDemo, listen, serveFolder } from '../../scripts/demo.ts';

/** 'missing': no model (404); 'cut': the connection breaks in the middle of it; 'no-simd': the worker meets a WebAssembly without SIMD. */
export type Fault = 'none' | 'missing' | 'cut' | 'no-simd' | 'no-calibration';

export class Site {
  fault: Fault = 'none';
  /** Paths asked for, in order. */
  readonly asked: string[] = [];
  #server: Server | undefined;
  #port = 0;

  private constructor(private readonly folder: string) {}

  static async build(): Promise<Site> {
    const folder = fileURLToPath(new URL('../../build/demo-test', import.meta.url));
    await buildDemo(folder);
    const site = new Site(folder);
    await site.open();
    return site;
  }

  get url(): string { return `http://127.0.0.1:${this.#port}/`; }

  /** Listens; again on the same port after `close`. */
  async open(): Promise<void> {
    const files = serveFolder(this.folder);
    this.#server = createServer((request, response) => { this.asked.push(request.url!); this.#answer(request, response, files); });
    this.#port = await listen(this.#server, this.#port);
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => { this.#server?.close(resolve); });
  }

  #answer(request: IncomingMessage, response: ServerResponse, files: (request: IncomingMessage, response: ServerResponse) => void): void {
    const url = request.url!, model = /\/models\/(?!.*\.clada\.)/.test(url);
    if ((model && this.fault === 'missing') || (url.includes('.clada.') && this.fault === 'no-calibration')) { response.writeHead(404).end(); return; }
    if (model && this.fault === 'cut') {
      const whole = readFileSync(join(this.folder, new URL(url, this.url).pathname));
      response.writeHead(200, { 'content-length': whole.length });
      response.write(whole.subarray(0, 5_000_000), () => { setTimeout(() => response.destroy(), 200); });
      return;
    }
    if (url.startsWith('/worker.js') && this.fault === 'no-simd') {
      response.writeHead(200, { 'content-type': 'text/javascript', 'cross-origin-embedder-policy': 'require-corp' });
      response.write('WebAssembly.validate = () => false;\n');
      const { end, writeHead } = response;
      response.writeHead = () => response;
      files(request, response);
      Object.assign(response, { end, writeHead });
      return;
    }
    files(request, response);
  }
}

/** Waits until the page is in one of the phases. */
export async function phase(page: Page, ...names: string[]): Promise<void> {
  await page.waitForSelector(names.map((name) => `body[data-phase=${name}]`).join(), { timeout: 120_000 });
}

/** Polls until `condition`, which runs in the page, holds. Playwright's own way needs the `eval` that the page's policy forbids. */
export async function until<T>(page: Page, condition: (value: T) => boolean, value?: T): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end;) {
    if (await page.evaluate(condition as (value: unknown) => boolean, value)) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`not within 30 s: ${condition}`);
}
