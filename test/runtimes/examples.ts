/** Every example as its first lines say to run it, against the installed tarball. Node's own is in the quick suite too (test/examples.test.ts). */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from '../helpers/browser.ts';
import type { Report } from './support/check.ts';
import { ok } from './support/check.ts';
import { chromium, root, runtime, tool } from './support/install.ts';
import { run } from './support/process.ts';
import { bundle, project } from './support/project.ts';
import { serve } from './support/serve.ts';
import { serveWorker } from './support/workerd.ts';
import { dispatch, model } from './runtimes.ts';

const capital = /The capital of France is Paris\./;
/** What Cloudflare gives a Worker, WebAssembly and JavaScript together. */
const workerBytes = 128e6;
/** MiB of JavaScript heap that V8 may use here. Cloudflare limits the sum; workerd limits nothing, so garbage would lie about until there are 40 MB of it. */
const heapMegabytes = 16;
const question = 'What is the capital of France?';

function says(text: string, expected: RegExp): string {
  ok(expected.test(text), `found ${JSON.stringify(text.slice(0, 2000))}; expected ${expected}`);
  return capital.exec(text)?.[0] ?? '';
}

export async function runExamples(report: Report, tarball: string): Promise<void> {
  await report.check('example node', async () => {
    const { folder } = await project('example-node', tarball, ['examples/node/index.mjs']);
    const script = join(folder, 'index.mjs');
    writeFileSync(script, readFileSync(script, 'utf8').replace(/new URL\('[^']*', import\.meta\.url\)/, JSON.stringify(model))); // the model stays where it is
    return says((await run(runtime('node24'), [script], { cwd: folder })).stdout, capital);
  });
  await report.check('example deno', async () => {
    const { folder } = await project('example-deno', tarball, ['examples/deno/main.ts']);
    return says((await run(runtime('deno'), ['run', '--allow-read', 'main.ts', model], { cwd: folder })).stdout, capital);
  });
  await report.check('example bun', async () => {
    const { folder } = await project('example-bun', tarball, ['examples/bun/main.ts']);
    return says((await run(runtime('bun'), ['main.ts', model], { cwd: folder })).stdout, capital);
  });
  await report.check('example edge-light', async () => {
    const { folder } = await project('example-edge', tarball, ['examples/edge-light/function.js', 'test/runtimes/apps/edge-entry.mjs']);
    await bundle(folder, 'edge-entry.mjs', 'edge.js', 'edge-light');
    const server = await serve({ '/models/': join(root, 'models') });
    try {
      const url = `http://edge.test/api/answer?prompt=${encodeURIComponent(question)}`, env = { MODEL_URL: `${server.origin}/models/smollm2-135m-instruct-q4_1.gguf` };
      return says(await dispatch(join(folder, 'edge.js'), join(folder, 'wasm'), url, env), capital);
    } finally {
      server.close();
    }
  });
  await report.check('example browser', async () => {
    await chromium();
    const { folder } = await project('example-browser', tarball, ['examples/browser/index.html', 'examples/browser/main.js']);
    return ask({ '/': folder, '/models/': join(root, 'models') });
  });
  await report.check('example vite: a build that loses no .wasm', async () => {
    await chromium();
    const { folder } = await project('example-vite', tarball, ['examples/vite/index.html', 'examples/vite/main.js']);
    const { stdout, stderr } = await run(process.execPath, [tool('vite/bin/vite.js'), 'build'], { cwd: folder });
    ok(!/warn|externalized/i.test(stdout + stderr), stdout + stderr);
    const assets = readdirSync(join(folder, 'dist/assets')), lost = assets.filter((name) => /["'`][^"'`\s]*\.wasm["'`]/.test(readFileSync(join(folder, 'dist/assets', name), 'utf8')));
    ok(lost.length === 0, `${lost.join(', ')} names a .wasm file; the build has ${assets.join(', ')}`);
    return ask({ '/': join(folder, 'dist'), '/models/': join(root, 'models') });
  });
  await checkWorker(report, tarball);
}

/** Recipes of docs/recipes.md that Node alone does not run. */
export async function runRecipes(report: Report, tarball: string): Promise<void> {
  await report.check('recipe rag: passages found and an answer from them, in a page', async () => {
    await chromium();
    const { folder } = await project('recipe-rag', tarball, ['index.html', 'main.js', 'documents.json'].map((name) => `examples/rag/${name}`));
    symlinkSync(model, join(folder, 'model.gguf'));
    return ask({ '/': folder }, /Bicycles may be taken[^]*tokens a second/, ['#answer', '#found', '#status']);
  });
  await report.check('recipe edge-state: workerd goes on with a conversation after it was started anew', async () => {
    const folder = join((await project('recipe-edge-state', tarball, ['examples/edge-state'])).folder, 'edge-state'), id = '0123456789abcdef';
    symlinkSync('../node_modules', join(folder, 'node_modules'));
    symlinkSync(model, join(folder, 'model.gguf'));
    await run(process.execPath, [join(folder, 'node_modules/clada/dist/cli.js'), 'split', '-m', 'model.gguf', '--by', 'bytes', '--out', 'public'], { cwd: folder });
    mkdirSync(join(folder, 'chats'));
    const turns: string[] = [];
    for (const message of [question, 'And of Italy?']) {
      const server = await serveWorker(join(folder, 'config.capnp'));
      try {
        const response = await fetch(`${server.origin}/?id=${id}`, { method: 'POST', body: message, signal: AbortSignal.timeout(120_000) });
        const text = await response.text();
        ok(response.ok && text !== '', text);
        says(text, turns.length === 0 ? capital : /Rome/); // which it could not know of the second question alone
        turns.push(response.headers.get('x-messages')!);
        const refused = await fetch(`${server.origin}/?id=..%2Fsecret`, { method: 'POST', body: message });
        ok(refused.status === 400, `status ${refused.status} for an id that is a path`);
      } finally {
        await server.stop();
      }
    }
    ok(turns.join() === '2,4', `messages with each question: ${turns.join()}`);
    return `${readdirSync(join(folder, 'chats')).length} snapshot`;
  });
}

/** Asks the page at `/` in Chromium. @returns its answer and what it says of itself */
async function ask(folders: Readonly<Record<string, string>>, expected = capital, shown = ['#answer', '#status']): Promise<string> {
  const server = await serve(folders), browser = await launch(await chromium());
  try {
    const page = await browser.newPage(), problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => { if (message.type() === 'error' && !/favicon/.test(message.text())) problems.push(message.text()); });
    await page.goto(`${server.origin}/`);
    await page.click('#ask');
    const until = performance.now() + 60_000, finished = async (): Promise<boolean> => /second|found|status/.test((await page.textContent('#status')) ?? '');
    while (!(await finished())) { // not waitForFunction: it evaluates texts in the page, which the policy forbids
      ok(performance.now() < until, `no answer after 60 s ${problems.join('; ')}`);
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    const texts = await Promise.all(shown.map((id) => page.textContent(id)));
    says(texts.join('\n'), expected);
    return `${texts[0]} ${texts.at(-1)}`;
  } finally {
    await browser.close();
    server.close();
  }
}

interface Heap { used: number; embedder: number; backing: number }
const bytesOf = ({ used, embedder, backing }: Heap): number => used + embedder + backing;

/** The Worker in workerd as its configuration says: streamed answer, memory with a JavaScript heap that V8 holds small, time to the first token. */
async function checkWorker(report: Report, tarball: string): Promise<void> {
  let stats: { memoryBytes: number } | undefined, heap: { before: Heap; peak: Heap } | undefined, firstToken = NaN;
  await report.check('example cloudflare: a streamed answer from workerd', async () => {
    const folder = join((await project('example-cloudflare', tarball, ['examples/cloudflare'])).folder, 'cloudflare');
    symlinkSync('../node_modules', join(folder, 'node_modules'));
    await run(process.execPath, [join(folder, 'node_modules/clada/dist/cli.js'), 'split', '-m', model, '--by', 'bytes', '--out', 'public'], { cwd: folder });
    const pieces = readdirSync(join(folder, 'public')), config = join(folder, 'config.capnp'), text = readFileSync(config, 'utf8');
    ok(text.includes(`"${pieces.length}"`), `config.capnp names other than ${pieces.length} parts`);
    writeFileSync(config, text.replace('Workerd.Config = (', `Workerd.Config = (\n  v8Flags = ["--max-heap-size=${heapMegabytes}"],`)); // V8 ends the process above it
    const server = await serveWorker(config);
    try {
      const watcher = spawn(runtime('node22'), [join(root, 'test/runtimes/apps/heap.mjs'), server.inspector], { stdio: ['pipe', 'pipe', 'inherit'] });
      let watched = '';
      watcher.stdout.on('data', (chunk: Buffer) => { watched += chunk.toString(); });
      const ended = new Promise((resolve) => { watcher.once('close', resolve); });
      const response = await fetch(server.origin, { method: 'POST', body: JSON.stringify({ prompt: question }), signal: AbortSignal.timeout(120_000) });
      const decoder = new TextDecoder();
      let body = '', pieceCount = 0;
      for await (const chunk of response.body!) {
        body += decoder.decode(chunk as Uint8Array, { stream: true });
        if (pieceCount++ === 0) firstToken = (performance.now() - server.startedAt) / 1000;
      }
      const events = body.split('\n\n').filter(Boolean).map((event) => event.slice('data: '.length));
      ok(events.at(-1) === '[DONE]', body);
      const parsed = events.slice(0, -1).map((event) => JSON.parse(event) as { text?: string; stats?: { memoryBytes: number } });
      stats = parsed.at(-1)!.stats;
      ok(pieceCount > 3, `${pieceCount} pieces: the answer was not streamed`);
      says(parsed.map(({ text: part }) => part ?? '').join(''), capital);
      watcher.stdin.end();
      await Promise.race([ended, new Promise((resolve) => { setTimeout(resolve, 15_000); })]);
      watcher.kill('SIGKILL');
      heap = JSON.parse(watched.trim().split('\n').at(-1)!) as typeof heap;
      const refused = await fetch(server.origin, { method: 'POST', body: 'no JSON' });
      ok(refused.status === 400, `status ${refused.status} for a body that is no JSON`);
      return `${pieces.length} pieces of the model, ${pieceCount} of the answer`;
    } finally {
      await server.stop();
    }
  });
  await report.check('example cloudflare: wrangler bundles it as configured', async () => {
    const folder = join((await project('example-wrangler', tarball, ['examples/cloudflare'])).folder, 'cloudflare'), public_ = join(folder, 'public');
    symlinkSync('../node_modules', join(folder, 'node_modules'));
    mkdirSync(public_);
    writeFileSync(join(public_, 'model.txt'), 'of the model only the names matter here\n');
    await run(runtime('node22'), [tool('wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', 'out'], { cwd: folder, env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' } });
    const built = readdirSync(join(folder, 'out')).filter((name) => name.endsWith('.wasm'));
    ok(built.length === 2, `binaries in the bundle: ${built.join(', ')}`);
    return 'deploy --dry-run, both binaries found';
  });
  await report.check('example cloudflare: WebAssembly and JavaScript under 128 MB, context 512', () => {
    ok(stats && heap, 'no figures: the Worker did not answer');
    const total = stats.memoryBytes + bytesOf(heap.peak), mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    ok(total < workerBytes, `${total} bytes (${JSON.stringify(heap)}); at most ${workerBytes}`);
    const { used, embedder, backing } = heap.peak;
    return `${mb(stats.memoryBytes)} + JavaScript ${mb(bytesOf(heap.peak))} (heap ${mb(used + embedder)}, buffers ${mb(backing)}, the most seen, garbage included) = ${mb(total)}`;
  });
  await report.check('example cloudflare: cold start', () => {
    ok(firstToken < 30, `${firstToken} s to the first token`);
    return `${firstToken.toFixed(2)} s from the start of workerd to the first token`;
  });
}
