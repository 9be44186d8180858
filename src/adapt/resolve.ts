/**
 * An option object and a model's calibration become a Selection (docs/methods.md explains each method). A method is a rule and thresholds,
 * never a branch of the forward pass.
 */
import { InputError, ModelError } from '../errors.ts';
import { Stage } from '../model/enums.ts';
import { checkMixture } from '../model/experts.ts';
import type { Calibration } from './calibration.ts';
import type { Level } from './levels.ts';
import { atCost, atIndex, withinBound } from './levels.ts';
import type { Bound, MethodName, SparsityOptions } from './methods.ts';
import { checkSparsity, pick, targets } from './methods.ts';
import type { CogLoadControl, Selection } from './selection.ts';
import { checkNeurons, denseSelection, everywhere, noCogLoad } from './selection.ts';

/** What a model is, as far as methods care. */
export interface ModelTraits {
  readonly nLayers: number;
  /** Neurons of a layer. */
  readonly ffn: number;
  readonly gated: boolean;
  readonly relu: boolean;
  /** Share of the layers' weights that the down matrices are. */
  readonly downShare: number;
  /** Of a mixture: experts that a token is sent to, and the share of the weights of all that it goes to that is the one for all tokens. */
  readonly experts?: { readonly used: number; readonly sharedShare: number } | undefined;
}

/** A selection, with what the calibration promises of it and what the user should know. */
export interface Resolved {
  readonly method: MethodName;
  readonly selection: Selection;
  /** Measured at calibration; undefined where nothing was. */
  readonly expected: Level | undefined;
  readonly warnings: readonly string[];
  /** Where a bound was asked for: it, and how often it is checked (tokens; 0 = never). */
  readonly bound?: Bound | undefined;
  /** Options that lead to this selection on any machine: 'auto' has become a method. */
  readonly options?: SparsityOptions | undefined;
}

function cogLoadControl(options: SparsityOptions, paper: boolean, calibration: Calibration | undefined): CogLoadControl {
  if (!(options.cogLoad ?? paper)) return noCogLoad;
  return {
    mode: 'measured', linear: paper, gain: pick(options, 'cogLoadGain', paper ? 0.08 : 0.1),
    clamp: pick(options, 'cogLoadClamp'), warmup: pick(options, 'cogLoadWarmup'),
    surprisalWeight: pick(options, 'surprisalWeight', calibration?.surprisalWeight),
    entropyWeight: pick(options, 'entropyWeight', calibration?.entropyWeight),
  };
}

/** The row of the calibration table that the options ask for. */
function levelFor(method: MethodName, options: SparsityOptions, calibration: Calibration): Level {
  const levels = calibration.levels.get(method);
  if (!levels) {
    throw new ModelError('E_CALIBRATION', {
      subject: `method ${method}`, found: 'no levels in the calibration file',
      expected: `levels of ${method} (it has ${[...calibration.levels.keys()].join(', ')})`,
      remedy: 'Calibrate again with this version: clada calibrate -m MODEL.',
    });
  }
  if (options.level !== undefined) return atIndex(method, levels, options.level);
  if (options.maxKl !== undefined || options.minTop1 !== undefined) return withinBound(levels, options);
  return atCost(levels, pick(options, 'density'));
}

/** Of each layer's neurons, for a share of its weights: cats reads the gate whole, tt gate and up. @throws InputError `E_OPTION` */
function shareOf(method: MethodName, options: SparsityOptions): number {
  if (method !== 'cats' && method !== 'tt') {
    throw new InputError('E_OPTION', {
      subject: `sparsity.topK of ${method}`, found: 'true', expected: 'false', remedy: 'Leave it out; it is for tt and cats.',
    });
  }
  const other = targets.find((name) => name !== 'density' && options[name] !== undefined);
  if (other) {
    throw new InputError('E_OPTION', {
      subject: 'sparsity.topK', found: `a ${other}`, expected: 'a density', remedy: 'Give the share of the weights to use.',
    });
  }
  const density = pick(options, 'density'), whole = method === 'cats' ? 1 / 3 : 2 / 3;
  if (density > whole) return (density - whole) / (1 - whole);
  throw new InputError('E_OPTION', {
    subject: `sparsity.density of ${method}`, found: String(density), expected: `more than ${whole.toFixed(3)}`,
    remedy: `${method} always computes ${method === 'cats' ? 'the gate' : 'gate and up'}: ask for more, or use clada.`,
  });
}

/** Of every place the share of inputs to keep so that `density` of the weights are used: s, and s^3 of down's, which bear more. */
function inputShares(density: number, downShare: number): { inputShare: number; share: number } {
  let low = 0, high = 1;
  for (let round = 0; round < 40; round++) {
    const s = (low + high) / 2;
    if ((1 - downShare) * s + downShare * s ** 3 < density) low = s; else high = s;
  }
  return { inputShare: high, share: high ** 3 };
}

/** Experts to keep: by the share of the router's weight that may be left out, or the number nearest to a share of their weights. */
function expertsOf(options: SparsityOptions, { used, sharedShare }: NonNullable<ModelTraits['experts']>): Partial<Selection> {
  const { threshold } = options, stages = Stage.experts, other = targets.find((name) =>
    name !== 'density' && name !== 'threshold' && options[name] !== undefined);
  if (other) {
    throw new InputError('E_OPTION', {
      subject: `sparsity.${other} of experts`, found: String(options[other]), expected: 'a threshold or a density',
      remedy: 'Mixtures of experts are not calibrated, so nothing is known of the loss: say how much may be left out.',
    });
  }
  if (threshold !== undefined) {
    if (threshold < 1) return { stages, expertBase: threshold };
    throw new InputError('E_OPTION', {
      subject: 'sparsity.threshold of experts', found: String(threshold), expected: 'at least 0 and below 1',
      remedy: "It is the share of the router's weight that a token may leave out, say 0.1.",
    });
  }
  const density = pick(options, 'density'), of = (count: number): number => sharedShare + (1 - sharedShare) * (count / used);
  const count = Math.round(((density - sharedShare) / (1 - sharedShare)) * used);
  if (count >= 1) return density === 1 ? { stages } : { stages, share: count / used, cogLoad: noCogLoad };
  throw new InputError('E_OPTION', {
    subject: 'sparsity.density of experts', found: String(density), expected: `about ${of(1).toFixed(3)} or more`,
    remedy: `That is one expert of the ${used} that a token is sent to; there is nothing below it.`,
  });
}

function needsCalibration(method: MethodName): never {
  throw new ModelError('E_CALIBRATION', {
    subject: `method ${method}`, found: 'no calibration of this model', expected: 'thresholds measured offline',
    remedy: 'Run clada calibrate -m MODEL once, or use wina or griffin, which work without.',
  });
}

/**
 * @throws InputError `E_OPTION`; ModelError `E_METHOD` where the model lacks what the method needs, `E_CALIBRATION` where only a
 * calibration could say.
 */
export function resolveSparsity(options: SparsityOptions, traits: ModelTraits, calibration: Calibration | undefined): Resolved {
  checkSparsity(options);
  const asked = (options.method ?? 'clada') as MethodName, blind = calibration !== undefined && !calibration.attnInSensitivity;
  const method = asked === 'clada' && blind && traits.gated ? 'cascade' : asked;
  const { gated, relu, ffn } = traits;
  const lacks = (what: string, remedy: string): never => {
    throw new ModelError('E_METHOD', { subject: `method ${method}`, found: what, expected: 'a model that has one', remedy });
  };
  if (method === 'experts') checkMixture(traits, 'method experts');
  if (method !== 'dense' && method !== 'experts') checkNeurons(ffn);
  if ((method === 'cats' || method === 'cascade') && !gated) {
    lacks('a model without a feed-forward gate', 'Use clada or griffin, which need none.');
  }
  if (method === 'exact' && !relu) {
    lacks('an activation that is never exactly zero (SiLU or GELU)', 'Use clada; exact is for models with ReLU or its square.');
  }

  const given = options.threshold;
  if (given !== undefined && ['dense', 'griffin', 'mask', 'exact', 'teal', 'wina'].includes(method)) {
    throw new InputError('E_OPTION', {
      subject: `sparsity.threshold of ${method}`, found: String(given), expected: 'none: it has no threshold', remedy: 'Give a density.',
    });
  }

  const share = options.topK ? shareOf(method, options) : 0;
  const common = {
    ...denseSelection, shrink: pick(options, 'shrink'), skipTokens: pick(options, 'skipTokens'),
    cogLoad: cogLoadControl(options, method === 'clada-paper', calibration),
    refreshAfter: pick(options, 'refreshAfter'), refreshAbove: pick(options, 'refreshAbove'), rerunAbove: pick(options, 'rerunAbove'),
  };
  const warnings: string[] = [];
  const selecting = (own: Partial<Selection>, expected?: Level): Resolved =>
    ({ method, selection: { ...common, ...own }, expected, warnings });
  if (method === 'dense') return { method, selection: denseSelection, expected: undefined, warnings };
  if (method === 'experts') {
    const own = expertsOf(options, traits.experts!);
    if (traits.experts!.used === 1) warnings.push('a token goes to one expert of this model: there is none to leave out');
    return selecting(own);
  }
  if (method === 'exact') {
    return selecting({ stages: gated ? Stage.gate : Stage.product, gateBase: 0, productBase: 0, cogLoad: noCogLoad });
  }
  const needsTable = options.maxKl !== undefined || options.minTop1 !== undefined || options.level !== undefined;
  const griffin = { stages: Stage.mask, rule: 'topK', density: pick(options, 'density') } as const;
  if (method === 'griffin' && !calibration?.levels.has('griffin')) {
    if (needsTable) needsCalibration(method);
    return selecting(griffin);
  }
  const inputs = { stages: Stage.inputs | Stage.product } as const;
  const largest = (weights: 'ones' | 'columnNorm', density = pick(options, 'density')): Partial<Selection> => ({
    ...inputs, inputWeights: weights, productWeights: weights,
    ...(density === 1 ? {} : { ...inputShares(density, traits.downShare), inputBase: everywhere(0), productBase: 0 }),
  });
  if (method === 'teal' || method === 'wina') {
    if (needsTable && !calibration?.levels.has(method)) needsCalibration(method);
    const level = needsTable ? levelFor(method, options, calibration!) : undefined;
    return selecting(largest(method === 'teal' ? 'ones' : 'columnNorm', level?.parameter), level);
  }
  if (share > 0) {
    const stage = method === 'cats' ? { stages: Stage.gate } : { stages: Stage.product, productWeights: 'columnNorm' as const };
    return selecting({ ...stage, gateBase: 0, productBase: 0, share, cogLoad: noCogLoad });
  }
  if (!calibration) {
    if (method !== 'clada' || needsTable || given !== undefined) needsCalibration(method);
    warnings.push('no calibration of this model: clada falls back to wina, whose loss is not known here; run clada calibrate once');
    return { ...selecting({ ...largest('columnNorm'), cogLoad: noCogLoad }), method: 'wina' };
  }
  if (method === 'clada' && blind) {
    throw new ModelError('E_CALIBRATION', {
      subject: 'method clada', found: 'a calibration without sensitivities of inputs', expected: 'one that has them',
      remedy: 'Calibrate again: clada calibrate -m MODEL.',
    });
  }
  if (method !== asked) warnings.push('this calibration knows nothing of inputs: clada falls back to cascade; run clada calibrate again');
  const whole = options.density === 1, own = given !== undefined && (method === 'clada' || method === 'cascade');
  const level = whole || own ? undefined : levelFor(method, options, calibration);
  const factor = given !== undefined && !own ? given : 1;
  const thresholds = whole ? -1 : own ? given : Array.from(level!.thresholds, (value) => value * factor);
  // a mask can have any density, also one that the table does not reach; nothing was measured there, nor at other thresholds
  const masked = method === 'griffin' || method === 'mask' || method === 'clada-paper';
  const density = whole ? 1 : (masked ? options.density : undefined) ?? level?.cost ?? 1;
  const expected = factor === 1 && Math.abs(density - (level?.cost ?? density)) < 1e-6 ? level : undefined;
  switch (method) {
    case 'griffin': return selecting({ stages: Stage.mask, rule: 'topK', density }, expected);
    case 'mask': return selecting({ stages: options.cogLoad ? Stage.scores : Stage.mask, rule: 'global', density }, expected);
    case 'tt': return selecting({ stages: Stage.product, productWeights: 'columnNorm', productBase: thresholds }, expected);
    case 'cats': return selecting({ stages: Stage.gate, gateBase: thresholds }, expected);
    case 'clada-paper': { // thresholds that the user moves are taken as they are
      const kept = given === undefined ? density : 1;
      return selecting({ stages: Stage.scores, rule: 'cett', scoreBase: thresholds, density: kept }, expected);
    }
    case 'clada': return selecting({
      ...inputs, inputBase: everywhere(thresholds), productBase: thresholds, inputWeights: 'sensitivity', productWeights: 'sensitivity',
    }, expected);
    case 'cascade': return selecting({
      stages: Stage.gate | Stage.product, rule: 'cascade', gateWeights: 'scores', productWeights: 'sensitivity',
      gateBase: thresholds, productBase: thresholds, compensate: options.compensate ?? calibration.mean !== undefined,
    }, expected);
  }
}
