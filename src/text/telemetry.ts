/** What a step decided, for whoever asked for telemetry. Read before anybody else gets a turn: it lies in the workspace. */
import type { StepReport } from '../engine/engine.ts';
import { StepFlag } from '../model/enums.ts';
import type { Sequence } from '../session/sequence.ts';
import type { StepTelemetry } from './types.ts';

/** `level`: the method's own setting; `neurons`: which ran, too. */
export function telemetryOf(
  sequence: Sequence, { cogLoad, factor, cost, flags, weightBytes, refined, tailError }: StepReport, level: number | undefined,
  neurons: boolean,
): StepTelemetry {
  const has = (flag: number): boolean => (flags & flag) !== 0, sparse = has(StepFlag.sparse);
  return {
    cogLoad, factor, density: cost, level, thresholds: sparse ? sequence.adapt.thresholds(factor) : {}, weightBytes, refined, tailError,
    refreshed: has(StepFlag.refreshed), reran: has(StepFlag.reran), prior: has(StepFlag.prior),
    layers: sparse ? sequence.adapt.counts() : [],
    ...(sparse && !has(StepFlag.reran) && neurons && !sequence.engine.plan.hparams.experts ? { neurons: sequence.engine.used() } : {}),
  };
}
