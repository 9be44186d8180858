/** The calibration file: what is written is read, what is damaged or foreign is refused by name, and a model finds its own. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Calibration } from '../../src/adapt/calibration.ts';
import { CALIBRATION_VERSION, asKept, checkBinding, readCalibration, writeCalibration } from '../../src/adapt/calibration.ts';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { load } from '../../src/index.ts';
import { calibrationPath } from '../../src/text/sparsity.ts';
import { madeUpCalibration } from '../helpers/calibrated.ts';
import { codeOf } from '../helpers/errors.ts';
import { openEngine, tinyPath } from '../helpers/models.ts';
import type { GgufParts } from '../helpers/twin.ts';
import { rewritten, temporary } from '../helpers/twin.ts';

const test = suite('calibration file');
const model = tinyPath('llama.gguf');
const engine = await openEngine(model), { hparams } = engine.plan;
const made = madeUpCalibration(engine), bytes = writeCalibration(made) as Uint8Array<ArrayBuffer>;
const read = (data: Uint8Array): Promise<Calibration> => readCalibration(new MemorySource(data));

/** Arrays of any kind as plain ones, so that both sides compare by value. */
const plain = (c: Calibration): object => ({
  ...c, ...Object.fromEntries(Object.entries(c).filter(([, value]) => value instanceof Float32Array).map(([name, value]) => [name, [...value as Float32Array]])),
  levels: [...c.levels].map(([method, levels]) => [method, levels.map((level) => ({ ...level, thresholds: Array.from(level.thresholds) }))]),
});

/** A source that does not know where it ends, as a stream. */
const endless = (data: Uint8Array): ByteSource => {
  const source = new MemorySource(data);
  return { name: 'stream', size: undefined, sequential: true, read: (offset, into) => source.read(offset, into), close: () => source.close() };
};

test('what is written is read, every field', async () => {
  assert.equal(plain(await read(bytes)), plain(made));
  const none = undefined, inputs = { attnInSensitivity: none, attnInSquare: none, outInSensitivity: none, outInSquare: none, ffnInSensitivity: none, ffnInSquare: none };
  const bare: Calibration = { ...made, ...inputs, mean: none, meanOut: none, gradients: 'perturbation', modelName: 'Ünïcode "model"\n' };
  assert.equal(plain(await read(writeCalibration(bare))), plain(bare));
});

test('a file of version 1: f32, nothing on inputs', async () => {
  const old = await read(await rewritten(bytes, ({ metadata, tensors }) => {
    metadata['clada.version'] = u32(1);
    delete metadata['clada.head_width'];
    for (const one of tensors.splice(0)) {
      if (/^(attn|out|ffn)_in_/.test(one.name)) continue;
      if (one.dtype === 'bf16') Object.assign(one, { dtype: 'f32', data: new Uint8Array(Uint32Array.from(new Uint16Array(one.data.slice().buffer), (half) => half << 16).buffer) });
      tensors.push(one);
    }
  }));
  assert.is(old.version, 1);
  assert.is(old.headWidth, 0);
  assert.equal([old.attnInSensitivity, old.outInSquare], [undefined, undefined]);
  assert.equal([old.sensitivity, old.meanOut], [made.sensitivity, made.meanOut]);
});

test('constants are kept to .4 %, whatever their size', () => {
  const values = Float32Array.from([1e-30, 3e-9, 0.3, 1, 70_000, 0, -2.5e-6]), kept = asKept(values);
  kept.forEach((value, i) => assert.ok(Math.abs(value - values[i]!) <= Math.abs(values[i]!) / 256));
});

test('cut anywhere: a typed error, at once', async () => {
  for (let length = 0; length < bytes.length; length += 199) {
    for (const source of [new MemorySource(bytes.slice(0, length)), endless(bytes.slice(0, length))]) {
      const started = performance.now(), code = await codeOf(() => readCalibration(source));
      assert.match(code, /^E_(CALIBRATION|GGUF_[A-Z]+)$/, `${length} of ${bytes.length} bytes (${source.name})`);
      assert.ok(performance.now() - started < 1000);
    }
  }
});

test('a tensor as the file ends: the last byte counts', async () => {
  assert.is(await codeOf(() => readCalibration(endless(bytes))), 'none');
  const tensorsEnd = bytes.length - (bytes.length % 4);
  for (const cut of [1, 2, 32]) assert.match(await codeOf(() => readCalibration(endless(bytes.slice(0, tensorsEnd - 32 - cut)))), /^E_(CALIBRATION|GGUF_TRUNCATED)$/);
});

const floats = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const tensor = ({ tensors }: GgufParts, name: string): GgufParts['tensors'][number] => tensors.find((one) => one.name === name)!;
const u32 = (value: number) => ({ type: 'u32', value }) as const;
const last = bytes.length; // read before any test changes it

const damages: Record<string, (parts: GgufParts) => void> = {
  'a newer version': ({ metadata }) => { metadata['clada.version'] = u32(CALIBRATION_VERSION + 1); },
  'no version': ({ metadata }) => { delete metadata['clada.version']; },
  'another architecture': ({ metadata }) => { metadata['general.architecture'] = { type: 'string', value: 'llama' }; },
  'no layers': ({ metadata }) => { metadata['clada.layers'] = u32(0); },
  'half a layer': ({ metadata }) => { metadata['clada.layers'] = { type: 'f32', value: 0.5 }; },
  'a width that is not the tensors\'': ({ metadata }) => { metadata['clada.ffn'] = u32(made.ffn + 1); },
  'a hidden size that is not h_mean_out\'s': ({ metadata }) => { metadata['clada.hidden'] = u32(made.hidden - 8); },
  'four thousand million layers': ({ metadata }) => { metadata['clada.layers'] = u32(0xffffffff); },
  'a fingerprint that is a number': ({ metadata }) => { metadata['clada.fingerprint'] = u32(3); },
  'a load weight that is no number': ({ metadata }) => { metadata['clada.load.surprisal_weight'] = { type: 'f32', value: NaN }; },
  'an infinite load weight': ({ metadata }) => { metadata['clada.load.entropy_weight'] = { type: 'f32', value: Infinity }; },
  'no sensitivity': (parts) => { parts.tensors.splice(parts.tensors.indexOf(tensor(parts, 'sensitivity')), 1); },
  'a tensor of f16': (parts) => { Object.assign(tensor(parts, 'up_sq'), { dtype: 'f16' }); },
  'no width of heads': ({ metadata }) => { delete metadata['clada.head_width']; },
  'a width of heads that is not the tensors\'': ({ metadata }) => { metadata['clada.head_width'] = u32(8); },
  'no sensitivity of inputs': (parts) => { parts.tensors.splice(parts.tensors.indexOf(tensor(parts, 'out_in_sensitivity')), 1); },
  'levels of bf16': (parts) => { const { data } = tensor(parts, 'clada.levels'); Object.assign(tensor(parts, 'clada.levels'), { dtype: 'bf16', data: data.subarray(0, data.length / 2) }); },
  'levels of seven columns': (parts) => { Object.assign(tensor(parts, 'clada.levels'), { dims: [7, 3], data: floats(new Array<number>(21).fill(0.5)) }); },
  'levels of one dimension': (parts) => { Object.assign(tensor(parts, 'clada.levels'), { dims: [24] }); },
  'thresholds of two levels for three': (parts) => { Object.assign(tensor(parts, 'clada.thresholds'), { dims: [made.nLayers, 2], data: floats(new Array<number>(2 * made.nLayers).fill(0.5)) }); },
  'thresholds of a method that has none': (parts) => { parts.tensors.splice(parts.tensors.indexOf(tensor(parts, 'clada.thresholds')), 1); },
};
for (const name of ['sensitivity', 'up_sq', 'h_sq', 'h_mean', 'h_mean_out', 'attn_in_sensitivity', 'ffn_in_sq', 'clada.levels', 'tt.thresholds']) {
  for (const [what, value] of [['NaN', NaN], ['an infinity', -Infinity]] as const) {
    damages[`${what} in ${name}`] = (parts) => { const { data } = tensor(parts, name); data.set(floats([value]), data.length - 4); }; // a bf16 is the upper half
  }
}

for (const [what, damage] of Object.entries(damages)) {
  test(`refused: ${what}`, async () => {
    assert.match(await codeOf(async () => read(await rewritten(bytes, damage))), /^E_(CALIBRATION|GGUF_KEY)$/);
  });
}

test('a method of a later version is read, and left alone', async () => {
  const { levels } = await read(await rewritten(bytes, ({ tensors }) => {
    tensors.push({ name: 'novel.levels', dims: [8, 1], dtype: 'f32', data: floats(new Array<number>(8).fill(0.5)) }, { name: 'novel.thresholds', dims: [made.nLayers, 1], dtype: 'f32', data: floats(new Array<number>(made.nLayers).fill(1)) });
  }));
  assert.is(levels.get('novel')!.length, 1);
});

test('rewriting alone damages nothing', async () => {
  assert.equal(plain(await read(await rewritten(bytes, () => undefined))), plain(made));
  assert.is(bytes.length, last);
});

test('a calibration is bound to its weights and shape', async () => {
  const own = { fingerprint: engine.fingerprint, nLayers: hparams.nLayers, ffn: hparams.ffn, hidden: hparams.hidden, name: 'x' };
  checkBinding(made, 'f', own);
  assert.match(engine.fingerprint, /^[0-9a-f]{32}$/);
  for (const other of [{ fingerprint: own.fingerprint.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) }, { nLayers: 3 }, { ffn: 8 }, { hidden: 8 }]) {
    assert.is(await codeOf(() => checkBinding(made, 'f', { ...own, ...other })), 'E_CALIBRATION', JSON.stringify(other));
  }
});

test('where auto looks: beside the file, for all parts of a split model the same', () => {
  assert.is(calibrationPath('/a/b-q4.gguf'), '/a/b-q4.clada.gguf');
  assert.is(calibrationPath('m-00001-of-00003.GGUF'), 'm.clada.gguf');
  assert.is(calibrationPath('a.gguf.gguf'), 'a.gguf.clada.gguf');
});

test('loading: auto finds it, a foreign one is refused, false ignores it, none is no error', async () => {
  const folder = temporary(), path = join(folder, 'tiny.gguf'), beside = join(folder, 'tiny.clada.gguf');
  copyFileSync(model, path);
  /** Warnings and promise of a sparse generation: with a calibration clada runs, without it falls back. */
  const run = async (source: Parameters<typeof load>[0], options: Parameters<typeof load>[1] = {}): Promise<string> => {
    const loaded = await load(source, { tier: 'base', ...options });
    try {
      const generation = loaded.generate([5, 6, 7, 8, 9, 10], { maxTokens: 4, ignoreEos: true, seed: 1, sparsity: { density: 0.6 } });
      await generation.text();
      const { method, expected, warnings } = generation.stats();
      return `${method} ${expected?.kl.toFixed(2) ?? '-'} ${warnings.length}`;
    } finally {
      loaded.close();
    }
  };
  const fallback = 'wina - 1', found = 'clada 0.01 0';
  assert.is(await run(path), fallback, 'none there');
  writeFileSync(beside, bytes);
  assert.is(await run(path), found);
  assert.is(await run(path, { calibration: false }), fallback);
  assert.is(await run(readFileSync(path)), fallback, 'bytes have nothing beside them');
  assert.is(await run(readFileSync(path), { calibration: beside }), found);
  assert.is(await run(model, { calibration: bytes }), found);
  assert.is(await run(model, { calibration: new Blob([bytes]).stream() }), found, 'a stream moves forward only');
  const gone = join(folder, 'gone.gguf');
  assert.is(await codeOf(() => run(path, { calibration: gone })), 'E_NOT_FOUND', 'one that was asked for must be there');

  const foreign = writeCalibration({ ...made, fingerprint: '0'.repeat(32) });
  writeFileSync(beside, foreign);
  assert.is(await codeOf(() => run(path)), 'E_CALIBRATION');
  assert.is(await codeOf(() => run(path, { sparsity: { method: 'dense' } })), 'E_CALIBRATION', 'also where nothing is skipped: the file is wrong, and says so early');
  assert.is(await run(path, { calibration: false }), fallback);
  assert.is(await codeOf(() => run(tinyPath('llama256-q4_0.gguf'), { calibration: bytes })), 'E_CALIBRATION', 'another model');
  writeFileSync(beside, bytes.slice(0, 700));
  assert.match(await codeOf(() => run(path)), /^E_GGUF_/);
  assert.match(await codeOf(() => run(path, { calibration: path })), /^E_CALIBRATION$/, 'a model is no calibration');
});

test.run();
