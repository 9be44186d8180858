/** The parts of the page that need no browser: bits of neurons, the load beside the engine's own, divergence beside the library's. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { divergence, meanAndError, middle } from '../../demo/compare.ts';
import { digits, nats, percent } from '../../demo/dom.ts';
import { failureOf } from '../../demo/failure.ts';
import { CogLoad } from '../../demo/cogLoad.ts';
import { NeuronUse, byLayer, reorder, squeeze } from '../../demo/neurons.ts';
import { klDivergence } from '../../src/adapt/divergence.ts';
import { CogLoadReplay } from '../../src/adapt/replay.ts';
import { noCogLoad } from '../../src/adapt/selection.ts';
import { FormatError, InputError, TransferError } from '../../src/errors.ts';

const test = suite('demo modules');
/** Two layers of eleven neurons: the last byte of each is not full. */
const bits = (...layers: number[][]): Uint8Array => {
  const bytes = new Uint8Array(2 * layers.length);
  layers.forEach((list, layer) => { for (const i of list) bytes[2 * layer + (i >> 3)]! |= 1 << (i & 7); });
  return bytes;
};

test('neurons: shares over an answer, dense tokens counted as all, tokens without a step not at all', () => {
  const use = new NeuronUse(2, 11);
  for (const ran of [undefined, bits([0, 8, 10], [3]), bits([0], [3, 9]), 'all' as const, bits([0, 10], [])]) use.add(ran);
  assert.is(use.steps, 4);
  const shares = use.shares();
  assert.equal([...shares.subarray(0, 11)], [1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.5, 0.25, 0.75]);
  assert.equal([shares[11 + 3], shares[11 + 9], shares[11]], [0.75, 0.5, 0.25]);
  assert.equal(byLayer(use.sharesOf(bits([0, 10], [5])), 2).map((mean) => Math.round(mean * 11)), [2, 1]);
  assert.equal([new Set(use.sharesOf('all')), new Set(use.sharesOf(undefined))], [new Set([1]), new Set([0])]);
  const order = use.order(), sorted = reorder(shares, order, 2);
  assert.equal([...order.subarray(0, 4)], [0, 10, 8, 1]);
  assert.equal([...sorted.subarray(0, 4), sorted[11], sorted[12], sorted[21]], [1, 0.75, 0.5, 0.25, 0.75, 0.5, 0.25]);
});

test('squeeze: means of neighbours, nothing lost; stretched where there is more room than neurons', () => {
  const row = Float32Array.from({ length: 12 }, (_, i) => i);
  assert.equal([...squeeze(row, 4)], [1, 4, 7, 10]);
  assert.equal([...squeeze(row, 5)].length, 5);
  assert.equal([...squeeze(Float32Array.of(1, 0), 6)], [1, 1, 1, 0, 0, 0]);
});

test('load: what the engine computes where it moves thresholds', () => {
  const weights = { surprisal: 0.3, entropy: 0.7 }, own = new CogLoad(weights);
  const engine = new CogLoadReplay({ ...noCogLoad, mode: 'measured', surprisalWeight: weights.surprisal, entropyWeight: weights.entropy });
  for (let i = 0; i < 200; i++) {
    const surprisal = Math.abs(5 * Math.sin(i * 1.7)), entropy = 2 + 2 * Math.cos(i * 0.9), { cogLoad } = engine.step(surprisal, entropy);
    assert.ok(Math.abs(own.step(surprisal, entropy) - cogLoad) < 1e-4, `token ${i}`);
  }
});

test('divergence: as the library computes it; zero of a distribution to itself', () => {
  const rows = [1, 2].map((seed) => Float32Array.from({ length: 500 }, (_, i) => 6 * Math.sin(i * 1.3 * seed + seed)));
  const [p, q] = rows as [Float32Array, Float32Array], logSum = (x: Float32Array): number => Math.log(x.reduce((sum, value) => sum + Math.exp(value), 0));
  const expected = klDivergence(p, logSum(p), q, logSum(q));
  assert.ok(expected > 1 && Math.abs(divergence(p, logSum(p), q, logSum(q)) - expected) < 1e-6 * expected);
  assert.ok(divergence(p, logSum(p), p, logSum(p)) < 1e-9);
  assert.equal([middle([3, 1, 2]), middle([90, 1, 2, 3]), middle([5, 1, 9, 3, 7, 2, 4, 100])], [2, 2.5, 4.75]);
  assert.equal(meanAndError([1, 2, 3]), { mean: 2, error: Math.sqrt(1 / 3) });
});

test('numbers: a dash where there is none, a true minus', () => {
  assert.equal([digits(NaN, 1), digits(undefined, 1), digits(-1.26, 1), percent(0.123), nats(0.0123456), nats(0.00123), nats(2.345)], ['–', '–', '−1.3', '12', '0.012', '0.0012', '2.35']);
});

test('failures: the remedy of the page where it knows a better one, else the library’s', () => {
  const parts = { subject: 's', found: 'f', expected: 'e', remedy: 'as the library says' }, arrived = { loaded: 12_340_000, total: 98_400_000 };
  const network = new TransferError('E_NETWORK', parts), missing = failureOf(new InputError('E_NOT_FOUND', parts));
  assert.equal([missing.code, missing.title, missing.message], ['E_NOT_FOUND', 'The model is not on this server', 's: found f; expected e.']);
  assert.match(missing.remedy, /npm run demo/);
  assert.is(failureOf(network).title, 'The server does not answer');
  for (const error of [network, new TransferError('E_INCOMPLETE', parts)]) {
    const { title, message, remedy } = failureOf(error, arrived);
    assert.is(title, 'The download was cut');
    assert.match(`${message} ${remedy}`, /12\.3 of 98\.4 MB have arrived\. .* goes on where it was cut/);
  }
  assert.not.match(failureOf(new TransferError('E_CACHE', { ...parts, found: 'no room' }), arrived).message, /arrived/);
  assert.match(failureOf(new TransferError('E_CACHE', parts)).remedy, /^Make room/);
  assert.is(failureOf(new FormatError('E_GGUF_MAGIC', parts)).remedy, parts.remedy);
  assert.is(failureOf(new RangeError('grow')).code, 'E_MEMORY');
  assert.is(failureOf('?').code, 'E_UNKNOWN');
});

test('failures: offline, as the browser says it', () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: false }, configurable: true });
  try {
    const failure = failureOf(new TransferError('E_NETWORK', { subject: 's', found: 'f', expected: 'e', remedy: 'r' }));
    assert.is(failure.title, 'Offline, and the model is not on this device yet');
  } finally {
    if (own) Object.defineProperty(globalThis, 'navigator', own); else Reflect.deleteProperty(globalThis, 'navigator');
  }
});

test.run();
