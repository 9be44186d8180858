/**
 * From which share of neurons on the dense kernel is faster than reading neurons one by one, measured here: on a machine that is bound by its
 * memory sooner than on one whose cache holds the model. Every layer's product is timed once a round, so the weights are as cold as while decoding.
 */
import type { EngineExports } from './instantiate.ts';

/** Shares that are timed; time is taken as linear between and beyond them. */
const low = 0.25, high = 0.75, rounds = 4;

/** Least milliseconds of a round over all layers. */
function time(exports: EngineExports, session: number, nLayers: number, part: number, count: number): number {
  let least = Infinity;
  for (let round = -1; round < rounds; round++) { // the first warms up
    const started = performance.now();
    for (let layer = 0; layer < nLayers; layer++) exports.trial(session, layer, part, count);
    if (round >= 0) least = Math.min(least, performance.now() - started);
  }
  return least;
}

/** Counts below which rows of up, and columns of down, are read one by one; 0 = never, ffn = always. `forms`: which there are. */
export function breakEven(exports: EngineExports, session: number, nLayers: number, ffn: number, forms: { rows: boolean; columns: boolean }): { rowsBelow: number; columnsBelow: number } {
  const count = (dense: number, listed: number): number => {
    exports.trial(session, 0, 4, 0); // inputs that are not zero
    const whole = time(exports, session, nLayers, dense, 0);
    const [few, many] = [low, high].map((share) => time(exports, session, nLayers, listed, Math.round(share * ffn))) as [number, number];
    const share = low + ((whole - few) * (high - low)) / Math.max(many - few, 1e-6);
    return Math.round(ffn * Math.min(1, Math.max(0, share)));
  };
  return { rowsBelow: forms.rows ? count(0, 1) : ffn, columnsBelow: forms.columns ? count(2, 3) : ffn };
}
