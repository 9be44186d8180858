/** Real bundlers over the installed tarball: what they build is run, in Node and in Chromium, and must compute the logits of every other runtime. */
import { spawn } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import * as esbuild from 'esbuild';
import { logitsDigest } from '../helpers/expected.ts';
import type { Report } from './support/check.ts';
import { equal, ok } from './support/check.ts';
import { bundlers, chromium, installBundlers, root, runtime, tool } from './support/install.ts';
import { run, stop } from './support/process.ts';
import { project } from './support/project.ts';
import { policy, serve } from './support/serve.ts';
import { model, resultOf } from './runtimes.ts';

const conformance = 'test/runtimes/conformance.mjs', app = (name: string): string => `test/runtimes/apps/${name}`;
const nodeEntry = 'bundled-node.mjs', pageEntry = 'bundled-page.mjs';
const bin = (path: string): string => join(bundlers, 'node_modules', path);

/** The app beside the bundlers, so that it finds them as its own. */
const make = async (name: string, tarball: string, files: readonly string[]): Promise<string> =>
  (await project(name, tarball, [conformance, ...files.map(app)], undefined, join(bundlers, 'apps'))).folder;

function sameLogits(result: unknown): string {
  const { tokens, logits } = result as { tokens: number[]; logits: string };
  equal(tokens.length, 64, 'tokens');
  equal(logits, logitsDigest, 'SHA-256 of the logits');
  return 'the same logits, bit for bit';
}

const inNode = async (script: string): Promise<string> => sameLogits(JSON.parse((await run(process.execPath, [script, model])).stdout));

/** `index.html` with one script. */
const page = (folder: string, script: string): void => {
  writeFileSync(join(folder, 'index.html'), `<!doctype html><meta charset="utf-8"><title>clada: bundled</title><script type="module" src="./${script}"></script>`);
};

/** A page of one script that a bundler wrote. */
async function inPage(folder: string, script: string, csp?: string): Promise<string> {
  await chromium();
  page(folder, script);
  return sameLogits(await resultOf(folder, 'index.html', csp));
}

interface Stats { hasErrors(): boolean; hasWarnings(): boolean; toString(options: object): string }
type Webpack = (options: object, done: (error: Error | null, stats?: Stats) => void) => void;

/** webpack and rspack as they come: an entry, a target, nothing else. Fails on a warning. */
async function pack(webpack: Webpack, folder: string, entry: string, target: string): Promise<string> {
  const path = join(folder, target);
  writeFileSync(join(folder, 'tsconfig.json'), '{}'); // webpack reads the nearest one's paths, which would be this repository's
  const stats = await new Promise<Stats>((resolve, reject) => {
    webpack({ mode: 'production', context: folder, entry: `./${entry}`, target, output: { path, filename: target === 'node' ? 'main.cjs' : 'main.js' }, performance: false }, (error, result) => { if (error) reject(error); else resolve(result!); });
  });
  ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString({ all: false, errors: true, warnings: true }));
  return path;
}

export async function runBundlers(report: Report, tarball: string): Promise<void> {
  await report.check('install: bundlers', async () => { await installBundlers(); return ''; });
  const require = createRequire(join(bundlers, 'package.json'));
  for (const [name, load] of [['webpack 5', () => require('webpack')], ['rspack', () => require('@rspack/core').rspack]] as [string, () => Webpack][]) {
    let folder = '';
    await report.check(`${name}: load(path) in Node`, async () => {
      folder = await make(name.replace(/\W.*/, ''), tarball, [nodeEntry, pageEntry]);
      return inNode(join(await pack(load(), folder, nodeEntry, 'node'), 'main.cjs'));
    });
    await report.check(`${name}: load('/models/…') in Chromium`, async () => inPage(await pack(load(), folder, pageEntry, 'web'), 'main.js'));
  }
  await checkEsbuild(report, tarball);
  await report.check('Vite: in a worker of its default format', async () => {
    await chromium();
    const folder = await make('vite', tarball, [pageEntry, 'bundled-worker.mjs', 'worker-page.mjs']);
    page(folder, 'worker-page.mjs');
    const { stdout, stderr } = await run(process.execPath, [tool('vite/bin/vite.js'), 'build'], { cwd: folder });
    ok(!/warn|externalized/i.test(stdout + stderr), stdout + stderr);
    return sameLogits(await resultOf(join(folder, 'dist'), 'index.html'));
  });
  await report.check('Parcel: in Chromium', async () => {
    await chromium();
    const folder = await make('parcel', tarball, [pageEntry]);
    page(folder, pageEntry);
    await run(process.execPath, [bin('parcel/lib/bin.js'), 'build', 'index.html', '--no-cache', '--no-autoinstall', '--dist-dir', 'out'], { cwd: folder });
    return sameLogits(await resultOf(join(folder, 'out'), 'index.html', policy.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'"))); // its import map is in the page
  });
  for (const mode of ['webpack', 'turbopack']) await checkNext(report, tarball, mode);
}

async function checkEsbuild(report: Report, tarball: string): Promise<void> {
  let folder = '';
  const build = (entry: string, platform: 'node' | 'browser'): Promise<unknown> =>
    esbuild.build({ absWorkingDir: folder, entryPoints: [entry], bundle: true, format: 'esm', platform, outfile: `${platform}/main.mjs`, logLevel: 'silent' });
  await report.check('esbuild: load(path) in Node', async () => {
    folder = await make('esbuild', tarball, [nodeEntry, pageEntry]);
    await build(nodeEntry, 'node');
    return inNode(join(folder, 'node/main.mjs'));
  });
  await report.check("esbuild: load('/models/…') in Chromium", async () => {
    await build(pageEntry, 'browser');
    return inPage(join(folder, 'browser'), 'main.mjs');
  });
  await report.check('a policy that forbids WebAssembly is a typed error', async () => {
    const found = await inPage(join(folder, 'browser'), 'main.mjs', policy.replace(" 'wasm-unsafe-eval'", '')).catch(String);
    ok(found.includes('[E_WASM_BLOCKED]') && found.includes("'wasm-unsafe-eval'"), found);
    return 'E_WASM_BLOCKED';
  });
}

/** A port that is free now: `next start` takes none of its own choice. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** Built and started by Node 20, which compiles no relaxed SIMD. */
async function checkNext(report: Report, tarball: string, mode: string): Promise<void> {
  const next = bin('next/dist/bin/next'), port = await freePort(), models = await serve({ '/models/': join(root, 'models') });
  const env = { ...process.env, CI: '1', NEXT_TELEMETRY_DISABLED: '1', MODEL_PATH: model, MODEL_URL: `${models.origin}/models/${basename(model)}` };
  let folder = '', child: ReturnType<typeof spawn> | undefined, printed = '';
  const ask = async (route: string): Promise<string> => {
    ok(child, 'it was not built');
    const until = performance.now() + 30_000;
    for (;;) {
      const response = await fetch(`http://127.0.0.1:${port}/api/${route}`, { signal: AbortSignal.timeout(120_000) }).catch(() => undefined);
      if (response?.ok) return sameLogits(await response.json());
      ok(!response && performance.now() < until && child.exitCode === null, `status ${response?.status ?? 'none'}\n${printed}`);
      await new Promise((resolve) => { setTimeout(resolve, 200); });
    }
  };
  await report.check(`Next (${mode}): build`, async () => {
    const node = runtime('node20');
    folder = join(await make(`next-${mode}`, tarball, ['next']), 'next');
    copyFileSync(join(root, conformance), join(folder, 'conformance.mjs')); // what lies outside its folder Next does not compile
    await run(node, [next, 'build', `--${mode}`], { cwd: folder, env });
    child = spawn(node, [next, 'start', '--port', String(port), '--hostname', '127.0.0.1'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => { printed += chunk.toString(); });
    return 'next build, next start';
  });
  await report.check(`Next (${mode}): a Node route`, () => ask('node'));
  await report.check(`Next (${mode}): an edge route`, () => ask('edge'));
  if (child) await stop(child);
  models.close();
}
