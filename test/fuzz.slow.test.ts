/** 2,000 seeded corruptions of a tiny model of every architecture: a typed error or a model that computes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz } from './helpers/fuzz.ts';
import { tinyModel, tinyModels } from './helpers/tiny-models.ts';

const test = suite('fuzz of families');

for (const name of Object.keys(tinyModels).filter((one) => !one.includes(':'))) {
  test(name, async () => {
    const outcomes = await fuzz(await tinyModel(name), 2_000, 12_000, 20_261_126);
    if (process.env['VERBOSE']) console.log(name, Object.fromEntries([...outcomes].sort(([, a], [, b]) => b - a)));
    assert.ok(outcomes.size > 8, 'many kinds of damage were met');
    assert.ok((outcomes.get('loaded') ?? 0) > 50, 'and some of it is survived');
  });
}

test.run();
