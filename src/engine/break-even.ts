/**
 * From which share of neurons on the dense kernel is faster than reading neurons one by one, measured here: on a machine that is bound by
 * its memory sooner than on one whose cache holds the model. Every layer's product is timed once a round, so the weights are as cold as
 * while decoding. And what choosing neurons takes.
 */
import { Trial } from '../model/enums.ts';

/** Runs one part of a layer's feed-forward product (assembly/forward/trial.ts). */
type RunTrial = (layer: number, part: number, count: number) => void;

/** Shares that are timed; time is taken as linear between and beyond them, which from memory it is not quite: it grows less and less. */
const low = 0.35, high = 0.65;
/**
 * Each kernel runs so long, in ms, before it is timed (engines compile what is hot anew, in the background), and is then timed in so many
 * rounds.
 */
const warmMs = 30, rounds = 6;

/** Least milliseconds over all layers of each of `parts`: [part, count], taking turns. */
function times(trial: RunTrial, nLayers: number, ffn: number, parts: readonly (readonly [part: number, count: number])[]): number[] {
  let turn = 0;
  const run = ([part, count]: readonly [number, number]): number => {
    // inputs that are not zero but where the part leaves neurons out
    if (part !== Trial.choose) trial(turn++ % nLayers, Trial.draw, count || ffn);
    const started = performance.now();
    for (let layer = 0; layer < nLayers; layer++) trial(layer, part, count);
    return performance.now() - started;
  };
  for (const part of parts) for (const end = performance.now() + warmMs; performance.now() < end;) run(part);
  const least = parts.map(() => Infinity);
  for (let round = 0; round < rounds; round++) parts.forEach((part, i) => { least[i] = Math.min(least[i]!, run(part)); });
  return least;
}

/** Milliseconds for the lists of one token over all layers. */
export function decideTime(trial: RunTrial, nLayers: number, ffn: number): number {
  return times(trial, nLayers, ffn, [[Trial.choose, 0]])[0]!;
}

/** Counts below which rows of up, and columns of down, are read one by one; 0 = never, ffn = always. `forms`: which there are. */
export function breakEven(
  trial: RunTrial, nLayers: number, ffn: number, forms: { rows: boolean; columns: boolean },
): { rowsBelow: number; columnsBelow: number } {
  const count = (dense: number, listed: number): number => {
    const [whole, few, many] = times(trial, nLayers, ffn, [
      [dense, 0], [listed, Math.round(low * ffn)], [listed, Math.round(high * ffn)],
    ]) as [number, number, number];
    const share = low + ((whole - few) * (high - low)) / Math.max(many - few, 1e-6);
    return Math.round(ffn * Math.min(1, Math.max(0, share)));
  };
  return {
    rowsBelow: forms.rows ? count(Trial.upWhole, Trial.upListed) : ffn,
    columnsBelow: forms.columns ? count(Trial.downWhole, Trial.downListed) : ffn,
  };
}
