/** Clients that read nothing and stay, on real sockets: their slots come free, their connections are closed, others go on. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server as NodeServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { closeStalled } from '../../src/cli/sockets.ts';
import { load } from '../../src/index.ts';
import { createServer, type Server, type ServerOptions } from '../../src/server/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const model = await load(embeddedModel, { contextSize: 512, sequences: 2, threads: 1 });
const folder = mkdtempSync(join(tmpdir(), 'clada-stalled-'));
const test = suite('stalled');
test.after(() => {
  model.close();
  rmSync(folder, { recursive: true });
});

/** Megabytes of answer: more than a socket of this kind holds for its reader. */
const large = { messages: [{ role: 'user', content: 'Hi' }], temperature: 0, max_tokens: 400, ignore_eos: true, logprobs: true, top_logprobs: 20 };

interface Place { server: Server; node: NodeServer; ask(body: object): Socket; until(what: () => boolean | Promise<boolean>, seconds: number): Promise<void>; close(): Promise<void> }

async function at(options: ServerOptions): Promise<Place> {
  const server = createServer(model, options), node = createAdaptorServer({ fetch: server.fetch, overrideGlobalObjects: false }) as NodeServer;
  const path = join(folder, `${Math.random()}`), sockets: Socket[] = [];
  await new Promise<void>((resolve) => { node.listen(path, resolve); });
  return {
    server, node,
    ask: (given) => {
      const body = JSON.stringify(given), socket = connect(path);
      socket.on('error', () => undefined).pause();
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      sockets.push(socket);
      return socket;
    },
    until: async (what, seconds) => {
      for (const end = performance.now() + 1000 * seconds; !(await what());) {
        assert.ok(performance.now() < end, `not within ${seconds} s`);
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      node.closeAllConnections();
      await new Promise((resolve) => { node.close(resolve); });
    },
  };
}

const connections = (node: NodeServer): Promise<number> => new Promise((resolve) => { node.getConnections((_, count) => { resolve(count); }); });
const short = (server: Server): Promise<number> => server.fetch(new Request('http://x/v1/chat/completions', {
  method: 'POST', body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 }),
})).then(({ status }) => status);

test('a stream: others run beside it, its slot comes free, and its connection is closed', async () => {
  const place = await at({ slots: 2, patience: 1 }), said = console.error;
  console.error = (): void => undefined; // of the adapter
  try {
    place.ask({ ...large, stream: true });
    await place.until(() => place.server.active === 1, 5);
    assert.is(await short(place.server), 200, 'beside it');
    await place.until(() => place.server.active === 0, 30);
    await place.until(async () => await connections(place.node) === 0, 5);
    assert.is(await short(place.server), 200);
  } finally {
    console.error = said;
    await place.close();
  }
});

test('clada serve closes connections: of streams, and of whole answers that nobody takes', async () => {
  const place = await at({ slots: 2, patience: 60 });
  closeStalled(place.node, 1000);
  try {
    place.ask({ ...large, stream: true });
    place.ask({ ...large, stream: false });
    await place.until(() => place.server.active === 2, 5);
    await place.until(() => place.server.active === 0, 60);
    await place.until(async () => await connections(place.node) === 0, 10);
  } finally {
    await place.close();
  }
});

test('who waits for a slot has nothing to read yet, and is left alone', async () => {
  const place = await at({ slots: 1 });
  closeStalled(place.node, 100);
  try {
    const running = place.server.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: JSON.stringify({ ...large, max_tokens: 60 }) }));
    await place.until(() => place.server.active === 1, 5);
    const waiting = place.ask({ ...large, max_tokens: 20, logprobs: false, top_logprobs: null });
    let text = '';
    waiting.on('data', (chunk: Buffer) => { text += chunk.toString(); }).resume();
    await running;
    await place.until(() => text.includes('"finish_reason":"length"'), 30);
  } finally {
    await place.close();
  }
});

test('a server that closes does not wait for a reader that does not read', async () => {
  const place = await at({ slots: 1, patience: 60 });
  try {
    place.ask({ ...large, stream: true });
    const decoded = async (): Promise<number> =>
      ((await (await place.server.fetch(new Request('http://x/slots'))).json()) as { next_token: { n_decoded: number } }[])[0]!.next_token.n_decoded;
    await place.until(async () => { // until nothing is made any more
      const before = await decoded();
      await new Promise((resolve) => { setTimeout(resolve, 300); });
      return before > 0 && await decoded() === before;
    }, 30);
    const started = performance.now();
    await place.server.close(0.2);
    assert.ok(performance.now() - started < 3000);
    assert.is(place.server.active, 0);
  } finally {
    await place.close();
  }
});

test.run();
