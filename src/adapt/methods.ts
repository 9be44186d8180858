/**
 * The methods, and what users may ask of them: an option object and a model's calibration become a Selection (docs/adaptive.md explains each).
 * A method is a rule and thresholds, never a branch of the forward pass.
 */
import { InputError, ModelError } from '../errors.ts';
import { Stage } from '../model/enums.ts';
import type { Skipping } from '../model/memory.ts';
import type { NumberSpec } from '../options.ts';
import { checkNames, checkNumber, nearest, show } from '../options.ts';
import type { Calibration } from './calibration.ts';
import type { Level } from './levels.ts';
import { atCost, atIndex, withinBound } from './levels.ts';
import type { CogLoadControl, Selection, Thresholds } from './selection.ts';
import { checkNeurons, denseSelection, noCogLoad } from './selection.ts';

/** Every method, `dense` first. */
export const methodNames = ['dense', 'griffin', 'mask', 'tt', 'cats', 'clada-paper', 'clada', 'exact'] as const;
/** A method that chooses which feed-forward neurons run. */
export type MethodName = (typeof methodNames)[number];

/** How feed-forward neurons are skipped while generating. The prompt is always computed dense. */
export interface SparsityOptions {
  /**
   * 'dense': none. 'clada': per token, gate first, one budget of damage. 'mask': one mask from the prompt and the calibration. 'griffin' (arXiv 2404.01365),
   * 'tt' (arXiv 2402.03804), 'cats' (arXiv 2404.08763), 'clada-paper' (arXiv 2502.19078 as reconstructed): for comparison. 'exact': skips what ReLU
   * makes zero, no loss. 'auto': the fastest on this machine that keeps `maxKl` or `minTop1`. Default 'auto' with a bound, else 'clada'.
   */
  method?: MethodName | 'auto';
  /** Share of the feed-forward weights to use, in (0, 1]. Default 0.6. */
  density?: number;
  /** Instead of a density: a row of the calibration's table, 0 the gentlest. */
  level?: number;
  /** Instead of a density: a bound on the mean KL divergence to dense, in nats a token. */
  maxKl?: number;
  /** Instead of a density: a bound on the share of tokens whose most likely successor is that of dense. */
  minTop1?: number;
  /** Instead of a density: the method's own threshold (clada: budget of damage tau; tt, cats: multiplies the calibrated thresholds of density 0.6). */
  threshold?: number;
  /**
   * Keep exactly the density's share of every layer's neurons at every token, the largest, instead of those above calibrated thresholds (tt, cats).
   * Needs no calibration. Default false.
   */
  topK?: boolean;
  /** Tokens that the calibration counts for beside the prompt's. Default 48. */
  shrink?: number;
  /** First positions of the prompt left out of its statistics. Default 4. */
  skipTokens?: number;
  /** Take dropped neurons at their mean instead of zero (clada). Default: where the calibration has means. */
  compensate?: boolean;
  /** Let surprisal and entropy move the thresholds. Default: the method's own (clada-paper: true; the others false). */
  cogLoad?: boolean;
  /** Thresholds are multiplied by exp(-cogLoadGain * cogLoad), clada-paper: 1 - cogLoadGain * cogLoad. Default 0.1, clada-paper 0.08. */
  cogLoadGain?: number;
  /** Loads are cut to this many deviations. Default 2. */
  cogLoadClamp?: number;
  /** Tokens of a sequence before loads count. Default 8. */
  cogLoadWarmup?: number;
  /** Weights of surprisal and entropy in the load. Default: the calibration's, else 0.5 each. */
  surprisalWeight?: number;
  /** Weight of entropy in the load. */
  entropyWeight?: number;
  /** After so many loads in a row above `refreshAbove` a token runs dense and the prompt's mask is made anew. Default 0: never. */
  refreshAfter?: number;
  /** The load that counts as high. */
  refreshAbove?: number;
  /** Entropy in nats above which a token is computed again, dense. Default: never. */
  rerunAbove?: number;
  /** With a bound: every so many tokens one is also computed dense, measured and held against the bound. Default 64; 0 = never. */
  checkEvery?: number;
}

const numbers = {
  density: { min: Number.MIN_VALUE, max: 1, default: 0.6, help: 'share of the feed-forward weights to use' },
  level: { min: 0, integer: true, default: 0, help: 'row of the calibration table, 0 the gentlest' },
  maxKl: { min: Number.MIN_VALUE, default: 0.02, help: 'bound on the mean KL divergence to dense, nats' },
  minTop1: { min: 0, max: 1, default: 0.98, help: 'bound on the top-1 agreement with dense' },
  threshold: { min: 0, default: 0, help: "the method's own threshold" },
  shrink: { min: 0, default: 48, help: 'tokens that the calibration counts for' },
  skipTokens: { min: 0, integer: true, default: 4, help: 'first prompt positions left out of the statistics' },
  cogLoadGain: { min: -10, max: 10, default: 0.1, help: 'how far a deviation of load moves thresholds' },
  cogLoadClamp: { min: 0, max: 10, default: 2, help: 'deviations at which loads are cut' },
  cogLoadWarmup: { min: 0, integer: true, default: 8, help: 'tokens before loads count' },
  surprisalWeight: { default: 0.5, help: 'weight of surprisal in the load' },
  entropyWeight: { default: 0.5, help: 'weight of entropy in the load' },
  refreshAfter: { min: 0, integer: true, default: 0, help: 'high loads in a row before the mask is made anew; 0 = never' },
  refreshAbove: { default: 1, help: 'load that counts as high' },
  rerunAbove: { min: 0, default: Infinity, help: 'entropy above which a token is computed again, dense' },
  checkEvery: { min: 0, integer: true, default: 64, help: 'tokens between two dense checks of a bound; 0 = never' },
} as const satisfies Record<string, NumberSpec>;

const optionNames = ['method', 'compensate', 'cogLoad', 'topK', ...Object.keys(numbers)];
/** What says how far to go; at most one may be given. */
const targets = ['density', 'level', 'maxKl', 'minTop1', 'threshold'] as const;

/** Checks names, ranges and contradictions. @throws InputError `E_OPTION` */
export function checkSparsity(options: SparsityOptions): void {
  checkNames('sparsity options', options, optionNames);
  for (const [name, spec] of Object.entries(numbers) as [string, NumberSpec][]) {
    const value = options[name as keyof typeof numbers];
    if (value !== undefined && !(name === 'rerunAbove' && value === Infinity)) checkNumber(`sparsity.${name}`, spec, value);
  }
  const { method } = options;
  if (method !== undefined && method !== 'auto' && !methodNames.includes(method)) {
    const known = [...methodNames, 'auto'], guess = nearest(String(method), known);
    throw new InputError('E_OPTION', {
      subject: 'sparsity.method', found: show(method), expected: `one of ${known.join(', ')}`, remedy: guess ? `Did you mean ${guess}?` : 'Leave it out for clada.',
    });
  }
  const given = targets.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new InputError('E_OPTION', { subject: 'sparsity', found: given.join(' and '), expected: `one of ${targets.join(', ')}`, remedy: 'Keep one: each says how far to go.' });
  }
  if (method === 'auto' && (given[0] === 'level' || given[0] === 'threshold')) {
    throw new InputError('E_OPTION', { subject: "sparsity.method 'auto'", found: `a ${given[0]}`, expected: 'maxKl, minTop1 or density', remedy: `A ${given[0]} is of one method: name it.` });
  }
}

const stagesOf: Record<MethodName, number> = {
  dense: 0, griffin: Stage.mask, mask: Stage.mask, tt: Stage.product, cats: Stage.gate, 'clada-paper': Stage.scores, clada: Stage.gate | Stage.product, exact: Stage.gate,
};

/** What options will need memory for, before a calibration is known: of 'auto', which tries several, the most. */
export function skippingOf(options: SparsityOptions): Skipping {
  checkSparsity(options);
  const { method = boundOf(options) ? 'auto' : 'clada', cogLoad, density = numbers.density.default } = options;
  const stages = method === 'auto' ? Stage.scores : method === 'mask' && cogLoad ? Stage.scores : stagesOf[method];
  return { stages, density: boundOf(options) ? 1 : density };
}

/** What a model is, as far as methods care. */
export interface ModelTraits {
  readonly nLayers: number;
  /** Neurons of a layer. */
  readonly ffn: number;
  readonly gated: boolean;
  readonly relu: boolean;
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

export interface Bound {
  readonly maxKl?: number | undefined;
  readonly minTop1?: number | undefined;
  readonly checkEvery: number;
}

/** The bound of the options, if they have one. */
export function boundOf(options: SparsityOptions): Bound | undefined {
  const { maxKl, minTop1 } = options;
  return maxKl === undefined && minTop1 === undefined ? undefined : { maxKl, minTop1, checkEvery: pick(options, 'checkEvery') };
}

const pick = <K extends keyof typeof numbers>(options: SparsityOptions, name: K, fallback: number = numbers[name].default): number => options[name] ?? fallback;

function cogLoadControl(options: SparsityOptions, paper: boolean, calibration: Calibration | undefined): CogLoadControl {
  if (!(options.cogLoad ?? paper)) return noCogLoad;
  return {
    mode: 'measured', linear: paper, gain: pick(options, 'cogLoadGain', paper ? 0.08 : 0.1), clamp: pick(options, 'cogLoadClamp'), warmup: pick(options, 'cogLoadWarmup'),
    surprisalWeight: pick(options, 'surprisalWeight', calibration?.surprisalWeight ?? 0.5), entropyWeight: pick(options, 'entropyWeight', calibration?.entropyWeight ?? 0.5),
  };
}

/** The row of the calibration table that the options ask for. */
function levelFor(method: MethodName, options: SparsityOptions, calibration: Calibration): Level {
  const levels = calibration.levels.get(method);
  if (!levels) {
    throw new ModelError('E_CALIBRATION', {
      subject: `method ${method}`, found: 'no levels in the calibration file', expected: `levels of ${method} (it has ${[...calibration.levels.keys()].join(', ')})`,
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
    throw new InputError('E_OPTION', { subject: `sparsity.topK of ${method}`, found: 'true', expected: 'false', remedy: 'Leave it out; it is for tt and cats.' });
  }
  const other = targets.find((name) => name !== 'density' && options[name] !== undefined);
  if (other) throw new InputError('E_OPTION', { subject: 'sparsity.topK', found: `a ${other}`, expected: 'a density', remedy: 'Give the share of the weights to use.' });
  const density = pick(options, 'density'), whole = method === 'cats' ? 1 / 3 : 2 / 3;
  if (density > whole) return (density - whole) / (1 - whole);
  throw new InputError('E_OPTION', {
    subject: `sparsity.density of ${method}`, found: String(density), expected: `more than ${whole.toFixed(3)}`, remedy: `${method} always computes ${method === 'cats' ? 'the gate' : 'gate and up'}: ask for more, or use clada.`,
  });
}

function needsCalibration(method: MethodName): never {
  throw new ModelError('E_CALIBRATION', {
    subject: `method ${method}`, found: 'no calibration of this model', expected: 'thresholds measured offline',
    remedy: 'Run clada calibrate -m MODEL once (minutes), or use griffin or clada, which work without.',
  });
}

/**
 * @throws InputError `E_OPTION`; ModelError `E_METHOD` where the model lacks what the method needs, `E_CALIBRATION` where only a calibration could say.
 */
export function resolveSparsity(options: SparsityOptions, traits: ModelTraits, calibration: Calibration | undefined): Resolved {
  checkSparsity(options);
  const method = (options.method ?? 'clada') as MethodName;
  const { gated, relu, ffn } = traits;
  const lacks = (what: string, remedy: string): never => {
    throw new ModelError('E_METHOD', { subject: `method ${method}`, found: what, expected: 'a model that has one', remedy });
  };
  if (method !== 'dense') checkNeurons(ffn);
  if ((method === 'cats' || method === 'clada') && !gated) lacks('a model without a feed-forward gate', 'Use griffin or tt, which need none.');
  if (method === 'exact' && !relu) lacks('an activation that is never exactly zero (SiLU or GELU)', 'Use clada; exact is for ReLU models.');

  if (options.threshold !== undefined && (method === 'dense' || method === 'griffin' || method === 'mask' || method === 'exact')) {
    throw new InputError('E_OPTION', { subject: `sparsity.threshold of ${method}`, found: String(options.threshold), expected: 'none: it has no threshold', remedy: 'Give a density.' });
  }

  const shares = options.topK ? shareOf(method, options) : 0;
  const common = {
    ...denseSelection, shrink: pick(options, 'shrink'), skipTokens: pick(options, 'skipTokens'), cogLoad: cogLoadControl(options, method === 'clada-paper', calibration),
    refreshAfter: pick(options, 'refreshAfter'), refreshAbove: pick(options, 'refreshAbove'), rerunAbove: pick(options, 'rerunAbove'),
  };
  const whole = options.density === 1;
  const warnings: string[] = [];
  if (method === 'dense') return { method, selection: denseSelection, expected: undefined, warnings };
  if (method === 'exact') {
    return { method, selection: { ...common, stages: gated ? Stage.gate : Stage.product, gateBase: 0, productBase: 0, cogLoad: noCogLoad }, expected: undefined, warnings };
  }
  if (method === 'griffin' && !calibration?.levels.has('griffin')) {
    if (options.maxKl !== undefined || options.minTop1 !== undefined || options.level !== undefined) needsCalibration(method);
    return { method, selection: { ...common, stages: Stage.mask, rule: 'topK', density: pick(options, 'density') }, expected: undefined, warnings };
  }
  if (shares > 0) {
    const stage = method === 'cats' ? { stages: Stage.gate } : { stages: Stage.product, productWeights: 'columnNorm' as const };
    return { method, selection: { ...common, ...stage, gateBase: 0, productBase: 0, share: shares, cogLoad: noCogLoad }, expected: undefined, warnings };
  }
  if (!calibration) {
    if (method !== 'clada' || options.maxKl !== undefined || options.minTop1 !== undefined || options.level !== undefined) needsCalibration(method);
    warnings.push('no calibration of this model: clada falls back to griffin, whose loss is not known here; run clada calibrate once');
    return { method: 'griffin', selection: { ...common, stages: Stage.mask, rule: 'topK', density: pick(options, 'density'), cogLoad: noCogLoad }, expected: undefined, warnings };
  }
  const given = options.threshold;
  const level = whole ? undefined : given !== undefined && method === 'clada' ? undefined : levelFor(method, options, calibration);
  const factor = given !== undefined && method !== 'clada' ? given : 1;
  const thresholds = whole ? -1 : given !== undefined && method === 'clada' ? given : Array.from(level!.thresholds, (value) => value * factor);
  // a mask can have any density, also one that the table does not reach; nothing was measured there, nor at other thresholds
  const masked = method === 'griffin' || method === 'mask' || method === 'clada-paper', density = whole ? 1 : (masked ? options.density : undefined) ?? level?.cost ?? 1;
  const expected = factor === 1 && Math.abs(density - (level?.cost ?? density)) < 1e-6 ? level : undefined;
  switch (method) {
    case 'griffin': return { method, selection: { ...common, stages: Stage.mask, rule: 'topK', density }, expected, warnings };
    case 'mask': return { method, selection: { ...common, stages: options.cogLoad ? Stage.scores : Stage.mask, rule: 'global', density }, expected, warnings };
    case 'tt': return { method, selection: { ...common, stages: Stage.product, productWeights: 'columnNorm', productBase: thresholds }, expected, warnings };
    case 'cats': return { method, selection: { ...common, stages: Stage.gate, gateBase: thresholds }, expected, warnings };
    case 'clada-paper': { // thresholds that the user moves are taken as they are
      return { method, selection: { ...common, stages: Stage.scores, rule: 'cett', scoreBase: thresholds, density: given === undefined ? density : 1 }, expected, warnings };
    }
    case 'clada': return {
      method, expected, warnings,
      selection: {
        ...common, stages: Stage.gate | Stage.product, rule: 'cascade', gateWeights: 'scores', productWeights: 'sensitivity', gateBase: thresholds, productBase: thresholds,
        compensate: options.compensate ?? calibration.mean !== undefined,
      },
    };
  }
}

/** The same selection, `factor` times as far from dense: thresholds times it, masks of 1 − factor (1 − density). */
export function scaled(selection: Selection, factor: number): Selection {
  const times = (base: Thresholds): Thresholds => (typeof base === 'number' ? (base < 0 ? base : base * factor) : Array.from(base, (value) => value * factor));
  return {
    ...selection, scoreBase: times(selection.scoreBase), gateBase: times(selection.gateBase), productBase: times(selection.productBase),
    density: 1 - factor * (1 - selection.density),
  };
}

/** Load that is given rather than measured: controls and experiments. */
export function withForcedCogLoad(selection: Selection): Selection {
  return { ...selection, cogLoad: { ...selection.cogLoad, mode: 'forced' } };
}
