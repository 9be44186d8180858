/** The embedded model in the 128 MB that an edge function has for JavaScript and WebAssembly together, dense and sparse. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoadOptions } from '../../src/index.ts';
import { WontFitError, ceilings, plan } from '../../src/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('edge'), script = fileURLToPath(new URL('../helpers/memory.mjs', import.meta.url)), limit = 128e6;
const run = (options: LoadOptions): { loaded: number; generated: number; ids: number[] } =>
  JSON.parse(execFileSync(process.execPath, ['--expose-gc', script, JSON.stringify(options)], { encoding: 'utf8' })) as { loaded: number; generated: number; ids: number[] };

for (const sparsity of [{ method: 'dense' }, { method: 'griffin', density: 0.6 }, { method: 'mask', density: 0.6 }, { method: 'clada', density: 0.7 }] as const) {
  test(`${sparsity.method}: everything within 128 MB, the same tokens as with room`, () => {
    const here = run({ contextSize: 512, maxBytes: ceilings.edge, sparsity });
    assert.ok(here.loaded < limit && here.generated < limit, `${here.loaded}, then ${here.generated} bytes`);
    if (sparsity.method === 'griffin' || sparsity.method === 'mask') assert.equal(here.ids, run({ contextSize: 512, sparsity }).ids);
  });
}

test('plan: counts what skipping needs, and says what would fit', async () => {
  const { memory, lines } = await plan(embeddedModel, { contextSize: 512, maxBytes: ceilings.edge, sparsity: { method: 'mask' } });
  assert.ok(memory.sequences === 1 && memory.adaptive > 1.8e6 && memory.forms === 0 && memory.formsWanted > 30e6 && memory.total < ceilings.edge);
  assert.match(lines().at(-1)!, /ordered in place/);
  const roomy = (await plan(embeddedModel, { contextSize: 512, sparsity: { method: 'clada-paper' } })).memory;
  assert.ok(roomy.forms === roomy.formsWanted && roomy.forms > 50e6 && roomy.total > 160e6);
  try {
    await plan(embeddedModel, { contextSize: 4096, kv: 'f16', maxBytes: ceilings.edge, sparsity: { method: 'clada' } });
    assert.unreachable();
  } catch (error) {
    if (!(error instanceof WontFitError)) throw error;
    assert.is(error.code, 'E_WONT_FIT');
    assert.is(error.limit, ceilings.edge);
    assert.ok(error.needed > ceilings.edge);
    assert.equal(error.fits.map(({ kv }) => kv), ['f32', 'f16', 'q8']);
    for (const { kv, contextSize } of error.fits) {
      assert.match(error.remedy, new RegExp(`contextSize ${contextSize} with kv "${kv}"`));
      await plan(embeddedModel, { contextSize, kv, maxBytes: ceilings.edge, sparsity: { method: 'clada' } });
      await plan(embeddedModel, { contextSize: contextSize + 8, kv, maxBytes: ceilings.edge, sparsity: { method: 'clada' } }).then(() => assert.unreachable(), (larger: unknown) => { assert.is((larger as WontFitError).code, 'E_WONT_FIT'); });
    }
  }
  for (const maxBytes of [NaN, -1, 'much']) await plan(embeddedModel, { maxBytes: maxBytes as number }).then(() => assert.unreachable(), (error: unknown) => { assert.is((error as WontFitError).code, 'E_OPTION'); });
});

test.run();
