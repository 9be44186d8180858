/** Gradients of tiny models at all inputs of a layer against central finite differences of the loss; losses against trusted logits. */
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Calibrator, SKIPPED, inputSums } from '../../src/calibrate/calibrator.ts';
import { widthOf } from '../../src/calibrate/record.ts';
import { Place } from '../../src/model/enums.ts';
import { Random } from '../../src/sampler/random.ts';
import type { TinyTruth } from '../helpers/models.ts';
import { tinyPath, tinyTruth } from '../helpers/models.ts';
import { asked, tinyModelPath } from '../helpers/tiny-models.ts';
import { variantPath, variantTokens } from '../helpers/variants.ts';

const vocab = 448;
/**
 * Fourth-order central differences with this step: the f32 forward pass leaves about 3e-6 of noise in a loss of some hundred nats, a smaller
 * step would show nothing else.
 */
const usual = 0.1;
/**
 * A larger one where scales or caps keep losses from moving: the error is all noise there and halves where the step doubles. Half of that
 * where they bend soon: the error is that of the differences there, and sixteen times as large where the step doubles.
 */
const stepOf = (name: string): number => (/^(gemma|granite)/.test(name) ? (name.includes(':') ? 0.25 : 0.5) : usual);

/** -log p(label) of every position from trusted logits, NaN where they are not there. */
function trueLoss({ logits, rows }: TinyTruth, labels: readonly number[]): number[] {
  return labels.map((label, t) => {
    const at = rows ? rows.indexOf(t) : t, row = logits.subarray(at * vocab, (at + 1) * vocab), max = Math.max(...row);
    if (at < 0) return NaN;
    return max + Math.log(row.reduce((sum, v) => sum + Math.exp(v - max), 0)) - row[label]!;
  });
}

const labelsOf = (tokens: readonly number[]): number[] => tokens.map((_, t) => (t * 37) % vocab);

/** dL/dx of one value at a place, by differences. */
async function slopeOf(calibrator: Calibrator, labels: readonly number[], step: number, layer: number, place: Place, token: number, index: number): Promise<number> {
  const lossAt = async (nudge: number): Promise<Float64Array> => {
    calibrator.nudge(layer, place, (t, i) => (t === token && i === index ? nudge : 0));
    await calibrator.rerun(layer);
    return calibrator.loss(labels, { slot: calibrator.spareSlot });
  };
  const at = [await lossAt(step), await lossAt(-step), await lossAt(2 * step), await lossAt(-2 * step)];
  let slope = 0; // position by position: the sum of all would round more than it tells
  for (let t = token; t < labels.length; t++) slope += (8 * (at[0]![t]! - at[1]![t]!) - (at[2]![t]! - at[3]![t]!)) / (12 * step);
  return slope;
}

/** Gradients at h of every layer at 24 places against differences of the loss; returns the loss. */
async function checkGradient(calibrator: Calibrator, tokens: readonly number[], name: string): Promise<Float64Array> {
  const { nLayers, layers } = calibrator.hparams, labels = labelsOf(tokens), step = stepOf(name);
  await calibrator.run(tokens);
  const loss = await calibrator.loss(labels, { gradient: true });
  const gradients: Float32Array[][] = [];
  await calibrator.backward({ each: (layer, dh) => { gradients[layer] = tokens.map((_, t) => dh(t).slice()); } }); // rows are copied while they are there
  const random = new Random(3);
  let errors = 0, norms = 0;
  for (let layer = 0; layer < nLayers; layer++) for (let i = 0; i < 24; i++) {
    const token = i === 0 ? 0 : random.uint32() % tokens.length, neuron = random.uint32() % layers[layer]!.ffn;
    const slope = await slopeOf(calibrator, labels, step, layer, Place.h, token, neuron);
    errors += (slope - gradients[layer]![token]![neuron]!) ** 2;
    norms += slope ** 2;
  }
  const error = Math.sqrt(errors / norms);
  if (process.env['VERBOSE']) console.log(name, `finite differences: relative RMS error ${error.toExponential(2)}`);
  assert.ok(error < 1e-3, `relative RMS error ${error}`);
  if (calibrator.tier === 'relaxed') await checkInputs(calibrator, tokens.slice(0, SKIPPED + 2), name);
  return loss;
}

/** Summed squares of gradients at what q, k, v, what o and what gate and up read, against differences, and of those inputs against their moments. */
async function checkInputs(calibrator: Calibrator, tokens: readonly number[], name: string): Promise<void> {
  const { hparams } = calibrator, { nLayers, layers, headDim } = hparams, labels = labelsOf(tokens), random = new Random(5);
  const step = stepOf(name) / 2; // these move more than one neuron does
  await calibrator.run(tokens, { collect: true });
  await calibrator.loss(labels, { gradient: true });
  await calibrator.backward();
  const sums = (field: keyof typeof inputSums): Float64Array => {
    const into = new Float64Array(nLayers * widthOf(hparams, inputSums[field][1]));
    calibrator.addInputSum(field, into);
    return into;
  };
  for (const field of ['attnInFisher', 'outInFisher', 'ffnInFisher'] as const) {
    const place = inputSums[field][1], width = widthOf(hparams, place), got = sums(field), squares = sums(field.replace('Fisher', 'Sq') as 'attnInSq');
    let errors = 0, norms = 0;
    for (let layer = 0; layer < nLayers; layer++) {
      const { heads, convTaps } = layers[layer]!, own = place === Place.heads ? heads * headDim : width, row = layer * width;
      const none = (convTaps ?? 0) > 0 && place !== Place.ffn;
      if (none) assert.ok([got, squares].every((values) => values.subarray(row, row + width).every((value) => value === 0)));
      else assert.ok(squares.subarray(row, row + own).some((value) => value > 0), `${field} of layer ${layer}: no squares`);
      for (let i = 0; i < 2 && !none; i++) {
        const index = random.uint32() % own;
        let want = 0;
        for (let token = SKIPPED; token < tokens.length; token++) want += (await slopeOf(calibrator, labels, step, layer, place, token, index)) ** 2;
        errors += (got[row + index]! - want) ** 2;
        norms += want ** 2;
      }
    }
    const error = Math.sqrt(errors / norms);
    if (process.env['VERBOSE']) console.log(name, `${field}: relative RMS error ${error.toExponential(2)}`);
    assert.ok(error < 2e-3, `${field}: relative RMS error ${error}`);
  }
}

for (const tier of ['base', 'relaxed'] as const) {
  const test = suite(`gradients (${tier})`);

  for (const name of ['llama', 'llama-tied', 'llama-rope3', 'mistral', 'qwen2', 'gpt2', 'qwen3', 'smollm3', 'olmo2', 'gemma', 'gemma2', 'gemma3', 'granite', 'stablelm']) {
    if (!existsSync(tinyPath(`${name}.gguf`))) {
      test.skip(`${name} (needs ../shared)`, () => undefined);
      continue;
    }
    test(`${name}: losses are those of transformers, dL/dh that of finite differences`, async () => {
      const calibrator = await Calibrator.open(tinyPath(`${name}.gguf`), { tier, maxTokens: 64 });
      const truth = tinyTruth(name), tokens = truth.sequences[0]!, loss = await checkGradient(calibrator, tokens, `${name} ${tier}`);
      trueLoss(truth, labelsOf(tokens)).forEach((want, t) => assert.ok(Number.isNaN(want) || Math.abs(loss[t]! - want) < 1e-4, `position ${t}: ${loss[t]} instead of ${want}`));
    });
  }

  for (const name of ['llama: biases', 'deci: layers that differ', 'qwen3: norms of heads', 'smollm3: layers that do not turn', 'olmo2: norms behind the parts', 'olmo2: windows, and two tables of angles']) {
    test(`${name}: dL/dh is that of finite differences`, async () => {
      await checkGradient(await Calibrator.open(await variantPath(name), { tier, maxTokens: 64 }), [...variantTokens], `${name} ${tier}`);
    });
  }

  for (const name of [
    'gemma2: caps that bend, windows with a base of their own', 'gemma3: stretched but for its windows, a cap of logits', 'granite', 'granite: nothing turns',
    'stablelm: both parts read the same, norms of each head', 'nemotron: biases, a third of each head', 'arcee', 'llama: heads of 20', 'qwen3: heads of 24', 'hunyuan-dense',
    'gptneox', 'lfm2', 'lfm2: longer convolutions',
  ]) {
    test(`${name}: dL/dh is that of finite differences`, async () => {
      await checkGradient(await Calibrator.open(await tinyModelPath(name), { tier, maxTokens: 64 }), asked, `${name} ${tier}`);
    });
  }

  for (const dtype of ['q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k_m', 'q5_k_m', 'q6_k', 'f16', 'bf16']) {
    const name = `llama256-${dtype}`;
    if (!existsSync(tinyPath(`${name}.gguf`))) {
      test.skip(`llama256-f16, -bf16: ${dtype} (needs ../shared)`, () => undefined);
      continue;
    }
    test(`${name}: losses are those of torch on dequantised weights`, async () => {
      const calibrator = await Calibrator.open(tinyPath(`${name}.gguf`), { tier, maxTokens: 64 });
      const truth = tinyTruth(name, 'llama256'), tokens = truth.sequences[0]!, labels = tokens.map((_, t) => (t * 37) % vocab);
      await calibrator.run(tokens);
      const loss = await calibrator.loss(labels);
      trueLoss(truth, labels).forEach((want, t) => assert.ok(Number.isNaN(want) || Math.abs(loss[t]! - want) < 2e-4, `position ${t}: ${loss[t]} instead of ${want}`));
    });
  }

  test.run();
}
