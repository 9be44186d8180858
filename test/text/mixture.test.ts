/** Mixtures of experts through the public API and the command line: dense everywhere, and what skips neurons refused with what would run. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { collectStatistics } from '../../src/calibrate/statistics.ts';
import type { CladaError, GenerateOptions, Model, SparsityOptions } from '../../src/index.ts';
import { load, plan } from '../../src/index.ts';
import { parseMethod, subjectFor } from '../../src/eval/subject.ts';
import { clada } from '../helpers/cli.ts';
import { codeOf } from '../helpers/errors.ts';
import { tinyModelPath } from '../helpers/tiny-models.ts';

const test = suite('text/mixture');
const path = await tinyModelPath('qwen2moe'), open = (): Promise<Model> => load(path, { tier: 'base', contextSize: 128 });
const prompt = Array.from({ length: 30 }, (_, i) => 3 + ((i * 89) % 440));
const options: GenerateOptions = { seed: 5, ignoreEos: true, maxTokens: 24, telemetry: true, logprobs: 2 };

test('what a model says of its experts, and what a token reads of them', async () => {
  const model = await open(), { info } = model;
  assert.equal(info.experts, { count: 8, used: 3 });
  const stats = model.generate(prompt, { ...options, maxTokens: 4 });
  const tokens = await stats.tokens();
  for (const { step } of tokens.slice(1)) assert.is(step!.weightBytes, info.weightBytesPerToken);
  assert.ok(info.weightBytesPerToken < info.weightBytes);
  model.close();
});

test('several sequences at a time, saved and resumed elsewhere: the same tokens', async () => {
  const [here, there] = [await open(), await open()], all = (tokens: unknown): string => JSON.stringify(tokens, (key, value: unknown) => (key === 'weightBytes' ? undefined : value)); // a pass of two reads the experts of both
  const told = async (generation: ReturnType<Model['generate']>): Promise<string> => all(await generation.tokens());
  const alone = await told(here.generate(prompt, options)), other = await told(here.generate([...prompt].reverse(), options));
  const both = await Promise.all([told(there.generate(prompt, options)), told(there.generate([...prompt].reverse(), options))]);
  assert.equal(both, [alone, other]);
  const generation = here.generate(prompt, options), begun = [];
  for await (const token of generation) if (begun.push(token) === 7) break;
  const snapshot = await generation.save(), rest = await (await there.resume(snapshot)).tokens();
  assert.is(all([...begun, ...rest]), alone);
  here.close();
  there.close();
});

test('methods that skip neurons are refused, before weights are read where they are asked for so early', async () => {
  const model = await open();
  for (const sparsity of [{}, { method: 'clada' }, { method: 'griffin', density: 0.5 }, { method: 'mask' }, { method: 'tt', topK: true }, { method: 'cats' }, { method: 'exact' }] as SparsityOptions[]) {
    for (const run of [() => model.generate(prompt, { sparsity }), () => load(path, { sparsity }), () => plan(path, { sparsity })]) {
      let error: CladaError | undefined;
      try { await run(); } catch (thrown) { error = thrown as CladaError; }
      assert.is(error?.code, 'E_METHOD', JSON.stringify(sparsity));
      assert.match(error!.message, /a mixture of 8 experts.*Use dense.*3 of 8/);
    }
  }
  assert.is(await codeOf(() => model.generate(prompt, { sparsity: { method: 'no such' as 'dense' } })), 'E_OPTION', 'a wrong name is told first');
  model.close();
});

const some = { method: 'experts', threshold: 0.5 } as const;

test('experts: what a token used and read, and what held, is told', async () => {
  const model = await open(), dense = await model.generate(prompt, options).tokens(), { info } = model;
  const told = async (sparsity: SparsityOptions): Promise<typeof dense> => model.generate(prompt, { ...options, sparsity }).tokens();
  const plain = (tokens: typeof dense): unknown => tokens.map(({ id, logprob, entropy }) => [id, logprob, entropy]);
  assert.equal(plain(await told({ method: 'experts', threshold: 0 })), plain(dense));
  assert.equal(plain(await told({ method: 'experts', density: 1 })), plain(dense));
  const generation = model.generate(prompt, { ...options, telemetry: 'neurons', sparsity: { ...some, cogLoad: true, cogLoadWarmup: 2 } }), steps = (await generation.tokens()).slice(1).map(({ step }) => step!);
  for (const { layers, density, thresholds, factor, weightBytes, neurons } of steps) {
    const used = layers.reduce((sum, { gate, up, down }) => sum + gate + up + down, 0);
    assert.ok(Math.abs(density - used / (3 * layers.length * (3 * 40 + 72))) < 1e-6, 'share of the experts, the shared one included');
    assert.ok(layers.every(({ experts }) => experts! >= 1 && experts! <= 3));
    assert.ok(Math.abs((thresholds.experts as number) - 0.5 * factor) < 1e-7);
    assert.is(info.weightBytesPerToken - weightBytes, layers.reduce((sum, { experts }) => sum + (3 - experts!), 0) * 3 * 40 * 64 * 4);
    assert.is(neurons, undefined);
  }
  assert.ok(new Set(steps.map(({ factor }) => factor)).size > 4, 'the load moved the budget');
  const { method, density, warnings } = generation.stats();
  assert.equal([method, warnings], ['experts', []]);
  assert.ok(density > 0.5 && density < 1, `${density}`);
  const half = (await told({ method: 'experts', density: 0.75 })).slice(1); // (2 x 40 + 72) / (3 x 40 + 72) = .79
  assert.ok(half.every(({ step }) => step!.layers.every(({ experts }) => experts === 2) && Object.keys(step!.thresholds).length === 0));
  model.close();
});

test('experts: saved and resumed, with two threads, beside a dense answer: the same tokens', async () => {
  const ids = async (generation: ReturnType<Model['generate']>): Promise<string> => JSON.stringify(await generation.tokens());
  const [here, two] = [await open(), await load(path, { tier: 'base', contextSize: 128, threads: 2, sparsity: some })], skipping = { ...options, sparsity: { ...some, cogLoad: true } };
  const alone = await ids(here.generate(prompt, skipping)), generation = here.generate(prompt, skipping), begun = [];
  for await (const token of generation) if (begun.push(token) === 7) break;
  assert.is(JSON.stringify([...begun, ...await (await here.resume(await generation.save())).tokens()]), alone);
  assert.equal((await Promise.all([ids(two.generate(prompt, skipping)), ids(two.generate([...prompt].reverse(), options))]))[0], alone);
  const { memory } = await plan(path, { sparsity: some });
  assert.ok(memory.adaptive > 0);
  assert.is(memory.formsWanted, 0);
  here.close();
  two.close();
});

test('experts: of a model without any refused, also in a plan; a method of eval', async () => {
  const model = await open(), none = await tinyModelPath('llama');
  for (const run of [() => load(none, { sparsity: some }), () => plan(none, { sparsity: some })]) assert.is(await codeOf(run), 'E_METHOD');
  const plain = await load(none, { tier: 'base' });
  assert.is(await codeOf(() => plain.generate(prompt, { sparsity: some })), 'E_METHOD');
  for (const sparsity of [{ threshold: 1 }, { density: 0.1 }, { maxKl: 0.1 }]) assert.is(await codeOf(() => model.generate(prompt, { sparsity: { method: 'experts', ...sparsity } })), 'E_OPTION');
  const { name, options: own } = parseMethod('experts:threshold=0.5'), costs: number[] = [];
  await subjectFor(model, name, own).follow(prompt, prompt.slice(0, 6), (_, { cost }) => { if (cost !== undefined) costs.push(cost); });
  assert.ok(costs.length > 0 && costs.every((cost) => cost < 1 && cost >= (40 + 72) / (3 * 40 + 72) - 1e-6), costs.join());
  model.close();
  plain.close();
});

test('auto finds dense, and says why', async () => {
  const model = await load(path, { tier: 'base', contextSize: 128, sparsity: { maxKl: 0.1 } });
  const generation = model.generate(prompt, { ...options, maxTokens: 3 });
  await generation.tokens();
  assert.match(generation.stats().warnings.join(), /mixture of experts has no calibration.*dense/);
  const { memory } = await plan(path, { sparsity: { method: 'auto', maxKl: 0.1 } });
  assert.is(memory.adaptive, 0);
  model.close();
});

test('calibration is refused', async () => {
  for (const run of [() => calibrate(path, { count: 2, tokens: 16, heldOut: 2, tier: 'base' }), () => collectStatistics(path, [prompt], { tier: 'base' })]) {
    assert.is(await codeOf(run), 'E_METHOD');
  }
});

test('the command line: inspect, run, eval of texts, and refusals', () => {
  assert.match(clada(['inspect', '-m', path]).stdout, /3 of 8 experts/);
  const { tensors } = JSON.parse(clada(['inspect', '-m', path, '--json']).stdout) as { tensors: { name: string; matrices?: number }[] };
  assert.is(tensors.find(({ name }) => name === 'blk.0.ffn_up_exps.weight')!.matrices, 8);
  assert.is(tensors.find(({ name }) => name === 'blk.0.attn_q.weight')!.matrices, undefined);
  const flags = ['-m', path, '-p', 'Once upon', '-n', '4', '--tier', 'base'];
  assert.is(clada(['run', ...flags]).status, 0);
  const { meanNll } = JSON.parse(clada(['eval', '-m', path, '-p', 'Once upon a time there was', '--json', '--tier', 'base']).stdout) as { meanNll: number };
  assert.ok(meanNll > 0 && meanNll < 30);
  const { status, stderr } = clada(['run', ...flags, '--sparsity', 'griffin']);
  assert.is(status === 0, false);
  assert.match(stderr, /E_METHOD/);
  const fewer = clada(['run', ...flags, '--sparsity', 'experts', '--threshold', '0.5', '--stats']);
  assert.is(fewer.status, 0);
  assert.match(fewer.stderr, /experts: \d+ % of the experts' weights skipped/);
  for (const [wrong, code] of [[['--sparsity', 'experts', '--threshold', '1'], /E_OPTION/], [['--threshold', '0.1', '--density', '0.5'], /--density and --threshold together/]] as const) assert.match(clada(['run', ...flags, ...wrong]).stderr, code);
  assert.match(clada(['calibrate', '-m', path, '--tier', 'base']).stderr, /E_METHOD/);
});

test.run();
