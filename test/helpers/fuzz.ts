/** Corrupted models loaded for real: a typed error or a model that computes, no hang, bounded memory. */
import * as assert from 'uvu/assert';
import { CladaError, load } from '../../src/index.ts';
import { Random } from '../../src/sampler/random.ts';
import { corruptBytes, corruptMeaning } from './corrupt.ts';
import type { GgufParts } from './twin.ts';
import { rewritten } from './twin.ts';

/** What became of `rounds` corruptions of a model: error code, or `loaded`, → how often. `header`: bytes that are read as structure. */
export async function fuzz(original: Uint8Array, rounds: number, header: number, seed = 20_261_123): Promise<Map<string, number>> {
  const random = new Random(seed), outcomes = new Map<string, number>(), base = process.memoryUsage.rss();
  let parts: GgufParts | undefined;
  await rewritten(original, (own) => { parts = own; });
  for (let i = 0; i < rounds; i++) {
    const bytes = random.uint32() % 2 ? corruptBytes(random, original, header) : corruptMeaning(random, parts!), started = performance.now();
    let outcome = 'loaded';
    try {
      // not `await using`: as esbuild lowers it, an error of one round would be thrown again by the next
      const model = await load(bytes, { tier: 'base', contextSize: 16, maxBytes: 64 * 2 ** 20 });
      try {
        const { logits } = await model.evaluate([1, 2, 3]);
        // a weight of 3e38 may make a token impossible: -Infinity is a logit of a distribution
        assert.ok(logits.every((logit) => logit < Infinity), `round ${i}: logits of no distribution`);
      } finally {
        model.close();
      }
    } catch (error) {
      if (!(error instanceof CladaError)) throw new Error(`round ${i}: ${String(error)}`, { cause: error });
      if (error.code === 'E_POISONED' || error.code === 'E_ABI') throw new Error(`round ${i}: a trap`, { cause: error });
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    assert.ok(performance.now() - started < 3_000, `round ${i} took ${performance.now() - started} ms`);
  }
  assert.ok(process.memoryUsage.rss() - base < 1.5e9, `${process.memoryUsage.rss() - base} bytes`);
  return outcomes;
}
