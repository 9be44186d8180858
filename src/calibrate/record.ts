/** The calibration's record (assembly/abi/calibrate.ts) and the buffers behind it. test/calibrate/record.test.ts compares the two sides. */
import { Place } from '../model/enums.ts';
import type { Hparams } from '../model/types.ts';
import { ropeDims } from '../model/hparams.ts';
import type { ModelPlan } from '../model/plan.ts';
import { aligned } from '../model/plan.ts';
import type { Fields } from '../model/records.ts';

export const calibrateFields = {
  modelPtr: 'u32', capacity: 'i32', nTokens: 'i32', skip: 'i32', logitRows: 'i32', tokensPtr: 'u32', labelsPtr: 'u32', drawsPtr: 'u32',
  nllPtr: 'u32', anglesPtr: 'u32', anglesBackPtr: 'u32', streamPtr: 'u32', midPtr: 'u32', normedPtr: 'u32', qPtr: 'u32', attnPtr: 'u32',
  kPtr: 'u32', vPtr: 'u32', gatePtr: 'u32', upPtr: 'u32', hPtr: 'u32', outPtr: 'u32', dxPtr: 'u32', dNormedPtr: 'u32', dqPtr: 'u32',
  dkPtr: 'u32', dvPtr: 'u32', scoresPtr: 'u32', logitsPtr: 'u32', weightsPtr: 'u32', hSumPtr: 'u32', hSqPtr: 'u32', hNormedSqPtr: 'u32',
  upSqPtr: 'u32', gateSqPtr: 'u32', fisherPtr: 'u32', inputSqPtr: 'u32', inputFisherPtr: 'u32', inputBytes: 'i32', layerGradSqPtr: 'u32',
  collect: 'i32', iLayer: 'i32', nudgeLayer: 'i32', nudgePlace: 'i32', nudgePtr: 'u32',
} as const satisfies Fields;

/** Values at a place of the widest layer. */
export const widthOf = (h: Hparams, place: Place): number =>
  (place === Place.h ? h.ffn : place === Place.heads ? h.heads * h.headDim : h.hidden);

/** Where the sums of a layer's inputs but h lie in its row of `inputSqPtr` and `inputFisherPtr`, in values, and how long a row is. */
export function inputRow({ hidden, heads, headDim }: Hparams): { at: Readonly<Record<0 | 1 | 2, number>>; length: number } {
  const width = rowWidth(hidden);
  return { at: { [Place.attention]: 0, [Place.ffn]: width, [Place.heads]: 2 * width }, length: 2 * width + rowWidth(heads * headDim) };
}

/** Most tokens of a document: attention is quadratic in it, buffers are linear. */
export const MAX_DOCUMENT = 512;
/** Bytes of logits that may exist at a time. */
const logitBytes = 64 * 1024 * 1024;
/** Rows of weights that are expanded together (assembly/backward/product.ts). */
const expandedRows = 32;

const pad = (width: number, to: number): number => Math.ceil(width / to) * to;
/** Bytes rounded up to an odd number of cache lines of 64, as assembly/backward does for rows of logits and of expanded weights. */
const oddLines = (bytes: number): number => 64 * (Math.ceil(bytes / 64) | 1);
/** Values from row to row of an activation buffer. */
export const rowWidth = (width: number): number => pad(width, 32);

export interface CalibrateLayout {
  readonly capacity: number;
  readonly logitRows: number;
  /** Pointer field → bytes. The one of perturbations is among them. */
  readonly buffers: Readonly<Record<string, number>>;
  readonly bytes: number;
}

/** Sizes for documents of up to `maxTokens` tokens. */
export function layoutCalibration({ hparams: h, tensors }: ModelPlan, maxTokens: number): CalibrateLayout {
  const capacity = pad(Math.min(maxTokens, MAX_DOCUMENT), 8), logitRow = oddLines(4 * h.vocab);
  // an even number, so that two slots' logits fit side by side
  const logitRows = Math.max(2, Math.min(capacity, 2 * Math.floor(logitBytes / logitRow / 2)));
  const buffers = {
    ...activationBuffers(h, capacity), ...sumBuffers(h), logitsPtr: logitRow * (logitRows + 1),
    weightsPtr: weightsBytes(tensors.map(({ cols }) => cols)),
  };
  return { capacity, logitRows, buffers, bytes: Object.values(buffers).reduce((sum, bytes) => sum + aligned(bytes), 0) };
}

function activationBuffers(h: Hparams, capacity: number): Record<string, number> {
  const row = (width: number): number => 4 * capacity * rowWidth(width);
  const angles = 4 * capacity * ropeDims(h), hidden = row(h.hidden), ffn = row(h.ffn), q = row(h.heads * h.headStride);
  const kv = row(h.kvHeads * h.headStride);
  return {
    tokensPtr: 4 * capacity, labelsPtr: 4 * capacity, drawsPtr: 8 * capacity, nllPtr: 8 * capacity,
    anglesPtr: angles, anglesBackPtr: angles, streamPtr: (h.nLayers + 2) * hidden,
    midPtr: hidden, normedPtr: hidden, outPtr: hidden, dxPtr: hidden, dNormedPtr: hidden,
    qPtr: q, attnPtr: q, dqPtr: q, kPtr: kv, vPtr: kv, dkPtr: kv, dvPtr: kv,
    gatePtr: h.convTaps > 0 ? row(Math.max(h.ffn, 3 * h.hidden)) : ffn, upPtr: ffn, hPtr: ffn,
    nudgePtr: row(Math.max(h.ffn, h.hidden, h.heads * h.headStride)), scoresPtr: 12 * capacity,
  };
}

function sumBuffers(h: Hparams): Record<string, number> {
  const bytes = 4 * h.nLayers * rowWidth(h.ffn), inputs = 4 * h.nLayers * inputRow(h).length;
  return {
    hSumPtr: bytes, hSqPtr: bytes, hNormedSqPtr: bytes, upSqPtr: bytes, gateSqPtr: bytes, fisherPtr: bytes,
    inputSqPtr: inputs, inputFisherPtr: inputs, layerGradSqPtr: 8 * h.nLayers,
  };
}

function weightsBytes(cols: readonly number[]): number {
  return expandedRows * oddLines(4 * cols.reduce((a, b) => Math.max(a, b), 0));
}
