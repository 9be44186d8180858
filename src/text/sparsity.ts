/** A loaded model's sparsity: its calibration, and options made ready to run. */
import type { Calibration } from '../adapt/calibration.ts';
import { checkBinding, readCalibration, writeCalibration } from '../adapt/calibration.ts';
import type { Level } from '../adapt/levels.ts';
import type { Bound, MethodName, SparsityOptions } from '../adapt/methods.ts';
import { boundOf, checkSparsity, methodNames } from '../adapt/methods.ts';
import type { ModelTraits, Resolved } from '../adapt/resolve.ts';
import { resolveSparsity } from '../adapt/resolve.ts';
import type { SourceInput } from '../bytes/open.ts';
import { located, openSource } from '../bytes/open.ts';
import { fileName, isRemote, sibling } from '../net/address.ts';
import type { NetworkOptions } from '../net/options.ts';
import type { Engine } from '../engine/engine.ts';
import type { Constants } from '../engine/model-forms.ts';
import { checkOneFfn } from '../model/experts.ts';
import { isGated } from '../model/hparams.ts';
import { fingerprintOf } from '../bytes/fingerprint.ts';
import { CladaError } from '../errors.ts';
import type { SequencePool } from '../session/pool.ts';
import { openShipped } from './shipped.ts';

/** 'auto': `NAME.clada.gguf` beside `NAME.gguf` if it is there, else what a checkout has for these weights (shipped.ts). */
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
  const hasName = typeof model === 'string' && /\.gguf$/i.test(remote ? fileName(model) : model);
  const beside = auto && hasName ? calibrationPath(model) : undefined;
  const options: NetworkOptions = { ...network };
  if (auto) options.retries = Math.min(network.retries ?? 5, 2); // what may not exist is not waited for
  delete options.sha256;
  const named = auto ? beside : from;
  const found = named === undefined ? undefined : await openSource(named, options, { mode: 'whole' }).catch((error: unknown) => {
    if (auto && error instanceof CladaError && (remote ? absent : ['E_NOT_FOUND']).includes(error.code)) return undefined;
    throw error;
  });
  const source = found ?? (auto ? await openShipped(engine.fingerprint) : undefined);
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

/** What a calibration says, as the engine holds it. */
export function constantsOf(
  { sensitivity, upSquare, hSquare, mean, meanOut, attnInSensitivity, outInSensitivity, ffnInSensitivity }: Calibration,
): Constants {
  return {
    sensitivity, upSquare, hSquare, mean, meanOut,
    attentionSensitivity: attnInSensitivity, outputSensitivity: outInSensitivity, ffnSensitivity: ffnInSensitivity,
  };
}

export class Sparsity {
  readonly #traits: ModelTraits;
  #placed = false;
  #norms = false;
  #inputNorms = false;
  #digest: string | undefined;
  readonly #chosen = new Map<string, Resolved>();

  constructor(private readonly pool: SequencePool, readonly calibration: Calibration | undefined) {
    const { hparams } = pool.engine.plan;
    const relu = hparams.layers.every(({ activation }) => activation === 'relu' || activation === 'relu2');
    const weights = (fields: readonly string[]): number => pool.engine.plan.tensors.reduce(
      (sum, { role, layer, rows, cols }) => sum + (layer !== undefined && fields.includes(role.field) ? rows * cols : 0), 0);
    const downShare = weights(['down']) / weights(['q', 'k', 'v', 'o', 'gate', 'up', 'down']);
    const [layer] = hparams.layers, mixture = hparams.experts, shared = mixture?.sharedFfn ?? 0;
    const experts = mixture && { used: mixture.used, sharedShare: shared / (shared + mixture.used * layer!.ffn) };
    this.#traits = { downShare, experts, nLayers: hparams.nLayers, ffn: hparams.ffn, gated: isGated(hparams), relu };
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

  async #auto(options: SparsityOptions, bound: Bound | undefined, signal: AbortSignal | undefined): Promise<Resolved> {
    const key = JSON.stringify([options, bound]), known = this.#chosen.get(key);
    if (known) return known;
    const { chooseMethod } = await import('./auto.ts');
    const levels = [...this.calibration?.levels ?? []].filter((entry): entry is [MethodName, readonly Level[]] =>
      (methodNames as readonly string[]).includes(entry[0])); // others are of a later version
    const chosen = await chooseMethod({
      pool: this.pool, calibrated: this.calibration !== undefined, levels, relu: this.#traits.relu,
      prepare: (asked) => this.#prepare(asked),
    }, options, bound, signal);
    this.#chosen.set(key, chosen);
    return chosen;
  }

  #prepare(options: SparsityOptions): Resolved {
    const { method = 'clada' } = options;
    if (method !== 'dense' && method !== 'experts') checkOneFfn(this.pool.engine.plan.hparams, `method ${method}`);
    const resolved = { ...resolveSparsity(options, this.#traits, this.calibration), bound: boundOf(options), options };
    if (resolved.selection.stages === 0) return resolved;
    const { forms } = this.pool.engine;
    if (!this.#placed && this.calibration) {
      forms.place(constantsOf(this.calibration));
    }
    this.#placed = true;
    if (!this.#norms && (resolved.selection.productWeights === 'columnNorm' || resolved.selection.rule === 'cett')) {
      forms.place({ columnNorm: forms.columnNorms() });
      this.#norms = true;
    }
    if (!this.#inputNorms && resolved.selection.inputWeights === 'columnNorm') {
      forms.place(forms.inputNorms());
      this.#inputNorms = true;
    }
    return resolved;
  }
}
