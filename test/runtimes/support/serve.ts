/** Static files over HTTP on the loopback interface, as a plain web server would. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json', '.css': 'text/css' };
/** The strictest policy that runs WebAssembly: what the library must do with. */
export const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; worker-src 'self'";

/** Serves folders by URL prefix, the longest first, under a content security policy. @returns the origin, the paths asked for, and how to end it */
export async function serve(folders: Readonly<Record<string, string>>, csp = policy): Promise<{ origin: string; requests: string[]; close: () => void }> {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length), requests: string[] = [];
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url!, 'http://localhost').pathname));
    requests.push(path);
    const prefix = prefixes.find((start) => path.startsWith(start));
    let file = prefix === undefined ? '' : join(folders[prefix]!, path.slice(prefix.length));
    if (file && existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    if (!file || !existsSync(file)) { response.writeHead(404).end(); return; }
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream', 'content-length': statSync(file).size, 'content-security-policy': csp });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close: () => { server.closeAllConnections(); server.close(); } };
}
