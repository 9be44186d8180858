/**
 * Everything that the next tokens of a sequence depend on, apart from its engine: the cached positions and how each came to be, the logits
 * after them, and what sparse methods remember of the sequence. As an object, and as the sections of a snapshot (format.ts).
 */
import type { Selection } from '../adapt/selection.ts';
import { ConvolutionRows } from '../engine/convCache.ts';
import { capacityOf } from '../engine/kvCache.ts';
import { convolutionBytes } from '../model/convolution.ts';
import { cacheBytes } from '../model/memory.ts';
import type { Engine, SequenceState } from '../engine/engine.ts';
import { reportWords } from '../engine/state.ts';
import { FormatError } from '../errors.ts';
import type { Section } from './format.ts';

/** How a row of the cache came to be: dense and counted in the statistics, dense and not counted, decoded sparsely. */
export const RowKind = { counted: 1, uncounted: 2, sparse: 3 } as const;

export interface SavedSequence {
  /** Ids of the cached positions, and a RowKind each. */
  readonly tokens: Int32Array;
  readonly rows: Uint8Array;
  /** Leading tokens that the statistics know. */
  readonly counted: number;
  /** Whether the cache was as its owner had left it: loads and sparse rows are the owner's. */
  readonly owned: boolean;
  readonly state: SequenceState;
}

/** A sequence outside the engine's memory: what its owner goes on from once there is room again. */
export interface Parked { readonly sequence: SavedSequence; readonly owner: object | undefined; readonly selection: Selection }

/** What of a sequence is JSON. */
export interface SequenceHeader {
  readonly cached: number;
  readonly counted: number;
  readonly owned: boolean;
  readonly load?: { readonly count: number; readonly mean: number; readonly m2: number; readonly highRun: number };
  readonly nStat?: number;
  readonly hasLogits: boolean;
  /** From where on convolutions have the rows of every position. */
  readonly convFrom?: number;
}

/** Sizes that a model gives a sequence. */
export interface SequenceShape {
  readonly vocab: number;
  readonly nLayers: number;
  readonly ffn: number;
  cacheBytes(positions: number): number;
  readonly convTaps: number;
  convolutionBytes(positions: number): number;
  readonly reportWords: number;
}

export function shapeOf({ plan: { hparams }, kv }: Engine): SequenceShape {
  return {
    vocab: hparams.vocab, nLayers: hparams.nLayers, ffn: hparams.ffn, reportWords,
    cacheBytes: (positions) => cacheBytes(hparams, kv, capacityOf(positions)),
    convTaps: hparams.convTaps, convolutionBytes: (positions) => convolutionBytes(hparams, capacityOf(positions)),
  };
}

export function sequenceParts({ tokens, rows, counted, owned, state }: SavedSequence): { header: SequenceHeader; sections: Section[] } {
  const { keys, values, convolutions, logits, report, load, statistics } = state;
  return {
    header: {
      cached: tokens.length, counted, owned, hasLogits: logits !== undefined, ...(load ? { load } : {}),
      ...(statistics ? { nStat: statistics.nStat } : {}), ...(convolutions ? { convFrom: convolutions.low } : {}),
    },
    sections: [
      { name: 'rows', data: rows }, { name: 'keys', data: keys }, { name: 'values', data: values },
      ...(convolutions ? [{ name: 'convolutions', data: convolutions.rows }] : []),
      ...(logits && report ? [{ name: 'logits', data: logits }, { name: 'report', data: report }] : []),
      ...(statistics ? [{ name: 'statistics', data: statistics.sums }] : []),
    ],
  };
}

function damaged(found: string, expected: string): never {
  throw new FormatError('E_SNAPSHOT', {
    subject: 'snapshot', found, expected, remedy: 'The file is damaged or was not written by clada; save it again.',
  });
}

const isCount = (value: unknown, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
const isLoad = (load: SequenceHeader['load']): boolean =>
  isCount(load?.count, 2 ** 31 - 1) && isCount(load.highRun, 2 ** 31 - 1) && Number.isFinite(load.mean) && Number.isFinite(load.m2);

/**
 * The sequence of a snapshot, every size and value checked against the model's. `ids` are all tokens, those that are cached first.
 * @throws FormatError `E_SNAPSHOT`
 */
export function readSequence(
  header: SequenceHeader, ids: Int32Array, section: (name: string) => Uint8Array | undefined, shape: SequenceShape,
): SavedSequence {
  const { cached, counted, owned, load, nStat, hasLogits, convFrom } = header ?? {};
  if (!isCount(cached, ids.length) || !isCount(counted, cached)) {
    damaged(`${String(cached)} cached tokens, ${String(counted)} counted`, `at most ${ids.length}`);
  }
  if (typeof owned !== 'boolean' || typeof hasLogits !== 'boolean') damaged('no such fields', 'owned and hasLogits');
  for (const id of ids) if (!(id >= 0 && id < shape.vocab)) damaged(`token ${id}`, `0 … ${shape.vocab - 1}`);
  const need = (name: string, bytes: number): Uint8Array => {
    const data = section(name);
    return data?.length === bytes ? data : damaged(`${data?.length ?? 'no'} bytes of ${name}`, `${bytes}`);
  };
  const floats = (name: string, length: number): Float32Array => {
    const data = need(name, 4 * length);
    return new Float32Array(data.buffer, data.byteOffset, length);
  };
  const rows = need('rows', cached), cacheBytes = shape.cacheBytes(cached);
  rows.forEach((kind, i) => {
    if (!(kind >= 1 && kind <= 3) || (kind === RowKind.counted && i >= counted)) damaged(`row kind ${kind}`, '1, 2 or 3');
  });
  if (load !== undefined && !isLoad(load)) damaged('a load that is none', 'count, mean, m2, highRun');
  if (nStat !== undefined && !isCount(nStat, 2 ** 31 - 1)) damaged(`${String(nStat)} tokens counted`, 'a count');
  const sums = nStat === undefined ? undefined : floats('statistics', 3 * shape.nLayers * shape.ffn);
  if (sums?.some((value) => !(value >= 0 && value < Infinity))) {
    damaged('statistics that are no sums of squares', 'finite numbers from 0 up');
  }
  const convolves = shape.convTaps > 0;
  if (convolves && !(isCount(convFrom, cached) && new ConvolutionRows(shape.convTaps, convFrom).resumable(cached) === cached)) {
    damaged(`rows of convolutions from ${String(convFrom)} on`, `those that follow ${cached} tokens`);
  }
  if (counted > 0 && !sums) damaged('counted tokens without statistics', 'both');
  const report = hasLogits ? need('report', 4 * shape.reportWords) : undefined;
  return {
    tokens: ids.subarray(0, cached), rows, counted, owned,
    state: {
      keys: need('keys', cacheBytes), values: need('values', cacheBytes),
      convolutions: convolves ? { low: convFrom!, rows: need('convolutions', shape.convolutionBytes(cached)) } : undefined,
      logits: hasLogits ? floats('logits', shape.vocab) : undefined,
      report: report && new Int32Array(report.buffer, report.byteOffset, shape.reportWords), load,
      statistics: sums && { nStat: nStat!, sums },
    },
  };
}
