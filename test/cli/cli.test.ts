/** The built command line as a shell sees it: results on stdout, notes on stderr, exit codes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const tiny = fileURLToPath(new URL('../fixtures/tiny/llama.gguf', import.meta.url));

/** Runs it in a folder that is not the project: nothing may depend on where a user stands. */
function clada(args: string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', input, cwd: tmpdir(), timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } });
}

const test = suite('clada');

test('run: text on stdout, figures on stderr', () => {
  const { status, stdout, stderr } = clada(['run', '-p', 'The capital of France is', '-n', '8', '--temp', '0', '--stats']);
  assert.is(status, 0, stderr);
  assert.match(stdout, /Paris/);
  assert.match(stderr, /prompt \d+ tokens at [\d.]+ tok\/s · generated 8 at [\d.]+ tok\/s \(length.*GB\/s memory bandwidth · memory \d+ MB/);
});

test('run --json: one object; a prompt comes through a pipe', () => {
  const { status, stdout, stderr } = clada(['run', '-n', '4', '--temp', '0', '--json'], 'One two three four five six');
  assert.is(status, 0, stderr);
  const result = JSON.parse(stdout) as { text: string; generatedTokens: number; stopReason: string };
  assert.is(result.generatedTokens, 4);
  assert.is(result.stopReason, 'length');
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
