/** What every family refuses, one thing wrong at a time, in files that are sound by themselves: a typed error that names it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemorySource } from '../../src/bytes/memory.ts';
import { CladaError, load } from '../../src/index.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { GgufFile, GgufTensor } from '../../src/format/gguf/types.ts';
import type { WriteTensor, WriteValue } from '../../src/format/gguf/write.ts';
import { writeGguf } from '../../src/format/gguf/write.ts';
import { planModel } from '../../src/model/plan.ts';
import { f32, randomTensor, string, tinyModel, tinyModels, u32 } from '../helpers/tiny-models.ts';
import type { GgufParts } from '../helpers/twin.ts';
import { rewritten } from '../helpers/twin.ts';

async function partsOf(name: string): Promise<GgufParts> {
  let parts: GgufParts | undefined;
  await rewritten(await tinyModel(name), (own) => { parts = own; });
  return parts!;
}

/** What planning a header fails with, or 'none'. */
function refusal(file: GgufFile): string {
  try {
    planModel(file);
  } catch (error) {
    assert.instance(error, CladaError, String(error));
    const { code, found, expected, remedy, message } = error as CladaError;
    assert.ok(found !== '' && expected !== '' && remedy !== '', message);
    return `${code} ${message}`;
  }
  return 'none';
}

const headerOf = ({ metadata, tensors }: GgufParts): Promise<GgufFile> => readGguf(new MemorySource(writeGguf(metadata, tensors)));
const withTensor = (file: GgufFile, name: string, change: Partial<GgufTensor> | undefined): GgufFile => {
  const tensors = new Map(file.tensors);
  if (change) tensors.set(name, { ...tensors.get(name)!, ...change });
  else tensors.delete(name);
  return { ...file, tensors };
};
const withKey = (parts: GgufParts, key: string, value: WriteValue | undefined): Promise<GgufFile> => {
  const metadata = { ...parts.metadata };
  if (value) metadata[key] = value;
  else delete metadata[key];
  return headerOf({ metadata, tensors: parts.tensors });
};

/** A head or factors that a family can do without. */
const dispensable = /^output\.weight$|^rope_|\.bias$|attn_[qk]_norm|ffn_norm/;

const test = suite('refusals');

for (const name of Object.keys(tinyModels)) {
  const architecture = tinyModels[name]!.architecture ?? name.split(':')[0]!, own = (key: string): string => `${architecture}.${key}`;

  test(`${name}: tensors that are missing, too many, or of other shapes`, async () => {
    const file = await headerOf(await partsOf(name));
    assert.is(refusal(file), 'none');
    for (const [tensor, { dims }] of file.tensors) {
      const missing = refusal(withTensor(file, tensor, undefined));
      if (!dispensable.test(tensor)) assert.match(missing, /^E_TENSOR_MISSING/, tensor);
      for (const [at, dim] of dims.entries()) for (const size of [dim + 1, 2 * dim, dim - 1]) {
        const message = refusal(withTensor(file, tensor, { dims: dims.map((old, i) => (i === at ? size : old)) }));
        // without a head of its own, nothing says how many tokens there are but the embedding itself
        if (tensor === 'token_embd.weight' && at === 1 && !file.tensors.has('output.weight')) continue;
        assert.match(message, /^E_TENSOR_SHAPE/, `${tensor} ${at} ${size}`);
      }
    }
    for (const extra of ['blk.0.attn_sinks.weight', 'blk.9.attn_q.weight', 'blk.0.attn_q.scale', 'cls.weight']) {
      const tensors = new Map(file.tensors).set(extra, { ...file.tensors.get('token_embd.weight')!, name: extra });
      const message = refusal({ ...file, tensors });
      assert.ok(message.startsWith('E_TENSOR_UNKNOWN') && message.includes(extra), message);
    }
  });

  test(`${name}: numbers that cannot be`, async () => {
    const parts = await partsOf(name), keys = Object.entries(parts.metadata).filter(([key]) => key.startsWith(`${architecture}.`));
    for (const [key, { type }] of keys) {
      if (type !== 'f32' || key.endsWith('n_deepstack_layers')) continue; // a key that changes nothing
      for (const value of [NaN, -1, Infinity, -Infinity]) {
        const message = refusal(await withKey(parts, key, f32(value)));
        assert.ok(/^E_(HPARAM|GGUF_KEY)/.test(message) && message.includes(key), `${key} ${value}: ${message}`);
      }
    }
    const listed = (key: string): boolean => typeof parts.metadata[own(key)]?.value === 'object';
    for (const [key, value] of [
      ['block_count', u32(0)], ['block_count', string('two')], ['embedding_length', u32(0)], ['context_length', u32(0)],
      ['attention.head_count', u32(0)], ['attention.head_count', u32(65_536)], ['attention.head_count_kv', u32(5)],
      ['attention.key_length', u32(0)], ['attention.key_length', u32(1024)], ['attention.value_length', u32(5)],
      ['rope.dimension_count', u32(7)], ['rope.dimension_count', u32(0)], ['rope.dimension_count', u32(66)], ['rope.freq_base', f32(0)],
      ['rope.freq_base', f32(NaN)], ['rope.scaling.factor', f32(-1)], ['rope.scaling.attn_factor', f32(0)], ['rope.scaling.type', string('dynamic')],
      ['attention.sliding_window', { type: 'i32', value: -1 }], ['attention.sliding_window', f32(2.5)], ['attention.sliding_window', f32(Infinity)],
    ] as [string, WriteValue][]) {
      if (listed(key)) continue;
      const message = refusal(await withKey(parts, own(key), value));
      assert.ok(/^E_(HPARAM|GGUF_KEY)/.test(message) && message.includes(own(key)), `${key} ${String(value.value)}: ${message}`);
    }
    for (const key of ['block_count', 'embedding_length', 'context_length', 'attention.head_count', 'feed_forward_length']) {
      if (key === 'feed_forward_length' && own('expert_feed_forward_length') in parts.metadata) continue; // all layers have experts
      assert.match(refusal(await withKey(parts, own(key), undefined)), /^E_(HPARAM|GGUF_KEY)/, key);
    }
    const pattern: WriteValue = { type: 'bools', value: Array.from({ length: Number(parts.metadata[own('block_count')]!.value) }, () => true) };
    const metadata = { ...parts.metadata, [own('attention.sliding_window')]: u32(0), [own('attention.sliding_window_pattern')]: pattern };
    const message = refusal(await headerOf({ metadata, tensors: parts.tensors }));
    assert.ok(message.startsWith('E_HPARAM') && message.includes(own('attention.sliding_window')), message);
  });
}

test('a family and a dtype that are not known: what would run', async () => {
  const parts = await partsOf('llama');
  const message = refusal(await withKey(parts, 'general.architecture', string('mamba')));
  assert.ok(/^E_FAMILY .*"mamba"/s.test(message), message);
  for (const name of ['llama', 'qwen3', 'gemma3', 'phi3']) assert.ok(message.includes(name), name);
  for (const [unknown, line] of [['granitehybrid', /of this line: granite\./], ['qwen35', /of this line: qwen2, qwen3, /], ['gemma3n', /of this line: gemma, gemma2, gemma3\./], ['lfm2moe', /of this line: lfm2\./]] as const) {
    assert.match(refusal(await withKey(parts, 'general.architecture', string(unknown))), line);
  }
  assert.not.match(message, /of this line/);
  const file = await headerOf(parts);
  assert.match(refusal(withTensor(file, 'blk.0.ffn_up.weight', { dtype: 'f64' })), /^E_DTYPE .*f64.*q4_k/s);
});

test('more tokens than any vocabulary has: the limit and why', async () => {
  const file = await headerOf(await partsOf('llama')), many = (vocab: number): GgufFile =>
    ['token_embd.weight', 'output.weight'].reduce((all, name) => withTensor(all, name, { dims: [64, vocab] }), file);
  assert.match(refusal(many(400_000)), /^E_HPARAM .*400000.*327680.*Gemma.*262,208/s);
  assert.is(refusal(many(262_208)), 'none', 'Gemma 3');
});

test('LongRoPE without factors of its own, and factors without LongRoPE', async () => {
  const parts = await partsOf('phi3: long factors'), minicpm = await partsOf('minicpm: long factors');
  const more = (one: GgufParts, ...tensors: WriteTensor[]): GgufParts => ({ metadata: one.metadata, tensors: [...one.tensors, ...tensors] });
  assert.match(refusal(await headerOf(more(parts, randomTensor('rope_freqs.weight', [8], 1, 2)))), /^E_TENSOR_UNKNOWN .*rope_freqs/);
  assert.match(refusal(await withKey(minicpm, 'minicpm.rope.scaling.type', string('linear'))), /^E_TENSOR_UNKNOWN .*rope_factors_long/);
  assert.match(refusal(await withKey(await partsOf('qwen2'), 'qwen2.rope.scaling.type', string('longrope'))), /^E_HPARAM .*longrope/);
});

test('factors of angles that are no positive numbers', async () => {
  for (const [name, tensor] of [['exaone', 'rope_freqs.weight'], ['phi3: long factors', 'rope_factors_long.weight'], ['phi3: long factors', 'rope_factors_short.weight']] as const) {
    for (const [value, code] of [[0, 'E_HPARAM'], [-2, 'E_HPARAM'], [NaN, 'E_NAN_WEIGHTS'], [Infinity, 'E_NAN_WEIGHTS']] as const) {
      const bytes = await rewritten(await tinyModel(name), ({ tensors }) => {
        const { data } = tensors.find((one) => one.name === tensor)!;
        new DataView(data.buffer, data.byteOffset).setFloat32(4, value, true);
      });
      const error = await load(bytes, { contextSize: 256 }).then((model) => { model.close(); return undefined; }, (one: CladaError) => one);
      assert.ok(error?.code === code && error.message.includes(tensor), `${tensor} ${value}: ${error?.code} ${error?.message}`);
    }
  }
});

test.run();
