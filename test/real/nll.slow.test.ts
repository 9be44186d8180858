/**
 * Real models against native llama.cpp on the same tokens: tokenization, surprisal, greedy text. Cache in f32 on both sides. Both engines round
 * activations to 8 bits, native with coarser scales and GELU from a table in half precision; where that leaves more than the bound between the two,
 * ours has to be within the bound of what the weights mean (`exactNll`), and nearer than native.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { absent, reals, textNames, textOf } from './real.ts';

const test = suite('real models');

/** Of the mean over 1,000 tokens. */
const bound = 0.003;
/** A lead, in nats, that the rounding of activations to 8 bits does not turn. */
const clear = 1;

for (const real of reals) {
  if (!real.isHere) { console.log(absent(real)); test.skip(absent(real), () => undefined); continue; }
  const { name, path } = real, truth = real.truth();
  for (const tier of ['base', 'relaxed'] as const) {
    test(`${name}, ${tier}: tokens, mean NLL within ${100 * bound} %, greedy where the lead is clear`, async () => {
      await using model = await load(path, { tier, kv: 'f32', contextSize: 1024, calibration: false });
      const far: string[] = [];
      for (const text of textNames) {
        const { ids, nll, meanNll, exactNll, promptTokens, greedy } = truth[text];
        assert.equal([...model.tokenizer.encode(textOf(text), { addSpecial: 'start' })], ids, `${text}: tokens`);
        const scored = (await model.score(ids.slice(0, nll.length + 1))).tokens.slice(1).map(({ surprisal }) => surprisal);
        const mean = scored.reduce((sum, value) => sum + value, 0) / nll.length, relative = mean / meanNll - 1;
        const differences = scored.map((value, i) => value - nll[i]!), offset = mean - meanNll;
        const deviation = Math.sqrt(differences.reduce((sum, value) => sum + (value - offset) ** 2, 0) / (nll.length - 1));
        console.log(`${name} ${tier} ${text}: ${mean.toFixed(5)} against ${meanNll.toFixed(5)}, ${(100 * relative).toFixed(3)} %; `
          + `single tokens differ by ${deviation.toFixed(3)} nats, so the mean by ${(100 * deviation / Math.sqrt(nll.length) / meanNll).toFixed(3)} % (standard error)`);
        const toExact = mean / exactNll - 1, nativeToExact = meanNll / exactNll - 1;
        console.log(`  against exact ${exactNll.toFixed(5)}: ours ${(100 * toExact).toFixed(3)} %, native ${(100 * nativeToExact).toFixed(3)} %`);
        const near = Math.abs(relative) <= bound || (Math.abs(toExact) <= bound && Math.abs(toExact) < Math.abs(nativeToExact));
        if (!near) far.push(`${text} ${(100 * relative).toFixed(3)} % from native, ${(100 * toExact).toFixed(3)} % from exact`);
        const prompt = ids.slice(0, promptTokens);
        for (const [i, [token, gap]] of greedy.entries()) {
          const { report } = await model.evaluate([...prompt, ...greedy.slice(0, i).map(([id]) => id)]);
          if (gap >= clear) assert.is(report.topToken, token, `${text}: greedy token ${i}, ahead by ${gap}`);
        }
      }
      assert.equal(far, []);
    });
  }
}
test.run();
