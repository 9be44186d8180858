/** Sizes of everything a session needs, from the model and three choices: how long, how precise, how many tokens a pass. */
import { InputError, ModelError } from '../errors.ts';
import type { KvName } from './enums.ts';
import { KvKind } from './enums.ts';
import type { Hparams } from './hparams.ts';
import type { ModelPlan } from './plan.ts';
import { aligned } from './plan.ts';
import { recordBytes, reportFields } from './records.ts';

/** Tokens of one prefill pass: enough to pay for unpacking a weight, few enough that activations stay in cache. */
export const CHUNK = 64;
/** Tokens of one pass that keeps all logits (scoring). */
export const LOGIT_ROWS = 16;
/** Bytes of a block's activation record, the larger of the two builds (assembly/kernels/quantize). */
const quantRecordBytes = 96;
/** Scratch behind the attention scores (assembly/kernels/attention/attention.ts). */
const scratchBytes = 1024;
/** All of a 32-bit memory but the last page, and some for records and static data. */
export const MAX_BYTES = 65535 * 65536;

export interface SessionOptions {
  /** Positions that the key/value cache holds. */
  readonly contextSize: number;
  readonly kv: KvName;
}

export interface SessionLayout {
  /** Positions held, `contextSize` rounded up to 8. */
  readonly capacity: number;
  /** Bytes of one layer's keys (= of its values). */
  readonly kvBytes: number;
  /** Pointer field of SessionRecord → bytes, in the order of memory. */
  readonly buffers: Readonly<Record<string, number>>;
  readonly bytes: number;
}

const pad = (width: number, to: number): number => Math.ceil(width / to) * to;

/** Bytes of one layer's keys. */
export function kvLayerBytes(h: Hparams, kv: KvName, capacity: number): number {
  const cells = h.headDim * capacity;
  return h.kvHeads * (kv === 'f32' ? 4 * cells : kv === 'f16' ? 2 * cells : cells + 4 * capacity);
}

export function layoutSession(h: Hparams, { contextSize, kv }: SessionOptions): SessionLayout {
  const capacity = pad(contextSize, 8);
  const kvBytes = kvLayerBytes(h, kv, capacity);
  const row = (width: number): number => 4 * CHUNK * pad(width, 32);
  const qWidth = h.heads * h.headDim, kvWidth = h.kvHeads * h.headDim;
  const maxCols = Math.max(h.hidden, qWidth, h.ffn);
  const buffers = {
    tokensPtr: 4 * CHUNK, xPtr: row(h.hidden), normedPtr: row(h.hidden), quantPtr: 2 * CHUNK * quantRecordBytes * Math.ceil(maxCols / 32),
    qPtr: row(qWidth), kPtr: row(kvWidth), vPtr: row(kvWidth), attnPtr: row(qWidth), outPtr: row(h.hidden), gatePtr: row(h.ffn), upPtr: row(h.ffn),
    ropePtr: 4 * CHUNK * h.ropeDim, scoresPtr: 4 * capacity + scratchBytes, logitsPtr: 4 * LOGIT_ROWS * pad(h.vocab, 8), reportPtr: recordBytes(reportFields) * LOGIT_ROWS,
    keysPtr: h.nLayers * kvBytes, valuesPtr: h.nLayers * kvBytes,
  };
  return { capacity, kvBytes, buffers, bytes: Object.values(buffers).reduce((sum, bytes) => sum + aligned(bytes), 0) };
}

export interface MemoryPlan {
  readonly weights: number;
  readonly kv: number;
  /** Activations, logits and scratch. */
  readonly activations: number;
  readonly total: number;
}

/** Records, static data, and the staging buffer where it exceeds a session. */
const overheadBytes = 8 * 1024 * 1024;

/**
 * Bytes by part, before anything is allocated.
 * @throws InputError `E_OPTION` (contextSize, kv); ModelError `E_WONT_FIT` above `maxBytes`, naming the largest context that would fit.
 */
export function planMemory(plan: ModelPlan, options: SessionOptions, maxBytes = MAX_BYTES): MemoryPlan {
  checkOptions(plan, options);
  const { kvBytes, bytes } = layoutSession(plan.hparams, options);
  const kv = 2 * plan.hparams.nLayers * kvBytes;
  const total = plan.weightBytes + bytes + overheadBytes;
  if (total > maxBytes) wontFit(plan, options, total, maxBytes);
  return { weights: plan.weightBytes, kv, activations: bytes - kv, total };
}

function checkOptions({ hparams }: ModelPlan, { contextSize, kv }: SessionOptions): void {
  if (!(Number.isInteger(contextSize) && contextSize >= 1)) {
    throw new InputError('E_OPTION', { subject: 'contextSize', found: String(contextSize), expected: 'a positive integer', remedy: 'Leave it out for the default.' });
  }
  if (!Object.hasOwn(KvKind, kv)) {
    throw new InputError('E_OPTION', { subject: 'kv', found: String(kv), expected: Object.keys(KvKind).join(', '), remedy: 'Leave it out for the default.' });
  }
  if (contextSize > hparams.contextLength) {
    throw new InputError('E_OPTION', { subject: 'contextSize', found: String(contextSize), expected: `at most ${hparams.contextLength}, what the model was trained on`, remedy: 'Use a smaller context.' });
  }
}

function wontFit(plan: ModelPlan, { kv, contextSize }: SessionOptions, total: number, maxBytes: number): never {
  const fits = (type: KvName, size: number): boolean => plan.weightBytes + layoutSession(plan.hparams, { contextSize: size, kv: type }).bytes + overheadBytes <= maxBytes;
  const largest = (type: KvName): number => {
    let low = 0, high = contextSize;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (fits(type, middle)) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const options = (['f32', 'f16', 'q8'] as const).filter((type) => type === kv || type === 'q8').map((type) => ({ type, size: largest(type) })).filter(({ size }) => size > 0);
  throw new ModelError('E_WONT_FIT', {
    subject: plan.hparams.name, found: `${total} bytes needed (${plan.weightBytes} of weights, context ${contextSize}, kv ${kv})`, expected: `at most ${maxBytes}`,
    remedy: options.length > 0
      ? `What would fit: ${options.map(({ type, size }) => `contextSize ${size} with kv "${type}"`).join(', or ')}.`
      : 'Not even a context of one token fits: use a smaller model or a smaller quantisation.',
  });
}
