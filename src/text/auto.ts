/** Method 'auto', fetched where it is asked for: methods that might keep a bound or a density are measured on this machine. */
import type { Level } from '../adapt/levels.ts';
import { atCost, hardestWithin } from '../adapt/levels.ts';
import type { Bound, MethodName, SparsityOptions } from '../adapt/methods.ts';
import type { Resolved } from '../adapt/resolve.ts';
import type { Selection } from '../adapt/selection.ts';
import type { SequencePool } from '../session/pool.ts';
import type { Sequence } from '../session/sequence.ts';

/** A model to choose for; `prepare` puts into memory what options need. */
interface Subject {
  readonly pool: SequencePool;
  readonly calibrated: boolean;
  /** Those of its calibration, by method. */
  readonly levels: readonly (readonly [MethodName, readonly Level[]])[];
  /** Whether all activations are: 'exact' skips what is zero. */
  readonly relu: boolean;
  prepare(options: SparsityOptions): Resolved;
}

/**
 * The fastest method and level on this machine that keeps the bound (of a density: the method that loses least); dense where none does or
 * none is faster.
 */
export async function chooseMethod(
  { pool, calibrated, levels: known, relu, prepare }: Subject, options: SparsityOptions, bound: Bound | undefined,
  signal: AbortSignal | undefined,
): Promise<Resolved> {
  const { maxKl: _maxKl, minTop1: _minTop1, method: _method, density, ...rest } = options, dense = prepare({ method: 'dense' });
  const because = (why: string): Resolved => ({ ...dense, warnings: [why] });
  if (pool.engine.plan.hparams.experts) return because('a mixture of experts has no calibration, so no bound can be promised: dense');
  const choices: Resolved[] = [];
  for (const [method, levels] of known) {
    const level = bound ? hardestWithin(levels, bound) : atCost(levels, density!);
    if (!level || level.cost >= 0.97) continue;
    choices.push({ ...prepare({ ...rest, method, density: level.cost }), bound });
  }
  if (relu) choices.push(prepare({ ...rest, method: 'exact' }));
  const cost = ({ expected }: Resolved): number => expected?.cost ?? 0; // exact: known when it runs
  const loss = ({ expected }: Resolved): number => expected?.kl ?? 0;
  const fewest = bound ? choices.sort((a, b) => cost(a) - cost(b)).slice(0, 3) // the dearest cannot be the fastest
    : choices.sort((a, b) => loss(a) - loss(b)).slice(0, 1);
  if (fewest.length === 0) {
    return because(calibrated ? 'no level of any method keeps the bound: dense'
      : 'no calibration of this model, so no bound can be promised: dense');
  }
  const selections = fewest.map(({ selection }) => selection);
  const timed = await pool.run([], signal, (sequence) => timeSelections(sequence, dense.selection, selections, signal));
  // so often a token is also computed dense, which is part of what the bound costs; 'exact' loses nothing and has none
  const checks = ({ bound: own }: Resolved): number => (own && own.checkEvery > 0 ? 1 / own.checkEvery : 0);
  const shares = timed.map((share, i) => share + checks(fewest[i]!));
  const least = Math.min(...shares), times = fewest.map(({ method }, i) => `${method} ${shares[i]!.toFixed(2)}`).join(', ');
  const best = bound ? 'the fastest on this machine that keeps the bound' : 'as fast on this machine at that density';
  return least < worthwhile ? fewest[shares.indexOf(least)]!
    : because(`dense is ${best} (a token's time as a share of dense's: ${times})`);
}

/** Prompt tokens, decoded tokens and rounds of a speed measurement: a second a selection on a model of 135M parameters. */
const timedPrompt = 24, timedTokens = 8, timedRounds = 3;
/**
 * A selection is worth its loss if it takes less than this share of dense's time. Between it and 1 lies what a shared machine makes of
 * equal speeds.
 */
const worthwhile = 0.96;

/**
 * Time of a token of each selection as a share of dense's: each is run between two dense runs, because machines drift within a second; the
 * median of the rounds.
 */
async function timeSelections(
  sequence: Sequence, dense: Selection, selections: readonly Selection[], signal: AbortSignal | undefined,
): Promise<number[]> {
  const shares: number[][] = selections.map(() => []), total = Math.min(timedPrompt + timedTokens, sequence.contextSize);
  const ids = [7919 % sequence.engine.vocab], decodeFrom = Math.min(timedPrompt, total - 1);
  // the model's own words: what is kept depends on the text
  while (ids.length < total) ids.push(await sequence.evaluate(ids, ({ report }) => report.topToken, { signal }));
  const time = async (selection: Selection): Promise<number> => {
    await sequence.evaluate(ids.slice(0, decodeFrom + 1), () => undefined, { selection, decodeFrom, signal }); // the mask is made here
    const started = performance.now();
    await sequence.evaluate(ids, () => undefined, { selection, decodeFrom, signal });
    return performance.now() - started;
  };
  for (let round = -1; round < timedRounds; round++) { // the first warms up
    let before = await time(dense);
    for (const [i, selection] of selections.entries()) {
      const took = await time(selection), after = await time(dense);
      if (round >= 0) shares[i]!.push((2 * took) / (before + after));
      before = after;
    }
  }
  return shares.map((values) => {
    values.sort((a, b) => a - b);
    return (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2;
  });
}
