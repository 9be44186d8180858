/** Sizes of everything a session needs, from the model and three choices: how long, how precise, how many tokens a pass. */
import type { Fit } from '../errors.ts';
import { InputError, WontFitError } from '../errors.ts';
import type { KvName } from './enums.ts';
import { KvKind, Stage } from './enums.ts';
import { adaptiveBytes, formBytes } from './forms.ts';
import type { Hparams } from './hparams.ts';
import { allKvHeads, ropeDims } from './hparams.ts';
import type { ModelPlan } from './plan.ts';
import { aligned } from './plan.ts';
import { recordBytes, reportFields } from './records.ts';
import { stagingBytes } from './staging.ts';

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
  /** Bytes of the keys (= of the values) of all layers. */
  readonly kvBytes: number;
  /** Pointer field of SessionRecord → bytes, in the order of memory. */
  readonly buffers: Readonly<Record<string, number>>;
  readonly bytes: number;
}

const pad = (width: number, to: number): number => Math.ceil(width / to) * to;

/** Bytes of the keys (= of the values) of all layers. */
export function cacheBytes(h: Hparams, kv: KvName, capacity: number): number {
  const cells = h.headDim * capacity;
  return allKvHeads(h) * (kv === 'f32' ? 4 * cells : kv === 'f16' ? 2 * cells : cells + 4 * capacity);
}

export function layoutSession(h: Hparams, { contextSize, kv }: SessionOptions): SessionLayout {
  const capacity = pad(contextSize, 8);
  const kvBytes = cacheBytes(h, kv, capacity);
  const row = (width: number): number => 4 * CHUNK * pad(width, 32);
  const qWidth = h.heads * h.headDim, kvWidth = h.kvHeads * h.headDim;
  const maxCols = Math.max(h.hidden, qWidth, h.ffn);
  const buffers = {
    tokensPtr: 4 * CHUNK, xPtr: row(h.hidden), normedPtr: row(h.hidden), quantPtr: 2 * CHUNK * quantRecordBytes * Math.ceil(maxCols / 32),
    qPtr: row(qWidth), kPtr: row(kvWidth), vPtr: row(kvWidth), attnPtr: row(qWidth), outPtr: row(h.hidden), gatePtr: row(h.ffn), upPtr: row(h.ffn),
    anglesPtr: 4 * CHUNK * ropeDims(h), scoresPtr: 4 * capacity + scratchBytes, logitsPtr: 4 * LOGIT_ROWS * pad(h.vocab, 8), reportPtr: recordBytes(reportFields) * LOGIT_ROWS,
    keysPtr: kvBytes, valuesPtr: kvBytes,
  };
  return { capacity, kvBytes, buffers, bytes: Object.values(buffers).reduce((sum, bytes) => sum + aligned(bytes), 0) };
}

/** Ceilings of runtimes, in bytes of WebAssembly memory. `edge`: what 128 MB for JavaScript and WebAssembly together leave with the embedded model: its tokenizer, the engine and the runtime take 14 MB. */
export const ceilings = { wasm32: MAX_BYTES, edge: 112_000_000 } as const;

/** What a method skips, as far as memory cares; stages 0 = dense. */
export interface Skipping { readonly stages: number; readonly density: number }

export interface MemoryPlan {
  readonly weights: number;
  readonly kv: number;
  /** Activations, logits and scratch. */
  readonly activations: number;
  /** Lists, masks and statistics of a sparse method; 0 where none was asked for. */
  readonly adaptive: number;
  /** The second copy of feed-forward matrices that makes a sparse method fast: as much of it as fits, and all of it. */
  readonly forms: number;
  readonly formsWanted: number;
  /** All of it, and the ceiling. */
  readonly total: number;
  readonly maxBytes: number;
}

/** Records and static data. */
const overheadBytes = 512 * 1024;

function required(plan: ModelPlan, options: SessionOptions, { stages }: Skipping): number {
  return plan.weightBytes + Math.max(layoutSession(plan.hparams, options).bytes, stagingBytes(plan)) + overheadBytes + (stages === 0 ? 0 : adaptiveBytes(plan.hparams));
}

/**
 * Bytes by part, before anything is allocated. What a sparse method cannot do without is required; its second copies are made as far as there is room.
 * @throws InputError `E_OPTION` (contextSize, kv, maxBytes); WontFitError `E_WONT_FIT` above `maxBytes`, with the largest context that would fit for each type of cache.
 */
export function planMemory(plan: ModelPlan, options: SessionOptions, maxBytes: number = MAX_BYTES, skipping: Skipping = { stages: 0, density: 1 }): MemoryPlan {
  checkOptions(plan, options, maxBytes);
  const { kvBytes, bytes } = layoutSession(plan.hparams, options);
  const kv = 2 * kvBytes, least = required(plan, options, skipping);
  if (least > Math.min(maxBytes, MAX_BYTES)) wontFit(plan, options, least, Math.min(maxBytes, MAX_BYTES), skipping);
  const formsWanted = skipping.stages === 0 ? 0 : formBytes(plan, skipping.stages, skipping.density), forms = Math.min(formsWanted, Math.min(maxBytes, MAX_BYTES) - least);
  return {
    weights: plan.weightBytes, kv, activations: bytes - kv, adaptive: skipping.stages === 0 ? 0 : adaptiveBytes(plan.hparams),
    forms: skipping.stages === Stage.mask && forms < formsWanted ? 0 : forms, formsWanted, total: least + (skipping.stages === Stage.mask && forms < formsWanted ? 0 : forms), maxBytes,
  };
}

/** Lines for people. */
export function describeMemory({ kv, activations, adaptive, forms, formsWanted, total, maxBytes }: MemoryPlan): string[] {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const sparse = adaptive === 0 ? '' : `, skipping ${mb(adaptive)}, copies by neuron ${mb(forms)}${forms < formsWanted ? ` of ${mb(formsWanted)}: the rest is computed whole or ordered in place` : ''}`;
  return [`memory ${mb(total)}${maxBytes < MAX_BYTES ? ` of ${mb(maxBytes)}` : ''}: key/value cache ${mb(kv)}, activations ${mb(activations)}${sparse}`];
}

function checkOptions({ hparams }: ModelPlan, { contextSize, kv }: SessionOptions, maxBytes: number): void {
  if (!(typeof maxBytes === 'number' && maxBytes > 0)) {
    throw new InputError('E_OPTION', { subject: 'maxBytes', found: String(maxBytes), expected: 'a number of bytes', remedy: 'Leave it out for the 4 GiB of a 32-bit memory.' });
  }
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

/** The largest context that fits with each type of cache, the most precise first; 0: none. */
function largestContexts(plan: ModelPlan, maxBytes: number, skipping: Skipping): Fit[] {
  return (['f32', 'f16', 'q8'] as const).map((kv) => {
    let low = 0, high = plan.hparams.contextLength;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (required(plan, { contextSize: middle, kv }, skipping) <= maxBytes) low = middle;
      else high = middle - 1;
    }
    return { kv, contextSize: low };
  });
}

function wontFit(plan: ModelPlan, { kv, contextSize }: SessionOptions, needed: number, limit: number, skipping: Skipping): never {
  const fits = largestContexts(plan, limit, skipping).filter((fit) => fit.contextSize > 0);
  const sparse = skipping.stages === 0 ? '' : `, ${adaptiveBytes(plan.hparams)} of lists and statistics to skip neurons`;
  throw new WontFitError({
    subject: plan.hparams.name, found: `${needed} bytes needed (${plan.weightBytes} of weights, context ${contextSize}, kv ${kv}${sparse})`, expected: `at most ${limit}`,
    remedy: fits.length > 0
      ? `What would fit: ${fits.map((fit) => `contextSize ${fit.contextSize} with kv "${fit.kv}"`).join(', or ')}.`
      : 'Not even a context of one token fits: use a smaller model or a smaller quantisation.',
  }, needed, limit, fits);
}
