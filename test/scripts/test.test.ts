/** The test runner itself: what must fail does fail. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const project = fileURLToPath(new URL('../..', import.meta.url));
const test = suite('test runner');

/** Runs the runner over one file with this source; its last line and exit code. */
function outcome(source: string | undefined): { line: string; status: number | null; all: string } {
  const folder = mkdtempSync(join(project, 'test/.runner-')); // inside the project, so that uvu is found
  try {
    if (source !== undefined) writeFileSync(join(folder, 'a.test.ts'), `import { suite } from 'uvu'; import * as assert from 'uvu/assert'; const test = suite('a');\n${source}`);
    const { stdout, status } = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/test.ts', '--root', folder, '--timeout', '5'], { cwd: project, encoding: 'utf8' });
    return { line: stdout.trimEnd().split('\n').at(-1)!, status, all: stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a passing file passes', () => {
  const { line, status } = outcome(`test('x', () => assert.is(1, 1)); test.run();`);
  assert.is(line, '1 passed, 0 failed');
  assert.is(status, 0);
});
test('skips are counted and named', () => {
  const { line, all } = outcome(`test('x', () => {}); test.skip('y (needs z)', () => {}); test.run();`);
  assert.is(line, '1 passed, 0 failed, 1 skipped');
  assert.match(all, /y \(needs z\)/);
});
test('a file that has nothing else to do here', () => {
  const { line, status, all } = outcome(`const here = false; (here ? test : test.skip)('y (needs z)', () => {}); test.run();`);
  assert.equal([line, status], ['0 passed, 0 failed, 1 skipped', 0]);
  assert.match(all, /y \(needs z\)/);
});
for (const [name, source] of [
  ['a failing test', `test('x', () => assert.is(1, 2)); test.run();`],
  ['a forgotten run()', `test('x', () => {});`],
  ['a suite without tests', `test.run();`],
  ['a crash while loading', `throw new Error('boom');`],
  ['a crash behind the tests', `test('x', () => {}); test.run(); setTimeout(() => process.exit(3), 300);`],
  ['a test that never ends', `test('x', () => new Promise(() => setInterval(() => {}, 1000))); test.run();`],
  ['an empty folder', undefined],
] as const) {
  test(`${name} fails`, () => {
    const { line, status } = outcome(source);
    assert.match(line, /^\d+ passed, [1-9]\d* failed$/);
    assert.is(status, 1);
  });
}
test.run();
