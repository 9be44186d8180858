/** The built command line as a shell sees it: results on stdout, notes on stderr, exit codes. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clada, cli } from '../helpers/cli.ts';
import { madeUp } from '../helpers/items.ts';
import { tinyPath } from '../helpers/models.ts';

const tiny = tinyPath('llama.gguf');

const test = suite('clada');

test('run: text on stdout, figures on stderr', () => {
  const { status, stdout, stderr } = clada(['run', '-p', 'The capital of France is', '-n', '8', '--temp', '0', '--stats']);
  assert.is(status, 0, stderr);
  assert.match(stdout, /Paris/);
  assert.match(stderr, /prompt \d+ tokens at [\d.]+ tok\/s · generated 8 at [\d.]+ tok\/s \(length.*GB\/s memory bandwidth · memory \d+ MB/);
});

test('-c 0: the context that the model was trained on', () => {
  const contextOf = (...args: string[]): number => (JSON.parse(clada(['run', '-m', tiny, '-p', 'a', '-n', '1', '--json', ...args]).stdout) as { model: { contextSize: number } }).model.contextSize;
  assert.is(contextOf('-c', '0'), contextOf());
  assert.is(contextOf('-c', '32'), 32);
});

test('run --json: one object; a prompt comes through a pipe', () => {
  const { status, stdout, stderr } = clada(['run', '-n', '4', '--temp', '0', '--json'], 'One two three four five six');
  assert.is(status, 0, stderr);
  const result = JSON.parse(stdout) as { text: string; generatedTokens: number; stopReason: string };
  assert.is(result.generatedTokens, 4);
  assert.is(result.stopReason, 'length');
});

test('--save-session, --load-session: a text and a chat go on as if they had not been cut', () => {
  const folder = mkdtempSync(join(tmpdir(), 'clada-session-')), file = join(folder, 's.clada'), common = ['--temp', '0', '--tier', 'base'];
  const out = (...args: string[]): string => {
    const { status, stdout, stderr } = clada([...args]);
    assert.is(status, 0, stderr);
    return stdout.replace(/\n$/, '');
  };
  const whole = out('run', '-p', 'Once upon a time', '-n', '16', ...common);
  const begun = out('run', '-p', 'Once upon a time', '-n', '6', '--save-session', file, ...common);
  assert.is(begun + out('run', '--load-session', file, '-n', '10'), whole, 'temperature, tier and kv come from the session');
  const { text, cachedTokens, promptTokens } = JSON.parse(out('run', '--load-session', file, '-p', ' and', '-n', '2', '--json', '--temp', '0')) as { text: string; cachedTokens: number; promptTokens: number };
  assert.ok(text.length > 0 && cachedTokens >= promptTokens - 3, `${cachedTokens} of ${promptTokens} cached`);
  assert.is(clada(['chat', '--load-session', file], 'Hi.\n').status, 2);

  const first = ['Name a colour.', 'And another.'], both = clada(['chat', '-n', '8', ...common], first.join('\n'));
  out('run', '--chat', '-p', first[0]!, '-n', '8', '--save-session', file, ...common);
  const second = out('run', '--load-session', file, '-p', first[1]!, '-n', '8', '--temp', '0');
  assert.ok(both.stdout.trimEnd().endsWith(second), `${both.stdout} / ${second}`);
  const again = clada(['chat', '--load-session', file, '-n', '8', '--temp', '0'], first[1]);
  assert.is(again.stdout.trimEnd(), second.trimEnd(), again.stderr);
  for (const [args, code] of [[['--load-session', join(folder, 'none')], 'E_NOT_FOUND'], [['--load-session', tiny], 'E_SNAPSHOT'], [['--load-session', file, '--kv', 'f16'], 'E_SNAPSHOT_MODEL'], [['--load-session', file, '--chat'], 'E_USAGE']] as const) {
    const refused = clada(['run', '-p', 'x', ...args]);
    assert.ok(refused.status !== 0 && refused.stderr.includes(code), refused.stderr);
  }
  rmSync(folder, { recursive: true });
});

test('chat: a line in, an answer out, until the input ends', () => {
  const { status, stdout, stderr } = clada(['chat', '-n', '12', '--temp', '0'], 'Say hello.\nAnd again.\n');
  assert.is(status, 0, stderr);
  assert.ok(stdout.trim().split('\n').length >= 2, stdout);
});

test('inspect, tokenize, bench, eval, doctor --json print JSON', () => {
  const text = join(mkdtempSync(join(tmpdir(), 'clada-cli-')), 'text.txt');
  writeFileSync(text, 'The quick brown fox jumps over the lazy dog.');
  for (const args of [['inspect', tiny], ['tokenize', '-p', 'Hello world'], ['bench', '-p', '8', '-n', '4', '-r', '2'], ['eval', '-f', text], ['doctor']]) {
    const { status, stdout, stderr } = clada([...args, '--json']);
    assert.is(status, 0, `${args.join(' ')}: ${stderr}`);
    assert.ok(JSON.parse(stdout.includes('\n{') ? `[${stdout.trim().split('\n').join(',')}]` : stdout), args.join(' '));
  }
  rmSync(join(text, '..'), { recursive: true });
});

test("bench: llama-bench's tests and fields, one row each; a batch's table", () => {
  const bench = (...args: string[]): ReturnType<typeof clada> => clada(['bench', '-m', tiny, '-r', '2', ...args]);
  const rows = JSON.parse(bench('-p', '8', '-n', '4', '-pg', '8,4', '-d', '0,16', '-o', 'json').stdout) as Record<string, unknown>[];
  assert.equal(rows.map(({ test }) => test), ['pp8', 'tg4', 'pp8+tg4', 'pp8 @ d16', 'tg4 @ d16', 'pp8+tg4 @ d16']);
  for (const row of rows) {
    const { n_prompt: prompt, n_gen: generate, samples_ns: ns, samples_ts: ts, avg_ts: mean } = row as Record<string, number> & Record<'samples_ns' | 'samples_ts', number[]>;
    assert.ok(ns.length === 2 && ts.every((speed, i) => Math.abs((speed * ns[i]!) / 1e9 / (prompt! + generate!) - 1) < 1e-3), JSON.stringify(row));
    assert.ok(Math.abs((ts[0]! + ts[1]!) / 2 / mean! - 1) < 1e-6);
    assert.ok('model_filename' in row && 'n_threads' in row && 'type_k' in row && 'memory_gb_per_second' in row);
  }
  const table = bench('-p', '8', '-n', '4');
  assert.match(table.stdout, /^\| model +\| +size \| +params \| +backend \| threads \| test \| +t\/s \|\n(.*\n){3}\ntg4: .* memory bandwidth/);
  const csv = bench('-p', '8', '-n', '0', '-o', 'csv').stdout.trim().split('\n');
  assert.is(csv.length, 2);
  assert.is(csv[0]!.split(',').length, csv[1]!.split('","').length);

  const batch = JSON.parse(bench('-p', '8', '-n', '4', '-pl', '1,3', '-o', 'json').stdout) as Record<string, number>[];
  assert.equal(batch.map(({ pp, tg, pl, n_kv: held }) => [pp, tg, pl, held]), [[8, 4, 1, 12], [8, 4, 3, 36]]);
  for (const { pl, speed_tg: speed, t_tg: seconds, t, t_pp: before } of batch) {
    assert.ok(Math.abs((speed! * seconds!) / (4 * pl!) - 1) < 1e-6);
    assert.ok(Math.abs(t! - before! - seconds!) < 1e-9);
  }
  assert.match(bench('-p', '8', '-n', '4', '-pl', '2').stdout, /\| PP \| TG \| +B \| N_KV \| T_PP s \|.*\| p95 ms \|/);
  assert.is(bench('-pg', '8').status, 2);
  assert.is(bench('-pl', '2', '-n', '0').status, 2);
});

test('split: parts that a run takes by the first path; a size that is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'clada-split-'));
  const { status, stdout, stderr } = clada(['split', tiny, '--split-max-size', '0.3M', '--out', folder, '--json']);
  assert.is(status, 0, stderr);
  const { parts } = JSON.parse(stdout) as { parts: { path: string; bytes: number }[] };
  assert.ok(parts.length > 1 && parts.every(({ path, bytes }) => bytes <= 3e5 && statSync(path).size === bytes), stdout);
  const answer = (model: string): string => clada(['run', '-m', model, '-p', 'a', '-n', '5', '--temp', '0', '--raw', '--tier', 'base']).stdout;
  assert.is(answer(parts[0]!.path), answer(tiny));
  const cut = clada(['split', tiny, '--by', 'bytes', '--split-max-size', '100000', '--out', folder, '--json']);
  const pieces = (JSON.parse(cut.stdout) as { parts: { path: string }[] }).parts.map(({ path }) => readFileSync(path));
  assert.ok(pieces.length === 6 && Buffer.concat(pieces).equals(readFileSync(tiny)), cut.stdout);
  assert.is(clada(['split', tiny, '--split-max-size', '25 MB']).status, 2);
  rmSync(folder, { recursive: true });
});

test('eval: tasks and documents, a results file that goes on, and what is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'clada-eval-'));
  const out = join(folder, 'results.jsonl'), documents = join(folder, 'documents.json');
  writeFileSync(join(folder, 'lambada.jsonl'), madeUp.lambada);
  writeFileSync(join(folder, 'gsm8k.jsonl'), madeUp.gsm8k.split('\n')[0]!);
  writeFileSync(documents, JSON.stringify([{ kind: 'a', id: '1', ids: [504, 2365, 6354, 16438, 27003] }, { kind: 'b', id: '2', ids: [504, 3575, 282, 4649, 314, 7042] }]));
  const args = ['eval', '--tasks', 'lambada,gsm8k', '--data', folder, '--documents', documents, '--prompt', '2', '--limit', '2', '-c', '1024', '--tier', 'base', '--out', out];
  const first = clada(args);
  assert.is(first.status, 0, first.stderr);
  assert.match(first.stdout, /\| dense +\| +2 \| 1\.000 \|[^]*lambada[^]*exact match/);
  const lines = (): string[] => readFileSync(out, 'utf8').trimEnd().split('\n');
  const all = lines();
  assert.equal(all.map((line) => (JSON.parse(line) as { type: string }).type), ['header', 'kl', 'kl', 'task', 'task', 'generation']);
  const header = JSON.parse(all[0]!) as Record<string, unknown>;
  assert.ok(!all[0]!.includes(folder) && String(header['command']).startsWith('clada eval --tasks lambada,gsm8k --data'), all[0]);
  for (const field of ['machine', 'date', 'runtime', 'model', 'commit']) assert.ok(field in header, field);

  writeFileSync(out, `${all.slice(0, 4).join('\n')}\n${all[4]!.slice(0, 20)}`); // cut in the middle of a line
  assert.is(clada(args).status, 0);
  const resumed = lines();
  assert.equal(resumed.slice(0, 4), all.slice(0, 4));
  assert.match(resumed[4]!, /"type":"header"/);
  const timeless = (list: string[]): string[] => list.map((line) => line.replace(/"(ms|denseMs)":[^,}]*/g, ''));
  assert.equal(timeless(resumed.slice(5)), timeless(all.slice(4)));
  const again = clada([...args, '--json']);
  assert.equal(lines(), resumed, 'nothing was left to do');
  const { comparisons, tasks, generation } = JSON.parse(again.stdout) as Record<string, unknown[]>;
  assert.equal([comparisons!.length, tasks!.length, generation!.length], [1, 1, 1]);

  for (const [wrong, message] of [
    [['eval', '--tasks', 'piqa'], /--data/], [['eval', '--limit', '3', '-p', 'x'], /neither --tasks nor --documents/], [['eval', '--documents', documents, '--prompt', 'x'], /integer/],
    [['eval', '--documents', documents, '--methods', 'dence'], /Did you mean dense/], [['eval', '--documents', documents, '--methods', 'dense:2'], /density/], [['eval', '--tasks', 'lambada', '--data', folder, '-p', 'x'], /--prompt/],
    [['eval', '--documents', documents, '--prompt', '2', '--out', out], /tier/], [['eval', '--documents', out], /JSON/],
  ] as [string[], RegExp][]) {
    const { status, stderr, stdout } = clada(wrong);
    assert.is(status, 2, stderr);
    assert.match(stderr, message);
    assert.is(stdout, '');
  }
  const missing = clada(['eval', '--tasks', 'piqa', '--data', folder]);
  assert.is(missing.status, 1);
  assert.match(missing.stderr, /piqa\.jsonl.*E_NOT_FOUND/);
  rmSync(folder, { recursive: true });
});

test('mistakes: exit 2 for usage, 1 for failures, one clear line, nothing on stdout', () => {
  for (const [args, expected, message] of [
    [['run', '--tmep', '1'], 2, /--temp\b/], [['rnu'], 2, /run/], [['run', '-p', 'x', '-n', 'many'], 2, /many/],
    [['run', '-p', 'x', '-m', '/nowhere.gguf'], 1, /\/nowhere\.gguf/], [['inspect', cli], 1, /not a GGUF|GGUF/], [['run', '-p', ''], 1, /prompt/i],
  ] as [string[], number, RegExp][]) {
    const { status, stdout, stderr } = clada(args);
    assert.is(status, expected, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message);
    assert.not.match(stderr, /\n {4}at /); // no stack
    assert.is(stdout, '');
  }
});

test('help and version go to stdout', () => {
  assert.match(clada(['--help']).stdout, /Usage {2}clada/);
  assert.match(clada(['--version']).stdout, /^clada \d|^\d+\.\d+\.\d+/);
  for (const command of ['run', 'chat', 'inspect', 'tokenize', 'eval', 'bench', 'doctor']) assert.match(clada([command, '--help']).stdout, new RegExp(`clada ${command}`));
});

test.run();
