/**
 * Calibration: everything that a model's sparsity can know beforehand, measured by the model itself, no corpus and no Python. In order:
 * samples of its own; statistics and gradients over them (statistics.ts); thresholds and means (thresholds.ts); on held-out samples what
 * every method costs and loses at every setting (grid.ts), and how surprisal and entropy foretell the loss. Minutes for a model of 135M
 * parameters; resumable.
 */
import type { Calibration } from '../adapt/calibration.ts';
import { CALIBRATION_VERSION, asKept } from '../adapt/calibration.ts';
import { openSource } from '../bytes/open.ts';
import type { Tier } from '../engine/binaries.ts';
import { Engine } from '../engine/engine.ts';
import { chooseThreads } from '../engine/threads.ts';
import { InputError, throwIfAborted } from '../errors.ts';
import { readGguf } from '../format/gguf/read.ts';
import { checkOneFfn } from '../model/experts.ts';
import { isGated } from '../model/hparams.ts';
import { planModel } from '../model/plan.ts';
import { checkNames, checkNumber } from '../options.ts';
import { seedRange } from '../sampler/options.ts';
import { Sequence } from '../session/sequence.ts';
import { load } from '../text/load.ts';
import { fitCogLoad } from './cogLoad.ts';
import { completeDocuments } from './documents.ts';
import type { Candidate, Damage, Row } from './grid.ts';
import { budgets } from './budgets.ts';
import { candidates, cascade, denseRows, levelsOf, measure, overInputs } from './grid.ts';

import { estimateGradientNorms } from './perturb.ts';
import type { StatisticsState } from './statistics.ts';
import { collectStatistics, meansOf } from './statistics.ts';
import { measureCurves } from './thresholds.ts';

/** What is being done. */
export type CalibrationPhase = 'samples' | 'statistics' | 'thresholds' | 'levels';

/** What is done so far: plain data (`structuredClone`), to be stored and passed again. */
export interface CalibrationState {
  /** Of the model and the options: a state of something else is not taken. */
  readonly key: string;
  /** Token ids of the documents to measure on, as far as they are written. */
  documents?: (number[] | undefined)[];
  /** Token ids of those that levels are measured on. */
  heldOut?: (number[] | undefined)[];
  /** The sums so far. */
  statistics?: StatisticsState;
  /** They are complete. */
  statisticsDone?: boolean;
  /** [nLayers], where gradients come from perturbations. */
  scale?: Float32Array;
  /** Rows of each held-out document, one a setting. */
  rows?: Row[][];
}

/** How a model is measured. */
export interface CalibrateOptions {
  /** Documents to measure constants on. Default 13, of 320 tokens: what more of them change is noise (docs/adaptive-tables.md). */
  readonly count?: number | undefined;
  /** Tokens of each document. Default 320. */
  readonly tokens?: number | undefined;
  /** Held-out documents that the tables are measured on. Default 12, of 128 tokens, half of them prompt. */
  readonly heldOut?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Token ids of texts to use instead of the model's own samples; the last `heldOut` are held out. */
  readonly documents?: readonly (readonly number[])[] | undefined;
  /**
   * 'fisher' (default): every neuron's own, by a backward pass. 'perturbation': one scale a layer from forward passes alone, times the norm
   * of the neuron's column; for comparison (it costs more time than it saves).
   */
  readonly gradients?: 'fisher' | 'perturbation' | undefined;
  /** Of the stages that only run the model. Default 'auto': as many as pay. */
  readonly threads?: number | 'auto' | undefined;
  /** Default 'auto'. */
  readonly tier?: Tier | 'auto' | undefined;
  /** Ends it: the last state goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Hears how far it is. */
  readonly onProgress?: ((phase: CalibrationPhase, done: number, total: number) => void) | undefined;
  /** Go on from here; called with the state after every document. */
  readonly state?: CalibrationState | undefined;
  /** Hears what is done so far, to be kept. */
  readonly onState?: ((state: CalibrationState) => void) | undefined;
}

const optionNames = [
  'count', 'tokens', 'heldOut', 'seed', 'documents', 'gradients', 'threads', 'tier', 'signal', 'onProgress', 'state', 'onState',
];
/** Sequences that samples are written in side by side. */
const together = 4;
const heldOutTokens = 128, promptTokens = 64, fewestHeldOut = 80, probedDocuments = 4, probedTokens = 100, shakenDocuments = 6;

/**
 * ```ts
 * const calibration = await calibrate('model.gguf', { onProgress: console.log });
 * await writeFile('model.clada.gguf', writeCalibration(calibration));
 * ```
 * @throws as `load` and `collectStatistics`; AbortedError (the last state given to `onState` is sound)
 */
export async function calibrate(path: string, options: CalibrateOptions = {}): Promise<Calibration> {
  checkNames('calibration options', options, optionNames);
  const { signal, onProgress = () => undefined, onState = () => undefined, tier = 'auto', threads = 'auto' } = options;
  const seed = checkNumber('seed', seedRange, options.seed ?? 1), counts = { min: 1, integer: true } as const;
  const count = checkNumber('count', counts, options.count ?? 13), tokens = checkNumber('tokens', counts, options.tokens ?? 320);
  const heldOutCount = checkNumber('heldOut', { min: 2, integer: true }, options.heldOut ?? 12);
  if (options.documents) checkDocuments(options.documents, heldOutCount);

  // one copy of the weights at a time: this one is for its fingerprint
  const { fingerprint, contextLength } = await open(path, tier, threads, signal).then(({ engine }) => {
    const known = { fingerprint: engine.fingerprint, contextLength: engine.plan.hparams.contextLength };
    engine.close();
    return known;
  });
  const key = JSON.stringify([
    CALIBRATION_VERSION, fingerprint, seed, count, tokens, heldOutCount, options.documents ? digestOf(options.documents) : 0,
    options.gradients ?? 'fisher',
  ]);
  const state: CalibrationState = options.state?.key === key ? options.state : { key };
  const { documents, heldOut } = options.documents
    ? split(options.documents, heldOutCount)
    : await writeSamples(path, state, { count, tokens, heldOutCount, contextLength, seed }, options);
  if (!state.statisticsDone) {
    await collectStatistics(path, documents, {
      seed, tier, signal, state: state.statistics, gradients: options.gradients !== 'perturbation',
      onProgress: ({ documents, totalDocuments, state: sums }) => {
        state.statistics = sums;
        onProgress('statistics', documents, totalDocuments);
        onState(state);
      },
    });
    if (options.gradients === 'perturbation') {
      const { scale } = await estimateGradientNorms(path, documents.slice(0, shakenDocuments), {
        seed, tier, signal, onProgress: (done, total) => onProgress('statistics', done, total),
      });
      state.scale = scale;
    }
    state.statisticsDone = true;
  }
  const opened = await open(path, tier, threads, signal);
  try {
    return await tables(opened, state, { documents, heldOut }, seed, options);
  } finally {
    opened.engine.close();
  }
}

/** Token ids to measure constants on, and those that levels are measured on. */
interface Documents { readonly documents: readonly (readonly number[])[]; readonly heldOut: readonly (readonly number[])[] }

const split = (given: readonly (readonly number[])[], heldOut: number): Documents =>
  ({ documents: given.slice(0, -heldOut), heldOut: given.slice(-heldOut).map((ids) => ids.slice(0, heldOutTokens)) });

/** The documents that the state lacks, each kept as it is done. */
async function writeSamples(
  path: string, state: CalibrationState, sizes: Readonly<Record<'count' | 'tokens' | 'heldOutCount' | 'contextLength' | 'seed', number>>,
  { tier = 'auto', threads = 'auto', signal, onProgress = () => undefined, onState = () => undefined }: CalibrateOptions,
): Promise<Documents> {
  const { count, tokens, heldOutCount, seed } = sizes, documents = (state.documents ??= []), heldOut = (state.heldOut ??= []);
  const isDone = (some: readonly unknown[], wanted: number): boolean => some.length >= wanted && !some.includes(undefined);
  const all = { documents, heldOut } as Documents;
  if (isDone(documents, count) && isDone(heldOut, heldOutCount)) return all;
  const model = await load(path, {
    tier, contextSize: Math.min(512, sizes.contextLength), calibration: false, threads, sequences: together, ...(signal ? { signal } : {}),
  });
  const sample = (into: (number[] | undefined)[], many: number, size: number, from: number, first: number): Promise<void> =>
    completeDocuments(model, into, {
      count: many, tokens: Math.min(size, model.info.contextSize), seed: from, together, signal,
      onProgress: (done) => { onProgress('samples', first + done, count + heldOutCount); onState(state); },
    });
  try {
    await sample(documents, count, tokens, seed, 0);
    await sample(heldOut, heldOutCount, heldOutTokens, (seed + 0x5eed) >>> 0, count);
  } finally {
    model.close();
  }
  return all;
}

/** Enough documents, and held-out ones long enough to be measured on behind their prompt. */
function checkDocuments(documents: readonly (readonly number[])[], heldOutCount: number): void {
  const shortest = documents.slice(-heldOutCount).reduce((least, { length }) => Math.min(least, length), Infinity);
  if (documents.length > heldOutCount && shortest >= fewestHeldOut) return;
  throw new InputError('E_OPTION', {
    subject: 'calibration documents',
    found: documents.length > heldOutCount ? `one of ${shortest} tokens among the last ${heldOutCount}` : String(documents.length),
    expected: `more than ${heldOutCount}, the last ${heldOutCount} of at least ${fewestHeldOut} tokens`,
    remedy: 'Give more text, or cut it into other pieces.',
  });
}

/** Of all ids, and where documents end (FNV-1a): a state is of these documents or of others. */
function digestOf(documents: readonly (readonly number[])[]): number {
  let hash = 0x811c9dc5;
  for (const ids of documents) for (const id of [ids.length, ...ids]) hash = Math.imul(hash ^ id, 0x01000193);
  return hash >>> 0;
}

interface Opened { readonly engine: Engine; readonly sequence: Sequence }

async function open(path: string, tier: Tier | 'auto', threads: number | 'auto', signal: AbortSignal | undefined): Promise<Opened> {
  const source = await openSource(path);
  try {
    const file = await readGguf(source, signal), plan = planModel(file);
    checkOneFfn(plan.hparams, 'calibration');
    const choice = await chooseThreads(threads, file.size);
    const contextSize = Math.min(512, plan.hparams.contextLength);
    const engine = await Engine.open(file, plan, { ...choice, tier, contextSize, kv: 'q8', signal });
    return { engine, sequence: new Sequence(engine) };
  } finally {
    await source.close();
  }
}

const nothingOfInputs = {
  attnInSensitivity: undefined, attnInSquare: undefined, outInSensitivity: undefined, outInSquare: undefined, ffnInSensitivity: undefined,
  ffnInSquare: undefined,
};

async function tables(
  { engine, sequence }: Opened, state: CalibrationState, { documents, heldOut }: Documents, seed: number, options: CalibrateOptions,
): Promise<Calibration> {
  const { signal, onProgress = () => undefined, onState = () => undefined } = options;
  const { hparams } = engine.plan, { nLayers, ffn, hidden, name } = hparams, gated = isGated(hparams);
  const statistics = meansOf(state.statistics!), columnNorm = engine.forms.columnNorms();
  const { scale } = state, root = (squares: Float32Array): Float32Array => asKept(squares.map(Math.sqrt));
  const sensitivity = scale ? asKept(columnNorm.map((norm, i) => scale[Math.floor(i / ffn)]! * norm)) : root(statistics.fisher);
  const inputs = scale ? nothingOfInputs : {
    attnInSensitivity: root(statistics.attnInFisher), attnInSquare: asKept(statistics.attnInSq),
    outInSensitivity: root(statistics.outInFisher), outInSquare: asKept(statistics.outInSq),
    ffnInSensitivity: root(statistics.ffnInFisher), ffnInSquare: asKept(statistics.ffnInSq),
  };
  const upSquare = asKept(statistics.upSq), hSquare = asKept(statistics.hSq);
  engine.forms.place({ sensitivity, upSquare, hSquare, columnNorm });
  const { attnInSensitivity: attentionSensitivity, outInSensitivity: outputSensitivity, ffnInSensitivity: ffnSensitivity } = inputs;
  engine.forms.place({ attentionSensitivity, outputSensitivity, ffnSensitivity });
  const none = { taus: [] as number[], middle: 0 };
  const { taus, middle } = gated ? await budgets(sequence, heldOut[0]!, promptTokens, (tau) => cascade(tau, false), 0.48, signal) : none;
  const ofInputs = attentionSensitivity ? await budgets(sequence, heldOut[0]!, promptTokens, overInputs, 0.55, signal) : none;
  const probed = documents.slice(0, probedDocuments).map((ids) => ids.slice(0, probedTokens));
  const curves = await measureCurves(engine, sequence, probed, {
    hSquare: statistics.hSq, gateSquare: statistics.gateSq, columnNorm, tau: middle, signal,
    onProgress: (done, total) => onProgress('thresholds', done, total),
  });
  const mean = gated ? asKept(curves.mean) : undefined, meanOut = mean && asKept(engine.forms.throughDown(mean));
  engine.forms.place({ mean, meanOut });

  const settings: Candidate[] = candidates(curves, nLayers, gated, taus, ofInputs.taus), damages: Damage[][] = [];
  const middleIndex = settings.findIndex(({ method, parameter }) => method === 'cascade' && parameter === middle);
  const rows = (state.rows ??= []);
  for (const [i, ids] of heldOut.entries()) {
    const known = rows[i], dense = await denseRows(sequence, ids, promptTokens, signal), own: Row[] = [], damage: Damage[] = [];
    for (const [j, { selection }] of settings.entries()) {
      throwIfAborted(signal, 'calibration');
      if (known?.length === settings.length && j !== middleIndex) { own.push(known[j]!); continue; } // measured in an earlier run
      own.push(await measure(
        sequence, ids, promptTokens, dense, selection, signal, j === middleIndex ? (token) => damage.push(token) : undefined,
      ));
      onProgress('levels', i * settings.length + j + 1, heldOut.length * settings.length);
    }
    damages.push(damage);
    rows[i] = own;
    onState(state);
  }
  const byCandidate = settings.map((_, j) => rows.map((own) => own[j]!));
  return {
    version: CALIBRATION_VERSION, fingerprint: engine.fingerprint, modelName: name, nLayers, ffn, hidden,
    headWidth: statistics.headWidth, tokens: statistics.nTokens,
    heldOutTokens: heldOut.length * (heldOutTokens - promptTokens), seed,
    gradients: options.gradients ?? 'fisher', sensitivity, upSquare, hSquare, mean, meanOut,
    ...inputs,
    ...fitCogLoad(damages), levels: levelsOf(settings, byCandidate, hparams.layers.reduce((sum, layer) => sum + layer.ffn, 0) / nLayers),
  };
}
