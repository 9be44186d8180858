/** A loaded model's sparsity: its calibration, and options made ready to run. */
import type { Calibration } from '../adapt/calibration.ts';
import { checkBinding, readCalibration } from '../adapt/calibration.ts';
import type { ModelTraits, Resolved, SparsityOptions } from '../adapt/methods.ts';
import { resolveSparsity } from '../adapt/methods.ts';
import type { SourceInput } from '../bytes/open.ts';
import { openSource } from '../bytes/open.ts';
import type { Engine } from '../engine/engine.ts';
import { CladaError } from '../errors.ts';
import type { Session } from '../session/session.ts';

/** 'auto': `NAME.clada.gguf` beside `NAME.gguf` if it is there. */
export type CalibrationSource = 'auto' | false | SourceInput;

/** The file that 'auto' looks for. */
export function calibrationPath(model: string): string {
  return model.replace(/(-\d{5}-of-\d{5})?\.gguf$/i, '.clada.gguf');
}

/** Reads the calibration and checks that it belongs to the model. Undefined where there is none. @throws as readCalibration and checkBinding */
export async function openCalibration(from: CalibrationSource, modelSource: unknown, engine: Engine): Promise<Calibration | undefined> {
  if (from === false) return undefined;
  const auto = from === 'auto';
  if (auto && (typeof modelSource !== 'string' || !/\.gguf$/i.test(modelSource))) return undefined;
  const source = await openSource(auto ? calibrationPath(modelSource as string) : from).catch((error: unknown) => {
    if (auto && error instanceof CladaError && error.code === 'E_NOT_FOUND') return undefined;
    throw error;
  });
  if (!source) return undefined;
  try {
    const calibration = await readCalibration(source);
    const { nLayers, ffn, hidden, name } = engine.plan.hparams;
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

  constructor(private readonly engine: Engine, private readonly session: Session, readonly calibration: Calibration | undefined) {
    const { family, hparams } = engine.plan;
    this.#traits = { nLayers: hparams.nLayers, gated: family.layer.some(({ field }) => field === 'gate'), relu: family.activation === 'relu' };
  }

  /** What the options mean for this model, with everything that it needs in memory. @throws as resolveSparsity */
  resolve(options: SparsityOptions): Resolved {
    const resolved = resolveSparsity(options, this.#traits, this.calibration);
    if (resolved.selection.stages === 0) return resolved;
    const { adapt } = this.session;
    if (!this.#placed && this.calibration) {
      const { sensitivity, upSquare, hSquare, mean, meanOut } = this.calibration;
      adapt.place({ sensitivity, upSquare, hSquare, mean, meanOut });
    }
    this.#placed = true;
    if (!this.#norms && (resolved.selection.productWeights === 'columnNorm' || resolved.selection.rule === 'cett')) {
      adapt.place({ columnNorm: this.engine.columnNorms() });
      this.#norms = true;
    }
    return resolved;
  }
}
