/** A real HTTP server that serves one changeable file, and misbehaves as told. Counts what it sends. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Plan {
  /** Cut the connection after so many bytes of this answer's body. */
  cutAt?: number;
  status?: number;
  headers?: Record<string, string | undefined>;
  /** Answer the whole (200) whatever was asked. */
  ignoreRange?: boolean;
  ignoreIfRange?: boolean;
  contentRange?: string | null;
  /** Send only so many bytes, and say that this was all. */
  short?: number;
  /** Answer, then say nothing more. */
  stall?: boolean;
  body?: Uint8Array | string;
}

export class TestServer {
  content: Uint8Array;
  etag: string | undefined;
  lastModified: string | undefined;
  /** Bytes of bodies handed to sockets. */
  sent = 0;
  readonly requests: { url: string; method: string; headers: IncomingMessage['headers'] }[] = [];
  /** What to do with a request; called with its number (0, 1, …). */
  plan: (n: number, request: IncomingMessage) => Plan = () => ({});
  /** Bytes a write, and milliseconds between two: a line that is slow enough to be cut in the middle. */
  pace: { bytes: number; ms: number } | undefined;
  readonly #server = createServer((request, response) => { void this.#answer(request, response); });

  constructor(content: Uint8Array) {
    this.content = content;
    this.etag = `"${createHash('sha256').update(content).digest('hex').slice(0, 8)}"`;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve); });
    return this;
  }

  get origin(): string { return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; }
  url(path = '/model.gguf'): string { return this.origin + path; }

  change(content: Uint8Array): void {
    this.content = content;
    this.etag = `"${createHash('sha256').update(content).digest('hex').slice(0, 8)}"`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => { this.#server.close(() => { resolve(); }); });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers } = request, n = this.requests.length;
    this.requests.push({ url: request.url!, method: request.method!, headers });
    const plan = this.plan(n, request), content = plan.body === undefined ? this.content : Buffer.from(plan.body);
    const validators = { ...(this.etag === undefined ? {} : { etag: this.etag }), ...(this.lastModified === undefined ? {} : { 'last-modified': this.lastModified }) };
    const extra = Object.fromEntries(Object.entries(plan.headers ?? {}).filter(([, value]) => value !== undefined)) as Record<string, string>;
    if (plan.status !== undefined && plan.status !== 200) { response.writeHead(plan.status, extra).end(plan.body); return; }
    const range = /^bytes=(\d+)-(\d+)?$/.exec(headers.range ?? ''), ifRange = headers['if-range'];
    const current = plan.ignoreIfRange || ifRange === undefined || ifRange === this.etag || ifRange === this.lastModified;
    let body: Uint8Array;
    if (range && current && !plan.ignoreRange) {
      const start = Number(range[1]), end = Math.min(Number(range[2] ?? Infinity) + 1, content.length);
      if (start >= content.length) { response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end(); return; }
      body = content.subarray(start, end);
      const said = plan.contentRange === undefined ? `bytes ${start}-${end - 1}/${content.length}` : plan.contentRange;
      response.writeHead(206, { 'content-length': plan.short ?? body.length, ...(said === null ? {} : { 'content-range': said }), ...validators, ...extra });
    } else {
      body = content;
      response.writeHead(200, { 'content-length': plan.short ?? body.length, ...(plan.ignoreRange ? {} : { 'accept-ranges': 'bytes' }), ...validators, ...extra });
    }
    const end = Math.min(body.length, plan.cutAt ?? Infinity, plan.short ?? Infinity), step = this.pace?.bytes ?? 64 * 1024;
    const closed = new Promise<void>((resolve) => { response.once('close', resolve); });
    if (plan.stall) { response.write(body.subarray(0, 1000)); this.sent += 1000; return; }
    for (let at = 0; at < end && !response.destroyed; at += step) {
      const piece = body.subarray(at, Math.min(at + step, end));
      await Promise.race([closed, new Promise<void>((resolve) => { response.write(piece, () => { resolve(); }); })]);
      if (response.destroyed) return;
      this.sent += piece.length;
      if (this.pace) await new Promise((resolve) => { setTimeout(resolve, this.pace!.ms); });
    }
    if (plan.cutAt !== undefined && plan.cutAt < body.length) { response.socket?.destroySoon(); return; }
    response.end();
  }
}

/** Bytes that are different everywhere. */
export function noise(count: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 4));
  let state = seed * 2_654_435_761;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[i] = state ^ (state >>> 15);
  }
  return new Uint8Array(words.buffer, 0, count);
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
