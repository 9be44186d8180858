/** What the tests of the page share: a server that can be told to misbehave. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { buildDemo, listen, serveFolder } from '../../scripts/demo.ts';

/** 'missing': no model (404); 'cut': every connection that brings it breaks once `cutAfter` bytes of it were sent; 'no-simd': the worker meets a WebAssembly without SIMD. */
export type Fault = 'none' | 'missing' | 'cut' | 'no-simd' | 'no-calibration';

export class Site {
  fault: Fault = 'none';
  /** Paths asked for, in order. */
  readonly asked: string[] = [];
  /** Bytes of the model that were sent. */
  sent = 0;
  cutAfter = 0;
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

  /** Another model of the same size in the place of this one: its name has other letters. The file itself is a link and stays as it is. */
  change(from: string, to: string): void {
    const path = join(this.folder, 'models/smollm2-135m-instruct-q4_1.gguf'), bytes = readFileSync(path), at = bytes.indexOf(from);
    if (at < 0 || from.length !== to.length) throw new Error(`${from} is not in ${path}, or ${to} is longer or shorter`);
    bytes.write(to, at);
    rmSync(path);
    writeFileSync(path, bytes);
  }

  #count(response: ServerResponse): void {
    const write = response.write.bind(response) as (chunk: Buffer) => boolean;
    response.write = ((chunk: Buffer): boolean => {
      if (this.fault === 'cut' && this.sent >= this.cutAfter) { setImmediate(() => { response.destroy(); }); return false; }
      this.sent += chunk.length;
      return write(chunk);
    }) as ServerResponse['write'];
  }

  #answer(request: IncomingMessage, response: ServerResponse, files: (request: IncomingMessage, response: ServerResponse) => void): void {
    const url = request.url!, model = /\/models\/(?!.*\.clada\.)/.test(url);
    if ((model && this.fault === 'missing') || (url.includes('.clada.') && this.fault === 'no-calibration')) { response.writeHead(404).end(); return; }
    if (model) this.#count(response);
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
