/** Every example runs and says what its text promises. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('examples');

test('node', () => {
  const out = execFileSync(process.execPath, [fileURLToPath(new URL('../examples/node/index.mjs', import.meta.url))], { encoding: 'utf8' });
  assert.match(out, /The capital of France is Paris\./);
  assert.match(out, /" true\n/);
  assert.match(out, /mat\. perplexity [\d.]+\n.*theorem\. perplexity [\d.]+\n/);
  assert.match(out, /\[E_OPTION\]/);
});

test.run();
