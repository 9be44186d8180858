/** Calibrations that lie in models are found by the fingerprint of the weights, wherever the model lies and whatever it is called. */
import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCalibration } from '../../src/adapt/calibration.ts';
import { openFile } from '../../src/bytes/file.ts';
import { load } from '../../src/index.ts';
import { openShipped } from '../../src/text/shipped.ts';
import { embeddedModel } from '../helpers/models.ts';
import { temporary } from '../helpers/twin.ts';

const test = suite('shipped calibrations'), models = fileURLToPath(new URL('../../models', import.meta.url));

test('every file of models is found by the fingerprint that it has, another is not', async () => {
  const files = readdirSync(models).filter((name) => name.endsWith('.clada.gguf'));
  assert.ok(files.length >= 3);
  for (const name of files) {
    const own = await openFile(join(models, name)), { fingerprint, version } = await readCalibration(own);
    await own.close();
    const source = (await openShipped(fingerprint))!;
    assert.is(source.name.split('/').pop(), name);
    assert.is((await readCalibration(source)).fingerprint, fingerprint);
    assert.is(version, 2);
    await source.close();
  }
  assert.is(await openShipped('0'.repeat(32)), undefined);
});

test('a model that lies elsewhere has its calibration; false means none', async () => {
  const elsewhere = join(temporary(), 'renamed.gguf');
  symlinkSync(embeddedModel, elsewhere);
  for (const [calibration, expected] of [['auto', 'clada'], [false, 'wina']] as const) {
    await using model = await load(elsewhere, { contextSize: 64, threads: 1, calibration });
    const generation = model.generate('Once', { maxTokens: 2, sparsity: { density: 0.9 } });
    await generation.text();
    assert.is(generation.stats().method, expected);
  }
});

test.run();
