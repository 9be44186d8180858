/**
 * Builds the page in demo/ into build/demo, ready for any static server, and serves it.
 *
 *   tsx scripts/demo.ts [--port 8080] [--build-only] [--no-models]
 *
 * The page uses the library as any user would: `clada` and its entries are those of src (tsconfig's paths). The models are linked beside it, not copied.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, linkSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const model = 'smollm2-135m-instruct-q4_1.gguf', models = [model, 'smollm2-135m-instruct-q4_1.clada.gguf'];
const hashOf = (...parts: (string | Uint8Array)[]): string => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex').slice(0, 12);

/** Builds the page into `out`. `withModels`: links the models beside it, else their place stays empty. */
export async function buildDemo(out: string, withModels = true): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, 'models'), { recursive: true });
  const common: esbuild.BuildOptions = { absWorkingDir: root, bundle: true, format: 'esm', target: 'es2022', minify: true, legalComments: 'none', logLevel: 'warning', outdir: out };
  const { metafile } = await esbuild.build({
    ...common, metafile: true, splitting: true, external: ['node:*'], chunkNames: 'chunks/[name]-[hash]', loader: { '.svg': 'copy' },
    entryPoints: { main: 'demo/main.ts', worker: 'demo/worker.ts', style: 'demo/style.css' },
    define: { MODEL: JSON.stringify(`models/${model}`) },
  });
  for (const name of ['index.html', 'icon.svg']) copyFileSync(join(root, 'demo', name), join(out, name));
  // chunks for files on disk, for calibration and for grammars are never asked for here
  const needed = Object.keys(metafile.outputs).filter((path) => !/chunks\/(?:file|directory|calibrate|grammar)-?/.test(path));
  const files = ['index.html', 'icon.svg', ...needed.map((path) => normalize(join(root, path)).slice(normalize(join(out, '/')).length))].map((name) => name.replaceAll('\\', '/'));
  const version = hashOf(...files.map((name) => readFileSync(join(out, name))));
  await esbuild.build({ ...common, entryPoints: { sw: 'demo/sw.ts' }, define: { FILES: JSON.stringify(['./', ...files]), VERSION: JSON.stringify(version) } });
  if (withModels) for (const name of models) link(join(root, 'models', name), join(out, 'models', name));
}

function link(from: string, to: string): void {
  try { linkSync(from, to); } catch { copyFileSync(from, to); } // another disk, or a file system without links
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.gguf': 'application/octet-stream',
};

/** Answers GET and HEAD with the files below `folder`, whole or one range of them; nothing else is reachable. */
export function serveFolder(folder: string): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const refuse = (status: number, headers = {}): void => { response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(`${status}\n`); };
    if (request.method !== 'GET' && request.method !== 'HEAD') { refuse(405, { allow: 'GET, HEAD' }); return; }
    let name: string;
    try { name = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname); } catch { refuse(400); return; }
    const path = normalize(join(folder, name.endsWith('/') ? `${name}index.html` : name));
    const file = path.startsWith(normalize(join(folder, '/'))) && !name.includes('\0') ? statSync(path, { throwIfNoEntry: false }) : undefined;
    if (!file?.isFile()) { refuse(404); return; }
    const { size, mtimeMs } = file, etag = `"${size.toString(36)}-${Math.trunc(mtimeMs).toString(36)}"`;
    const headers = {
      'content-type': types[extname(path)] ?? 'application/octet-stream', etag, 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff',
      'cache-control': extname(path) === '.gguf' ? 'no-store' : 'no-cache', // a model is kept by the library, not twice
      'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp', // a page that is isolated has the finer clock
    };
    if (request.headers['if-none-match']?.split(/\s*,\s*/).some((known) => known === '*' || known.replace(/^W\//, '') === etag)) { response.writeHead(304, headers).end(); return; }
    const range = request.method === 'GET' && [undefined, etag].includes(request.headers['if-range'] as string | undefined) ? rangeOf(request.headers.range, size) : undefined;
    if (range === 'none') { refuse(416, { 'content-range': `bytes */${size}` }); return; }
    if (range) response.writeHead(206, { ...headers, 'content-range': `bytes ${range.start}-${range.end}/${size}`, 'content-length': range.end - range.start + 1 });
    else response.writeHead(200, { ...headers, 'content-length': size });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path, range).on('error', () => response.destroy()).pipe(response);
  };
}

/** First and last byte of a single range; 'none' where it lies behind the end; undefined where the whole file is the answer, as to several ranges or what is no range. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | 'none' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? ''), [first, last] = [match?.[1], match?.[2]];
  if (first === undefined || last === undefined || (first === '' && last === '') || (first !== '' && last !== '' && Number(last) < Number(first))) return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first), end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start >= size ? 'none' : { start, end };
}

/** Listens on this machine only. @throws where the port is taken */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => { resolve((server.address() as { port: number }).port); });
  });
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({ options: { port: { type: 'string', default: '8080' }, 'build-only': { type: 'boolean' }, 'no-models': { type: 'boolean' } } });
  const out = join(root, 'build/demo'), port = Number(flags.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port: found ${flags.port}; expected 0 to 65535 (0: any that is free)`);
  await buildDemo(out, !flags['no-models']);
  if (flags['build-only']) { console.log(`build/demo: ${readdirSync(out).join(' ')}`); return; }
  const found = await listen(createServer(serveFolder(out)), port).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? new Error(`port ${port} is taken; choose another one: npm run demo -- --port ${port + 1}`) : error;
  });
  console.log(`http://127.0.0.1:${found}/   (Ctrl-C ends)`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch((error: unknown) => { console.error(error instanceof Error ? error.message : error); process.exitCode = 1; });
}
