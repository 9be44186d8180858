/** A loaded model's sparsity: its calibration, and options made ready to run. */
import type { Calibration } from '../adapt/calibration.ts';
import { checkBinding, readCalibration, writeCalibration } from '../adapt/calibration.ts';
import { atCost, hardestWithin } from '../adapt/levels.ts';
import type { Bound, MethodName, SparsityOptions } from '../adapt/methods.ts';
import { boundOf, checkSparsity, methodNames } from '../adapt/methods.ts';
import type { ModelTraits, Resolved } from '../adapt/resolve.ts';
import { resolveSparsity } from '../adapt/resolve.ts';
import type { Selection } from '../adapt/selection.ts';
import type { SourceInput } from '../bytes/open.ts';
import { located, openSource } from '../bytes/open.ts';
import { fileName, isRemote, sibling } from '../net/address.ts';
import type { NetworkOptions } from '../net/options.ts';
import type { Engine } from '../engine/engine.ts';
import { checkOneFfn } from '../model/experts.ts';
import { isGated } from '../model/hparams.ts';
import { fingerprintOf } from '../bytes/fingerprint.ts';
import { CladaError } from '../errors.ts';
import type { SequencePool } from '../session/pool.ts';
import type { Sequence } from '../session/sequence.ts';

/** 'auto': `NAME.clada.gguf` beside `NAME.gguf` if it is there. */
export type CalibrationSource = 'auto' | false | SourceInput;

/** The file that 'auto' looks for: the path, URL or `hf:` address beside the model's. */
export function calibrationPath(model: string): string {
  if (isRemote(model)) return sibling(model, calibrationPath(fileName(model)));
  return model.replace(/(-\d{5}-of-\d{5})?\.gguf$/i, '.clada.gguf');
}

/** How a server says that a file beside the model is not there: some refuse what they do not have, and offline nobody can say. */
const absent = ['E_NOT_FOUND', 'E_ACCESS', 'E_NETWORK'];

/**
 * Reads the calibration and checks that it belongs to the model. Undefined where there is none.
 * @throws as readCalibration and checkBinding
 */
export async function openCalibration(
  from: CalibrationSource, given: unknown, engine: Engine, network: NetworkOptions = {},
): Promise<Calibration | undefined> {
  if (from === false) return undefined;
  const auto = from === 'auto';
  const modelSource = located(given), remote = isRemote(modelSource), model = remote ? String(modelSource) : modelSource;
  if (auto && (typeof model !== 'string' || !/\.gguf$/i.test(remote ? fileName(model) : model))) return undefined;
  const options: NetworkOptions = { ...network };
  if (auto) options.retries = Math.min(network.retries ?? 5, 2); // what may not exist is not waited for
  delete options.sha256;
  const source = await openSource(auto ? calibrationPath(model as string) : from, options, { mode: 'whole' }).catch((error: unknown) => {
    if (auto && error instanceof CladaError && (remote ? absent : ['E_NOT_FOUND']).includes(error.code)) return undefined;
    throw error;
  });
  if (!source) return undefined;
  try {
    const calibration = await readCalibration(source);
    const { nLayers, ffn, hidden, name } = engine.plan.hparams;
    await source.verified?.();
    checkBinding(calibration, source.name, { fingerprint: engine.fingerprint, nLayers, ffn, hidden, name });
    return calibration;
  } finally {
    await source.close();
  }
}

export class Sparsity {
  readonly #traits: ModelTraits;
  #placed = false;
  #norms = false;
  #digest: string | undefined;
  readonly #chosen = new Map<string, Resolved>();

  constructor(private readonly pool: SequencePool, readonly calibration: Calibration | undefined) {
    const { hparams } = pool.engine.plan;
    const relu = hparams.layers.every(({ activation }) => activation === 'relu' || activation === 'relu2');
    this.#traits = { nLayers: hparams.nLayers, ffn: hparams.ffn, gated: isGated(hparams), relu };
  }

  /**
   * What the options mean for this model, with everything that it needs in memory; 'auto' is measured at its first use.
   * @throws as resolveSparsity, at once; AbortedError while measuring
   */
  resolve(options: SparsityOptions): (signal?: AbortSignal) => Promise<Resolved> {
    checkSparsity(options);
    const bound = boundOf(options);
    if (options.method === 'auto' || (options.method === undefined && bound)) {
      const asked = bound ?? (options.density === undefined ? { maxKl: 0.02, checkEvery: options.checkEvery ?? 64 } : undefined);
      return (signal) => this.#auto(options, asked, signal);
    }
    const resolved = this.#prepare(options);
    return async () => resolved;
  }

  /** Tells calibrations apart; undefined where there is none. */
  get digest(): string | undefined {
    return this.#digest ??= this.calibration && fingerprintOf(writeCalibration(this.calibration));
  }

  /** What was resolved elsewhere, with the same calibration. @throws as resolveSparsity */
  again({ options, bound, warnings }: Pick<Resolved, 'options' | 'bound' | 'warnings'>): Resolved {
    return { ...this.#prepare(options ?? { method: 'dense' }), bound, warnings };
  }

  /**
   * The fastest method and level on this machine that keeps the bound (of a density: the method that loses least); dense where none does or
   * none is faster.
   */
  async #auto(options: SparsityOptions, bound: Bound | undefined, signal: AbortSignal | undefined): Promise<Resolved> {
    const key = JSON.stringify([options, bound]), known = this.#chosen.get(key);
    if (known) return known;
    const { maxKl: _maxKl, minTop1: _minTop1, method: _method, density, ...rest } = options, dense = this.#prepare({ method: 'dense' });
    const because = (why: string): Resolved => ({ ...dense, warnings: [why] });
    if (this.pool.engine.plan.hparams.experts) return because('a mixture of experts skips no neurons of them: dense');
    const choices: Resolved[] = [];
    for (const [method, levels] of this.calibration?.levels ?? []) {
      if (!(methodNames as readonly string[]).includes(method)) continue; // of a later version
      const level = bound ? hardestWithin(levels, bound) : atCost(levels, density!);
      if (!level || level.cost >= 0.97) continue;
      choices.push({ ...this.#prepare({ ...rest, method: method as MethodName, density: level.cost }), bound });
    }
    if (this.#traits.relu) choices.push(this.#prepare({ ...rest, method: 'exact' }));
    const cost = ({ expected }: Resolved): number => expected?.cost ?? 0; // exact: known when it runs
    const loss = ({ expected }: Resolved): number => expected?.kl ?? 0;
    const fewest = bound ? choices.sort((a, b) => cost(a) - cost(b)).slice(0, 3) // the dearest cannot be the fastest
      : choices.sort((a, b) => loss(a) - loss(b)).slice(0, 1);
    let chosen: Resolved;
    if (fewest.length === 0) {
      chosen = because(this.calibration ? 'no level of any method keeps the bound: dense'
        : 'no calibration of this model, so no bound can be promised: dense');
    } else {
      const selections = fewest.map(({ selection }) => selection);
      const shares = await this.pool.run([], signal, (sequence) => timeSelections(sequence, dense.selection, selections, signal));
      const least = Math.min(...shares), times = fewest.map(({ method }, i) => `${method} ${shares[i]!.toFixed(2)}`).join(', ');
      const best = bound ? 'the fastest on this machine that keeps the bound' : 'as fast on this machine at that density';
      chosen = least < worthwhile ? fewest[shares.indexOf(least)]!
        : because(`dense is ${best} (a token's time as a share of dense's: ${times})`);
    }
    this.#chosen.set(key, chosen);
    return chosen;
  }

  #prepare(options: SparsityOptions): Resolved {
    if (options.method !== 'dense') checkOneFfn(this.pool.engine.plan.hparams, `method ${options.method ?? 'clada'}`);
    const resolved = { ...resolveSparsity(options, this.#traits, this.calibration), bound: boundOf(options), options };
    if (resolved.selection.stages === 0) return resolved;
    const { forms } = this.pool.engine;
    if (!this.#placed && this.calibration) {
      const { sensitivity, upSquare, hSquare, mean, meanOut } = this.calibration;
      forms.place({ sensitivity, upSquare, hSquare, mean, meanOut });
    }
    this.#placed = true;
    if (!this.#norms && (resolved.selection.productWeights === 'columnNorm' || resolved.selection.rule === 'cett')) {
      forms.place({ columnNorm: forms.columnNorms() });
      this.#norms = true;
    }
    return resolved;
  }
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
