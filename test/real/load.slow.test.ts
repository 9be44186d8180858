/** What loading a real model takes: memory of the process at most its weights and 200 MB, in a process of its own (Linux tells its peak). */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { absent, reals } from './real.ts';

const test = suite('real models, loading');
const script = fileURLToPath(new URL('../helpers/peak.mjs', import.meta.url));

for (const real of reals) {
  if (!real.isHere || process.platform !== 'linux') { const why = real.isHere ? 'the peak is read from /proc' : absent(real); console.log(why); test.skip(why, () => undefined); continue; }
  test(`${real.name}: at most weights + 200 MB`, () => {
    const { seconds, weightBytes, memoryBytes, peak, afterToken } = JSON.parse(execFileSync(process.execPath, [script, real.path], { encoding: 'utf8' })) as Record<string, number>;
    console.log(`${real.name}: ${seconds!.toFixed(2)} s, weights ${(weightBytes! / 1e6).toFixed(0)} MB, WebAssembly ${(memoryBytes! / 1e6).toFixed(0)} MB, peak ${(peak! / 1e6).toFixed(0)} MB`);
    assert.ok(afterToken! <= weightBytes! + 200e6 && memoryBytes! <= weightBytes! + 200e6);
  });
}
test.run();
