/** Heads that attention pads: every type of cache, and what is saved of one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSequence } from '../helpers/models.ts';
import { asked, readTruth, tinyModelPath, tinyModels } from '../helpers/tiny-models.ts';

const test = suite('padded heads');
const { contextSize } = tinyModels['llama: heads of 20']!;

for (const name of Object.keys(tinyModels).filter((one) => one.includes('heads of'))) {
  test(`${name}: caches of 16 and of 8 bits`, async () => {
    const want = readTruth(name).rows[2]!, mean = (row: Float32Array): number => row.reduce((sum, v) => sum + v, 0) / row.length;
    for (const [kv, tolerance] of [['f16', 2e-3], ['q8', 3e-2]] as const) {
      const sequence = await openSequence(await tinyModelPath(name), { kv, contextSize: contextSize! });
      const got = await sequence.evaluate(asked, ({ logits }) => logits.slice()), shift = mean(got) - mean(want);
      const error = got.reduce((sum, v, i) => sum + (v - shift - want[i]!) ** 2, 0), spread = want.reduce((sum, v) => sum + (v - mean(want)) ** 2, 0);
      assert.ok(Math.sqrt(error / spread) < tolerance, `${kv}: ${Math.sqrt(error / spread)}`);
    }
  });

  test(`${name}: a state goes into another sequence, of another capacity`, async () => {
    const path = await tinyModelPath(name), bits = ({ logits }: { logits: Float32Array }): Buffer => Buffer.from(logits.slice().buffer);
    for (const kv of ['f32', 'f16', 'q8'] as const) {
      const from = await openSequence(path, { kv, contextSize: contextSize! }), to = await openSequence(path, { kv, contextSize: 64 });
      const whole = await from.evaluate(asked, bits), { sequence } = (await from.save(() => ({ tokens: asked.slice(0, 13), owner: undefined })))!;
      assert.is(sequence.tokens.length, 13);
      await to.evaluate([1, 2, 3], () => undefined);
      await to.restore(sequence, undefined, {});
      assert.equal(await to.evaluate(asked, bits), whole, kv);
    }
  });
}

test.run();
