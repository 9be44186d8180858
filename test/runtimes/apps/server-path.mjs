/** The server where there is a file system (Node, Deno, Bun), behind the runtime's own HTTP where it has that: MODEL → answers as JSON. */
import { load } from 'clada';
import { createServer } from 'clada/server';
import { answers } from './server.mjs';

const { Deno, Bun, process } = globalThis, [path] = process.argv.slice(2);
const server = createServer(await load(path, { tier: 'base', contextSize: 256 }));
const listening = Deno ? Deno.serve({ port: 0, hostname: '127.0.0.1', onListen() {} }, server.fetch) : Bun ? Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: server.fetch }) : undefined;
const port = Deno ? listening.addr.port : listening?.port;
const there = (request) => (port === undefined ? server.fetch(request) : fetch(new Request(request.url.replace('http://clada.test', `http://127.0.0.1:${port}`), request)));
const result = await answers(there);
await server.close();
console.log(JSON.stringify(result));
await (Deno ? listening.shutdown() : listening?.stop(true));
