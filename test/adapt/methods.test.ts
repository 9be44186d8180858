/** What users may ask of a method, what a model and its calibration make of it, and what is refused by name. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Calibration } from '../../src/adapt/calibration.ts';
import type { MethodName, SparsityOptions } from '../../src/adapt/methods.ts';
import { boundOf, checkSparsity, methodNames, skippingOf } from '../../src/adapt/methods.ts';
import type { ModelTraits } from '../../src/adapt/resolve.ts';
import { resolveSparsity } from '../../src/adapt/resolve.ts';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection, everywhere, scaled, withForcedCogLoad } from '../../src/adapt/selection.ts';
import type { CladaError } from '../../src/errors.ts';
import { Stage } from '../../src/model/enums.ts';
import { madeUpLevels } from '../helpers/calibrated.ts';

const test = suite('methods');
const nLayers = 2, ffn = 4, ones = new Float32Array(nLayers * 4).fill(1);
const calibration: Calibration = {
  version: 2, fingerprint: 'f', modelName: 'm', nLayers, ffn: 4, hidden: 4, headWidth: 4, tokens: 1, heldOutTokens: 1, seed: 1, gradients: 'fisher', sensitivity: ones, upSquare: ones, hSquare: ones, mean: ones, meanOut: ones,
  attnInSensitivity: ones, attnInSquare: ones, outInSensitivity: ones, outInSquare: ones, ffnInSensitivity: ones, ffnInSquare: ones,
  surprisalWeight: 0.75, entropyWeight: 0.25,
  levels: new Map((['griffin', 'mask', 'teal', 'wina', 'tt', 'cats', 'clada-paper', 'cascade', 'clada'] as const).map((name, i) => [name, madeUpLevels(nLayers, i > 3)])),
};
const swiglu: ModelTraits = { nLayers, ffn, gated: true, relu: false, downShare: 0.3 }, reglu: ModelTraits = { nLayers, ffn, gated: true, relu: true, downShare: 0.3 };
const gelu: ModelTraits = { nLayers, ffn, gated: false, relu: false, downShare: 0.3 }, relu: ModelTraits = { nLayers, ffn, gated: false, relu: true, downShare: 0.3 };

/** The error's code and message. */
function refusal(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    return { code: (error as CladaError).code, message: (error as Error).message };
  }
  return { code: 'none', message: '' };
}
const refused = (options: unknown, ...mentions: string[]): void => {
  const { code, message } = refusal(() => checkSparsity(options as SparsityOptions));
  assert.is(code, 'E_OPTION', JSON.stringify(options));
  for (const text of mentions) assert.ok(message.includes(text), `${text} is not in: ${message}`);
};

test('names that are not known: the nearest is told', () => {
  refused({ method: 'clad' }, 'Did you mean clada?');
  refused({ method: 'Griffin' }, 'Did you mean griffin?');
  refused({ method: 'clada_paper' }, 'Did you mean clada-paper?');
  refused({ method: 'frobnicate' }, 'one of dense, griffin');
  refused({ method: 7 }, '7');
  refused({ densty: 0.5 }, 'densty', 'Did you mean density?');
  refused({ refresh_after: 1 }, 'Did you mean refreshAfter?');
  refused({ toString: 1 }, 'toString');
  for (const wrong of [null, 0.5, 'clada', [0.5]]) refused(wrong);
});

test('numbers out of range', () => {
  for (const density of [0, -0.1, 1.0001, NaN, Infinity, '0.5', null]) refused({ density }, 'density');
  for (const [name, values] of Object.entries({
    level: [-1, 0.5, NaN], maxKl: [0, -1, NaN, Infinity], minTop1: [-0.1, 1.1, NaN], threshold: [-1, NaN], shrink: [-1], skipTokens: [-1, 1.5], cogLoadGain: [11, NaN], cogLoadClamp: [-1], cogLoadWarmup: [0.5],
    surprisalWeight: [NaN, Infinity], entropyWeight: [NaN], refreshAfter: [-1, 0.5], refreshAbove: [NaN], rerunAbove: [-1, NaN, -Infinity], checkEvery: [-1, 0.5, NaN, Infinity],
  })) for (const value of values) refused({ [name]: value }, name);
  for (const good of [{ density: 1 }, { density: Number.MIN_VALUE }, { rerunAbove: Infinity }, { checkEvery: 0, maxKl: 1 }, {}, { density: undefined, level: 0 }]) checkSparsity(good as SparsityOptions);
});

test('two targets at once', () => {
  const values = { density: 0.5, level: 1, maxKl: 0.1, minTop1: 0.9, threshold: 0.1 };
  const names = Object.keys(values) as (keyof typeof values)[];
  for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) refused({ [a]: values[a], [b]: values[b] }, `${a} and ${b}`);
  for (const name of names) checkSparsity({ [name]: values[name] });
});

test('auto takes a bound or a density: a row or a threshold is of one method', () => {
  refused({ method: 'auto', level: 1 }, 'level', 'auto');
  refused({ method: 'auto', threshold: 0.1 }, 'threshold');
  for (const good of [{ maxKl: 0.1 }, { minTop1: 0.9 }, { density: 0.5 }, {}]) checkSparsity({ method: 'auto', ...good });
});

test('a method that the model has nothing for', () => {
  const code = (method: MethodName, traits: ModelTraits, known: Calibration | undefined = calibration): string => refusal(() => resolveSparsity({ method }, traits, known)).code;
  for (const method of ['cats', 'cascade'] as const) {
    assert.is(code(method, gelu), 'E_METHOD');
    assert.is(code(method, gelu, undefined), 'E_METHOD', 'the model, not the calibration, is what lacks');
    assert.is(code(method, swiglu), 'none');
  }
  assert.is(resolveSparsity({}, gelu, calibration).method, 'clada', 'by default; it needs no gate');
  for (const method of ['griffin', 'mask', 'tt', 'clada-paper', 'clada', 'teal', 'wina', 'dense'] as const) assert.is(code(method, gelu), 'none', method);
  assert.is(code('exact', swiglu), 'E_METHOD');
  assert.is(code('exact', gelu), 'E_METHOD');
  for (const traits of [reglu, relu]) for (const known of [calibration, undefined]) assert.is(code('exact', traits, known), 'none');
  for (const method of methodNames) {
    const wide = { ...reglu, ffn: 65_536, experts: { used: 8, sharedShare: 0 } };
    if (method === 'dense' || method === 'experts') resolveSparsity({ method }, wide, calibration);
    else assert.is(code(method, wide), 'E_METHOD', `${method}: a list holds 16 bits a neuron`);
  }
  assert.is(resolveSparsity({ method: 'exact' }, reglu, undefined).selection.stages, Stage.gate);
  assert.is(resolveSparsity({ method: 'exact' }, relu, undefined).selection.stages, Stage.product);
});

test('without a calibration: what needs one says so, clada falls back and warns', () => {
  for (const method of ['tt', 'cats', 'mask', 'clada-paper', 'cascade'] as const) {
    const { code, message } = refusal(() => resolveSparsity({ method }, swiglu, undefined));
    assert.is(code, 'E_CALIBRATION', method);
    assert.match(message, /clada calibrate/);
  }
  for (const method of ['clada', 'griffin', 'teal', 'wina'] as const) for (const target of [{ maxKl: 0.1 }, { minTop1: 0.9 }, { level: 0 }]) {
    assert.is(refusal(() => resolveSparsity({ method, ...target }, swiglu, undefined)).code, 'E_CALIBRATION', `${method}: nothing is known of its loss`);
  }
  const { method, selection, warnings, expected } = resolveSparsity({ density: 0.5 }, swiglu, undefined);
  assert.is(method, 'wina');
  assert.equal([selection.stages, selection.inputWeights, selection.productWeights], [Stage.inputs | Stage.product, 'columnNorm', 'columnNorm']);
  const { inputShare: s, share } = selection; // of every place s, of down s^3
  assert.ok(Math.abs(0.7 * s + 0.3 * s ** 3 - 0.5) < 1e-6 && Math.abs(share - s ** 3) < 1e-9, `${s} ${share}`);
  assert.is(expected, undefined);
  assert.match(warnings[0]!, /no calibration.*wina/);
  assert.equal(resolveSparsity({ method: 'griffin' }, swiglu, undefined).warnings, [], 'what was asked for');
});

test('a calibration without this method\'s levels', () => {
  const poor = { ...calibration, levels: new Map([['tt', calibration.levels.get('tt')!]]) };
  const { code, message } = refusal(() => resolveSparsity({ method: 'clada' }, swiglu, poor));
  assert.is(code, 'E_CALIBRATION');
  assert.match(message, /it has tt/);
  assert.is(resolveSparsity({ method: 'griffin' }, swiglu, poor).selection.density, 0.6, 'griffin needs none');
});

test('topK: a share of every layer without a calibration, for tt and cats, of what they can skip', () => {
  const cats = resolveSparsity({ method: 'cats', density: 0.6, topK: true }, swiglu, undefined), tt = resolveSparsity({ method: 'tt', density: 0.7, topK: true }, gelu, calibration);
  assert.ok(Math.abs(cats.selection.share - 0.4) < 1e-9 && Math.abs(tt.selection.share - 0.1) < 1e-9);
  assert.equal([cats.expected, tt.expected], [undefined, undefined]);
  for (const [options, part] of [[{ method: 'clada' }, 'topK of clada'], [{ method: 'cats', maxKl: 0.1 }, 'maxKl'], [{ method: 'tt', density: 0.6 }, '0.667'], [{ method: 'cats', density: 0.3 }, '0.333']] as const) {
    const { code, message } = refusal(() => resolveSparsity({ ...options, topK: true }, swiglu, calibration));
    assert.is(code, 'E_OPTION');
    assert.ok(message.includes(part), message);
  }
});

test('a mask has the density that was asked for, also where nothing was measured', () => {
  for (const method of ['griffin', 'mask', 'clada-paper'] as const) {
    const { selection, expected } = resolveSparsity({ method, density: 0.07 }, swiglu, calibration);
    assert.is(selection.density, 0.07, method);
    assert.is(expected, undefined, method);
  }
});

test('dense is dense, whatever else is said', () => {
  const { method, selection } = resolveSparsity({ method: 'dense', density: 0.3, cogLoad: true }, swiglu, calibration);
  assert.is(method, 'dense');
  assert.is(selection, denseSelection);
});

/** Every threshold of the selection, layer by layer. */
const thresholdsOf = ({ scoreBase, gateBase, productBase, inputBase }: Selection): number[] =>
  [scoreBase, gateBase, productBase, ...Object.values(inputBase)].flatMap((base) => (typeof base === 'number' ? [base, base] : Array.from(base)));

test('density 1 keeps all', () => {
  for (const method of methodNames) {
    if (method === 'exact' || method === 'experts') continue; // skips zeros only; is for mixtures
    for (const known of ['griffin', 'clada', 'teal', 'wina'].includes(method) ? [calibration, undefined] : [calibration]) {
      const { selection } = resolveSparsity({ method, density: 1 }, swiglu, known);
      assert.ok(thresholdsOf(selection).every((value) => value < 0), `${method}: ${thresholdsOf(selection).join(' ')}`);
      assert.is(selection.density, 1, method);
    }
  }
});

test('targets: density, level, bounds and thresholds become what the table says', () => {
  const row = calibration.levels.get('clada')![1]!;
  for (const target of [{ density: row.cost }, { level: 1 }, { minTop1: row.top1 }, { maxKl: row.kl + 2 * row.klError }]) {
    const { selection, expected } = resolveSparsity({ method: 'clada', ...target }, swiglu, calibration);
    for (const base of [...Object.values(selection.inputBase), selection.productBase] as ArrayLike<number>[]) {
      assert.is(base.length, nLayers);
      Array.from(base).forEach((value, l) => assert.ok(Math.abs(value / row.thresholds[l]! - 1) < 1e-9, JSON.stringify(target)));
    }
    assert.ok(Math.abs(expected!.kl / row.kl - 1) < 1e-9);
  }
  assert.is(resolveSparsity({ method: 'clada' }, swiglu, calibration).expected!.cost, 0.6, 'by default');
  assert.is(refusal(() => resolveSparsity({ method: 'clada', level: 3 }, swiglu, calibration)).code, 'E_OPTION');
  assert.is(refusal(() => resolveSparsity({ method: 'clada', maxKl: 1e-6 }, swiglu, calibration)).code, 'E_OPTION');
  const own = resolveSparsity({ method: 'clada', threshold: 0.004 }, swiglu, calibration);
  assert.equal([own.selection.inputBase, own.selection.productBase, own.expected], [everywhere(0.004), 0.004, undefined]);
  const times = resolveSparsity({ method: 'tt', threshold: 2 }, swiglu, calibration);
  const once = resolveSparsity({ method: 'tt' }, swiglu, calibration).selection.productBase as ArrayLike<number>;
  assert.equal(Array.from(times.selection.productBase as ArrayLike<number>), Array.from(once, (value) => 2 * value));
  assert.is(times.expected, undefined, 'what was measured was measured at other thresholds');
  for (const method of ['griffin', 'mask'] as const) assert.is(resolveSparsity({ method, density: 0.6 }, swiglu, calibration).selection.density, 0.6);
});

test('each method: its stage, its weights', () => {
  const { mask, gate, product, scores, inputs } = Stage;
  const want: [MethodName, number, Selection['rule'], Selection['gateWeights'], Selection['productWeights']][] = [
    ['griffin', mask, 'topK', 'ones', 'ones'], ['mask', mask, 'global', 'ones', 'ones'], ['tt', product, 'none', 'ones', 'columnNorm'], ['cats', gate, 'none', 'ones', 'ones'],
    ['clada-paper', scores, 'cett', 'ones', 'ones'], ['cascade', gate | product, 'cascade', 'scores', 'sensitivity'],
    ['teal', inputs | product, 'none', 'ones', 'ones'], ['wina', inputs | product, 'none', 'ones', 'columnNorm'], ['clada', inputs | product, 'none', 'ones', 'sensitivity'],
  ];
  for (const [method, ...rest] of want) {
    const { selection: { stages, rule, gateWeights, productWeights } } = resolveSparsity({ method }, swiglu, calibration);
    assert.equal([stages, rule, gateWeights, productWeights], rest, method);
  }
});

test('load: the paper\'s own by default, weights from the calibration, all of it overridden', () => {
  const load = (options: SparsityOptions) => resolveSparsity(options, swiglu, calibration).selection.cogLoad;
  assert.is(load({ method: 'clada' }).mode, 'off');
  assert.is(load({ method: 'clada-paper', cogLoad: false }).mode, 'off');
  assert.equal(load({ method: 'clada-paper' }), { mode: 'measured', linear: true, gain: 0.08, clamp: 2, warmup: 8, surprisalWeight: 0.75, entropyWeight: 0.25 });
  assert.equal(load({ method: 'clada', cogLoad: true, cogLoadGain: -0.2, cogLoadClamp: 3, cogLoadWarmup: 0, surprisalWeight: 0, entropyWeight: 1 }),
    { mode: 'measured', linear: false, gain: -0.2, clamp: 3, warmup: 0, surprisalWeight: 0, entropyWeight: 1 });
  assert.is(withForcedCogLoad(resolveSparsity({}, swiglu, calibration).selection).cogLoad.mode, 'forced');
});

test('compensation: where the calibration has means', () => {
  const compensate = (options: SparsityOptions, known: Calibration): boolean => resolveSparsity(options, swiglu, known).selection.compensate;
  assert.is(compensate({ method: 'cascade' }, calibration), true);
  assert.is(compensate({ method: 'cascade', compensate: false }, calibration), false);
  assert.is(compensate({}, calibration), false, 'clada takes what it drops as zero');
  assert.is(compensate({ method: 'cascade' }, { ...calibration, mean: undefined, meanOut: undefined }), false);
});

test('bounds: which, and how often they are checked', () => {
  assert.is(boundOf({ density: 0.5 }), undefined);
  assert.equal(boundOf({ maxKl: 0.1 }), { maxKl: 0.1, minTop1: undefined, checkEvery: 64 });
  assert.equal(boundOf({ minTop1: 0.9, checkEvery: 0 }), { maxKl: undefined, minTop1: 0.9, checkEvery: 0 });
});

test('scaled: thresholds times the factor, masks as much nearer to all; what keeps all goes on doing so', () => {
  const selection: Selection = { ...denseSelection, stages: Stage.gate | Stage.product, gateBase: 0.5, productBase: Float32Array.of(0.25, 0.75), density: 0.6 };
  const half = scaled(selection, 0.5);
  assert.equal([half.gateBase, half.productBase, half.scoreBase], [0.25, [0.125, 0.375], -1]);
  assert.ok(Math.abs(half.density - 0.8) < 1e-15);
  assert.is(selection.gateBase, 0.5, 'the one given is as it was');
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(share, share, share, fc.array(share, { minLength: 1, maxLength: 4 }), (a, b, density, bases) => {
    const from: Selection = { ...denseSelection, density, gateBase: bases, productBase: bases[0]! };
    const once = scaled(from, a), twice = scaled(once, b);
    assert.ok(once.density >= density - 1e-12 && once.density <= 1 && twice.density >= once.density - 1e-12);
    (once.gateBase as number[]).forEach((value, i) => assert.ok(value <= bases[i]! && Math.abs((twice.gateBase as number[])[i]! - bases[i]! * a * b) < 1e-12));
    assert.is(once.scoreBase, -1);
    assert.equal(scaled(scaled(denseSelection, a), b), denseSelection);
  }));
});

test('experts: a budget or a share of their weights, of mixtures only; bounds cannot be promised', () => {
  const traits = { ...swiglu, experts: { used: 8, sharedShare: 0 } }, shared = { ...swiglu, experts: { used: 4, sharedShare: 0.2 } };
  const selection = (options: SparsityOptions, of: ModelTraits = traits): Selection => resolveSparsity({ method: 'experts', ...options }, of, undefined).selection;
  for (const threshold of [0, 0.1, 0.999]) {
    const { stages, expertBase, share } = selection({ threshold });
    assert.equal([stages, expertBase, share], [Stage.experts, threshold, 0]);
  }
  for (const [density, of, kept] of [[0.75, traits, 6], [0.5, traits, 4], [0.6, traits, 5], [undefined, traits, 5], [0.1, traits, 1], [0.6, shared, 2], [0.4, shared, 1]] as const) {
    const { share, expertBase, cogLoad } = selection({ ...(density === undefined ? {} : { density }), cogLoad: true }, of);
    assert.equal([share * of.experts.used, expertBase, cogLoad.mode], [kept, -1, 'off'], `density ${density}: a number, which no load moves`);
  }
  assert.equal([selection({ density: 1 }).share, selection({ density: 1 }).expertBase], [0, -1]);
  assert.is(selection({ threshold: 0.1, cogLoad: true }).cogLoad.mode, 'measured');
  assert.is(selection({ threshold: 0.1 }).cogLoad.mode, 'off');
  assert.is(scaled(selection({ threshold: 0.2 }), 0.5).expertBase, 0.1);
  for (const [options, of, part] of [
    [{ threshold: 1 }, traits, 'below 1'], [{ threshold: 7 }, traits, 'below 1'], [{ density: 0.05 }, traits, '0.125'], [{ density: 0.2 }, shared, '0.400'],
    [{ maxKl: 0.1 }, traits, 'maxKl of experts'], [{ minTop1: 0.9 }, traits, 'minTop1'], [{ level: 0 }, traits, 'level'], [{ topK: true }, traits, 'topK of experts'],
  ] as const) {
    const { code, message } = refusal(() => selection(options, of));
    assert.is(code, 'E_OPTION');
    assert.ok(message.includes(part), message);
  }
  for (const threshold of [-0.1, NaN, Infinity]) assert.is(refusal(() => selection({ threshold })).code, 'E_OPTION');
  assert.is(refusal(() => selection({}, swiglu)).code, 'E_METHOD', 'no mixture');
  assert.match(resolveSparsity({ method: 'experts', threshold: 0.5 }, { ...swiglu, experts: { used: 1, sharedShare: 0 } }, undefined).warnings[0]!, /one expert/);
});

test('what memory is planned for is what the method reads', () => {
  const traits = { ...reglu, experts: { used: 8, sharedShare: 0 } };
  for (const method of methodNames) for (const load of [false, true]) {
    const options: SparsityOptions = method === 'exact' ? { method } : { method, density: 0.5, cogLoad: load }, { selection } = resolveSparsity(options, traits, calibration);
    assert.is(skippingOf(options).stages, selection.stages, JSON.stringify(options));
    if (selection.stages === Stage.mask) assert.ok(skippingOf(options).density >= selection.density);
  }
  assert.is(skippingOf({ maxKl: 0.1 }).stages, Stage.scores, 'auto: the most that it may try');
  assert.is(skippingOf({ method: 'griffin', minTop1: 0.5 }).density, 1, 'a bound may need every neuron');
});

test.run();
