/** Texts from outside: encodings, lines, and what of -p, -f and standard input becomes the prompt. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeText, linesOf } from '../../src/cli/text.ts';
import { clada, cli, start } from '../helpers/cli.ts';
import { codeOf } from '../helpers/errors.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('cli/text');
const folder = mkdtempSync(join(tmpdir(), 'clada-text-'));
const common = ['-m', tinyPath('llama.gguf'), '-n', '1', '--temp', '0', '--tier', 'base'];
test.after(() => { rmSync(folder, { recursive: true }); });

const bytes = (...parts: (string | number[])[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** The message of what is refused. */
function refusal(text: Buffer): string {
  try { decodeText(text, 'x.txt'); } catch (error) { return (error as Error).message; }
  return 'accepted';
}

test('UTF-8 as it is, its byte order mark taken off; NUL, U+FFFD and a mark further in are text', () => {
  for (const text of ['', 'a', 'Grüße 😀 日本', 'O\0nce', 'a\ufffdb', 'a\ufeffb', '\r\n', '\ud83d\ude00']) assert.is(decodeText(Buffer.from(text), 'x'), text);
  assert.is(decodeText(bytes([0xef, 0xbb, 0xbf], 'Once'), 'x'), 'Once');
  assert.is(decodeText(bytes([0xef, 0xbb, 0xbf], [0xef, 0xbb, 0xbf]), 'x'), '\ufeff', 'one mark');
});

test('what is no UTF-8 is refused by name, with the offset of the first bad byte', () => {
  assert.match(refusal(bytes('caf', [0xe9], ' au lait')), /^x\.txt: found byte 0xe9 at offset 3, which is not UTF-8 \(Latin-1.*WINDOWS-1252.*\[E_UTF8\]$/);
  assert.match(refusal(bytes('é', [0xe9])), /byte 0xe9 at offset 2/);
  assert.match(refusal(bytes('\ufffd', [0xff], '\ufffd')), /byte 0xff at offset 3/);
  assert.match(refusal(bytes('ab', [0xe2, 0x82])), /byte 0xe2 at offset 2/, 'a character cut at the end');
  assert.match(refusal(bytes([0xed, 0xa0, 0x80])), /byte 0xed at offset 0/, 'half a surrogate pair');
  assert.match(refusal(bytes([0xff, 0xfe], [0x4f, 0])), /UTF-16 \(its byte order mark\).*iconv -f UTF-16/);
  assert.match(refusal(bytes([0xfe, 0xff], [0, 0x4f])), /UTF-16/);
  assert.match(refusal(bytes([0xff, 0xfe, 0, 0])), /UTF-32/);
});

test('lines: whatever their ends, and however the bytes come', async () => {
  const all = Buffer.from('\ufeffHi\r\nGrüße 😀\n\nBye'), expected = ['Hi', 'Grüße 😀', '', 'Bye'];
  for (const size of [1, 2, 3, 7, 100]) {
    const pieces = async function* (): AsyncGenerator<Buffer> { for (let i = 0; i < all.length; i += size) yield all.subarray(i, i + size); };
    const lines: string[] = [];
    for await (const line of linesOf(pieces())) lines.push(line);
    assert.equal(lines, expected, `pieces of ${size}`);
  }
  const bad = async function* (): AsyncGenerator<Buffer> { yield bytes('a\nb', [0xe9], '\n'); };
  assert.is(await codeOf(async () => { for await (const line of linesOf(bad())) assert.is(line, 'a'); }), 'E_UTF8');
});

/** The prompt that a run took. */
function promptOf(args: string[], input: string | Uint8Array = ''): string {
  const { stdout, stderr } = clada(['run', ...common, '--json', ...args], input);
  assert.ok(stdout !== '', stderr);
  return (JSON.parse(stdout) as { prompt: string }).prompt;
}

test('a pipe or file joins -p behind a blank line, as in llama-run; an empty one adds nothing', () => {
  assert.is(promptOf(['-p', 'Summarise:'], 'a text\n'), 'Summarise:\n\na text');
  assert.is(promptOf(['-p', 'Summarise:', '-f', '-'], 'a text'), 'Summarise:\n\na text');
  assert.is(promptOf(['-p=Once']), 'Once');
  assert.is(promptOf([], 'a text'), 'a text');
  const path = join(folder, 'in.txt');
  writeFileSync(path, 'from a file\n');
  const shell = (line: string): string => spawnSync('bash', ['-c', line], { encoding: 'utf8', env: { ...process.env, NODE: process.execPath, CLI: cli, IN: path } }).stdout;
  const run = `"$NODE" "$CLI" run ${common.map((word) => `'${word}'`).join(' ')} --json -p A`;
  assert.is((JSON.parse(shell(`${run} < "$IN"`)) as { prompt: string }).prompt, 'A\n\nfrom a file');
  assert.is((JSON.parse(shell(`cat "$IN" | ${run}`)) as { prompt: string }).prompt, 'A\n\nfrom a file');
  for (const nothing of ['< /dev/null', '<&-']) assert.is((JSON.parse(shell(`${run} ${nothing}`)) as { prompt: string }).prompt, 'A', nothing);
  assert.is(clada(['run', '-p', 'a', '-f', path]).status, 2, '-p and a file contradict each other');
});

test('an open pipe of a program that never writes does not hang a run that has -p', async () => {
  const running = start(['run', ...common, '-p', 'abc']), { status, stderr } = await running.ended;
  assert.is(status, 0, stderr);
  assert.match(stderr, /nothing on standard input/);
});

test('one newline at the end of a pipe or file is taken off, as llama.cpp does; a byte order mark too', () => {
  const path = join(folder, 'prompt.txt');
  for (const [content, expected] of [['abc\n', 'abc'], ['abc\n\n', 'abc\n'], ['a\r\nb\r\n', 'a\r\nb\r'], ['\ufeffabc', 'abc'], ['\n', '']] as const) {
    writeFileSync(path, content);
    if (expected !== '') for (const prompt of [promptOf(['-f', path]), promptOf([], content)]) assert.is(prompt, expected, JSON.stringify(content));
  }
  assert.is(promptOf(['-p', 'abc\n']), 'abc\n', '-p is meant as it is');
  writeFileSync(path, 'abc\n');
  assert.is((JSON.parse(clada(['tokenize', '-m', tinyPath('llama.gguf'), '-f', path, '--json']).stdout) as { text: string }).text, 'abc\n', 'tokenize shows all of it');
});

test('Latin-1 and UTF-16 are refused wherever they come from', () => {
  const path = join(folder, 'latin1.txt');
  writeFileSync(path, bytes('caf', [0xe9]));
  for (const { status, stderr, stdout } of [clada(['run', ...common, '-f', path]), clada(['run', ...common], bytes('caf', [0xe9])), clada(['chat', ...common, '--chat-template', path], 'x\n')]) {
    assert.is(status, 1);
    assert.match(stderr, /byte 0xe9 at offset 3.*E_UTF8/);
    assert.is(stdout, '');
  }
  assert.match(clada(['run', ...common], bytes([0xff, 0xfe, 0x4f, 0])).stderr, /standard input: found UTF-16/);
  const raw = spawnSync('bash', ['-c', `"$NODE" "$CLI" run -p $'x\\xff' </dev/null`], { encoding: 'utf8', env: { ...process.env, NODE: process.execPath, CLI: cli } });
  assert.match(raw.stderr, /clada run -p: found U\+FFFD at character 1.*E_UTF8/);
});

test.run();
