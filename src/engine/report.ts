/** What a pass reports of a token, read out of engine memory. */
import { RecordView, reportFields } from '../model/records.ts';

/** What one token decided, natural logarithms (nats). */
export interface StepReport {
  /** The token that was fed. */
  readonly token: number;
  /** Its position, from 0. */
  readonly position: number;
  /** -log p(token) under the distribution before it; NaN where that was not kept (first token, inside a prompt). */
  readonly surprisal: number;
  /** Entropy of the distribution after it. */
  readonly entropy: number;
  /** The largest logit after it. */
  readonly maxLogit: number;
  /** log of the sum of exp over all logits. */
  readonly logSumExp: number;
  /** Standard error of logSumExp where only `refined` logits are exact; 0 where all are. Nats. */
  readonly tailError: number;
  /** The most likely next token; the lowest id on ties. */
  readonly topToken: number;
  /** Bytes of weights that the pass read. */
  readonly weightBytes: number;
  /** Standardised load that moved the thresholds of this step, 0 where none did. */
  readonly cogLoad: number;
  /** What the thresholds were multiplied by. */
  readonly factor: number;
  /** Share used of the weights that the method may leave out: feed-forward (each matrix a third), or all of the layers; 1 = dense. */
  readonly cost: number;
  /** StepFlag bits. */
  readonly flags: number;
  /** Logits that are exact, rows of the output matrix that were read whole: all of them, or in two stages those that may matter. */
  readonly refined: number;
}

/** The report at `ptr`, copied. */
export function readReport(memory: WebAssembly.Memory, ptr: number): StepReport {
  const view = new RecordView(memory, ptr, reportFields), fields = Object.keys(reportFields) as (keyof typeof reportFields)[];
  const values = Object.fromEntries(fields.map((field) => [field, view.get(field)])) as Record<keyof typeof reportFields, number>;
  const { weightWords, ...rest } = values;
  return { ...rest, weightBytes: 4 * weightWords };
}
