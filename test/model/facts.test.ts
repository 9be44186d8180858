/** What families make of keys that a file lacks, and where they differ from llama.cpp on purpose. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { WriteValue } from '../../src/format/gguf/write.ts';
import { planModel } from '../../src/model/plan.ts';
import type { Hparams } from '../../src/model/types.ts';
import { f32, tinyModel, tinyModels, u32 } from '../helpers/tiny-models.ts';

async function hparamsOf(name: string, keys: Record<string, WriteValue | undefined> = {}): Promise<Hparams> {
  const model = tinyModels[name]!, bytes = await tinyModel(name, { ...model, keys: { ...model.keys, ...keys } });
  return planModel(await readGguf(new MemorySource(bytes))).hparams;
}

const windows = ({ layers }: Hparams): number[] => layers.map(({ window }) => window);
const test = suite('facts of families');

test('minicpm: the scales of files from before there were keys', async () => {
  const { embedScale, logitScale, layers } = await hparamsOf('minicpm', { embedding_scale: undefined, residual_scale: undefined, logit_scale: undefined });
  assert.equal([embedScale, logitScale, layers[0]!.residualScale], [12, 256 / 64, 1.4 / Math.sqrt(2)]);
});

test('phi3: the window is that of every layer, and known of files that lack the key', async () => {
  assert.equal(windows(await hparamsOf('phi3')), [0, 0]);
  assert.equal(windows(await hparamsOf('phi3', { 'attention.sliding_window': u32(7) })), [7, 7]);
  const old = { 'attention.sliding_window': undefined, 'context_length': u32(4096), 'block_count': u32(32) };
  assert.equal([...new Set(windows(await hparamsOf('phi3', old)))], [2047]);
  assert.equal([...new Set(windows(await hparamsOf('phi3', { ...old, 'context_length': u32(8192) })))], [0]);
});

test('phi3: factors change with the context behind its original length', async () => {
  const { layers, ropes } = await hparamsOf('phi3: long factors');
  assert.equal(layers.map(({ rope }) => rope!.longAbove), [128, 128]);
  assert.equal([ropes.length, ropes[0]!.magnitude], [1, Math.fround(1.2)]);
});

test('exaone4: only a model of 64 layers has windows, and turns where it has one', async () => {
  assert.equal(windows(await hparamsOf('exaone4', { 'attention.sliding_window': u32(4) })), [0, 0]);
  const { layers } = await hparamsOf('exaone4', { 'block_count': u32(64) });
  assert.equal(layers.slice(0, 5).map(({ window, rope }) => [window, rope?.kind]), [...Array(3).fill([4096, 'halves']), [0, undefined], [4096, 'halves']]);
});

test('mistral3: contexts end where queries would grow', async () => {
  assert.is((await hparamsOf('mistral3')).contextLength, 64);
  assert.is((await hparamsOf('mistral3', { 'attention.temperature_scale': undefined })).contextLength, 256);
});

test('cohere2: layers without a window do not turn; logits are multiplied, those of minicpm divided', async () => {
  const { layers, logitScale } = await hparamsOf('cohere2', { logit_scale: f32(0.25) });
  assert.equal([layers.map(({ rope }) => rope?.kind), logitScale], [['adjacent', 'adjacent', 'adjacent', undefined, 'adjacent'], 0.25]);
  assert.is((await hparamsOf('minicpm', { logit_scale: f32(4) })).logitScale, 0.25);
});

test.run();
