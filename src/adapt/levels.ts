/**
 * A method's levels: how far it goes, what that costs and what it loses, as measured at calibration. Between two rows, thresholds are
 * interpolated.
 */
import { InputError } from '../errors.ts';

/** One setting of a method, and what it was measured to cost and to lose. */
export interface Level {
  /** What the thresholds came from: clada tau, tt and clada-paper eta (CETT), cats quantile, masks density. */
  readonly parameter: number;
  /** Share used of the weights that the method may leave out. */
  readonly cost: number;
  /** Share of up rows used. */
  readonly up: number;
  /** Share of down columns used. */
  readonly down: number;
  /** Mean KL(dense || sparse) in nats, its standard error over documents, change of NLL, share of positions with the same top token. */
  readonly kl: number;
  /** Standard error of `kl` over documents, nats. */
  readonly klError: number;
  /** Change of the negative log likelihood, nats a token. */
  readonly deltaNll: number;
  /** Share of positions with the same most likely token. */
  readonly top1: number;
  /** One a layer; empty for masks. */
  readonly thresholds: ArrayLike<number>;
}

/** Row `index`. @throws InputError `E_OPTION` */
export function atIndex(method: string, levels: readonly Level[], index: number): Level {
  const level = levels[index];
  if (level) return level;
  throw new InputError('E_OPTION', {
    subject: 'sparsity.level', found: String(index), expected: `0 … ${levels.length - 1}, the levels of ${method}`,
    remedy: 'clada inspect shows the table.',
  });
}

const mix = (a: number, b: number, t: number): number => a + (b - a) * t;
/** Thresholds and losses live on a logarithmic scale. */
const mixLog = (a: number, b: number, t: number): number => (a > 0 && b > 0 ? Math.exp(mix(Math.log(a), Math.log(b), t)) : mix(a, b, t));

function between(a: Level, b: Level, t: number): Level {
  return {
    parameter: mixLog(a.parameter, b.parameter, t), cost: mix(a.cost, b.cost, t), up: mix(a.up, b.up, t), down: mix(a.down, b.down, t),
    kl: mixLog(a.kl, b.kl, t), klError: mixLog(a.klError, b.klError, t), deltaNll: mix(a.deltaNll, b.deltaNll, t),
    top1: mix(a.top1, b.top1, t), thresholds: Array.from(a.thresholds, (value, i) => mixLog(value, b.thresholds[i]!, t)),
  };
}

/**
 * The level that `value` reaches `wanted` at, between its neighbours; the first or last row beyond them. Levels run from gentle to hard,
 * and which way `value` goes is said, not guessed from rows that may be noise: the first row beyond `wanted` ends the search.
 */
function reaching(levels: readonly Level[], wanted: number, direction: 'rising' | 'falling', value: (level: Level) => number): Level {
  const rising = direction === 'rising';
  const beyond = (level: Level): boolean => (rising ? value(level) > wanted : value(level) < wanted);
  const next = levels.findIndex(beyond);
  if (next === 0) return levels[0]!;
  if (next < 0) return levels.at(-1)!;
  const [a, b] = [levels[next - 1]!, levels[next]!];
  return between(a, b, (wanted - value(a)) / (value(b) - value(a)));
}

/** The level that uses this share of the weights (the nearest row where the table does not go so far). */
export function atCost(levels: readonly Level[], cost: number): Level {
  return reaching(levels, cost, 'falling', (level) => level.cost);
}

/** What a level may lose: KL two standard errors above its mean. */
export const klBound = ({ kl, klError }: Level): number => kl + 2 * klError;

/** The hardest level within the bound; undefined where even the gentlest is not. */
export function hardestWithin(
  levels: readonly Level[], { maxKl, minTop1 }: { maxKl?: number | undefined; minTop1?: number | undefined },
): Level | undefined {
  const first = levels[0]!;
  if (maxKl !== undefined) return klBound(first) > maxKl ? undefined : reaching(levels, maxKl, 'rising', klBound);
  return first.top1 < minTop1! ? undefined : reaching(levels, minTop1!, 'falling', ({ top1 }) => top1);
}

/** The same. @throws InputError `E_OPTION` where no level keeps the bound. */
export function withinBound(levels: readonly Level[], bound: { maxKl?: number; minTop1?: number }): Level {
  const level = hardestWithin(levels, bound);
  if (level) return level;
  throw new InputError('E_OPTION', {
    subject: 'sparsity bound', found: bound.maxKl !== undefined ? `maxKl ${bound.maxKl}` : `minTop1 ${bound.minTop1}`,
    expected: bound.maxKl !== undefined ? `at least ${klBound(levels[0]!).toPrecision(3)}, the gentlest level`
      : `at most ${levels[0]!.top1.toPrecision(3)}, the gentlest level`,
    remedy: "Use method 'auto', which falls back to dense, or a looser bound.",
  });
}
