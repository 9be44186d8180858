/** 1,000 seeded corruptions of a small model, loaded for real: a typed error or a sound model, no hang, bounded memory. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CladaError, load } from '../src/index.ts';
import { Random } from '../src/sampler/random.ts';
import { tinyPath } from './helpers/models.ts';

const original = new Uint8Array(readFileSync(tinyPath('llama256-q4_0.gguf')));
const headerEnd = 12_000; // much of the damage goes where it is read as structure
const rounds = 1000;

/** One to four changes: bits, bytes, runs, 64-bit extremes, cuts, moved blocks. */
function corrupt(random: Random): Uint8Array {
  let bytes = original.slice();
  const view = new DataView(bytes.buffer);
  const place = (room: number): number => random.uint32() % ((random.uint32() % 2 ? headerEnd : bytes.length) - room);
  if (random.uint32() % 3 === 0) { // a single flipped bit: often survivable
    bytes[place(1)]! ^= 1 << (random.uint32() % 8);
    return bytes;
  }
  for (let n = 1 + random.uint32() % 3; n > 0; n--) {
    switch (random.uint32() % 6) {
      case 0: { const at = place(1); bytes[at]! ^= 1 << (random.uint32() % 8); break; }
      case 1: bytes[place(1)] = random.uint32() & 255; break;
      case 2: bytes.fill(random.uint32() % 2 ? 0xff : 0, place(64), place(64) + 16); break;
      case 3: view.setBigUint64(place(8), [0n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n][random.uint32() % 5]!, true); break;
      case 4: bytes = bytes.slice(0, bytes.length - (random.uint32() % bytes.length)); return bytes;
      default: bytes.copyWithin(place(256), place(256), place(256) + 200);
    }
  }
  return bytes;
}

const test = suite('fuzz');

test(`${rounds} corrupted models`, async () => {
  const random = new Random(20_261_123);
  const outcomes = new Map<string, number>();
  const base = process.memoryUsage.rss();
  for (let i = 0; i < rounds; i++) {
    const started = performance.now();
    let outcome = 'loaded';
    try {
      // not `await using`: as esbuild lowers it, an error of one round would be thrown again by the next
      const model = await load(corrupt(random), { tier: 'base', contextSize: 16, maxBytes: 64 * 2 ** 20 });
      await model.evaluate([1, 2, 3]).finally(() => model.close());
    } catch (error) {
      if (!(error instanceof CladaError)) throw new Error(`round ${i}: ${String(error)}`, { cause: error });
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    assert.ok(performance.now() - started < 3_000, `round ${i} took ${performance.now() - started} ms`);
  }
  if (process.env['VERBOSE']) console.log(Object.fromEntries(outcomes), `${((process.memoryUsage.rss() - base) / 1e6).toFixed(0)} MB`);
  assert.ok(outcomes.size > 8, 'many kinds of damage were met');
  assert.ok((outcomes.get('loaded') ?? 0) < rounds / 2);
  assert.ok(process.memoryUsage.rss() - base < 1.5e9, `${process.memoryUsage.rss() - base} bytes`);
});

test.run();
