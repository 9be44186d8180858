/** What not every file of a family has, against llama.cpp on the same bytes. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSequence } from '../helpers/models.ts';
import { variantPath, variantRows, variants, variantTokens, variantVocab } from '../helpers/variants.ts';

const truth = new Float32Array(new Uint8Array(readFileSync(new URL('../fixtures/tiny/variants.f32', import.meta.url))).buffer);

/** Relative RMS of two rows that may differ by a constant. */
function difference(got: Float32Array, want: Float32Array): number {
  const mean = (row: Float32Array): number => row.reduce((sum, v) => sum + v, 0) / row.length, a = mean(got), b = mean(want);
  let error = 0, norm = 0;
  want.forEach((v, i) => { error += (got[i]! - a - (v - b)) ** 2; norm += (v - b) ** 2; });
  return Math.sqrt(error / norm);
}

for (const tier of ['base', 'relaxed'] as const) {
  const test = suite(`variants (${tier})`);

  for (const [i, name] of Object.keys(variants).entries()) {
    test(name, async () => {
      const sequence = await openSequence(await variantPath(name), { tier });
      for (let row = 0; row < variantRows; row++) { // a prompt, then tokens one by one over what the cache holds
        const tokens = variantTokens.slice(0, variantTokens.length - variantRows + row + 1), at = (i * variantRows + row) * variantVocab;
        const error = await sequence.evaluate(tokens, ({ logits }) => difference(logits, truth.subarray(at, at + variantVocab)));
        assert.ok(error < 1e-4, `row ${row}: relative RMS ${error}`);
      }
    });
  }

  test.run();
}
