/** Ten thousand short requests, hundreds at once, some aborted, some left: memory is flat, nothing is forgotten and nothing hangs. */
import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('many requests');
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Bytes of the heap and of buffers, once what nobody holds is gone. */
async function held(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('10,000 requests, 250 at a time with room for four', async () => {
  const model = await load(tinyPath('llama256-q4_1.gguf'), { tier: 'base', contextSize: 64, sequences: 4 });
  const forever = new AbortController(), seen = { text: 0, aborted: 0, left: 0 };
  const one = async (i: number): Promise<void> => {
    const tokens = Array.from({ length: 2 + (i % 13) }, (_, t) => 3 + ((t * (i % 29)) % 440)), abort = i % 10 === 3 ? new AbortController() : undefined;
    const generation = model.generate(tokens, { maxTokens: 1 + (i % 4), seed: i, ignoreEos: true, signal: abort?.signal ?? forever.signal });
    if (i % 10 === 3) queueMicrotask(() => { abort!.abort(); });
    try {
      for await (const _ of generation) if (i % 10 === 7) break;
      seen[i % 10 === 7 ? 'left' : 'text']++;
    } catch (error) {
      assert.is((error as CladaError).code, 'E_ABORTED');
      seen.aborted++;
    }
  };
  const wave = (from: number): Promise<void[]> => Promise.all(Array.from({ length: 250 }, (_, i) => one(from + i)));
  let before = 0;
  const started = performance.now();
  for (let from = 0; from < 10_000; from += 250) {
    await wave(from);
    if (from === 1_750) before = await held();
  }
  const after = await held(), bytes = model.info.memoryBytes;
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s; ${(before / 1e6).toFixed(2)} MB held after 2,000, ${(after / 1e6).toFixed(2)} MB after 10,000`);
  assert.equal(seen, { text: 8_000, aborted: 1_000, left: 1_000 });
  assert.ok(after - before < 0.5e6, `${after - before} bytes more`);
  assert.is(getEventListeners(forever.signal, 'abort').length, 0);
  await wave(0);
  assert.is(model.info.memoryBytes, bytes);
  model.close();
});

test.run();
