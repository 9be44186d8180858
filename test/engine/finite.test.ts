/** What is not finite on the way is E_LOGITS, never a distribution of zeros; and what a report counts is not cut at 32 bits. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { denseSelection } from '../../src/adapt/selection.ts';
import type { KvName } from '../../src/model/enums.ts';
import { Stage } from '../../src/model/enums.ts';
import { reportFields } from '../../src/model/records.ts';
import { writeGguf } from '../../src/format/gguf/write.ts';
import { load } from '../../src/text/load.ts';
import { codeOf } from '../helpers/errors.ts';
import { openSequence, tinyPath } from '../helpers/models.ts';
import { rewritten, temporary } from '../helpers/twin.ts';

const test = suite('finite'), folder = temporary();
let files = 0;
const griffin = { ...denseSelection, stages: Stage.mask, rule: 'topK' as const, density: 0.5 };

/** A tiny llama of which values of a tensor are set. */
async function changed(name: string, tensor: string, from: number, to: number, value: number): Promise<string> {
  const path = join(folder, `changed-${files++}.gguf`);
  writeFileSync(path, await rewritten(readFileSync(tinyPath(name)), ({ tensors }) => {
    const { data, dtype } = tensors.find((each) => each.name === tensor)!;
    assert.is(dtype, 'f32');
    new Float32Array(data.buffer, data.byteOffset, data.length / 4).fill(value, from, to);
  }));
  return path;
}

for (const tier of ['base', 'relaxed'] as const) {
  for (const kv of ['f32', 'f16', 'q8'] as KvName[]) {
    test(`${tier}, ${kv}: a token whose activations overflow is refused wherever it stands; the sequence goes on without it`, async () => {
      const hidden = 64, bad = 7;
      for (const value of [1e20, 3e38]) { // its squares are infinite; it overflows further on
        const sequence = await openSequence(await changed('llama.gguf', 'token_embd.weight', bad * hidden, (bad + 1) * hidden, value), { tier, kv });
        const logits = (tokens: number[], selection = denseSelection, decodeFrom = tokens.length) => sequence.evaluate(tokens, (state) => [...state.logits], { selection, decodeFrom });
        const before = await logits([1, 2, 3]);
        for (const tokens of [[bad], [1, bad], [bad, 1, 2, 3], [1, 2, bad, 3, 4, 5], [...new Array<number>(40).fill(1), bad, ...new Array<number>(90).fill(2)]]) {
          assert.is(await codeOf(() => logits(tokens)), 'E_LOGITS', `${tokens.length} tokens`);
        }
        assert.is(await codeOf(() => logits([1, 2, 3, bad], griffin, 3)), 'E_LOGITS', 'in a sparse step');
        assert.is(await codeOf(() => logits([1, 2, bad, 3], griffin, 3)), 'E_LOGITS', 'in a prompt that is counted');
        assert.is(await codeOf(() => sequence.score([1, 2, bad, 3], () => undefined)), 'E_LOGITS');
        assert.equal(await logits([1, 2, 3]), before);
        const sparse = await logits([1, 2, 3, 4], griffin, 3);
        const fresh = await openSequence(tinyPath('llama.gguf'), { tier, kv });
        assert.equal(sparse, await fresh.evaluate([1, 2, 3, 4], (state) => [...state.logits], { selection: griffin, decodeFrom: 3 }), 'statistics are clean');
      }
    });
  }

  test(`${tier}: what overflows inside a layer does not come out as zeros, in quantised layouts neither`, async () => {
    for (const name of ['llama256-q4_0.gguf', 'llama256-q4_1.gguf', 'llama256-q4_k_m.gguf', 'llama256-q8_0.gguf']) for (const tensor of ['blk.0.attn_norm.weight', 'blk.1.ffn_norm.weight', 'output_norm.weight']) {
      const path = await changed(name, tensor, 0, 256, 3e38);
      const sequence = await openSequence(path, { tier });
      assert.is(await codeOf(() => sequence.evaluate([1, 2, 3], () => undefined)), 'E_LOGITS', `${name}, ${tensor}`);
      const model = await load(path, { tier, contextSize: 32 });
      assert.is(await codeOf(() => model.generate([1, 2, 3], { maxTokens: 2 }).text()), 'E_LOGITS');
      model.close();
    }
  });
}

test('a report counts weights beyond 2^32 bytes', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf'));
  const bytes = await sequence.evaluate([1], ({ report }) => report.weightBytes);
  assert.ok(bytes > 1e4 && bytes % 4 === 0, `${bytes}`);
  const far = await sequence.exclusive((engine, ptr) => {
    const state = engine.saveState(ptr, 1, { logits: true, load: false, statistics: false });
    new Uint32Array(state.report!.buffer)[Object.keys(reportFields).indexOf('weightWords')] = 0x7000_0000;
    engine.restoreState(ptr, 1, state);
    return engine.report(ptr).weightBytes;
  });
  assert.is(far, 4 * 0x7000_0000);
});

test('layers of more than 65,535 neurons: dense computes them, skipping is refused', async () => {
  const hidden = 32, ffn = 70_016, vocab = 40, path = join(folder, 'wide.gguf');
  let state = 1;
  const random = (): number => { state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; return state / 2 ** 32 - 0.5; };
  const f32 = (name: string, dims: number[], scale: number, add = 0) => ({ name, dims, dtype: 'f32' as const, data: new Uint8Array(Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => scale * random() + add).buffer) });
  const u32 = (value: number) => ({ type: 'u32' as const, value });
  writeFileSync(path, writeGguf({
    'general.architecture': { type: 'string', value: 'llama' }, 'llama.embedding_length': u32(hidden), 'llama.feed_forward_length': u32(ffn), 'llama.block_count': u32(1), 'llama.context_length': u32(64),
    'llama.attention.head_count': u32(2), 'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
  }, [
    f32('token_embd.weight', [hidden, vocab], 1), f32('output_norm.weight', [hidden], 0, 1), f32('blk.0.attn_norm.weight', [hidden], 0, 1), f32('blk.0.ffn_norm.weight', [hidden], 0, 1),
    ...['q', 'k', 'v', 'output'].map((part) => f32(`blk.0.attn_${part}.weight`, [hidden, hidden], 0.2)),
    f32('blk.0.ffn_gate.weight', [hidden, ffn], 0.3), f32('blk.0.ffn_up.weight', [hidden, ffn], 0.3), f32('blk.0.ffn_down.weight', [ffn, hidden], 0.05),
  ]));
  const sequence = await openSequence(path), tokens = [1, 5, 9, 30];
  const whole = await sequence.evaluate(tokens, ({ logits }) => [...logits]);
  assert.ok(whole.every(Number.isFinite));
  // without the neurons that a 16-bit index cannot name the answer would be another
  const narrow = join(folder, 'narrow.gguf');
  writeFileSync(narrow, await rewritten(readFileSync(path), ({ tensors }) => {
    const { data } = tensors.find(({ name }) => name === 'blk.0.ffn_up.weight')!;
    data.fill(0, 4 * hidden * 65_536);
  }));
  const other = await (await openSequence(narrow)).evaluate(tokens, ({ logits }) => [...logits]);
  assert.ok(whole.some((value, i) => Math.abs(value - other[i]!) > 1e-4), 'the last neurons count');
  assert.is(await codeOf(() => sequence.evaluate(tokens, () => undefined, { selection: griffin, decodeFrom: 2 })), 'E_METHOD');
  assert.equal(await sequence.evaluate(tokens, ({ logits }) => [...logits]), whole);
});

test.run();
