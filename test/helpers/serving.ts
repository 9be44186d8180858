/** A server on Node around a model, as `clada serve` has one, on a free port. */
import type { Server as NodeServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import OpenAI from 'openai';
import { createServer, type Models, type Server, type ServerOptions } from '../../src/server/index.ts';

export interface Serving {
  readonly origin: string;
  readonly server: Server;
  /** The official client. */
  readonly client: OpenAI;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  /** Until nothing runs. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function serving(models: Models, options: ServerOptions = {}, apiKey = 'none'): Promise<Serving> {
  const server = createServer(models, options), node = createAdaptorServer({ fetch: server.fetch, overrideGlobalObjects: false }) as NodeServer;
  await new Promise<void>((resolve) => { node.listen(0, '127.0.0.1', resolve); });
  const origin = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  return {
    origin, server, client: new OpenAI({ baseURL: `${origin}/v1`, apiKey, maxRetries: 0 }),
    post: (path, body, init = {}) => fetch(origin + path, {
      method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), ...init,
      headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string> | undefined) },
    }),
    idle: async () => {
      for (const until = performance.now() + 10_000; server.active > 0;) {
        if (performance.now() > until) throw new Error(`${server.active} requests still run`);
        await new Promise((resolve) => { setTimeout(resolve, 5); });
      }
    },
    close: async () => {
      await server.close(0);
      node.closeAllConnections();
      await new Promise((resolve) => { node.close(resolve); });
    },
  };
}
