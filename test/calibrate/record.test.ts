/** The calibration record, name by name, and the sizes behind it. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { calibrateFields, layoutCalibration } from '../../src/calibrate/record.ts';
import { openFile } from '../../src/bytes/file.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import { planModel } from '../../src/model/plan.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('calibration record');

test('fields', () => {
  const source = readFileSync(new URL('../../assembly/abi/calibrate.ts', import.meta.url), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const fields = [...source.matchAll(/(\w+): (i32|u32|f32);/g)].map(([, field, type]) => [field, type]);
  assert.equal(fields, Object.entries(calibrateFields));
});

test('every pointer has a buffer, the model apart', async () => {
  const file = await openFile(embeddedModel);
  const { buffers, logitRows, capacity } = layoutCalibration(planModel(await readGguf(file)), 10_000);
  await file.close();
  assert.equal(new Set(Object.keys(buffers)), new Set(Object.keys(calibrateFields).filter((field) => field.endsWith('Ptr') && field !== 'modelPtr')));
  assert.is(capacity, 512);
  assert.ok(logitRows % 2 === 0 && buffers['logitsPtr']! <= 64 * 1024 * 1024 && logitRows * 49_152 * 4 > 60e6);
});

test.run();
