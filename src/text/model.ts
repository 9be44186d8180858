/** The public face of a loaded model: text in, text out. */
import type { Calibration } from '../adapt/calibration.ts';
import type { SparsityOptions } from '../adapt/methods.ts';
import type { Tier } from '../engine/binaries.ts';
import type { Engine, StepReport } from '../engine/engine.ts';
import type { KvName } from '../model/enums.ts';
import { checkNames } from '../options.ts';
import type { SequencePool } from '../session/pool.ts';
import type { EvaluateOptions } from '../session/sequence.ts';
import { shapeOf } from '../session/shape.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ChatOptions } from './chat.ts';
import { Chat } from './chat.ts';
import type { EmbedOptions, Embeddings, Texts } from './embed.ts';
import { Generation } from './generate.ts';
import type { Restored, RestoreOptions } from './restoring.ts';
import type { Score, ScoreOptions } from './score.ts';
import type { SnapshotKind } from './snapshot.ts';
import { generationState, goingOn } from './snapshot.ts';
import { Sparsity } from './sparsity.ts';
import type { ChatMessage, ChatTemplate, RenderOptions } from './template.ts';
import type { FollowOptions, GenerateOptions, GenerationSource, GenerationState } from './types.ts';

/** What was loaded, and how. Sizes in bytes. */
export interface ModelInfo {
  /** `general.name`, else the file. */
  readonly name: string;
  /** Name of the (first) file. */
  readonly file: string;
  /** Of its weights, 32 hexadecimal digits. */
  readonly fingerprint: string;
  /** Its family, as the file names it. */
  readonly architecture: string;
  /** Parameters. */
  readonly params: number;
  /** Layers, and feed-forward neurons of each. */
  readonly layers: number;
  /** Feed-forward neurons of a layer; of a mixture those of its widest expert. */
  readonly neurons: number;
  /** Experts of a mixture, and how many of them each token goes to; absent: a dense model. */
  readonly experts?: { readonly count: number; readonly used: number };
  /** Tokens of the vocabulary. */
  readonly vocab: number;
  /** Positions of the key/value cache, in tokens. */
  readonly contextSize: number;
  /** Type of the key/value cache. */
  readonly kv: KvName;
  /** Bytes of the file, or of all parts. */
  readonly fileBytes: number;
  /** Bytes of the weights in memory. */
  readonly weightBytes: number;
  /** Weights that one dense decode step reads. */
  readonly weightBytesPerToken: number;
  /** All WebAssembly memory of this model. */
  readonly memoryBytes: number;
  /** The engine's binary. */
  readonly wasmBytes: number;
  /** The build that runs. */
  readonly tier: Tier;
  /** Why that one. */
  readonly tierReason: string;
  /** Threads that share a pass: 1 = the caller's alone. */
  readonly threads: number;
  /** Why so many. */
  readonly threadsReason: string;
  /** By how many deviations rows of the output matrix are chosen that are read whole, where it is read in two stages; 0: all are. */
  readonly headDeviations: number;
  /** Milliseconds that loading took. */
  readonly loadMs: number;
  /** What of them went where; the rest is planning, records and growing the memory. */
  readonly loadParts: LoadTimes;
  /** What is wrong with the file without making it useless. */
  readonly warnings: readonly string[];
}

/** Where a load spent its time, in milliseconds. */
export interface LoadTimes {
  /** Opening the source and reading the header. */
  readonly headerMs: number;
  /** Tokenizer and chat template. */
  readonly tokenizerMs: number;
  /** The engine's binary: fetched, compiled (once a process) and instantiated. */
  readonly compileMs: number;
  /** Waiting for weights: they are read while others are repacked. */
  readonly readMs: number;
  /** Repacking weights into place. */
  readonly repackMs: number;
}

/** A loaded model. It owns its WebAssembly memory until it is closed. */
export class Model implements AsyncDisposable {
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Its chat template. */
  readonly template: ChatTemplate;
  /** What was loaded, and how. */
  readonly info: ModelInfo;
  readonly #engine: Engine;
  readonly #pool: SequencePool;
  readonly #sparsity: Sparsity;
  readonly #default: SparsityOptions;

  /** @internal use {@link load} */
  constructor(
    pool: SequencePool, tokenizer: Tokenizer, template: ChatTemplate, file: string, loadMs: number, loadParts: LoadTimes,
    calibration?: Calibration, sparsity: SparsityOptions = { method: 'dense' },
  ) {
    this.tokenizer = tokenizer;
    this.template = template;
    const { engine } = pool;
    this.#engine = engine;
    this.#pool = pool;
    this.#sparsity = new Sparsity(pool, calibration);
    this.#default = sparsity;
    this.#sparsity.resolve(sparsity); // refuses now what this model cannot do
    const { hparams, params, fileBytes, weightBytes, weightBytesPerToken, deviations } = engine.plan;
    const { tier, tierReason, threads, threadsReason, wasmBytes, memoryBytes, contextSize, kv } = engine;
    this.info = {
      name: hparams.name, file, fingerprint: engine.fingerprint, architecture: hparams.architecture, params,
      ...(hparams.experts ? { experts: { count: hparams.experts.count, used: hparams.experts.used } } : {}),
      layers: hparams.nLayers, neurons: hparams.ffn, vocab: hparams.vocab, contextSize, kv,
      fileBytes, weightBytes, weightBytesPerToken, memoryBytes, wasmBytes,
      tier, tierReason, threads, threadsReason, headDeviations: deviations, loadMs, loadParts, warnings: tokenizer.warnings,
    };
  }

  /**
   * Continues a text (tokenised, control tokens in it are plain text) or token ids. Nothing runs until it is iterated.
   *
   * ```ts
   * const text = await model.generate('The capital of France is', { maxTokens: 8, temperature: 0 }).text();
   * ```
   * @throws InputError `E_OPTION` at once; `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`, `E_UTF8`, AbortedError, StateError while
   * iterating
   */
  generate(prompt: string | ArrayLike<number>, options: GenerateOptions = {}): Generation {
    return new Generation(this.#source(options), () => {
      if (typeof prompt === 'string' && this.tokenizer.isLonger(prompt, this.info.contextSize)) throw this.#pool.tooLong(prompt);
      return { tokens: this.#tokens(prompt, 'start'), keep: 1 };
    }, options);
  }

  /** A conversation in the model's own chat template. @throws ModelError `E_CHAT_TEMPLATE` where the file has none. */
  chat(options: ChatOptions = {}): Chat {
    const claim = this.#pool.claim('always');
    return new Chat((send) => this.#source(send, claim), claim, this.template, options, this.#default);
  }

  /**
   * A conversation that was saved with `chat.save()`, here or in another runtime, as it was: messages, cached tokens, sparsity. One saved
   * in the middle of an answer has `unfinished` and goes on with `resume()`.
   *
   * ```ts
   * const chat = await model.restore(await readFile('chat.clada'));
   * ```
   * @throws FormatError `E_SNAPSHOT`, `E_SNAPSHOT_VERSION`; ModelError `E_SNAPSHOT_MODEL` (another model, build, type of cache,
   * calibration); InputError `E_CONTEXT_FULL`, `E_OPTION`; nothing has changed then
   */
  async restore(snapshot: Uint8Array | ArrayBuffer, options: RestoreOptions = {}): Promise<Chat> {
    checkNames('restore options', options, ['sparsity']);
    const { ids, sequence, chat, generation } = await this.#read(snapshot, 'chat', options.sparsity);
    const sparsity = options.sparsity ?? chat!.sparsity, claim = this.#pool.claim('always');
    const source = (send: GenerateOptions): GenerationSource => this.#source({ sparsity, ...send }, claim);
    const answer = generation && await this.#stateOf(generation, ids, options.sparsity);
    // what cannot go on says so now
    const begun = answer && new Generation(source({}), () => ({ tokens: ids, keep: ids.length }), answer.options, answer);
    const { messages, template } = chat!, progress = { tokens: Array.from(ids), answer };
    const restored = new Chat(source, claim, this.template, { messages, template }, sparsity, progress);
    source({});
    if (begun || ids.length > 0) {
      const owner = answer?.owner ?? restored, { now, widest } = begun?.selections ?? {};
      await claim.use(ids, undefined, (own) => own.restore(sequence, now, owner, widest));
    }
    return restored;
  }

  /**
   * A generation that was saved with `generation.save()`, going on where it stood: the iteration gives the tokens that follow. Options are
   * those that it had, but for those given here (`signal` and `onPrompt` are never saved); `maxTokens` counts from here, also after the
   * end. Of a constraint its state is saved: a fresh one of the same grammar must be given here.
   * @throws as {@link restore}, and as {@link generate}
   */
  async resume(snapshot: Uint8Array | ArrayBuffer, options: GenerateOptions = {}): Promise<Generation> {
    const { ids, sequence, generation } = await this.#read(snapshot, 'generation', options.sparsity);
    const { state, options: merged } = goingOn(await this.#stateOf(generation!, ids, options.sparsity), options);
    const source = this.#source({}), { promptTokens, shiftedTokens = 0 } = state;
    const left = ids.subarray(0, Math.max(0, promptTokens - shiftedTokens)); // of the prompt, what no full context has pushed out
    const resumed = new Generation(source, () => ({ tokens: left, keep: 1 }), merged, state), { now, widest } = resumed.selections;
    await source.claim.use(ids, merged.signal, (own) => own.restore(sequence, now, state.owner, widest));
    return resumed;
  }

  /**
   * Tokens of messages in the chat template, up to where the assistant begins unless `options` say otherwise.
   * @throws as {@link ChatTemplate}
   */
  encodeChat(messages: readonly ChatMessage[], options: RenderOptions = {}): Uint32Array {
    return this.template.encode(messages, options);
  }

  /**
   * How well the model predicts a text: surprisal of every token in nats. Longer than the context: in windows, each with a context of its
   * own.
   * @throws as {@link generate}
   */
  async score(text: string | ArrayLike<number>, options: ScoreOptions = {}): Promise<Score> {
    return (await import('./score.ts')).scoreTokens(this.#pool, this.#tokens(text, true), options);
  }

  /**
   * Vectors that stand for texts: their hidden states behind the last norm, pooled; always dense. Texts are tokenised with what the model
   * wants around them (BOS, EOS); control tokens in them are plain text. Whatever else runs goes on beside it.
   *
   * ```ts
   * const { embeddings: [a, b] } = await model.embed(['The cat sleeps.', 'A kitten naps.']);
   * ```
   * @throws InputError `E_OPTION`, `E_EMPTY_PROMPT`, `E_CONTEXT_FULL` (a text is longer than the context), `E_TOKEN_RANGE`, `E_UTF8`,
   * before any is computed; AbortedError between two passes; ModelError `E_LOGITS`; StateError
   */
  async embed(texts: Texts, options: EmbedOptions = {}): Promise<Embeddings> {
    return (await import('./embed.ts')).embedTexts(this.#pool, this.tokenizer, texts, options);
  }

  /**
   * The distribution after these tokens, raw. Tokens that the cache holds already are not computed again.
   * @returns a copy of the logits [vocab], and the report of the last token
   * @throws as {@link generate}
   */
  async evaluate(tokens: ArrayLike<number>, options: EvaluateOptions = {}): Promise<{ logits: Float32Array; report: StepReport }> {
    return this.#pool.run(tokens, options.signal, (sequence) =>
      sequence.evaluate(tokens, ({ logits, report }) => ({ logits: logits.slice(), report }), options));
  }

  /**
   * Feeds `prompt` dense, then `continuation` token by token with `sparsity`, whatever the model would have said: how methods are compared.
   * `each` is called after the prompt (fed = 0) and after every token of the continuation, with a view of the logits [vocab] and its
   * report. A prompt that the cache holds already is not computed again.
   * @throws as {@link generate}
   */
  async follow(
    prompt: ArrayLike<number>, continuation: ArrayLike<number>,
    each: (logits: Float32Array, report: StepReport, fed: number) => void, options: FollowOptions = {},
  ): Promise<void> {
    const { selection } = await this.#sparsity.resolve(options.sparsity ?? this.#default)(options.signal);
    await (await import('./follow.ts')).followTokens(this.#pool, selection, Array.from(prompt), Array.from(continuation), each, options);
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
    this.#pool.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #read(snapshot: Uint8Array | ArrayBuffer, wanted: SnapshotKind, sparsity: SparsityOptions | undefined): Promise<Restored> {
    const { readSnapshot } = await import('./restoring.ts');
    return readSnapshot(snapshot, wanted, this.#engine, shapeOf(this.#engine), () => this.#sparsity.digest, sparsity !== undefined);
  }

  async #stateOf(
    generation: NonNullable<Restored['generation']>, ids: Int32Array, sparsity: SparsityOptions | undefined,
  ): Promise<GenerationState> {
    if (!sparsity) return generationState(generation, ids, this.#sparsity.again(generation.sparsity));
    return generationState({ ...generation, contract: undefined }, ids, await this.#sparsity.resolve(sparsity)());
  }

  #source({ sparsity: asked }: GenerateOptions, claim = this.#pool.claim()): GenerationSource {
    const sparsity = asked ?? this.#default;
    return {
      pool: this.#pool, claim, tokenizer: this.tokenizer, resolve: this.#sparsity.resolve(sparsity), digest: () => this.#sparsity.digest,
    };
  }

  #tokens(text: string | ArrayLike<number>, addSpecial: true | 'start'): ArrayLike<number> {
    return typeof text === 'string' ? this.tokenizer.encode(text, { addSpecial }) : text;
  }
}
