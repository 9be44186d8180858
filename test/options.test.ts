import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../src/errors.ts';
import { checkNames, checkNumber, describeRange, editDistance, inRange, nearest, saidOf, show } from '../src/options.ts';
import { forbidding, resolveSamplerOptions, samplerOptionNames, seedRange, type SamplerOptions } from '../src/sampler/options.ts';
import { createSampler } from '../src/sampler/sampler.ts';

const test = suite('options');

function refused(fn: () => unknown, ...mentions: string[]): void {
  try {
    fn();
  } catch (error) {
    assert.instance(error, InputError);
    assert.is((error as InputError).code, 'E_OPTION');
    for (const text of mentions) assert.ok((error as Error).message.includes(text), `${JSON.stringify(text)} is not in: ${(error as Error).message}`);
    return;
  }
  assert.unreachable('accepted');
}

test('edit distance counts insertions, deletions, changes and swaps of neighbours', () => {
  for (const [a, b, d] of [['', '', 0], ['abc', '', 3], ['', 'ab', 2], ['kitten', 'sitting', 3], ['rnu', 'run', 1], ['same', 'same', 0], ['ca', 'abc', 3]] as const) {
    assert.is(editDistance(a, b), d, `${a} ${b}`);
    assert.is(editDistance(b, a), d, `${b} ${a}`);
  }
});

test('nearest: case, dashes and underscores do not count; nothing if nothing is near', () => {
  const known = ['temperature', 'topK', 'topP', 'minP'];
  assert.is(nearest('top_p', known), 'topP');
  assert.is(nearest('temprature', known), 'temperature');
  assert.is(nearest('TOPK', known), 'topK');
  assert.is(nearest('banana', known), undefined);
  assert.is(nearest('x'.repeat(1e6), known), undefined);
});

test('numbers: option, found, allowed', () => {
  assert.is(checkNumber('x', { min: 0, max: 1 }, 0.5), 0.5);
  refused(() => checkNumber('topP', { min: 0, max: 1 }, 2), 'option topP', 'found 2', 'a number in 0 … 1');
  for (const bad of [NaN, Infinity, -Infinity, '1', null, {}, [], 1n, true]) refused(() => checkNumber('x', {}, bad), 'option x');
  refused(() => checkNumber('k', { integer: true }, 1.5), 'an integer');
  refused(() => checkNumber('k', { integer: true }, 2 ** 53), 'an integer');
  assert.is(describeRange({ min: Number.MIN_VALUE }), 'a number above 0');
  assert.is(describeRange({ max: 3, integer: true }), 'an integer up to 3');
});

test('names: unknown ones are refused with the nearest', () => {
  refused(() => checkNames('options', { topp: 1 }, ['topP']), '"topp"', 'Did you mean topP?');
  refused(() => checkNames('options', { banana: 1 }, ['topP']), 'Remove it');
  for (const bad of [null, 3, 'x', []]) refused(() => checkNames('options', bad as object, ['topP']), 'an object');
});

test('show is short for anything', () => {
  assert.ok(show('x'.repeat(1000)).length <= 80);
  for (const value of [Symbol('s'), () => 1, 1n, [1, 2], {}, undefined]) assert.type(show(value), 'string');
});

test('sampler options: every one is checked, defaults fill the rest', () => {
  const bad: Record<keyof SamplerOptions, unknown[]> = {
    temperature: [-0.1, NaN, Infinity, '1'], topK: [-2, 1.5, NaN], topP: [-0.1, 1.1, NaN], minP: [-0.1, 1.1], typicalP: [2, NaN],
    repeatPenalty: [0, -1, NaN], frequencyPenalty: [NaN, Infinity], presencePenalty: [NaN, '0'], repeatLastN: [-2, 0.5],
    logitBias: [7, [], { x: 1 }, { 1: NaN }, { 1: Infinity }, { '-1': 1 }, new Map([[0.5, 1]])], seed: [-2, 2 ** 32, 0.5, NaN],
  };
  for (const [name, values] of Object.entries(bad)) for (const value of values) refused(() => resolveSamplerOptions({ [name]: value }), name);
  refused(() => resolveSamplerOptions({ top_p: 0.9 } as SamplerOptions), '"top_p"', 'Did you mean topP?');
  const resolved = resolveSamplerOptions({ topP: undefined, seed: 5, logitBias: { 3: -1 } });
  assert.is(resolved.topP, 0.95);
  assert.equal([...resolved.logitBias], [[3, -1]]);
});

test('null is the default of every sampler option, and so is llama.cpp\'s -1 where it has that meaning', () => {
  const { seed: _seed, ...defaults } = resolveSamplerOptions();
  const { seed, ...resolved } = resolveSamplerOptions(Object.fromEntries(samplerOptionNames.map((name) => [name, null])));
  assert.equal(resolved, defaults);
  assert.ok(inRange(seedRange, seed) && inRange(seedRange, resolveSamplerOptions({ seed: -1 }).seed));
  const logits = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i)), drawn = (topK: number): number[] => {
    const sampler = createSampler({ topK, seed: 3, temperature: 2, minP: 0, topP: 1 });
    return Array.from({ length: 40 }, () => sampler.sample(logits));
  };
  assert.equal(drawn(-1), drawn(0));
  assert.equal([...forbidding({ 3: 1 }, [3, 5]) as Map<number, number>], [[3, -Infinity], [5, -Infinity]]);
  assert.equal(saidOf({ a: 0, b: null, c: undefined, d: '' }), { a: 0, d: '' });
});

test.run();
