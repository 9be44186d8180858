/** Mean NLL of 4,096 WikiText tokens against torch, both builds, f32 and q8 cache. */
import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { embeddedModel, shared } from '../helpers/models.ts';

const text = `${shared}eval/wikitext2-valid.txt`;
const truth = JSON.parse(readFileSync(new URL('../fixtures/smollm2/nll.json', import.meta.url), 'utf8')) as { meanNll: number; firstIds: number[]; window: number };
const test = suite('NLL over WikiText');

for (const [tier, kv, bound] of [['base', 'f32', 0.002], ['relaxed', 'f32', 0.002], ['base', 'q8', 0.005], ['relaxed', 'q8', 0.005]] as const) {
  if (!existsSync(text)) { test.skip('NLL (needs ../shared)', () => undefined); continue; }
  test(`${tier}, ${kv} cache: within ${100 * bound} % of torch`, async () => {
    await using model = await load(embeddedModel, { tier, kv, contextSize: 512 });
    const ids = model.tokenizer.encode(readFileSync(text, 'utf8').slice(0, 60_000)).slice(0, 4096);
    assert.equal([...ids.slice(0, 16)], truth.firstIds);
    const { meanNll } = await model.score(ids, { window: truth.window });
    console.log(`${tier} ${kv}: ${meanNll.toFixed(5)}, ${(100 * (meanNll / truth.meanNll - 1)).toFixed(3)} %`);
    assert.ok(Math.abs(meanNll / truth.meanNll - 1) < bound);
  });
}
test.run();
