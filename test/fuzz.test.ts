/** Seeded corruptions of small models, loaded for real; 2,000 of every family in fuzz.slow.test.ts, a few here. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz } from './helpers/fuzz.ts';
import { tinyPath } from './helpers/models.ts';
import { tinyModel, tinyModels } from './helpers/tiny-models.ts';

const test = suite('fuzz');
const show = (name: string, outcomes: ReadonlyMap<string, number>): void => { if (process.env['VERBOSE']) console.log(name, Object.fromEntries(outcomes)); };

test('500 of a quantised model', async () => {
  const outcomes = await fuzz(new Uint8Array(readFileSync(tinyPath('llama256-q4_0.gguf'))), 500, 12_000);
  show('llama256-q4_0', outcomes);
  assert.ok(outcomes.size > 8, 'many kinds of damage were met');
  assert.ok((outcomes.get('loaded') ?? 0) < 250);
});

for (const name of Object.keys(tinyModels)) {
  test(`30 of ${name}`, async () => {
    const outcomes = await fuzz(await tinyModel(name), 30, 12_000);
    show(name, outcomes);
    assert.ok(outcomes.size > 3, 'several kinds of damage were met');
  });
}

test.run();
