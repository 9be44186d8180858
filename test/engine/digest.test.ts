/**
 * The build `base` gives the same bits everywhere: one digest for every machine, runtime and compiler tier. It changes when a kernel sums in
 * another order; then the new one is written in helpers/expected.ts, on purpose, in the commit that changed the kernel. The other runtimes:
 * npm run test:runtimes.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { logitsDigest } from '../helpers/expected.ts';

const script = fileURLToPath(new URL('../helpers/digest.mjs', import.meta.url));

const test = suite('digest');

for (const flag of ['--liftoff-only', '--no-liftoff']) { // V8's baseline compiler, its optimising one
  test(`same logits with ${flag}`, () => {
    const { tokens, logits } = JSON.parse(execFileSync(process.execPath, [flag, script], { encoding: 'utf8' })) as { tokens: number[]; logits: string };
    assert.is(tokens.length, 64);
    assert.is(logits, logitsDigest);
  });
}

test.run();
