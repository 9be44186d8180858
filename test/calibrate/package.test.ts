/** The built entry `clada/calibrate`: its binaries are files of their own, its errors the classes of `clada`. */
import { readFileSync, readdirSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyPath } from '../helpers/models.ts';

const dist = new URL('../../dist/', import.meta.url);
const test = suite('calibrate as a package entry');

test('runs from dist; errors are those of the main entry', async () => {
  const { collectStatistics } = (await import(new URL('calibrate.js', dist).href)) as typeof import('../../src/calibrate/index.ts');
  const { InputError } = (await import(new URL('index.js', dist).href)) as typeof import('../../src/index.ts');
  const { nTokens } = await collectStatistics(tinyPath('llama.gguf'), [[1, 2, 3, 4, 5, 6]]);
  assert.is(nTokens, 2);
  const error: unknown = await collectStatistics(tinyPath('llama.gguf'), []).catch((reason: unknown) => reason);
  assert.ok(error instanceof InputError);
});

test('the main entry reaches neither the calibration nor its binaries, except by their lazy import', () => {
  const text = readFileSync(new URL('index.js', dist), 'utf8');
  assert.not.match(text, /calibrate/);
  assert.is(readdirSync(new URL('wasm/', dist)).filter((name) => name.startsWith('calibrate-')).length, 2);
});

test.run();
