/** From a source to a model that answers: what loading would need, and loading. */
import type { Calibration } from '../adapt/calibration.ts';
import type { SparsityOptions } from '../adapt/methods.ts';
import { boundOf, checkSparsity, skippingOf } from '../adapt/methods.ts';
import type { Tier } from '../engine/binaries.ts';
import { roomy } from '../engine/binaries.ts';
import { Engine } from '../engine/engine.ts';
import type { ThreadChoice } from '../engine/threads.ts';
import { chooseThreads } from '../engine/threads.ts';
import { InputError, WontFitError, throwIfAborted } from '../errors.ts';
import type { ModelSource } from '../format/gguf/parts.ts';
import { closeParts, openParts } from '../format/gguf/parts.ts';
import { readGguf } from '../format/gguf/read.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import type { KvName } from '../model/enums.ts';
import { checkMixture, checkOneFfn } from '../model/experts.ts';
import type { HeadOption } from '../model/head.ts';
import { checkHead, stagedPlan } from '../model/head.ts';
import type { MemoryPlan, SequenceOptions, Skipping } from '../model/memory.ts';
import { defaultKv, describeMemory, planMemory } from '../model/memory.ts';
import type { ModelPlan, Precision } from '../model/plan.ts';
import { describePlan, planModel } from '../model/plan.ts';
import type { NetworkOptions } from '../net/options.ts';
import { networkNames } from '../net/options.ts';
import { checkNames } from '../options.ts';
import { SequencePool } from '../session/pool.ts';
import { createTokenizer, readTokens } from '../tokenizer/tokenizer.ts';
import { Model } from './model.ts';
import type { CalibrationSource } from './sparsity.ts';
import { openCalibration } from './sparsity.ts';
import { createChatTemplate } from './template.ts';

/** What decides the memory that a model needs. */
export interface PlanOptions extends NetworkOptions {
  /** Positions that the key/value cache holds, in tokens. Default: what the model was trained on, at most 4,096. */
  contextSize?: number;
  /**
   * Type of the key/value cache: 'f32', 'f16', or 'q8' (8 bits, one scale a position and head). Default: 'q8' for heads of up to 64 values
   * and keys without a bias, which lose next to nothing by it; else 'f16'.
   */
  kv?: KvName;
  /**
   * 'fast' (default): weights as the file has them, activations in 8 bits. 'exact': weights expanded to f32, nothing rounded; the
   * reference to measure quality against, at several times the memory and a fraction of the speed.
   */
  precision?: Precision;
  /** WebAssembly memory that is never exceeded, in bytes; `ceilings` names those of runtimes. Default: the 4 GiB of a 32-bit memory. */
  maxBytes?: number;
  /**
   * Requests that are answered at the same time, each with a cache of its own (memory for each is taken when it is first needed); more wait
   * their turn. Default: 8, or as many as `maxBytes` leaves room for.
   */
  sequences?: number;
  /**
   * Threads that share every pass, the caller's among them: 'auto' (default) takes as many as the machine, or its container, has cores, and
   * goes on measuring whether they pay; a number is taken as it is. Results do not depend on it. 1 where a runtime shares no memory
   * between threads, a page that is not cross-origin isolated for example: `model.info.threadsReason` says so.
   */
  threads?: number | 'auto';
  /**
   * How logits are computed where a token is drawn: 'whole', or in two stages at so many `deviations` (docs/head.md), where what is drawn
   * is the same, and log-probabilities and entropies are nearly known unless `logprobs` are asked for. Default 'auto': whichever is faster
   * for the type of the output matrix.
   */
  head?: HeadOption;
  /** How generating skips feed-forward neurons unless a call says otherwise: its memory counts. Default: dense. */
  sparsity?: SparsityOptions;
}

/** How a model is loaded. */
export interface LoadOptions extends PlanOptions {
  /** WebAssembly build: 'base' gives the same bits everywhere, 'relaxed' is faster. Default 'auto': the fastest that is sound here. */
  tier?: Tier | 'auto';
  /** Hears how far it is. */
  onProgress?: (progress: Progress) => void;
  /** What was measured of this model offline (`clada calibrate`). Default 'auto': `NAME.clada.gguf` beside the model, if it is there. */
  calibration?: CalibrationSource;
  /** Chat template (Jinja source) instead of the file's, or the name of one of the file's. Default: the file's own. */
  chatTemplate?: string;
}

/** How far loading is. */
export interface Progress {
  /** 'header' once, then 'weights'. */
  phase: 'header' | 'weights';
  /** Bytes done, and in all. */
  loaded: number;
  /** Bytes in all. */
  total: number;
  /** Name of the (first) file. */
  file: string;
  /**
   * Where the model comes over the network: bytes of its files that are here, also those that a load before this one left, and in all.
   * Absent where all are here from the start.
   */
  download?: { readonly loaded: number; readonly total: number };
}

const planNames = ['contextSize', 'kv', 'precision', 'maxBytes', 'sequences', 'threads', 'sparsity', 'head', ...networkNames];
const defaultContext = 4096;

/** What loading would do and need. */
export interface Plan {
  /** Its tensors, in sum. */
  readonly model: ModelPlan;
  /** Bytes by part. */
  readonly memory: MemoryPlan;
  /** The context that it is planned for. */
  readonly session: SequenceOptions;
  /** The plan for people, line by line. */
  lines(): string[];
}

/**
 * What loading would do and need, from the header alone.
 *
 * ```ts
 * const { memory } = await plan('model.gguf', { contextSize: 8192 });
 * ```
 * @throws as {@link load}, but allocates nothing
 */
export async function plan(source: ModelSource, options: PlanOptions = {}): Promise<Plan> {
  checkNames('plan options', options, planNames);
  const parts = await openParts(source, networkOf(options), 'demand');
  try {
    const file = await readGguf(parts, options.signal), planned = planOf(file, options, await threadsFor(file, options));
    readTokens(file.metadata, planned.model.hparams.vocab);
    return planned;
  } finally {
    await closeParts(parts);
  }
}

const threadsFor = ({ size }: GgufFile, { threads = 'auto' }: PlanOptions): Promise<ThreadChoice> => chooseThreads(threads, size);

function planOf(file: GgufFile, options: PlanOptions, { threads }: ThreadChoice): Plan {
  const { precision = 'fast' } = options;
  if (precision !== 'fast' && precision !== 'exact') {
    throw new InputError('E_OPTION', {
      subject: 'precision', found: String(precision), expected: "'fast' or 'exact'", remedy: 'Leave it out for fast.',
    });
  }
  const asked = checkHead(options.head), head = asked === 'auto' && !roomy ? 'whole' : asked;
  const whole = planModel(file, precision), staged = stagedPlan(whole, head);
  const contextSize = options.contextSize ?? Math.min(whole.hparams.contextLength, defaultContext);
  const session = { contextSize, kv: options.kv ?? defaultKv(whole), threads };
  const skipping = options.sparsity && skippingOn(whole, options.sparsity);
  const of = (model: ModelPlan): Plan => {
    const memory = planMemory(model, session, options.maxBytes, skipping, options.sequences);
    return { model, memory, session, lines: () => [...describePlan(model), ...describeMemory(memory)] };
  };
  if (head !== 'auto' || staged === whole) return of(staged);
  try {
    return of(staged);
  } catch (error) {
    if (error instanceof WontFitError) return of(whole); // a sketch takes half a byte for every weight of the matrix
    throw error;
  }
}

/** What skipping will need memory for; of a mixture that 'auto' runs dense nothing. @throws ModelError `E_METHOD` */
function skippingOn({ hparams }: ModelPlan, options: SparsityOptions): Skipping | undefined {
  const skipping = skippingOf(options), { method = boundOf(options) ? 'auto' : 'clada' } = options;
  if (method === 'experts') checkMixture(hparams, 'method experts');
  if (!hparams.experts || method === 'experts') return skipping;
  if (method !== 'auto' && method !== 'dense') checkOneFfn(hparams, `method ${method}`);
  return undefined;
}

/**
 * Loads a GGUF model. The file streams into place: peak memory is the model, its context, and a few MB.
 *
 * ```ts
 * await using model = await load('models/smollm2-135m-instruct-q4_1.gguf');
 * for await (const { text } of model.generate('Once upon a time', { maxTokens: 64 })) process.stdout.write(text);
 * ```
 * @throws FormatError (not a sound GGUF file), ModelError (family, dtype, tensors, memory), InputError (options, path), TransferError
 * (network, cache), AbortedError; nothing is left behind
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkNames('load options', options, [...planNames, 'tier', 'onProgress', 'calibration', 'chatTemplate']);
  if (options.sparsity) checkSparsity(options.sparsity);
  const started = performance.now();
  const arrived = new Map<number, number>();
  let latest: Progress | undefined, fileBytes = 0;
  const tell = (progress = latest): void => {
    latest = progress; // none before the header: how much it all is, is not known then
    if (!progress) return;
    const loaded = parts.reduce((sum, { size }, part) => sum + (arrived.get(part) ?? size ?? 0), 0);
    options.onProgress?.(arrived.size === 0 ? progress : { ...progress, download: { loaded, total: fileBytes } });
  };
  const network = networkOf(options);
  const parts = await openParts(source, network, 'whole', (part, bytes) => { arrived.set(part, bytes); tell(); });
  try {
    throwIfAborted(options.signal, 'load');
    const file = await readGguf(parts, options.signal), headerMs = performance.now() - started;
    const name = parts[0]!.name;
    fileBytes = file.size;
    tell({ phase: 'header', loaded: 0, total: file.size, file: name });
    const choice = await threadsFor(file, options), { model, session, memory } = planOf(file, options, choice);
    const planned = performance.now(), tokenizer = createTokenizer(file.metadata, model.hparams.vocab);
    const template = createChatTemplate(file.metadata, tokenizer, { chatTemplate: options.chatTemplate });
    const tokenizerMs = performance.now() - planned;
    const engine = await Engine.open(file, model, {
      ...choice, ...session, maxBytes: options.maxBytes, tier: options.tier ?? 'auto', signal: options.signal,
      onProgress: (progress) => { tell({ ...progress, file: name }); },
    });
    let calibration: Calibration | undefined;
    try {
      for (const part of parts) await part.verified?.();
      calibration = await openCalibration(options.calibration ?? 'auto', source, engine, network);
    } catch (error) {
      engine.close();
      throw error;
    }
    const pool = new SequencePool(engine, memory.sequences);
    const times = { headerMs, tokenizerMs, ...engine.times };
    return new Model(pool, tokenizer, template, name, performance.now() - started, times, calibration, options.sparsity);
  } finally {
    await closeParts(parts);
  }
}

/** What of the options concerns the network: one object, so that the parts of a model share its connections. */
const networkOf = (options: PlanOptions): NetworkOptions =>
  Object.fromEntries(Object.entries(options).filter(([name]) => networkNames.includes(name)));
