/** Skipping neurons in the engine: full density is dense, forms agree with masked products, ReLU loses nothing, statistics are those of torch. */
import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { klDivergence } from '../../src/adapt/divergence.ts';
import type { Selection } from '../../src/adapt/selection.ts';
import { resolveSparsity } from '../../src/adapt/resolve.ts';
import { denseSelection, everywhere } from '../../src/adapt/selection.ts';
import type { GgufDtype } from '../../src/format/gguf/types.ts';
import { dtypes } from '../../src/format/gguf/types.ts';
import { Stage } from '../../src/model/enums.ts';
import { isGated } from '../../src/model/hparams.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { embeddedModel, openSequence, shared, tinyPath } from '../helpers/models.ts';
import { reluTwin } from '../helpers/relu.ts';
import type { TinyModel } from '../helpers/tiny-models.ts';
import { string, tinyModelPath, tinyModels, u32 } from '../helpers/tiny-models.ts';
import { twin } from '../helpers/twin.ts';
import { variantPath } from '../helpers/variants.ts';

const ids = Array.from({ length: 40 }, (_, i) => 3 + ((i * 89) % 440)), prompt = 24;

/** Logits after every token that was decoded with the selection, and the costs. */
async function decode(sequence: Sequence, selection: Selection, tokens = ids, from = prompt): Promise<{ rows: Float32Array[]; costs: number[] }> {
  const rows: Float32Array[] = [], costs: number[] = [];
  await sequence.evaluate(tokens.slice(0, from), () => undefined, { selection, decodeFrom: from });
  for (let n = from + 1; n <= tokens.length; n++) {
    await sequence.evaluate(tokens.slice(0, n), ({ logits, report }) => { rows.push(logits.slice()); costs.push(report.cost); }, { selection, decodeFrom: from });
  }
  return { rows, costs };
}

const sameBits = (a: readonly Float32Array[], b: readonly Float32Array[]): boolean => a.every((row, i) => Buffer.from(row.buffer).equals(Buffer.from(b[i]!.buffer)));
const relative = (a: readonly Float32Array[], b: readonly Float32Array[]): number => {
  let error = 0, norm = 0;
  a.forEach((row, i) => row.forEach((value, j) => { error += (value - b[i]![j]!) ** 2; norm += b[i]![j]! ** 2; }));
  return Math.sqrt(error / norm);
};

/** Ones of the right shape, so that methods with constants run on any model. */
async function placeOnes(sequence: Sequence): Promise<void> {
  const { nLayers, ffn, hidden } = await sequence.exclusive((engine) => engine.plan.hparams), ones = new Float32Array(nLayers * ffn).fill(1);
  sequence.engine.forms.place({ sensitivity: ones, upSquare: ones, hSquare: ones, columnNorm: ones, mean: ones.map(() => 0.001), meanOut: new Float32Array(nLayers * hidden) });
}

const traits = ({ engine: { plan: { hparams } } }: Sequence): { nLayers: number; ffn: number; gated: boolean; downShare: number } => ({ nLayers: hparams.nLayers, ffn: hparams.ffn, gated: isGated(hparams), downShare: 1 / 3 });

const { gate, product, mask, scores, inputs } = Stage;
const whole: Record<string, Selection> = {
  griffin: { ...denseSelection, stages: mask, rule: 'topK', density: 1 },
  mask: { ...denseSelection, stages: mask, rule: 'global', density: 1 },
  tt: { ...denseSelection, stages: product, productWeights: 'columnNorm' },
  cats: { ...denseSelection, stages: gate },
  'clada-paper': { ...denseSelection, stages: scores, rule: 'cett' },
  cascade: { ...denseSelection, stages: gate | product, rule: 'cascade', gateWeights: 'scores', productWeights: 'sensitivity', compensate: true },
  teal: { ...denseSelection, stages: inputs | product, inputShare: 1, share: 1 },
  clada: { ...denseSelection, stages: inputs | product },
};
/** The same, dropping about half. */
const some = (threshold: number): Record<string, Selection> => ({
  griffin: { ...whole['griffin']!, density: 0.5 }, 'griffin, down no smaller': { ...whole['griffin']!, density: 0.9 }, mask: { ...whole['mask']!, density: 0.5 }, tt: { ...whole['tt']!, productBase: threshold },
  cats: { ...whole['cats']!, gateBase: threshold }, 'clada-paper': { ...whole['clada-paper']!, scoreBase: threshold },
  cascade: { ...whole['cascade']!, gateBase: threshold, productBase: threshold, compensate: false },
  teal: { ...whole['teal']!, inputShare: 0.7, share: 0.5 }, 'q, k and v': inputsAbove({ attention: 0.3 }), o: inputsAbove({ output: 0.1 }), 'gate and up': inputsAbove({ ffn: 0.3 }),
});
const inputsAbove = (bases: Partial<Selection['inputBase']>): Selection => ({ ...denseSelection, stages: inputs, inputBase: { ...everywhere(-1), ...bases } });

const pathOf = async (file: string): Promise<string> => (file in tinyModels ? tinyModelPath(file) : file.includes(':') ? variantPath(file) : tinyPath(file));

const test = suite('sparse steps');

const quantised = ['q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k_m', 'q5_k_m', 'q6_k'].map((name) => `llama256-${name}.gguf`);

for (const file of [...quantised, 'llama.gguf', 'qwen2.gguf', 'gpt2.gguf', 'llama: biases', 'deci: layers that differ', 'olmo2: norms behind the parts',
  'gemma3: stretched but for its windows, a cap of logits', 'stablelm: both parts read the same, norms of each head', 'nemotron: biases, a third of each head', 'granite', 'llama: heads of 20']) {
  test(`${file}: full density gives the bits of dense, for every method`, async () => {
    const sequence = await openSequence(await pathOf(file));
    await placeOnes(sequence);
    const dense = await decode(sequence, denseSelection);
    for (const [name, selection] of Object.entries(whole)) {
      if (!traits(sequence).gated && (selection.stages & gate)) continue;
      const { rows, costs } = await decode(sequence, selection);
      assert.ok(sameBits(rows, dense.rows), name);
      assert.ok(costs.every((cost) => cost === 1), name);
    }
  });
}

test('rows, columns and compact copies give what zeroed activations give', async () => {
  for (const tier of ['base', 'relaxed'] as const) for (const file of [...quantised, 'llama.gguf', 'llama: biases', 'deci: layers that differ']) {
    const [formed, plain] = [await openSequence(await pathOf(file), { tier }), await openSequence(await pathOf(file), { tier })];
    await placeOnes(formed);
    await placeOnes(plain);
    await plain.exclusive((engine) => { engine.makeForms = () => undefined; }); // nothing to read single neurons from: all is computed, the rest zeroed
    await decode(plain, some(0.02)['clada-paper']!);
    const sums = plain.adapt.sums(0).h.slice().sort(); // of the prompt's tokens but the first four
    for (const [name, chosen] of Object.entries(some(0.02))) {
      const selection = name === 'clada-paper' ? { ...chosen, scoreBase: Math.sqrt(sums[sums.length >> 1]! / (prompt - 4)) } : chosen;
      const a = await decode(formed, selection), b = await decode(plain, selection);
      // griffin and mask keep half; thresholds keep some and drop some
      assert.ok(a.costs.every((cost) => cost > 0.02 && cost < 0.999), `${file} ${name}: costs ${a.costs[0]}`);
      const error = relative(a.rows, b.rows);
      assert.ok(error < (file.startsWith('llama256') ? 0.06 : 1e-4), `${tier} ${file} ${name}: ${error}`);
    }
  }
});

test('every quantised file has forms by row and by column, and what is dropped is not read', async () => {
  for (const file of quantised) {
    const sequence = await openSequence(await pathOf(file)), { tensors } = await sequence.exclusive((engine) => engine.plan);
    const bytes = async (selection: Selection): Promise<number> => {
      await sequence.evaluate(ids.slice(0, prompt), () => undefined, { selection, decodeFrom: prompt });
      return sequence.evaluate(ids.slice(0, prompt + 1), ({ report }) => report.weightBytes, { selection, decodeFrom: prompt });
    };
    const of = (...fields: string[]): number => tensors.filter(({ role }) => fields.includes(role.field)).reduce((sum, tensor) => sum + tensor.bytes, 0);
    await placeOnes(sequence);
    const dense = await bytes(denseSelection), upAndDown = of('up', 'down'), share = 0.25;
    const cats = await bytes({ ...whole['cats']!, share }), griffin = await bytes({ ...whole['griffin']!, density: share });
    assert.equal(sequence.engine.forms.complete, { rows: true, columns: true }, file);
    // the widest against the file: 8 bits for 5.5, in both
    assert.ok(dense - cats > 0.55 * upAndDown, `${file}, cats: ${dense - cats} of ${upAndDown}`);
    assert.ok(dense - griffin > 0.55 * (upAndDown + of('gate')), `${file}, griffin: ${dense - griffin} of ${upAndDown + of('gate')}`);
  }
});

test('an exact share: as many neurons of every layer at every token, the largest', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf')), { ffn } = await sequence.exclusive((engine) => engine.plan.hparams);
  await placeOnes(sequence);
  const dense = await decode(sequence, denseSelection);
  for (const [name, share] of [['cats', 0.4], ['tt', 0.25], ['cats', 1]] as const) {
    const { rows, costs } = await decode(sequence, { ...whole[name]!, gateBase: 0, productBase: 0, share }), kept = Math.round(share * ffn);
    for (const { up, down } of sequence.adapt.counts()) assert.equal([up, down], [name === 'cats' ? kept : ffn, kept]);
    assert.ok(costs.every((cost) => Math.abs(cost - (name === 'cats' ? 1 + 2 * share : 2 + share) / 3) < 0.01));
    assert.is(sameBits(rows, dense.rows), share === 1);
  }
});

test('exact: a ReLU model skips what is zero and loses nothing but rounding', async () => {
  const sequence = await openSequence(await reluTwin('llama.gguf'));
  const dense = await decode(sequence, denseSelection);
  const { rows, costs } = await decode(sequence, { ...denseSelection, stages: gate, gateBase: 0 });
  assert.ok(costs.every((cost) => cost < 0.9), `costs ${costs[0]}`);
  assert.ok(relative(rows, dense.rows) < 2e-6, `relative RMS ${relative(rows, dense.rows)}`);
});

for (const name of ['nemotron: biases, a third of each head', 'arcee', 'arcee: with a gate']) {
  test(`exact: ${name} skips what the square of ReLU makes zero`, async () => {
    const path = name === 'arcee: with a gate' ? await twin('llama.gguf', { 'llama.hidden_act': { type: 'string', value: 'relu2' } }) : await tinyModelPath(name);
    const sequence = await openSequence(path), { selection } = resolveSparsity({ method: 'exact' }, { ...traits(sequence), relu: true }, undefined);
    const dense = await decode(sequence, denseSelection), { rows, costs } = await decode(sequence, selection);
    assert.ok(costs.every((cost) => cost < 0.9), `costs ${costs[0]}`);
    assert.ok(relative(rows, dense.rows) < 2e-6, `relative RMS ${relative(rows, dense.rows)}`);
  });
}

/** A tiny model whose feed-forward matrices are blocks of a dtype. */
async function inBlocks(name: string, keys: TinyModel['keys'], dtype: GgufDtype): Promise<string> {
  const kind = dtype.toUpperCase(), bytes = readFileSync(new URL(`../fixtures/quants/${kind}.bin`, import.meta.url)), { blockSize, typeSize } = dtypes[dtype], nBlocks = bytes.length / typeSize;
  return tinyModelPath(`${name}: ${kind}`, { keys: { ...keys, 'embedding_length': u32(256), 'feed_forward_length': u32(512) }, change: (parts) => {
    parts.tensors = parts.tensors.map((tensor, k) => {
      if (!/ffn_(gate|up|down)\.weight/.test(tensor.name)) return tensor;
      const count = tensor.dims.reduce((a, b) => a * b, 1) / blockSize, data = new Uint8Array(count * typeSize);
      for (let i = 0; i < count; i++) data.set(bytes.subarray(((i * 5 + k) % nBlocks) * typeSize).subarray(0, typeSize), i * typeSize);
      return { ...tensor, dtype, data };
    });
  } });
}

// with a gate up is read row by row, in which scales are integers of 16 bits in a unit of the row's; these blocks have scales of many sizes
for (const tier of ['base', 'relaxed'] as const) for (const [dtype, near] of [['q4_0', 0.005], ['q8_0', 2e-5], ['q4_k', 3e-4], ['q6_k', 0.06]] as const) {
  test(`exact: ${dtype}, ${tier}: logits are dense's but for the order of sums; with a gate but for the rounding of rows`, async () => {
    for (const [name, keys] of [['nemotron', {}], ['llama', { 'hidden_act': string('relu') }]] as const) {
      const sequence = await openSequence(await inBlocks(name, keys, dtype), { tier }), { ffn } = sequence.engine.plan.hparams;
      const dense = await decode(sequence, denseSelection), { selection } = resolveSparsity({ method: 'exact' }, { ...traits(sequence), relu: true }, undefined);
      await decode(sequence, selection);
      sequence.engine.forms.model.assign({ rowsBelow: ffn, columnsBelow: ffn }); // whatever is faster here
      const { rows, costs } = await decode(sequence, selection), far = relative(rows, dense.rows);
      assert.ok(costs.every((cost) => cost < 0.95), `costs ${costs[0]}`);
      assert.ok(far < (name === 'llama' ? near : 2e-6), `${name}: relative RMS ${far}`);
    }
  });
}

test('a step that is too uncertain runs again, dense, and says so', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf'));
  await placeOnes(sequence);
  const dense = await decode(sequence, denseSelection);
  const { rows, costs } = await decode(sequence, { ...some(0.02)['cascade']!, rerunAbove: 0 });
  assert.ok(sameBits(rows, dense.rows));
  assert.ok(costs.every((cost) => cost > 1 && cost < 2));
});

test('a prompt of one token: the prior stands alone, and the report says so', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf'));
  await placeOnes(sequence);
  let flags = 0;
  const selection = some(0.02)['cascade']!;
  await sequence.evaluate(ids.slice(0, 1), () => undefined, { selection, decodeFrom: 1 });
  await sequence.evaluate(ids.slice(0, 2), ({ report }) => { flags = report.flags; }, { selection, decodeFrom: 1 });
  assert.is(flags & 8, 8);
});

test('dense answers are dense whatever ran before', async () => {
  const sequence = await openSequence(tinyPath('llama.gguf'));
  const dense = await sequence.evaluate(ids, ({ logits }) => logits.slice());
  await decode(sequence, { ...whole['griffin']!, density: 0.2 });
  const again = await sequence.evaluate(ids, ({ logits }) => logits.slice());
  assert.ok(sameBits([again], [dense]));
});

const fixtures = `${shared}fixtures/smollm2/`;
if (!existsSync(`${fixtures}ffn.json`)) test.skip('statistics of the embedded model, loss of the cascade (needs ../shared)', () => undefined);
else test('statistics and top halves of the embedded model are those of torch', async () => {
  const truth = JSON.parse(readFileSync(`${fixtures}ffn.json`, 'utf8')) as { ids: number[]; topHalf: Record<string, number[]> | number[][] }[];
  for (const [precision, tolerance, agreement] of [['exact', 0.01, 0.99], ['fast', 0.02, 0.98]] as const) {
    const sequence = await openSequence(embeddedModel, { kv: 'f32', contextSize: 1024, precision });
    for (const [p, { ids: tokens }] of truth.entries()) {
      const want = new Float32Array(new Uint8Array(readFileSync(`${fixtures}griffin-${p}.f32`)).buffer);
      const selection: Selection = { ...denseSelection, stages: mask, rule: 'topK', density: 0.5, skipTokens: 0 };
      await sequence.evaluate([tokens[0]! + 1], () => undefined); // another prompt: nothing is reused
      await sequence.evaluate(tokens, () => undefined, { selection, decodeFrom: tokens.length });
      let error = 0, norm = 0, same = 0;
      for (let layer = 0; layer < 30; layer++) {
        const found = sequence.adapt.sums(layer).normed.map(Math.sqrt), truthRow = want.subarray(layer * 1536, (layer + 1) * 1536);
        found.forEach((value, i) => { error += (value - truthRow[i]!) ** 2; norm += truthRow[i]! ** 2; });
        const top = (values: Float32Array): Set<number> => new Set([...values.keys()].sort((a, b) => values[b]! - values[a]!).slice(0, 768));
        const ours = top(found);
        same += [...top(truthRow)].filter((i) => ours.has(i)).length;
      }
      assert.ok(Math.sqrt(error / norm) < tolerance, `prompt ${p}: statistics off by ${Math.sqrt(error / norm)}`);
      assert.ok(same / (30 * 768) > agreement, `prompt ${p}: ${same / (30 * 768)} of the top halves`);
      if (process.env['VERBOSE']) console.log(precision, p, Math.sqrt(error / norm), same / (30 * 768));
    }
  }
});

if (existsSync(`${shared}fixtures/method`)) test('the cascade loses what the reference loses', async () => {
  const read = (file: string): Float32Array => new Float32Array(new Uint8Array(readFileSync(`${shared}fixtures/${file}`)).buffer);
  const documents = JSON.parse(readFileSync(`${shared}fixtures/method/documents.json`, 'utf8')) as { ids: number[] }[];
  const sequence = await openSequence(embeddedModel, { kv: 'f32', contextSize: 256, tier: 'relaxed' });
  sequence.engine.forms.place({ sensitivity: read('calibration/fisher.f32').map(Math.sqrt), upSquare: read('calibration/up_sq.f32') });
  const selection: Selection = { ...whole['cascade']!, gateBase: 0.004, productBase: 0.004, compensate: false };
  let kl = 0, cost = 0, n = 0;
  for (const { ids: tokens } of documents.filter((_, i) => i % 16 === 0)) {
    const part = tokens.slice(0, 160);
    const dense = await decode(sequence, denseSelection, part, 64), sparse = await decode(sequence, selection, part, 64);
    const lse = (row: Float32Array): number => { const max = row.reduce((a, b) => Math.max(a, b)); return max + Math.log(row.reduce((sum, v) => sum + Math.exp(v - max), 0)); };
    sparse.rows.forEach((row, i) => { kl += klDivergence(dense.rows[i]!, lse(dense.rows[i]!), row, lse(row)); cost += sparse.costs[i]!; n++; });
  }
  // the whole set gives 0.0674 at cost 0.703 (cascade.json); two documents scatter
  assert.ok(Math.abs(cost / n - 0.703) < 0.015, `cost ${cost / n}`);
  assert.ok(kl / n > 0.04 && kl / n < 0.1, `KL ${kl / n}`);
});

test.run();
