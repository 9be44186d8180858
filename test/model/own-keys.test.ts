/** Keys that a family reads for itself: what they come to, and which values are refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { CladaError } from '../../src/errors.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { WriteValue } from '../../src/format/gguf/write.ts';
import { planModel } from '../../src/model/plan.ts';
import type { Hparams } from '../../src/model/types.ts';
import { bool, f32, tinyModel, tinyModels, u32 } from '../helpers/tiny-models.ts';
import { rewritten } from '../helpers/twin.ts';

const test = suite('keys of a family');

async function planned(name: string, keys: Record<string, WriteValue | undefined>): Promise<Hparams> {
  const bytes = await rewritten(await tinyModel(name, tinyModels[name]), ({ metadata }) => {
    for (const [key, value] of Object.entries(keys)) {
      if (value) metadata[`${name}.${key}`] = value;
      else delete metadata[`${name}.${key}`];
    }
  });
  return planModel(await readGguf(new MemorySource(bytes))).hparams;
}

const refusal = (name: string, keys: Record<string, WriteValue | undefined>): Promise<string> =>
  planned(name, keys).then(() => 'none', (error: CladaError) => `${error.code} ${error.message}`);

test('what they come to, and what holds where they are absent or say none', async () => {
  const granite = await planned('granite', { 'logit_scale': f32(8), 'residual_scale': f32(0.25), 'embedding_scale': f32(12), 'attention.scale': f32(0.5) });
  assert.equal([granite.embedScale, granite.logitScale, granite.logitCap], [12, 1 / 8, 0]);
  assert.equal([granite.layers[0]!.residualScale, granite.layers[0]!.attnScale], [0.25, 0.5]);
  const none = await planned('granite', { 'residual_scale': f32(0), 'embedding_scale': f32(0), 'attention.scale': f32(0), 'rope.scaling.finetuned': bool(true) });
  assert.equal([none.embedScale, none.layers[0]!.residualScale, none.layers[0]!.attnScale, none.layers[0]!.rope?.kind], [1, 1, 0.25, 'adjacent']);
  const gemma2 = await planned('gemma2', { 'attention.sliding_window': undefined });
  assert.equal([gemma2.embedScale, gemma2.logitCap, gemma2.layers[0]!.attnCap, ...gemma2.layers.map(({ window }) => window)], [8, 30, 50, 4096, 0, 4096, 0]);
  assert.equal((await planned('gemma2', { final_logit_softcapping: f32(0), attn_logit_softcapping: f32(0) })).logitCap, 0);
  const gemma3 = await planned('gemma3', { 'rope.freq_base': f32(1e6) });
  assert.equal(gemma3.layers.map(({ window, rope }) => [window, rope!.base]), [...Array.from({ length: 5 }, () => [5, 1e4]), [0, 1e6], [5, 1e4]]);
  assert.equal((await planned('gemma3', { 'block_count': u32(7), 'rope.freq_base_swa': f32(5e3) })).layers[0]!.rope!.base, 5e3);
});

test('values that cannot be, and keys of other families', async () => {
  for (const [name, key, value] of [
    ['granite', 'logit_scale', f32(0)], ['granite', 'logit_scale', f32(NaN)], ['granite', 'residual_scale', f32(-1)], ['granite', 'embedding_scale', f32(Infinity)],
    ['gemma2', 'attn_logit_softcapping', f32(-50)], ['gemma2', 'final_logit_softcapping', f32(NaN)], ['gemma2', 'attention.sliding_window', u32(0)],
    ['gemma3', 'attn_logit_softcapping', f32(50)], ['gemma3', 'rope.freq_base_swa', f32(0)], ['gemma', 'final_logit_softcapping', f32(30)],
    ['gemma3', 'attention.sliding_window_pattern', { type: 'bools', value: [true, false] }], ['arcee', 'attention.scale', f32(0.5)], ['nemotron', 'use_parallel_residual', bool(true)],
  ] as [string, string, WriteValue][]) {
    const message = await refusal(name, { [key]: value });
    assert.ok(/^E_(HPARAM|GGUF_KEY) /.test(message) && message.includes(`metadata key ${name}.${key}`), `${name}.${key}: ${message}`);
  }
  assert.match(await refusal('granite', { logit_scale: undefined }), /^E_GGUF_KEY .*granite\.logit_scale/);
});

test.run();
