/**
 * The state of one sequence copied out of engine memory and back into it: cached positions, logits and report of the last token,
 * statistics, loads.
 */
import type { KvName } from '../model/enums.ts';
import type { Hparams } from '../model/types.ts';
import { convolutionBytes } from '../model/convolution.ts';
import { cacheBytes } from '../model/memory.ts';
import type { RecordView, sequenceFields } from '../model/records.ts';
import { recordBytes, reportFields } from '../model/records.ts';
import { factorsIn } from '../model/rope.ts';
import type { ModelPlan, Precision } from '../model/plan.ts';
import type { AdaptState } from './adapt.ts';
import type { Tier } from './binaries.ts';
import type { ConvolutionRows } from './convCache.ts';
import { copyConvolutions } from './convCache.ts';
import type { Cache } from './kvCache.ts';
import { ABI_VERSION } from './instantiate.ts';
import { capacityOf, clearBehind, copyCache } from './kvCache.ts';

/** Independent of the context size that it was saved from; arrays are copies, or views of a snapshot. */
export interface SequenceState {
  /** Caches of all layers whose capacity is the positions rounded up to 8, each in the cache's own type. */
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** What convolutions keep, laid out for the same capacity; every position from `low` on is among it. Of models that have some. */
  readonly convolutions?: { readonly low: number; readonly rows: Uint8Array } | undefined;
  /** Logits [vocab] after the last token and its report, word by word; absent where they are lost. */
  readonly logits?: Float32Array | undefined;
  readonly report?: Int32Array | undefined;
  /** Of the loads so far: how many, mean, sum of squared deviations, and the high ones in a row. */
  readonly load?: { readonly count: number; readonly mean: number; readonly m2: number; readonly highRun: number } | undefined;
  /** Tokens counted, and their sums [nLayers, 3, ffn]: h², (h / |h|)², u². */
  readonly statistics?: { readonly nStat: number; readonly sums: Float32Array } | undefined;
}

/** What the state of a sequence depends on: the weights, and what computed it. */
export interface Binding {
  /** The model. */
  readonly model: { readonly name: string; readonly fingerprint: string };
  /** The build, and how it keeps keys and values. `factors`: of two sets of frequencies the one that its context size asks for. */
  readonly build: {
    readonly abi: number; readonly tier: Tier; readonly kv: KvName; readonly precision: Precision; readonly factors?: 'short' | 'long';
  };
}

/** The binding of an engine. */
export function bindingOf(
  { plan: { tensors, hparams: { name, ropes } }, fingerprint, tier, kv, contextSize }:
  { plan: ModelPlan; fingerprint: string; tier: Tier; kv: KvName; contextSize: number },
): Binding {
  const precision = tensors.some(({ through }) => through !== undefined) ? 'exact' : 'fast', factors = factorsIn(ropes, contextSize);
  return { model: { name, fingerprint }, build: { abi: ABI_VERSION, tier, kv, precision, ...(factors ? { factors } : {}) } };
}

/** Where a sequence lies. */
export interface Place {
  readonly memory: WebAssembly.Memory;
  readonly sequence: RecordView<typeof sequenceFields>;
  readonly hparams: Hparams;
  readonly kv: KvName;
  /** Undefined where no neuron was ever skipped. */
  readonly adapt: AdaptState | undefined;
  /** Undefined where no layer convolves. */
  readonly rows: ConvolutionRows | undefined;
}

export const reportWords = recordBytes(reportFields) / 4;
const parts = ['keys', 'values'] as const;

/** What a sequence keeps of the inputs of its convolutions. */
function keptRows(memory: WebAssembly.Memory, sequence: Place['sequence'], hparams: Hparams): Cache {
  const capacity = sequence.get('capacity');
  return { bytes: new Uint8Array(memory.buffer, sequence.get('convPtr'), convolutionBytes(hparams, capacity)), capacity };
}

export function saveState(
  { memory, sequence, hparams, kv, adapt, rows }: Place, length: number, what: { logits: boolean; load: boolean; statistics: boolean },
): SequenceState {
  const capacity = capacityOf(length), total = cacheBytes(hparams, kv, sequence.get('capacity'));
  const [keys, values] = parts.map((part) => {
    const to = { bytes: new Uint8Array(cacheBytes(hparams, kv, capacity)), capacity };
    const from = { bytes: new Uint8Array(memory.buffer, sequence.get(`${part}Ptr`), total), capacity: sequence.get('capacity') };
    copyCache(hparams, kv, part, capacity, from, to);
    clearBehind(hparams, kv, part, length, to);
    return to.bytes;
  }) as [Uint8Array, Uint8Array];
  const convolutions = rows && { low: Math.min(rows.low, length), rows: new Uint8Array(convolutionBytes(hparams, capacity)) };
  if (convolutions) {
    copyConvolutions(hparams, length, convolutions.low, keptRows(memory, sequence, hparams), { bytes: convolutions.rows, capacity });
  }
  const record = adapt?.record, { nLayers, ffn } = hparams;
  const sums = new Float32Array(adapt && what.statistics ? 3 * nLayers * ffn : 0);
  if (adapt && what.statistics) {
    for (let i = 0; i < nLayers; i++) {
      const { h, normed, up } = adapt.sums(i);
      [h, normed, up].forEach((values, j) => { sums.set(values, (3 * i + j) * ffn); });
    }
  }
  return {
    keys, values, convolutions,
    ...(what.logits ? {
      logits: new Float32Array(memory.buffer, sequence.get('logitsPtr'), hparams.vocab).slice(),
      report: new Int32Array(memory.buffer, sequence.get('reportPtr'), reportWords).slice(),
    } : {}),
    ...(record && what.load ? {
      load: {
        count: record.get('cogLoadCount'), mean: record.get('cogLoadMean'), m2: record.get('cogLoadM2'), highRun: record.get('highRun'),
      },
    } : {}),
    ...(record && what.statistics ? { statistics: { nStat: record.get('nStat'), sums } } : {}),
  };
}

/**
 * Makes `length` tokens of `state` the sequence's. The selection is made anew from the statistics at the next step, which gives the same
 * one.
 */
export function restoreState({ memory, sequence, hparams, kv, adapt, rows }: Place, length: number, state: SequenceState): void {
  const capacity = capacityOf(length), total = cacheBytes(hparams, kv, sequence.get('capacity'));
  const { logits, report, load, statistics, convolutions } = state;
  for (const part of parts) {
    const to = { bytes: new Uint8Array(memory.buffer, sequence.get(`${part}Ptr`), total), capacity: sequence.get('capacity') };
    copyCache(hparams, kv, part, capacity, { bytes: state[part], capacity }, to);
  }
  if (rows && convolutions) {
    rows.low = convolutions.low;
    copyConvolutions(hparams, length, rows.low, { bytes: convolutions.rows, capacity }, keptRows(memory, sequence, hparams));
  }
  sequence.assign({ position: length, hasLogits: logits ? 1 : 0, floor: -Infinity });
  if (logits && report) {
    new Float32Array(memory.buffer, sequence.get('logitsPtr'), hparams.vocab).set(logits);
    new Int32Array(memory.buffer, sequence.get('reportPtr'), reportWords).set(report);
  }
  if (!adapt) return;
  adapt.record.assign({
    nStat: statistics?.nStat ?? 0, cogLoadCount: load?.count ?? 0, cogLoadMean: load?.mean ?? 0, cogLoadM2: load?.m2 ?? 0,
    highRun: load?.highRun ?? 0, dirty: 1,
  });
  for (let i = 0; i < hparams.nLayers; i++) {
    const { h, normed, up } = adapt.sums(i);
    [h, normed, up].forEach((values, j) => {
      if (statistics) values.set(statistics.sums.subarray((3 * i + j) * hparams.ffn, (3 * i + j) * hparams.ffn + values.length));
      else values.fill(0);
    });
  }
}
