/** `clada serve`: a model behind HTTP, on Node's server. */
import { readFile } from 'node:fs/promises';
import type { Server as NodeServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { InputError } from 'clada';
import { createServer, type ServerOptions } from 'clada/server';
import { samplerOptionsOf } from './args.ts';
import type { Values } from './commands.ts';
import { stoppedWell } from './ending.ts';
import { sparsityOf } from './generate.ts';
import { chatting, openModel } from './model.ts';
import { note, print } from './output.ts';
import { closeStalled } from './sockets.ts';

/** Seconds that answers under way have when the server is asked to stop. */
const graceSeconds = 30;
/** Milliseconds for a request to come in whole, so that slow senders do not keep connections. */
const receiveMs = 60_000;
/** Milliseconds in which something must be read of what was written. Streams have longer: it is the connection that notices. */
const stalledMs = 30_000;

/** What --effort-sparsity makes of `reasoning_effort`; a higher one reads all. */
const efforts = { minimal: { density: 0.5 }, low: { density: 0.6 }, medium: { density: 0.8 } } as const;

export async function serve(values: Values<'serve'>, signal: AbortSignal): Promise<void> {
  const host = values.host ?? '127.0.0.1', apiKeys = await keysOf(values), isLocal = isLoopback(host);
  if (!isLocal && apiKeys.length === 0 && !values.withoutKey) {
    throw new InputError('E_USAGE', {
      subject: 'clada serve --host', found: `${host}, where others can reach it, and no key`, expected: 'an --api-key',
      remedy: 'Give one, in $CLADA_API_KEY or --api-key-file, or say --no-api-key.',
    });
  }
  const slots = values.slots ?? 4;
  await using model = await openModel({ ...values, sequences: slots }, signal);
  const server = createServer(model, {
    slots, queue: values.queue ?? 64, timeout: values.timeout ?? 600, patience: stalledMs / 500, page: values.withoutPage !== true, apiKeys,
    defaults: defaultsOf(values),
    ...(values.alias === undefined ? {} : { name: values.alias }),
    ...(values.cors === undefined ? {} : { cors: values.cors.includes('*') ? '*' : values.cors }),
    ...(isLocal && apiKeys.length === 0 ? { hosts: ['localhost', '127.0.0.1', '[::1]', host, ...(values.allowHost ?? [])] } : {}),
    ...(values.effort ? { efforts } : {}),
  });
  const node = createAdaptorServer({ fetch: server.fetch, overrideGlobalObjects: false }) as NodeServer;
  node.requestTimeout = receiveMs;
  closeStalled(node, stalledMs);
  await listen(node, values.port ?? 8080, host);
  const { port } = node.address() as AddressInfo;
  print(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
  note(`${model.info.name}, ${slots} slots with a context of ${model.info.contextSize} tokens each`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => { resolve(); });
  });
  const closed = new Promise((resolve) => { node.close(resolve); });
  if (server.active > 0) note(`Stopping: ${server.active} requests end first, in ${graceSeconds} s at most.`);
  await server.close(graceSeconds);
  node.closeIdleConnections();
  setTimeout(() => { node.closeAllConnections(); }, 1000).unref(); // who has not read to the end by now is gone
  await closed;
  stoppedWell();
}

function defaultsOf(values: Values<'serve'>): NonNullable<ServerOptions['defaults']> {
  const flags = chatting(values), sparsity = sparsityOf(flags);
  const { predict } = flags;
  return { ...samplerOptionsOf(flags), ...(predict === undefined ? {} : { maxTokens: predict }), ...(sparsity ? { sparsity } : {}) };
}

/** Keys of flags, file and environment. @throws InputError `E_NOT_FOUND`, `E_USAGE` */
async function keysOf({ apiKey = [], apiKeyFile, withoutKey }: Values<'serve'>): Promise<string[]> {
  const known = process.env['CLADA_API_KEY'], inFile = apiKeyFile === undefined ? [] : await readKeys(apiKeyFile);
  return withoutKey ? [] : [...apiKey, ...inFile, ...(known ? [known] : [])];
}

async function readKeys(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: (cause as NodeJS.ErrnoException).code ?? 'nothing', expected: 'a file with a key a line',
      remedy: 'Check its name and permissions.', cause,
    });
  });
  const keys = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  if (keys.length > 0) return keys;
  throw new InputError('E_USAGE', { subject: path, found: 'no key', expected: 'a key a line', remedy: 'Write one into it.' });
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** @throws InputError `E_USAGE` where the port is taken or the address is not this machine's */
function listen(node: NodeServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    node.once('error', (cause: NodeJS.ErrnoException) => {
      reject(new InputError('E_USAGE', {
        subject: `${host} port ${port}`, found: cause.code ?? cause.message, expected: 'an address that is free, of this machine',
        remedy: cause.code === 'EADDRINUSE' ? 'Another program listens there: choose another --port.' : 'Change --host or --port.', cause,
      }));
    });
    node.listen(port, host, resolve);
  });
}
