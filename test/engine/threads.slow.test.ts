/** 500 loads and closes with threads: no worker is left, memory stays what it is. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyPath } from '../helpers/models.ts';

const test = suite('threads, often');

test('500 loads and closes', async () => {
  const helper = fileURLToPath(new URL('../helpers/loads.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', helper, tinyPath('llama256-q4_0.gguf'), '500']);
  const { threads, workers, growth } = JSON.parse(stdout) as { threads: number; workers: number; growth: number };
  assert.is(threads, 3);
  assert.is(workers, 0);
  assert.ok(growth < 60e6, `${growth} bytes`);
});

test.run();
