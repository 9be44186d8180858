/** Examples that need nothing but Node run and say what their text promises; docs/recipes.md shows them as they are. Others: test/runtimes/examples.ts. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { embeddedModel } from './helpers/models.ts';
import { temporary } from './helpers/twin.ts';

const test = suite('examples');
const example = (name: string): string => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const run = (name: string, ...args: string[]): string => execFileSync(process.execPath, [example(name), ...args], { encoding: 'utf8', timeout: 120_000 });

/** A child that this thread does not wait for: it may talk with others. `heard`: whenever it says more. */
async function promisedRun(
  args: readonly string[], env: Readonly<Record<string, string>> = {}, heard?: (child: ChildProcess, text: string) => void,
): Promise<{ stdout: string }> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    heard?.(child, stdout);
  });
  assert.equal(await once(child, 'close'), [0, null], stdout);
  return { stdout };
}

test('node', () => {
  const out = run('node/index.mjs');
  assert.match(out, /The capital of France is Paris\./);
  assert.match(out, /" true\n/);
  assert.match(out, /mat\. perplexity [\d.]+\n.*theorem\. perplexity [\d.]+\n/);
  assert.match(out, /\[E_OPTION\]/);
});

test('recipes: the page shows the examples as they are', () => {
  const page = readFileSync(new URL('../docs/recipes.md', import.meta.url), 'utf8');
  const shown = [...page.matchAll(/^\[examples\/(\S+)\]\(\.\.\/examples\/\1\):\n```\w+\n(.*?)^```$/gms)];
  assert.equal(shown.map(([, name]) => name!.split('/')[0]).filter((name, i, all) => all.indexOf(name) === i), ['service', 'agent', 'rag', 'edge-state', 'batch']);
  for (const [, name, text] of shown) assert.is(text, readFileSync(example(name!), 'utf8'), name);
});

test('service: the official client gets text, a stream, an object, vectors and a refusal', async () => {
  const server = spawn(process.execPath, [example('service/server.mjs'), embeddedModel, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = await once(server.stdout, 'data') as [Buffer];
    const { stdout } = await promisedRun([example('service/client.mjs')], { BASE_URL: `${line.toString().trim()}/v1` });
    assert.is(stdout.match(/The capital of France is Paris\./g)?.length, 2);
    assert.match(stdout, /country: '(France|Italy)'/);
    assert.match(stdout, /2 vectors of 576 dimensions\n404 /);
    server.kill('SIGTERM');
    assert.equal(await once(server, 'exit'), [0, null]);
  } finally {
    server.kill('SIGKILL');
  }
});

test('agent: it calls, is told the results, and an abort ends it', async () => {
  const folder = temporary();
  writeFileSync(join(folder, 'notes.txt'), 'The choir meets on Friday.\n');
  const { stdout } = await promisedRun([example('agent/agent.mjs'), embeddedModel, 'What is 1234 * 5678?', folder], {}, (child, text) => {
    if (text.includes('\n←') && !child.killed) child.kill('SIGINT'); // a second one would end it at once
  });
  assert.match(stdout, /^→ \w+\(.*^← .*^stopped\n$/ms);
});

test('batch: requests are answered, results are read', () => {
  const folder = temporary(), input = join(folder, 'in.jsonl'), output = join(folder, 'out.jsonl');
  const lines = run('batch/requests.mjs').trim().split('\n');
  writeFileSync(input, `${lines.slice(0, 3).join('\n')}\n`); // twelve take longer and say no more
  execFileSync(process.execPath, [fileURLToPath(new URL('../dist/cli.js', import.meta.url)), 'batch', input, output, '-m', embeddedModel], { stdio: 'ignore', timeout: 120_000 });
  const results = run('batch/results.mjs', output);
  assert.match(results, /^France: .*Paris/m);
  assert.is(results.trim().split('\n').length, 3);
});

test.run();
