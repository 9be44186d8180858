/** The public face of a loaded model: text in, text out. */
import type { Calibration } from '../adapt/calibration.ts';
import type { SparsityOptions } from '../adapt/methods.ts';
import { checkSparsity, skippingOf } from '../adapt/methods.ts';
import type { SourceInput } from '../bytes/open.ts';
import { openSource } from '../bytes/open.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { Tier } from '../engine/binaries.ts';
import type { StepReport } from '../engine/engine.ts';
import { Engine } from '../engine/engine.ts';
import { InputError, throwIfAborted } from '../errors.ts';
import { fileName, isRemote, sibling } from '../net/address.ts';
import type { OpenOptions } from '../net/open.ts';
import type { NetworkOptions } from '../net/options.ts';
import { networkNames } from '../net/options.ts';
import { readGguf } from '../format/gguf/read.ts';
import { splitNames } from '../format/gguf/split.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import type { KvName } from '../model/enums.ts';
import type { ModelPlan, Precision } from '../model/plan.ts';
import { describePlan, planModel } from '../model/plan.ts';
import type { MemoryPlan, SessionOptions } from '../model/session-layout.ts';
import { describeMemory, planMemory } from '../model/session-layout.ts';
import { checkNames } from '../options.ts';
import type { EvaluateOptions } from '../session/session.ts';
import { Session } from '../session/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { createTokenizer } from '../tokenizer/tokenizer.ts';
import type { ChatOptions } from './chat.ts';
import { Chat } from './chat.ts';
import type { GenerateOptions, GenerationSource, GenerationState } from './generate.ts';
import { Generation } from './generate.ts';
import type { Score, ScoreOptions } from './score.ts';
import { scoreTokens } from './score.ts';
import type { Restored } from './snapshot.ts';
import { generationState, goingOn, readSnapshot } from './snapshot.ts';
import type { ChatMessage, ChatTemplate } from './template.ts';
import { createChatTemplate } from './template.ts';
import type { CalibrationSource } from './sparsity.ts';
import { Sparsity, openCalibration } from './sparsity.ts';

/** A model's bytes: a path, URL, `hf:` address, bytes, Blob, stream or Response; of a split model all parts (a path or address of the first is enough). */
export type ModelSource = SourceInput | readonly SourceInput[];

export interface PlanOptions extends NetworkOptions {
  /** Positions that the key/value cache holds, in tokens. Default: what the model was trained on, at most 4,096. */
  contextSize?: number;
  /** Type of the key/value cache: 'f32', 'f16', or 'q8' (8 bits, one scale a position and head). Default 'q8'. */
  kv?: KvName;
  /**
   * 'fast' (default): weights as the file has them, activations in 8 bits. 'exact': weights expanded to f32, nothing rounded; the reference to
   * measure quality against, at several times the memory and a fraction of the speed.
   */
  precision?: Precision;
  /** WebAssembly memory that is never exceeded, in bytes; `ceilings` names those of runtimes. Default: the 4 GiB of a 32-bit memory. */
  maxBytes?: number;
  /** How generating skips feed-forward neurons unless a call says otherwise: its memory counts. Default: dense. */
  sparsity?: SparsityOptions;
}

export interface LoadOptions extends PlanOptions {
  /** WebAssembly build: 'base' gives the same bits everywhere, 'relaxed' is faster. Default 'auto': the fastest that is sound here. */
  tier?: Tier | 'auto';
  /** Source of a chat template (Jinja) instead of the file's. */
  chatTemplate?: string;
  onProgress?: (progress: Progress) => void;
  /** What was measured of this model offline (`clada calibrate`). Default 'auto': `NAME.clada.gguf` beside the model, if it is there. */
  calibration?: CalibrationSource;
}

export interface RestoreOptions {
  /** How the conversation goes on skipping. Default: as it did. */
  sparsity?: SparsityOptions;
}

export interface FollowOptions {
  /** Default: the model's own. */
  sparsity?: SparsityOptions;
  /**
   * `each` is sure to be called from so many tokens of the continuation on; those before it are not computed again where the call before had
   * the same `owner` and computed them. Default 0.
   */
  from?: number;
  /** Who follows. Default: this call. */
  owner?: object;
  signal?: AbortSignal;
}

export interface Progress {
  phase: 'header' | 'weights';
  /** Bytes done, and in all. */
  loaded: number;
  total: number;
  /** Name of the (first) file. */
  file: string;
  /** Where the model comes over the network: bytes of its files that are here, also those that a load before this one left, and in all. Absent where all are here from the start. */
  download?: { readonly loaded: number; readonly total: number };
}

const planNames = ['contextSize', 'kv', 'precision', 'maxBytes', 'sparsity', ...networkNames];
const defaultContext = 4096;

export interface Plan {
  readonly model: ModelPlan;
  readonly memory: MemoryPlan;
  readonly session: SessionOptions;
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
    return planOf(await readGguf(parts, options.signal), options);
  } finally {
    await closeParts(parts);
  }
}

function planOf(file: GgufFile, options: PlanOptions): Plan {
  const { precision = 'fast' } = options;
  if (precision !== 'fast' && precision !== 'exact') {
    throw new InputError('E_OPTION', { subject: 'precision', found: String(precision), expected: "'fast' or 'exact'", remedy: 'Leave it out for fast.' });
  }
  const model = planModel(file, precision);
  const session = { contextSize: options.contextSize ?? Math.min(model.hparams.contextLength, defaultContext), kv: options.kv ?? 'q8' };
  const memory = planMemory(model, session, options.maxBytes, options.sparsity && skippingOf(options.sparsity));
  return { model, memory, session, lines: () => [...describePlan(model), ...describeMemory(memory)] };
}

/**
 * Loads a GGUF model. The file streams into place: peak memory is the model, its context, and a few MB.
 *
 * ```ts
 * await using model = await load('models/smollm2-135m-instruct-q4_1.gguf');
 * for await (const { text } of model.generate('Once upon a time', { maxTokens: 64 })) process.stdout.write(text);
 * ```
 * @throws FormatError (not a sound GGUF file), ModelError (family, dtype, tensors, memory), InputError (options, path), TransferError (network, cache), AbortedError;
 * nothing is left behind
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkNames('load options', options, [...planNames, 'tier', 'chatTemplate', 'onProgress', 'calibration']);
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
  const network = networkOf(options), parts = await openParts(source, network, 'whole', (part, bytes) => { arrived.set(part, bytes); tell(); });
  try {
    throwIfAborted(options.signal, 'load');
    const file = await readGguf(parts, options.signal);
    const name = parts[0]!.name;
    fileBytes = file.size;
    tell({ phase: 'header', loaded: 0, total: file.size, file: name });
    const { model, session } = planOf(file, options);
    const tokenizer = createTokenizer(file.metadata);
    const { chatTemplate } = options;
    const template = createChatTemplate(chatTemplate === undefined ? file.metadata : new Map([...file.metadata, ['tokenizer.chat_template', chatTemplate]]), tokenizer);
    const engine = await Engine.open(file, model, {
      ...session, maxBytes: options.maxBytes, tier: options.tier ?? 'auto', signal: options.signal, onProgress: (progress) => { tell({ ...progress, file: name }); },
    });
    let calibration: Calibration | undefined;
    try {
      for (const part of parts) await part.verified?.();
      calibration = await openCalibration(options.calibration ?? 'auto', source, engine, network);
    } catch (error) {
      engine.close();
      throw error;
    }
    return new Model(engine, tokenizer, template, name, performance.now() - started, calibration, options.sparsity);
  } finally {
    await closeParts(parts);
  }
}

/** What of the options concerns the network: one object, so that the parts of a model share its connections. */
const networkOf = (options: PlanOptions): NetworkOptions => Object.fromEntries(Object.entries(options).filter(([name]) => networkNames.includes(name)));

/** Opens every part of a source. The caller closes them ({@link closeParts}). `onArrival` hears how many bytes of a part are here, for parts that are being fetched. */
export async function openParts(
  source: ModelSource, network: NetworkOptions = {}, mode: OpenOptions['mode'] = 'whole', onArrival?: (part: number, bytes: number) => void,
): Promise<ByteSource[]> {
  if (Array.isArray(source) && source.length === 0) {
    throw new InputError('E_OPTION', { subject: 'model source', found: 'an empty list', expected: 'at least one part', remedy: 'Pass all parts of the model, in order.' });
  }
  const inputs = Array.isArray(source) ? inOrder(source as readonly SourceInput[]) : partsOf(source as SourceInput);
  const parts: ByteSource[] = [];
  try {
    for (const [part, input] of inputs.entries()) parts.push(await openSource(input, network, { mode, part, onProgress: (loaded) => onArrival?.(part, loaded) }));
    return parts;
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

/** All parts of the split model that an address or path names one of. */
export function partsOf(source: SourceInput): readonly SourceInput[] {
  if (isRemote(source)) return splitNames(fileName(source))?.map((name) => sibling(source, name)) ?? [source];
  return (typeof source === 'string' && splitNames(source)) || [source];
}

/** Files come from a picker in any order: those that are the parts of one model are put into theirs. */
function inOrder(inputs: readonly SourceInput[]): readonly SourceInput[] {
  const names = inputs.map((input) => (input as { name?: unknown } | null)?.name);
  const wanted = typeof names[0] === 'string' ? splitNames(names[0]) : undefined;
  if (wanted?.length !== inputs.length || !wanted.every((name) => names.includes(name))) return inputs;
  return wanted.map((name) => inputs[names.indexOf(name)]!);
}

export async function closeParts(parts: readonly ByteSource[]): Promise<void> {
  for (const part of parts) await part.close();
}

/** What was loaded, and how. Sizes in bytes. */
export interface ModelInfo {
  readonly name: string;
  readonly file: string;
  readonly architecture: string;
  readonly params: number;
  /** Layers, and feed-forward neurons of each. */
  readonly layers: number;
  readonly neurons: number;
  readonly vocab: number;
  readonly contextSize: number;
  readonly kv: KvName;
  readonly fileBytes: number;
  readonly weightBytes: number;
  /** Weights that one dense decode step reads. */
  readonly weightBytesPerToken: number;
  /** All WebAssembly memory of this model. */
  readonly memoryBytes: number;
  /** The engine's binary. */
  readonly wasmBytes: number;
  readonly tier: Tier;
  readonly tierReason: string;
  readonly loadMs: number;
}

export class Model implements AsyncDisposable {
  readonly info: ModelInfo;
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #sparsity: Sparsity;
  readonly #default: SparsityOptions;

  /** @internal use {@link load} */
  constructor(engine: Engine, readonly tokenizer: Tokenizer, readonly template: ChatTemplate, file: string, loadMs: number, calibration?: Calibration, sparsity: SparsityOptions = { method: 'dense' }) {
    this.#engine = engine;
    this.#session = new Session(engine);
    this.#sparsity = new Sparsity(engine, this.#session, calibration);
    this.#default = sparsity;
    this.#sparsity.resolve(sparsity); // refuses now what this model cannot do
    const { hparams, params, fileBytes, weightBytes, weightBytesPerToken } = engine.plan;
    const { tier, tierReason, wasmBytes, memoryBytes, contextSize, kv } = engine;
    this.info = {
      name: hparams.name, file, architecture: hparams.architecture, params, layers: hparams.nLayers, neurons: hparams.ffn, vocab: hparams.vocab, contextSize, kv,
      fileBytes, weightBytes, weightBytesPerToken, memoryBytes, wasmBytes, tier, tierReason, loadMs,
    };
  }

  /**
   * Continues a text (tokenised, control tokens in it are plain text) or token ids. Nothing runs until it is iterated.
   *
   * ```ts
   * const text = await model.generate('The capital of France is', { maxTokens: 8, temperature: 0 }).text();
   * ```
   * @throws InputError `E_OPTION` at once; `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`, `E_UTF8`, AbortedError, StateError while iterating
   */
  generate(prompt: string | ArrayLike<number>, options: GenerateOptions = {}): Generation {
    return new Generation(this.#source(options), () => this.#tokens(prompt), options);
  }

  /** A conversation in the model's own chat template. @throws ModelError `E_CHAT_TEMPLATE` where the file has none. */
  chat(options: ChatOptions = {}): Chat {
    return new Chat((send) => this.#source(send), this.template, options, this.#default);
  }

  /**
   * A conversation that was saved with `chat.save()`, here or in another runtime, as it was: messages, cached tokens, sparsity. One saved in the
   * middle of an answer has `unfinished` and goes on with `resume()`.
   *
   * ```ts
   * const chat = await model.restore(await readFile('chat.clada'));
   * ```
   * @throws FormatError `E_SNAPSHOT`, `E_SNAPSHOT_VERSION`; ModelError `E_SNAPSHOT_MODEL` (another model, build, type of cache, calibration);
   * InputError `E_CONTEXT_FULL`, `E_OPTION`; nothing has changed then
   */
  async restore(snapshot: Uint8Array | ArrayBuffer, options: RestoreOptions = {}): Promise<Chat> {
    checkNames('restore options', options, ['sparsity']);
    const { ids, sequence, chat, generation } = readSnapshot(snapshot, 'chat', this.#session, () => this.#sparsity.digest, options.sparsity !== undefined);
    const sparsity = options.sparsity ?? chat!.sparsity, source = (send: GenerateOptions): GenerationSource => this.#source({ sparsity, ...send });
    const answer = generation && await this.#stateOf(generation, ids, options.sparsity);
    const begun = answer && new Generation(source({}), () => ids, answer.options, answer); // what cannot go on says so now
    const restored = new Chat(source, this.template, { messages: chat!.messages }, sparsity, { tokens: Array.from(ids), answer });
    source({});
    if (begun || ids.length > 0) await this.#session.restore(sequence, begun?.selections.now, answer?.owner ?? restored, begun?.selections.widest);
    return restored;
  }

  /**
   * A generation that was saved with `generation.save()`, going on where it stood: the iteration gives the tokens that follow. Options are those
   * that it had, but for those given here (`signal` and `onPrompt` are never saved); `maxTokens` counts from here, also after the end.
   * @throws as {@link restore}, and as {@link generate}
   */
  async resume(snapshot: Uint8Array | ArrayBuffer, options: GenerateOptions = {}): Promise<Generation> {
    const { ids, sequence, generation } = readSnapshot(snapshot, 'generation', this.#session, () => this.#sparsity.digest, options.sparsity !== undefined);
    const { state, options: merged } = goingOn(await this.#stateOf(generation!, ids, options.sparsity), options);
    const resumed = new Generation(this.#source({}), () => ids, merged, state), { now, widest } = resumed.selections;
    await this.#session.restore(sequence, now, state.owner, widest);
    return resumed;
  }

  /** Tokens of messages in the chat template, up to where the assistant begins. @throws ModelError `E_CHAT_TEMPLATE`; InputError `E_OPTION` */
  encodeChat(messages: readonly ChatMessage[]): Uint32Array {
    return this.template.encode(messages, { addGenerationPrompt: true });
  }

  /**
   * How well the model predicts a text: surprisal of every token in nats. Longer than the context: in windows, each with a context of its own.
   * @throws as {@link generate}
   */
  async score(text: string | ArrayLike<number>, options: ScoreOptions = {}): Promise<Score> {
    return scoreTokens(this.#session, this.#tokens(text), options);
  }

  /**
   * The distribution after these tokens, raw. Tokens that the cache holds already are not computed again.
   * @returns a copy of the logits [vocab], and the report of the last token
   * @throws as {@link generate}
   */
  async evaluate(tokens: ArrayLike<number>, options: EvaluateOptions = {}): Promise<{ logits: Float32Array; report: StepReport }> {
    return this.#session.evaluate(tokens, ({ logits, report }) => ({ logits: logits.slice(), report }), options);
  }

  /**
   * Feeds `prompt` dense, then `continuation` token by token with `sparsity`, whatever the model would have said: how methods are compared.
   * `each` is called after the prompt (fed = 0) and after every token of the continuation, with a view of the logits [vocab] and its report.
   * A prompt that the cache holds already is not computed again.
   * @throws as {@link generate}
   */
  async follow(prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: (logits: Float32Array, report: StepReport, fed: number) => void, options: FollowOptions = {}): Promise<void> {
    const { sparsity = this.#default, from = 0, signal } = options;
    const { selection } = await this.#sparsity.resolve(sparsity)(signal);
    const { owner = selection } = options, tokens = [...Array.from(prompt), ...Array.from(continuation)], at = prompt.length;
    if (from === 0) await this.#session.evaluate(prompt, ({ logits, report }) => { each(logits, report, 0); }, { selection, owner, signal });
    await this.#session.evaluate(tokens, () => undefined, {
      selection, owner, decodeFrom: at, computeFrom: from === 0 ? at : at + from - 1, signal, onStep: ({ logits, report }, i) => { each(logits, report, i + 1 - at); },
    });
  }

  /** What was measured of this model offline, if its calibration was found. */
  get calibration(): Calibration | undefined { return this.#sparsity.calibration; }

  /** Reads all weights once from memory and returns GB/s: the ceiling that decode speed is held against. */
  measureBandwidth(): number {
    const started = performance.now();
    return this.#engine.readWeights() / (performance.now() - started) / 1e6;
  }

  /** Gives the memory back; every later call throws `E_CLOSED`. */
  close(): void {
    this.#engine.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #stateOf(generation: NonNullable<Restored['generation']>, ids: Int32Array, sparsity: SparsityOptions | undefined): Promise<GenerationState> {
    if (!sparsity) return generationState(generation, ids, this.#sparsity.again(generation.sparsity));
    return generationState({ ...generation, contract: undefined }, ids, await this.#sparsity.resolve(sparsity)());
  }

  #source({ sparsity: asked }: GenerateOptions): GenerationSource {
    const sparsity = asked ?? this.#default;
    return { session: this.#session, tokenizer: this.tokenizer, resolve: this.#sparsity.resolve(sparsity), digest: () => this.#sparsity.digest };
  }

  #tokens(text: string | ArrayLike<number>): ArrayLike<number> {
    return typeof text === 'string' ? this.tokenizer.encode(text, { addSpecial: true }) : text;
  }
}
