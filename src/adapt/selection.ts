/**
 * What a session is told about skipping neurons, in the terms of AdaptRecord: which stages, from which statistics, against which
 * thresholds. Methods and levels (resolve.ts) become this; the engine writes it into memory and knows nothing of methods.
 */
import { ModelError } from '../errors.ts';
import { Stage } from '../model/enums.ts';

/** Thresholds, one a layer or one for all; negative keeps every neuron. */
export type Thresholds = number | ArrayLike<number>;

export interface CogLoadControl {
  readonly mode: 'off' | 'measured' | 'forced';
  /** raw load = surprisalWeight * S + entropyWeight * H [+ tokenCogLoad of the token], nats. */
  readonly surprisalWeight: number;
  readonly entropyWeight: number;
  /** Thresholds are multiplied by exp(-gain * load), or 1 - gain * load where `linear`. */
  readonly gain: number;
  readonly linear: boolean;
  /** Loads are cut to -clamp … clamp. */
  readonly clamp: number;
  /** Tokens of a sequence before its loads count. */
  readonly warmup: number;
}

/** Inputs of what, beside those of down, which are the product stage. */
export const inputPlaces = ['attention', 'output', 'ffn'] as const;
/** q, k and v; o; gate and up. */
export type InputPlace = (typeof inputPlaces)[number];

export interface Selection {
  /** Stage bits; 0 = dense. */
  readonly stages: number;
  readonly rule: 'none' | 'topK' | 'global' | 'cett' | 'cascade';
  /** Share of neurons of topK and global masks, and of cett's backbone (1: its thresholds as they are). */
  readonly density: number;
  /**
   * Share that every token keeps exactly of a layer's neurons, at the gate or product stage, or of the experts that it is sent to; 0:
   * those above thresholds, or within the budget.
   */
  readonly share: number;
  /** Tokens that the prior counts for beside the prompt. */
  readonly shrink: number;
  /** First positions of a sequence that the statistics leave out. */
  readonly skipTokens: number;
  /** Dropped neurons are taken at their mean. */
  readonly compensate: boolean;
  /** Share of the inputs of a place that it keeps at every token, exactly; 0: those above thresholds. */
  readonly inputShare: number;
  readonly inputBase: Readonly<Record<InputPlace, Thresholds>>;
  readonly inputWeights: 'ones' | 'sensitivity' | 'columnNorm';
  readonly scoreBase: Thresholds;
  readonly gateBase: Thresholds;
  readonly productBase: Thresholds;
  /** Share of the router's weight that may be left out. */
  readonly expertBase: Thresholds;
  readonly gateWeights: 'ones' | 'scores';
  readonly productWeights: 'ones' | 'sensitivity' | 'columnNorm';
  readonly cogLoad: CogLoadControl;
  /** Loads in a row above `refreshAbove` after which a step runs dense and the mask is made anew; 0 = never. */
  readonly refreshAfter: number;
  readonly refreshAbove: number;
  /** Entropy (nats) above which a step is rerun dense; Infinity = never. */
  readonly rerunAbove: number;
}

export const noCogLoad: CogLoadControl = {
  mode: 'off', surprisalWeight: 0.5, entropyWeight: 0.5, gain: 0, linear: false, clamp: 2, warmup: 8,
};

/** One threshold for every place. */
export function everywhere(base: Thresholds): Selection['inputBase'] { return { attention: base, output: base, ffn: base }; }

export const denseSelection: Selection = {
  stages: 0, rule: 'none', density: 1, share: 0, inputShare: 0, inputBase: everywhere(-1), inputWeights: 'ones', shrink: 48,
  skipTokens: 4, compensate: false, scoreBase: -1, gateBase: -1, productBase: -1, expertBase: -1,
  gateWeights: 'ones', productWeights: 'ones', cogLoad: noCogLoad, refreshAfter: 0, refreshAbove: 1, rerunAbove: Infinity,
};

/** True where both say the same: what was made for one serves the other. */
export const sameSelection = (a: Selection, b: Selection): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** True where the prompt's statistics decide. */
export const usesStatistics = ({ rule }: Selection): boolean => rule !== 'none';
/** True where the same neurons stay for all tokens, so that tokens of many sequences can share a pass. */
export const isFixedMask = ({ stages, refreshAfter, rerunAbove }: Selection): boolean =>
  stages === Stage.mask && refreshAfter === 0 && rerunAbove === Infinity;
/** True where a gate is needed: selections by |g|. */
export const needsGate = ({ stages }: Selection): boolean => (stages & Stage.gate) !== 0;

/** Lists of neurons hold 16 bits each (assembly/kernels/neurons/select.ts). */
const mostNeurons = 65_535;

/** @throws ModelError `E_METHOD` where a layer has too many neurons to be told apart in a list */
export function checkNeurons(ffn: number): void {
  if (ffn <= mostNeurons) return;
  throw new ModelError('E_METHOD', {
    subject: 'skipping neurons', found: `layers of ${ffn} neurons`, expected: `at most ${mostNeurons}`,
    remedy: 'Use dense, which runs models of any width.',
  });
}

/** The same selection, `factor` times as far from dense: thresholds times it, masks of 1 − factor (1 − density). */
export function scaled(selection: Selection, factor: number): Selection {
  const one = (base: number): number => (base < 0 ? base : base * factor);
  const fewer = (share: number): number => (share > 0 ? 1 - factor * (1 - share) : share), { attention, output, ffn } = selection.inputBase;
  const times = (base: Thresholds): Thresholds => (typeof base === 'number' ? one(base) : Array.from(base, (value) => value * factor));
  return {
    ...selection, inputBase: { attention: times(attention), output: times(output), ffn: times(ffn) },
    inputShare: fewer(selection.inputShare), share: fewer(selection.share),
    scoreBase: times(selection.scoreBase), gateBase: times(selection.gateBase), productBase: times(selection.productBase),
    expertBase: times(selection.expertBase),
    density: 1 - factor * (1 - selection.density),
  };
}

/** Load that is given rather than measured: controls and experiments. */
export function withForcedCogLoad(selection: Selection): Selection {
  return { ...selection, cogLoad: { ...selection.cogLoad, mode: 'forced' } };
}
