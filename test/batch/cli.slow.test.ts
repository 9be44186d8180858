/** `clada batch` in one process: files in, files out, and going on wherever a run was cut. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runBatch, type BatchResult } from '../../src/batch/index.ts';
import { load } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';
import { openOutput } from '../../src/cli/batch-output.ts';
import { answersOf, expectedOf, readResults, requests } from '../helpers/batches.ts';
import { clada, cli, start } from '../helpers/cli.ts';
import { codeOf } from '../helpers/errors.ts';
import { tinyPath } from '../helpers/models.ts';
import { temporary } from '../helpers/twin.ts';

const test = suite('clada batch');
const folder = temporary(), model = tinyPath('llama.gguf');
let files = 0;
const fresh = (text?: string): string => {
  const path = join(folder, `${files++}.jsonl`);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};
const batch = (...args: string[]) => clada(['batch', ...args, '-m', model]);

const text = requests(40), input = fresh(text);
let expected: Map<string, string>, whole: string;

test.before(async () => { expected = await expectedOf(model, text); });

test('every line is answered once, as a server answers it', () => {
  const output = whole = fresh(), { status, stdout, stderr } = batch(input, output);
  assert.equal([status, stdout], [0, ''], stderr);
  assert.match(stderr, /^40 lines answered, \d+ tokens \([\d.]+ a second\) in [\d.]+ s\n$/);
  assert.equal(answersOf(readResults(output)), new Map(readResults(output).map(({ custom_id: id }) => [id!, expected.get(id!)!])));
  assert.is(readResults(output).length, 40);
  assert.not.ok(existsSync(`${output}.lock`));
  const before = readFileSync(output, 'utf8'), again = batch(input, output, '--json');
  assert.is(again.status, 0);
  const { seconds, ...counts } = JSON.parse(again.stdout) as Record<string, unknown>;
  assert.equal(counts, { ended: true, before: 40, completed: 0, failed: 0, promptTokens: 0, completionTokens: 0 });
  assert.type(seconds, 'number');
  assert.is(readFileSync(output, 'utf8'), before);
});

test('a program gets the same, over a server in its own process', async () => {
  await using loaded = await load(model, { sequences: 4 });
  const results: BatchResult[] = [], server = createServer(loaded, { slots: 4 });
  const { completed, failed, ended } = await runBatch(new Blob([text]).stream(), {
    handler: server.fetch, concurrency: 4, write: (result) => { results.push(result); }, done: readResults(whole).slice(0, 10),
  });
  assert.equal([completed, failed, ended], [30, 0, true]);
  for (const [id, answer] of answersOf(results)) assert.is(answer, expected.get(id));
  await server.close();
});

test('cut at any byte, the output is read up to its last whole line', async () => {
  const bytes = readFileSync(whole), end = bytes.indexOf(10, bytes.indexOf(10) + 1) + 1, path = fresh();
  for (let cut = 0; cut <= end; cut++) {
    writeFileSync(path, bytes.subarray(0, cut));
    const output = await openOutput(path, undefined, input), lines = bytes.subarray(0, cut).filter((byte) => byte === 10).length;
    output.close();
    assert.is(output.ledger.count, lines, `${cut}`);
    assert.is(statSync(path).size, bytes.subarray(0, cut).lastIndexOf(10) + 1);
  }
});

test('cut in the middle of a line, a run goes on behind it', () => {
  const output = fresh(readFileSync(whole, 'utf8'));
  truncateSync(output, 3000);
  const { status, stderr } = batch(input, output);
  assert.is(status, 0, stderr);
  assert.equal([...answersOf(readResults(output))].sort(), [...expected].sort());
});

test('killed again and again, it comes to the same end', async () => {
  const long = requests(300, 8), from = fresh(long), output = fresh(), answers = await expectedOf(model, long);
  let kills = 0;
  for (let before = 0; ; before = readResultsTorn(output)) {
    const running = start(['batch', from, output, '-m', model]);
    while (kills < 5 && readResultsTorn(output) < before + 30 && !(await ended(running.ended, 20)));
    if (kills < 5) { running.kill('SIGKILL'); kills++; }
    if ((await running.ended).status === 0) break;
  }
  assert.is(kills, 5);
  assert.equal([...answersOf(readResults(output))].sort(), [...answers].sort());
});

const readResultsTorn = (path: string): number => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);
const ended = (promise: Promise<unknown>, ms: number): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => { setTimeout(() => { resolve(false); }, ms); })]);

test('Ctrl-C finishes the lines that run, and says how it goes on', async () => {
  const from = fresh(requests(400, 20)), output = fresh(), running = start(['batch', from, output, '-m', model]);
  while (readResultsTorn(output) < 5 && !(await ended(running.ended, 10)));
  running.kill('SIGINT');
  const { status, stderr } = await running.ended, { length } = readResults(output);
  assert.is(status, 130, stderr);
  assert.match(stderr, new RegExp(`^${length} lines answered.*\nThe same command goes on behind what is in .*\n$`));
  assert.ok(length >= 5 && length < 400, `${length}`);
  answersOf(readResults(output));
  assert.not.ok(existsSync(`${output}.lock`));
});

test('lines that failed end it with 3, and are in the file of errors; so they are after going on', () => {
  const lines = [
    '{bad', JSON.stringify({ custom_id: 'fine', method: 'POST', url: '/v1/completions', body: { prompt: 'a', max_tokens: 2 } }),
    JSON.stringify({ custom_id: 'other', method: 'POST', url: '/v1/completions', body: { model: 'gpt-9', prompt: 'a' } }),
    JSON.stringify({ custom_id: 'long', method: 'POST', url: '/v1/completions', body: { prompt: 'word '.repeat(5000) } }),
    JSON.stringify({ custom_id: 'fine', method: 'POST', url: '/v1/completions', body: { prompt: 'a' } }),
  ];
  const from = fresh(lines.join('\n')), output = fresh(), errors = fresh();
  const summary = (result: BatchResult[]): unknown[] => result.map(({ custom_id: id, response, error }) =>
    [id, error?.code ?? response?.status_code]).sort((a, b) => String(a).localeCompare(String(b)));
  const failed = [[null, 'invalid_json_line'], ['fine', 'duplicate_custom_id'], ['long', 400], ['other', 404]];
  const { status, stderr } = batch(from, output, '--errors', errors);
  assert.is(status, 3, stderr);
  assert.match(stderr, /^5 lines answered, 4 failed/);
  assert.equal(summary(readResults(errors)), failed);
  assert.equal(summary(readResults(output)), [failed[0], ['fine', 200], ...failed.slice(1)].sort((a, b) => String(a).localeCompare(String(b))));
  truncateSync(output, readFileSync(output, 'utf8').split('\n').slice(0, 3).join('\n').length + 20);
  writeFileSync(errors, '');
  assert.is(batch(from, output, '--errors', errors).status, 3);
  assert.equal(summary(readResults(errors)), failed);
  const named = fresh();
  assert.is(clada(['batch', fresh(lines[2]!), named, '-m', model, '--alias', 'gpt-9']).status, 0);
});

test('the input may come through a pipe', () => {
  const output = fresh(), { status, stderr } = clada(['batch', '-', output, '-m', model], text);
  assert.is(status, 0, stderr);
  assert.equal([...answersOf(readResults(output))].sort(), [...expected].sort());
});

test('files that are something else are left as they are', async () => {
  const foreign = ['text without an end', 'a line\n', '{"custom_id":"a"}\n', '[1]\n', text, `${readFileSync(whole, 'utf8')}x`];
  for (const [i, content] of foreign.entries()) {
    const path = fresh(content);
    assert.is(await codeOf(() => openOutput(path, undefined, input)), 'E_DATA', `${i}`);
    assert.is(await codeOf(() => openOutput(fresh(), path, input)), 'E_DATA', `${i}`);
    assert.is(readFileSync(path, 'utf8'), content);
    assert.not.ok(existsSync(`${path}.lock`));
    assert.not.ok(existsSync(`${path}.new`));
  }
  const twice = fresh(readFileSync(whole, 'utf8').repeat(2));
  assert.is(await codeOf(() => openOutput(twice, undefined, input)), 'E_DATA');
});

test('one file is not two, a folder or a pipe is none, and two runs do not share one', async () => {
  const same = join(folder, 'link.jsonl'), output = fresh();
  symlinkSync(input, same);
  assert.is(await codeOf(() => openOutput(same, undefined, input)), 'E_OPTION');
  assert.is(await codeOf(() => openOutput(fresh(), input, input)), 'E_OPTION');
  assert.is(readFileSync(input, 'utf8'), text);
  mkdirSync(join(folder, 'sub'));
  assert.is(await codeOf(() => openOutput(join(folder, 'sub'), undefined, input)), 'E_NOT_FOUND');
  assert.is(await codeOf(() => openOutput(join(folder, 'none/out.jsonl'), undefined, input)), 'E_NOT_FOUND');
  assert.is(await codeOf(() => openOutput('/dev/null', undefined, input)), 'E_OPTION');
  writeFileSync(`${output}.lock`, JSON.stringify({ pid: process.ppid, host: (await import('node:os')).hostname() }));
  assert.is(await codeOf(() => openOutput(output, undefined, input)), 'E_OPTION');
  for (const stale of [JSON.stringify({ pid: 2 ** 22 + 1, host: (await import('node:os')).hostname() }), '']) {
    writeFileSync(`${output}.lock`, stale);
    (await openOutput(output, undefined, input)).close();
  }
});

test('another input, or another model, than the results are of is refused, and nothing is lost', () => {
  const output = fresh(readFileSync(whole, 'utf8')), before = readFileSync(output, 'utf8');
  const other = batch(fresh(requests(40, 7)), output);
  assert.equal([other.status, /E_DATA/.test(other.stderr)], [1, true], other.stderr);
  const gemma = clada(['batch', input, output, '-m', tinyPath('qwen2.gguf')]);
  assert.equal([gemma.status, /results of another model.*E_OPTION/.test(gemma.stderr)], [2, true], gemma.stderr);
  assert.is(readFileSync(output, 'utf8'), before);
});

test('where the disk is full it stops, and goes on when there is room', async () => {
  const output = fresh(), limited = await start(['batch', input, output, '-m', model], {}, 60_000, 'ulimit -f 12').ended;
  assert.is(limited.status, 1, limited.stderr);
  assert.match(limited.stderr, /found EFBIG; expected room for a result\. .* \[E_WRITE\]/);
  const { length } = readResults(output);
  assert.ok(length > 0 && length < 40, `${length}`);
  assert.is(batch(input, output).status, 0);
  assert.equal([...answersOf(readResults(output))].sort(), [...expected].sort());
});

test('flags that make no sense are usage errors', () => {
  for (const args of [[], [input], [input, fresh(), 'third'], ['--worker', input], ['--worker'], [input, fresh(), '--lease', '5'], [input, fresh(), '--queue', 'http://x']]) {
    const { status, stderr } = batch(...args);
    assert.equal([status, /E_USAGE/.test(stderr)], [2, true], stderr);
  }
  assert.match(batch(join(folder, 'none'), fresh()).stderr, /E_NOT_FOUND/);
});

test('without the packages of a queue it names them', () => {
  const alone = join(folder, 'alone');
  cpSync(dirname(cli), alone, { recursive: true });
  writeFileSync(join(alone, 'package.json'), '{"type":"module"}');
  const { status, stderr } = spawnSync(process.execPath, [join(alone, basename(cli)), 'batch', '--queue', 'redis://localhost:1', '--worker'], { encoding: 'utf8' });
  assert.equal([status, /found no package bullmq; .* npm install bullmq ioredis, .* \[E_NOT_FOUND\]/.test(stderr)], [1, true], stderr);
});

test.run();
