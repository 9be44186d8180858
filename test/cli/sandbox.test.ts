/** Programs that mean harm, or go wrong: none reaches what is outside, none outlives its time. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSandbox, type SandboxRun } from '../../src/cli/sandbox.ts';

const test = suite('sandbox');
const opened = await openSandbox().catch((error: { code: string; message: string }) => error);

if (typeof opened !== 'function') {
  test('a machine that has none says why', () => { assert.is(opened.code, 'E_OPTION'); console.log(opened.message); });
} else {
  const run = (program: string, seconds = 5): Promise<SandboxRun> => opened(program, { seconds, megabytes: 256 });
  const outside = mkdtempSync(join(tmpdir(), 'clada-outside-')), secret = join(outside, 'secret');
  writeFileSync(secret, 'a secret');
  test.after(() => { rmSync(outside, { recursive: true }); });

  test('a program runs, and says how it ended', async () => {
    const fine = await run('import math, re, collections, typing, heapq, hashlib, itertools\nprint(sum(range(5)))');
    assert.equal([fine.ok, fine.stdout], [true, '10\n'], fine.stderr);
    const wrong = await run('assert 1 == 2, "no"');
    assert.equal([wrong.ok, wrong.ended], [false, 'code']);
    assert.match(wrong.stderr, 'AssertionError: no');
    assert.is((await run('def f(:')).ok, false);
    assert.is((await run('import os\nos.abort()')).ok, false);
  });

  test('an endless loop is ended, and what it started with it', async () => {
    const started = performance.now(), name = `clada_${process.pid}_${Date.now()}`;
    const endless = await run(`import os\nif os.fork() == 0:\n    os.setsid()\n    open('here_${name}', 'w')\nwhile True: pass  # ${name}`, 1);
    assert.equal([endless.ok, endless.ended], [false, 'time']);
    assert.ok(performance.now() - started < 4000);
    const asleep = await run('import signal, time\nfor s in range(1, 32):\n    if s not in (9, 19): signal.signal(s, signal.SIG_IGN)\nwhile True: time.sleep(9)', 1);
    assert.is(asleep.ended, 'time');
    const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
      try { return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0-I\0-S\0-B\0-'); } catch { return false; }
    });
    assert.equal(left, []);
  });

  test('memory and files have limits', async () => {
    const hog = await run('x = []\nwhile True: x.append(bytearray(2 ** 24))');
    assert.match(hog.stderr, 'MemoryError');
    const disk = await run('with open("big", "wb") as f:\n    while True: f.write(b"x" * 2 ** 20)');
    assert.is(disk.ok, false);
    const talk = await run('while True: print("x" * 1000)');
    assert.equal([talk.ok, talk.ended], [false, 'output']);
    assert.ok(talk.stdout.length <= 65_536);
  });

  test('there is no network, not even this machine', async () => {
    let calls = 0;
    const server = createServer((socket) => { calls++; socket.end('hello'); });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { port } = server.address() as { port: number };
    const { ok, stderr } = await run(`import socket\nsocket.create_connection(("127.0.0.1", ${port}), 2)`);
    server.close();
    assert.equal([ok, calls], [false, 0]);
    assert.match(stderr, /OSError|ConnectionRefused|unreachable/);
  });

  test('files outside cannot be read, written or seen; the working directory is empty, and gone afterwards', async () => {
    assert.is((await run(`print(open(${JSON.stringify(secret)}).read())`)).ok, false);
    assert.is((await run(`open(${JSON.stringify(secret)}, "w").write("mine")`)).ok, false);
    assert.is(readFileSync(secret, 'utf8'), 'a secret');
    const { ok, stdout, stderr } = await run(`
import os
print(os.getcwd(), os.listdir("."), os.path.exists("/proc/1"), sorted(os.listdir("/dev")))
for path in ["/x", "/usr/x", ${JSON.stringify(tmpdir())} + "/x", ${JSON.stringify(homedir())} + "/x"]:
    try: open(path, "w")
    except OSError: continue
    print("wrote", path)
open("here", "w").write("fine")`);
    assert.equal([ok, stdout], [true, "/work [] False ['null', 'urandom', 'zero']\n"], stderr);
    assert.is((await run('import os\nprint(os.listdir("."))')).stdout, '[]\n');
    const before = await run('import os\nos.chroot(".")');
    assert.match(before.stderr, 'Operation not permitted');
    assert.equal(readdirSync(tmpdir()).filter((name) => name.startsWith('clada-sandbox-')), []);
  });

  test('many at once', async () => {
    const runs = await Promise.all(Array.from({ length: 6 }, (_, i) => run(`print(${i})`, 20)));
    assert.equal(runs.map(({ stdout }) => stdout), runs.map((_, i) => `${i}\n`));
  });
}

test('what cannot be had is refused with its reason', async () => {
  await openSandbox(['no-such-python']).then(() => assert.unreachable(), (error: { code: string; message: string }) => {
    assert.is(error.code, 'E_OPTION');
    assert.match(error.message, 'no-such-python');
  });
});

test.run();
