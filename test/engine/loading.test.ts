/** Weights on their way: one piece is repacked while the next is read, and the report of where the time went. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ByteSource } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('loading'), bytes = readFileSync(tinyPath('llama.gguf'));

/** The bytes, at the pace of the event loop: `reads` are those that began, `open` those that have not ended. `broken`: the read that fails. */
function slowly(broken = Infinity): ByteSource & { reads: number[]; open: number; most: number } {
  return {
    name: 'slow', size: bytes.length, sequential: false, reads: [], open: 0, most: 0,
    async read(offset, target) {
      const number = this.reads.push(offset);
      this.most = Math.max(this.most, ++this.open);
      await new Promise((resolve) => { setImmediate(resolve); });
      this.open--;
      if (number > broken) throw new Error('a cut');
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
    close: () => Promise.resolve(),
  };
}

test('the next read has begun when a piece is done; one at a time, front to back', async () => {
  const source = slowly(), ahead: boolean[] = [];
  const model = await load(source, { contextSize: 32, onProgress: ({ phase }) => { if (phase === 'weights') ahead.push(source.open === 1); } });
  assert.ok(ahead.length > 10);
  assert.ok(ahead.slice(0, -1).every(Boolean), 'read ahead');
  assert.is(ahead.at(-1), false);
  assert.is(source.most, 1);
  const weights = source.reads.slice(-ahead.length);
  assert.equal(weights, [...weights].sort((a, b) => a - b));
  const { loadMs, loadParts } = model.info, sum = Object.values(loadParts).reduce((all, ms) => all + ms, 0);
  assert.ok(Object.values(loadParts).every((ms) => ms > 0) && sum <= loadMs, JSON.stringify({ loadMs, loadParts }));
  await model.close();
});

test('a read ahead that fails is told once, and of one that nobody waits for nothing is heard', async () => {
  const unheard: unknown[] = [], listen = (reason: unknown): void => { unheard.push(reason); };
  process.on('unhandledRejection', listen);
  try {
    const first = slowly();
    await load(first, { contextSize: 32 }).then((model) => model.close());
    await load(slowly(first.reads.length - 3), { contextSize: 32 }).then(() => assert.unreachable(), (error: unknown) => { assert.match(String(error), 'a cut'); });
    // the caller's own error, while the read that will fail is on its way
    const broken = first.reads.length - 3, source = slowly(broken);
    await load(source, { contextSize: 32, onProgress: () => { if (source.reads.length > broken) throw new Error('enough'); } })
      .then(() => assert.unreachable(), (error: unknown) => { assert.match(String(error), 'enough'); });
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    assert.equal(unheard, []);
  } finally {
    process.off('unhandledRejection', listen);
  }
});

test.run();
