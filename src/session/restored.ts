/** A sequence from the sections of a snapshot, every size and value checked against the model's. */
import { damaged } from './format.ts';
import type { SavedSequence, SequenceHeader } from './saved.ts';
import { RowKind } from './saved.ts';

/** Sizes that a model gives a sequence. */
export interface SequenceShape {
  readonly vocab: number;
  readonly nLayers: number;
  readonly ffn: number;
  cacheBytes(positions: number): number;
  readonly convTaps: number;
  /** Whether the rows of convolutions from `low` on are all that `cached` positions need. */
  resumable(low: number, cached: number): boolean;
  convolutionBytes(positions: number): number;
  readonly reportWords: number;
}

const isCount = (value: unknown, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
const isLoad = (load: SequenceHeader['load']): boolean =>
  isCount(load?.count, 2 ** 31 - 1) && isCount(load.highRun, 2 ** 31 - 1) && Number.isFinite(load.mean) && Number.isFinite(load.m2);

/**
 * `ids` are all tokens, those that are cached first.
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
  if (convolves && !(isCount(convFrom, cached) && shape.resumable(convFrom, cached))) {
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
