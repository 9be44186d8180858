/** However a run ends, it ends quietly, with the right exit code, and what was said is kept. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { replaceFile } from '../../src/cli/session.ts';
import { TelemetryFile } from '../../src/cli/telemetry.ts';
import { snapshotInfo } from '../../src/index.ts';
import { clada, cli, start, type Running } from '../helpers/cli.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('cli/ending');
const folder = mkdtempSync(join(tmpdir(), 'clada-ending-')), tiny = tinyPath('llama.gguf'), hasFull = existsSync('/dev/full');
test.after(() => { rmSync(folder, { recursive: true }); });

/** A run that goes on until it is stopped. */
function startEndless(...args: string[]): Running {
  const running = start(['run', '-p', 'Once upon a time', '--ignore-eos', '-c', '8192', '--temp', '0', '--tier', 'base', ...args]);
  running.endInput();
  return running;
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
  test(`${signal}: exit ${code}, what was said with a newline behind it, the session written`, async () => {
    const path = join(folder, `${signal}.clada`), running = startEndless('--save-session', path);
    await running.said(/\S/);
    running.kill(signal);
    const { status, stdout, stderr } = await running.ended;
    assert.is(status, code, stderr);
    assert.match(stdout, /\S\n$/);
    assert.match(stderr, /^session saved: .*\n$/, 'and nothing else');
    assert.ok(snapshotInfo(readFileSync(path)).tokens > 4);
    const onward = clada(['run', '--load-session', path, '-n', '3']);
    assert.is(onward.status, 0, onward.stderr);
  });
}

test('SIGINT with --json: one object, stopped by an abort; nothing on stderr', async () => {
  const running = startEndless('--json', '--telemetry', join(folder, 't.jsonl'));
  for (let waited = 0; waited < 20_000 && !(existsSync(join(folder, 't.jsonl')) && readFileSync(join(folder, 't.jsonl')).length > 0); waited += 50) await new Promise((resolve) => { setTimeout(resolve, 50); });
  running.kill('SIGINT');
  const { status, stdout, stderr } = await running.ended, result = JSON.parse(stdout) as { text: string; stopReason: string; generatedTokens: number };
  assert.is(status, 130);
  assert.is(stderr, '');
  assert.is(result.stopReason, 'aborted');
  assert.ok(result.text.length > 0 && result.generatedTokens > 0);
  assert.is(readFileSync(join(folder, 't.jsonl'), 'utf8').trimEnd().split('\n').length, result.generatedTokens, 'telemetry of every token');
});

test('a signal while standard input is awaited, and while a chat waits for a line', async () => {
  const path = join(folder, 'idle.clada');
  for (const args of [['run', '-m', tiny], ['chat', '--save-session', path]]) {
    const running = start(args);
    if (args[0] === 'chat') {
      running.write('Hi\n');
      await running.said('\n');
    } else await new Promise((resolve) => { setTimeout(resolve, 1500); });
    running.kill('SIGINT');
    const { status, stderr } = await running.ended;
    assert.is(status, 130, stderr);
    assert.not.match(stderr, /error/);
  }
  assert.is(snapshotInfo(readFileSync(path)).kind, 'chat');
});

test('a chat cut in the middle of an answer keeps it', async () => {
  const path = join(folder, 'cut.clada'), running = start(['chat', '--ignore-eos', '--loop-guard', '0', '--save-session', path]);
  running.write('Tell me a story.\n');
  await running.said(/\w/);
  running.kill('SIGINT');
  const { status, stdout, stderr } = await running.ended;
  assert.is(status, 130, stderr);
  assert.match(stdout, /\w[^]*\n$/);
  assert.is(clada(['chat', '--load-session', path, '-n', '4'], 'Go on.\n').status, 0);
});

test('a second signal does not wait', async () => {
  const running = startEndless();
  await running.said(/\S/);
  running.kill('SIGINT');
  running.kill('SIGINT');
  const { status, signal } = await running.ended;
  assert.ok(status === 130 || signal === 'SIGINT', `${status} ${signal}`);
});

test('a reader that has gone: a quiet end, exit 0, the session written', async () => {
  const path = join(folder, 'pipe.clada'), running = startEndless('--save-session', path);
  await running.said(/\S/);
  running.closeOutput();
  const { status, stderr } = await running.ended;
  assert.is(status, 0, stderr);
  assert.match(stderr, /^session saved/);
  const shell = spawnSync('bash', ['-c', '"$NODE" "$CLI" inspect "$TINY" | head -1; echo ${PIPESTATUS[0]}'], { encoding: 'utf8', env: { ...process.env, NODE: process.execPath, CLI: cli, TINY: tiny } });
  assert.match(shell.stdout, /llama\.gguf\n0\n$/);
  assert.is(shell.stderr, '');
});

/** What a command that cannot write says: one line that names the reason, exit 1. */
function cannotWrite(args: string[], output: 'pipe' | number = 'pipe'): string {
  const { status, stderr } = spawnSync(process.execPath, [cli, 'run', '-m', tiny, '-p', 'abc', '-n', '3', '--tier', 'base', ...args], { encoding: 'utf8', input: '', stdio: ['pipe', output, 'pipe'] });
  assert.is(status, 1, stderr);
  assert.is(stderr.trimEnd().split('\n').length, 1, stderr);
  return stderr;
}

test('outputs that cannot be written: one line, exit 1, no stack', async () => {
  if (hasFull) {
    const { openSync, closeSync } = await import('node:fs');
    for (const json of [[], ['--json']]) {
      const full = openSync('/dev/full', 'w');
      assert.match(cannotWrite(json, full), /^error standard output: ENOSPC/);
      closeSync(full);
    }
    assert.match(cannotWrite(['--save-session', '/dev/full']), /^error \/dev\/full: ENOSPC/);
    assert.match(cannotWrite(['--telemetry', '/dev/full']), /^error \/dev\/full: ENOSPC/);
    assert.ok(existsSync('/dev/full'), 'a device is not replaced by a file');
  }
  for (const flag of ['--save-session', '--telemetry']) {
    assert.match(cannotWrite([flag, join(folder, 'none', 'x')]), /none\/x: found ENOENT.*E_NOT_FOUND/);
    assert.match(cannotWrite([flag, folder]), /found EISDIR/);
  }
});

test('a session file is replaced whole or not at all; links and devices stay what they are', async () => {
  const path = join(folder, 'old.bin'), link = join(folder, 'link.bin');
  writeFileSync(path, 'old');
  symlinkSync(path, link);
  await replaceFile(link, Buffer.from('new'));
  assert.is(readFileSync(path, 'utf8'), 'new');
  assert.is(readFileSync(link, 'utf8'), 'new');
  const before = readdirSync(folder).length;
  let failed = false;
  await replaceFile(path, { length: 3 } as unknown as Uint8Array).catch(() => { failed = true; }); // a write that fails half way
  assert.ok(failed);
  assert.is(readFileSync(path, 'utf8'), 'new', 'the old one is still there');
  assert.is(readdirSync(folder).length, before, 'and nothing is left beside it');
});

test('telemetry that cannot be written does not hide why a run failed', () => {
  const { status, stderr } = clada(['run', '-m', tiny, '-p', '', '--telemetry', hasFull ? '/dev/full' : join(folder, 't.csv')]);
  assert.is(status, 1);
  assert.match(stderr, /E_EMPTY_PROMPT/);
  assert.throws(() => new TelemetryFile(join(folder, 'none', 't.csv')), /ENOENT/);
});

test.run();
