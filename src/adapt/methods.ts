/** The methods, and what users may ask of them (docs/methods.md explains each). */
import { InputError } from '../errors.ts';
import { Stage } from '../model/enums.ts';
import type { Skipping } from '../model/memory.ts';
import type { NumberSpec } from '../options.ts';
import { checkNames, checkNumber, nearest, show } from '../options.ts';

/** Every method, `dense` first. */
export const methodNames = [
  'dense', 'griffin', 'mask', 'tt', 'cats', 'clada-paper', 'cascade', 'teal', 'wina', 'clada', 'exact', 'experts',
] as const;
/** A method that chooses which feed-forward neurons, which inputs of all matrices, or which experts a token uses. */
export type MethodName = (typeof methodNames)[number];

/** What a token leaves out while generating. The prompt is always computed dense. */
export interface SparsityOptions {
  /**
   * 'dense': nothing. 'clada': per token, inputs of every matrix of a layer, one budget of damage. 'cascade': per token, feed-forward
   * neurons, gate first, one budget. 'teal' (arXiv 2408.14690), 'wina' (arXiv 2505.19427): the largest inputs of every matrix, without a
   * calibration. 'mask': one mask from the prompt and the calibration.
   * 'griffin' (arXiv 2404.01365), 'tt' (arXiv 2402.03804), 'cats' (arXiv 2404.08763), 'clada-paper' (arXiv 2502.19078 as
   * reconstructed): for comparison. 'exact': skips what ReLU makes zero, no loss. 'experts': of a mixture, the
   * experts of least weight. 'auto': the fastest on this machine that keeps
   * `maxKl` or `minTop1`. Default 'auto' with a bound, else 'clada'.
   */
  method?: MethodName | 'auto';
  /**
   * Share to use of the weights that the method may leave out, in (0, 1]: of clada, teal and wina all of the layers, of experts those of
   * the experts that a token is sent to, of others the feed-forward parts. Default 0.6.
   */
  density?: number;
  /** Instead of a density: a row of the calibration's table, 0 the gentlest. */
  level?: number;
  /** Instead of a density: a bound on the mean KL divergence to dense, in nats a token. */
  maxKl?: number;
  /** Instead of a density: a bound on the share of tokens whose most likely successor is that of dense. */
  minTop1?: number;
  /**
   * Instead of a density: the method's own threshold (clada, cascade: budget of damage tau; tt, cats: multiplies the calibrated
   * thresholds of density 0.6; experts: share of the weight of those that a token is sent to that may be left out, below 1).
   */
  threshold?: number;
  /**
   * Keep exactly the density's share of every layer's neurons at every token, the largest, instead of those above calibrated
   * thresholds (tt, cats). Needs no calibration. Default false.
   */
  topK?: boolean;
  /** Tokens that the calibration counts for beside the prompt's. Default 48. */
  shrink?: number;
  /** First positions of the prompt left out of its statistics. Default 4. */
  skipTokens?: number;
  /** Take dropped neurons at their mean instead of zero (cascade). Default: where the calibration has means. */
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
  density: { min: Number.MIN_VALUE, max: 1, default: 0.6, help: 'share of the weights to use' },
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
export const targets = ['density', 'level', 'maxKl', 'minTop1', 'threshold'] as const;

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
      subject: 'sparsity.method', found: show(method), expected: `one of ${known.join(', ')}`,
      remedy: guess ? `Did you mean ${guess}?` : 'Leave it out for clada.',
    });
  }
  const given = targets.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new InputError('E_OPTION', {
      subject: 'sparsity', found: given.join(' and '), expected: `one of ${targets.join(', ')}`,
      remedy: 'Keep one: each says how far to go.',
    });
  }
  if (method === 'auto' && (given[0] === 'level' || given[0] === 'threshold')) {
    throw new InputError('E_OPTION', {
      subject: "sparsity.method 'auto'", found: `a ${given[0]}`, expected: 'maxKl, minTop1 or density',
      remedy: `A ${given[0]} is of one method: name it.`,
    });
  }
}

const stagesOf: Record<MethodName, number> = {
  dense: 0, griffin: Stage.mask, mask: Stage.mask, tt: Stage.product, cats: Stage.gate, 'clada-paper': Stage.scores,
  cascade: Stage.gate | Stage.product, teal: Stage.inputs | Stage.product, wina: Stage.inputs | Stage.product,
  clada: Stage.inputs | Stage.product, exact: Stage.gate, experts: Stage.experts,
};

/** Whether a method leaves out of all weights in the layers, not of the feed-forward parts alone. */
export const leavesInputs = (method: MethodName): boolean => (stagesOf[method] & Stage.inputs) !== 0;

/** What options will need memory for, before a calibration is known: of 'auto', which tries several, the most. */
export function skippingOf(options: SparsityOptions): Skipping {
  checkSparsity(options);
  const { method = boundOf(options) ? 'auto' : 'clada', cogLoad, density = numbers.density.default } = options;
  const stages = method === 'auto' ? Stage.scores : method === 'mask' && cogLoad ? Stage.scores : stagesOf[method];
  return { stages, density: boundOf(options) ? 1 : density };
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

/** An option, or what holds where it was not given. */
export function pick<K extends keyof typeof numbers>(options: SparsityOptions, name: K, fallback: number = numbers[name].default): number {
  return options[name] ?? fallback;
}
