/**
 * Sizes of everything that running a model needs, by lifetime: the model, one workspace, and sequences. From the plan and a few choices
 * alone.
 */
import { InputError } from '../errors.ts';
import type { KvName } from './enums.ts';
import { KvKind, Stage } from './enums.ts';
import { wontFit } from './fits.ts';
import { compactBytes, formBytes, skippingBytes } from './forms.ts';
import type { Hparams } from './types.ts';
import { convolutionBytes } from './convolution.ts';
import { allKvHeads, ropeDims } from './hparams.ts';
import { isSuper } from './layouts.ts';
import type { ModelPlan } from './plan.ts';
import { aligned } from './plan.ts';
import { adaptFields, recordBytes, reportFields, sequenceFields, tokenFields, workspaceFields } from './records.ts';
import { stagingBytes } from './staging.ts';

/** Tokens of one prefill pass: enough to pay for unpacking a weight, few enough that activations stay in cache. */
export const CHUNK = 64;
/** Tokens of one pass whose logits are wanted: sequences that step together, or tokens that are scored. */
export const LOGIT_ROWS = 16;
/** Bytes of an activation record, the larger of both builds (assembly/kernels/quantize): of a block, in either format; of a superblock. */
const quantRecordBytes = 96, superRecordBytes = 1216;
/** Scratch of attention, whatever the context (assembly/kernels/attention/scratch.ts). */
export const ATTENTION_BYTES = 12_544;
/** What a product of several tokens takes to make weights and activations ready (assembly/kernels/matmul/quants.ts). */
export function matmulScratch(cols: number, tokens: number, ready = tokens): number {
  const perBlock = 320 * Math.ceil(ready / 4);
  return 8192 + 384 + 256 * Math.ceil(tokens / 4) + Math.min(Math.max(384 * 1024, 8 * perBlock), Math.ceil(cols / 32) * perBlock);
}
/** Threads share x of more tokens than these, made ready whole, and have scratch for no more (assembly/kernels/matmul/matmul.ts, packs). */
export const PACKED = 16;
/** What x of a product of several tokens takes whole, once it is made ready. */
export function panelsBytes(cols: number, tokens: number): number { return 320 * Math.ceil(tokens / 4) * Math.ceil(cols / 32); }
/** What the planes of a sketch said of a sample of rows (assembly/forward/stages.ts), bytes. */
const SAMPLE = 4096;
/** All of a 32-bit memory but the last page, and some for records and static data. */
export const MAX_BYTES = 65535 * 65536;

/**
 * Sequences that a model has room for unless told otherwise: as many requests are answered at the same time. Each is made when it is first
 * needed.
 */
export const SEQUENCES = 8;

/** The context that a model is planned for. */
export interface SequenceOptions {
  /** Positions that the key/value cache holds. */
  readonly contextSize: number;
  /** Type of the key/value cache. */
  readonly kv: KvName;
  /** Threads that have scratch of their own. Default 1. */
  readonly threads?: number | undefined;
}

/**
 * The cache unless told otherwise: 8 bits where they were measured to cost less than .3 % of the NLL, else f16 as in llama.cpp. One scale
 * has to do for all of a head: too few bits for wide heads, and for keys with a bias, which takes most of the range (docs/memory.md).
 */
export function defaultKv({ hparams, tensors }: ModelPlan): KvName {
  return hparams.headDim <= 64 && !tensors.some(({ role }) => role.field === 'kBias') ? 'q8' : 'f16';
}

/** Buffers of one owner: pointer field of its record → bytes, in the order of memory; and all of them with the record. */
export interface Buffers {
  readonly buffers: Readonly<Record<string, number>>;
  readonly bytes: number;
}

/** What computes; of quantised activations, and of what each of several threads has for itself, the bytes from one's to the next one's. */
export interface Workspace extends Buffers {
  readonly strides: Readonly<Record<'quantBytes' | 'unpackedBytes' | 'scoresBytes', number>>;
}

const pad = (width: number, to: number): number => Math.ceil(width / to) * to;

/** Bytes of the keys (= of the values) of all layers. */
export function cacheBytes(h: Hparams, kv: KvName, capacity: number): number {
  const cells = h.headStride * capacity;
  return allKvHeads(h) * (kv === 'f32' ? 4 * cells : kv === 'f16' ? 2 * cells : cells + 4 * capacity);
}

const withRecords = (buffers: Record<string, number>, ...records: number[]): Buffers =>
  ({ buffers, bytes: [...Object.values(buffers), ...records].reduce((sum, bytes) => sum + aligned(bytes), 0) });

/** What computes, whatever the context: activations, logits of scored tokens, scratch. */
export function layoutWorkspace({ hparams: h, tensors, deviations }: ModelPlan, threads = 1): Workspace {
  const row = (width: number): number => 4 * CHUNK * pad(width, 32);
  const qWidth = h.heads * h.headStride, kvWidth = h.kvHeads * h.headStride;
  const maxCols = Math.max(h.hidden, qWidth, h.ffn);
  const superBytes = tensors.some(({ layout }) => isSuper(layout)) ? CHUNK * superRecordBytes * Math.ceil(maxCols / 256) : 0;
  const strides = {
    quantBytes: CHUNK * quantRecordBytes * Math.ceil(maxCols / 32),
    unpackedBytes: aligned(matmulScratch(maxCols, CHUNK, threads > 1 ? PACKED : CHUNK)),
    scoresBytes: aligned(ATTENTION_BYTES),
  };
  return { strides, ...withRecords({
    tokensPtr: recordBytes(tokenFields) * CHUNK, rowsPtr: recordBytes(tokenFields) * CHUNK, xPtr: row(h.hidden), normedPtr: row(h.hidden),
    quantPtr: 2 * strides.quantBytes + superBytes, unpackedPtr: threads * strides.unpackedBytes,
    ...(threads > 1 ? { panelsPtr: panelsBytes(maxCols, CHUNK) } : {}),
    ...(h.layers.some(({ parallel }) => parallel) ? { sidePtr: row(h.hidden) } : {}),
    qPtr: row(qWidth), kPtr: row(kvWidth), vPtr: row(kvWidth), attnPtr: row(qWidth), outPtr: row(h.hidden),
    gatePtr: row(Math.max(h.ffn, h.convTaps > 0 ? 3 * h.hidden : 0)), upPtr: row(h.ffn),
    anglesPtr: 4 * CHUNK * ropeDims(h), scoresPtr: threads * strides.scoresBytes,
    logitsPtr: 4 * LOGIT_ROWS * pad(h.vocab, 8), reportsPtr: recordBytes(reportFields) * LOGIT_ROWS,
    ...(deviations > 0
      ? {
        deviationsPtr: 4 * pad(h.vocab, 16), stagesPtr: Math.ceil(h.vocab / 8), groupsPtr: 8 * Math.ceil(h.vocab / 8),
        sketchedPtr: 12 * pad(h.hidden, 32), samplePtr: SAMPLE,
      } : {}),
    ...(h.experts
      ? { expertWeightsPtr: 4 * CHUNK * pad(h.experts.count, 8), expertInPtr: row(h.hidden), expertOutPtr: row(h.hidden) } : {}),
  }, recordBytes(workspaceFields)) };
}

export interface SequenceLayout extends Buffers {
  /** Positions held, `contextSize` rounded up to 8. */
  readonly capacity: number;
  /** Bytes of the keys (= of the values) of all layers. */
  readonly kvBytes: number;
  /** Bytes of the inputs of convolutions. */
  readonly convBytes: number;
}

export function layoutSequence(h: Hparams, { contextSize, kv }: SequenceOptions): SequenceLayout {
  const capacity = pad(contextSize, 8), kvBytes = cacheBytes(h, kv, capacity), convBytes = convolutionBytes(h, capacity);
  const buffers = {
    logitsPtr: 4 * pad(h.vocab, 16), reportPtr: recordBytes(reportFields), normedPtr: 4 * pad(h.hidden, 32),
    keysPtr: kvBytes, valuesPtr: kvBytes,
    ...(convBytes > 0 ? { convPtr: convBytes } : {}),
  };
  return { capacity, kvBytes, convBytes, ...withRecords(buffers, recordBytes(sequenceFields), recordBytes(adaptFields)) };
}

/**
 * Ceilings of runtimes, in bytes of WebAssembly memory. `edge`: what 128 MB for JavaScript and WebAssembly together leave with the embedded
 * model: its tokenizer, the engine and the runtime take 14 MB.
 */
export const ceilings = { wasm32: MAX_BYTES, edge: 112_000_000 } as const;

/** What a method skips, as far as memory cares; stages 0 = dense. */
export interface Skipping { readonly stages: number; readonly density: number }

/** WebAssembly memory of a model by part, bytes. */
export interface MemoryPlan {
  /** Weights. */
  readonly weights: number;
  /** Sequences that there is room for, and the key/value caches of all of them. */
  readonly sequences: number;
  /** Key/value caches of all sequences, and what convolutions keep of their inputs. */
  readonly kv: number;
  /** Activations, logits and scratch. */
  readonly activations: number;
  /** Lists, masks and statistics of a sparse method; 0 where none was asked for. */
  readonly adaptive: number;
  /**
   * The second copy of feed-forward matrices that makes a sparse method fast: as much of it as fits, and all of it; of a mask, a copy a
   * sequence.
   */
  readonly forms: number;
  /** All of that copy. */
  readonly formsWanted: number;
  /** All of it, once every sequence has been needed; and the ceiling. */
  readonly total: number;
  /** The ceiling. */
  readonly maxBytes: number;
}

/** Records and static data. */
const overheadBytes = 512 * 1024;

/** Whether a method may leave out inputs: those do, and 'auto', which stands for all. */
const ofInputs = (stages: number): boolean => (stages & (Stage.inputs | Stage.scores)) !== 0;

/** What the model and its workspace need, and what each sequence adds; without second copies. */
function parts(plan: ModelPlan, options: SequenceOptions, { stages }: Skipping): { shared: number; sequence: number } {
  const { hparams } = plan, skips = stages === 0 ? { shared: 0, sequence: 0 } : skippingBytes(hparams, ofInputs(stages));
  const sequence = layoutSequence(hparams, options).bytes + skips.sequence;
  const shared = layoutWorkspace(plan, options.threads).bytes + skips.shared;
  return { shared: plan.weightBytes + overheadBytes + Math.max(shared, stagingBytes(plan) - sequence), sequence };
}

function required(plan: ModelPlan, options: SequenceOptions, skipping: Skipping, sequences = 1): number {
  const { shared, sequence } = parts(plan, options, skipping);
  return shared + sequences * sequence;
}

/**
 * Bytes by part, before anything is allocated. What one sequence cannot do without is required; second copies, and then further sequences,
 * are made as far as there is room. `sequences`: how many there must be room for. Default: up to {@link SEQUENCES}.
 * @throws InputError `E_OPTION` (contextSize, kv, maxBytes, sequences); WontFitError `E_WONT_FIT` above `maxBytes`, with the largest
 * context that would fit for each type of cache.
 */
export function planMemory(
  plan: ModelPlan, options: SequenceOptions, maxBytes: number = MAX_BYTES, skipping: Skipping = { stages: 0, density: 1 },
  sequences?: number,
): MemoryPlan {
  checkOptions(plan, options, maxBytes, sequences);
  const { hparams } = plan, limit = Math.min(maxBytes, MAX_BYTES), { shared, sequence } = parts(plan, options, skipping);
  const least = required(plan, options, skipping, sequences);
  if (least > limit) refuse(plan, options, least, limit, skipping, sequences);
  const masks = skipping.stages === Stage.mask, copy = masks ? compactBytes(plan, skipping.density) : 0;
  const form = skipping.stages === 0 || masks ? 0 : formBytes(plan, skipping.stages);
  const room = limit - least, hasCopies = masks && room >= (sequences ?? 1) * copy, each = sequence + (hasCopies ? copy : 0);
  const forms = Math.min(form, room);
  // a mask without copies orders the model's rows, which only one sequence may
  const n = sequences ?? (masks && !hasCopies ? 1 : Math.max(1, Math.min(SEQUENCES, Math.floor((limit - shared - forms) / each))));
  const { kvBytes, convBytes, bytes } = layoutSequence(hparams, options), kv = 2 * kvBytes + convBytes;
  const skips = skipping.stages === 0 ? { shared: 0, sequence: 0 } : skippingBytes(hparams, ofInputs(skipping.stages));
  return {
    weights: plan.weightBytes, sequences: n, kv: n * kv,
    activations: layoutWorkspace(plan, options.threads).bytes + n * (bytes - kv),
    adaptive: skips.shared + n * skips.sequence, forms: masks ? (hasCopies ? n * copy : 0) : forms, formsWanted: masks ? n * copy : form,
    total: shared + forms + n * each, maxBytes,
  };
}

/** Lines for people. */
export function describeMemory({ sequences, kv, activations, adaptive, forms, formsWanted, total, maxBytes }: MemoryPlan): string[] {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const limit = maxBytes < MAX_BYTES ? ` of ${mb(maxBytes)}` : '', noun = sequences === 1 ? 'sequence' : 'sequences';
  const cache = `key/value cache ${mb(kv)} (${sequences} ${noun} of ${mb(kv / sequences)}, each made when it is needed)`;
  const lacking = forms < formsWanted ? ` of ${mb(formsWanted)}: the rest is computed whole or ordered in place` : '';
  const sparse = adaptive === 0 ? '' : `, skipping ${mb(adaptive)}, copies by neuron ${mb(forms)}${lacking}`;
  return [`memory ${mb(total)}${limit}: ${cache}, activations ${mb(activations)}${sparse}`];
}

function checkOptions({ hparams }: ModelPlan, { contextSize, kv }: SequenceOptions, maxBytes: number, sequences: number | undefined): void {
  if (sequences !== undefined && !(Number.isInteger(sequences) && sequences >= 1 && sequences <= 256)) {
    throw new InputError('E_OPTION', {
      subject: 'sequences', found: String(sequences), expected: 'an integer from 1 to 256', remedy: 'Leave it out for the default.',
    });
  }
  if (!(typeof maxBytes === 'number' && maxBytes > 0)) {
    throw new InputError('E_OPTION', {
      subject: 'maxBytes', found: String(maxBytes), expected: 'a number of bytes', remedy: 'Leave it out for the 4 GiB of a 32-bit memory.',
    });
  }
  if (!(Number.isInteger(contextSize) && contextSize >= 1)) {
    throw new InputError('E_OPTION', {
      subject: 'contextSize', found: String(contextSize), expected: 'a positive integer', remedy: 'Leave it out for the default.',
    });
  }
  if (!Object.hasOwn(KvKind, kv)) {
    throw new InputError('E_OPTION', {
      subject: 'kv', found: String(kv), expected: Object.keys(KvKind).join(', '), remedy: 'Leave it out for the default.',
    });
  }
  if (contextSize > hparams.contextLength) {
    throw new InputError('E_OPTION', {
      subject: 'contextSize', found: String(contextSize), expected: `at most ${hparams.contextLength}, what the model was trained on`,
      remedy: 'Use a smaller context.',
    });
  }
}

function refuse(
  plan: ModelPlan, { kv, contextSize, threads }: SequenceOptions, needed: number, limit: number, skipping: Skipping, sequences = 1,
): never {
  const skips = skippingBytes(plan.hparams), lists = sequences * skips.sequence + skips.shared;
  const sparse = skipping.stages === 0 ? '' : `, ${lists} of lists and statistics to skip neurons`;
  const several = sequences === 1 ? '' : `, ${sequences} sequences`;
  const found = `${needed} bytes needed (${plan.weightBytes} of weights, context ${contextSize}, kv ${kv}${several}${sparse})`;
  return wontFit(plan, found, needed, limit, (fit) => required(plan, { ...fit, threads }, skipping, sequences));
}
