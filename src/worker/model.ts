/** A model off this thread: what `Model` can, asked for by message. */
import type {
  Calibration, ChatMessage, ChatOptions, ChatTemplate, DecodeOptions, Embeddings, EmbedOptions, EncodeOptions, EvaluateOptions,
  ModelInfo, RenderOptions, RestoreOptions, Score, ScoreOptions, StepReport, Texts, Tokenizer,
} from 'clada';
import { RemoteChat } from './chat.ts';
import type { RemoteGenerateOptions } from './generation.ts';
import { RemoteGeneration, pulled } from './generation.ts';
import type { Link } from './link.ts';

/** What a calibration says of itself and promises, without its constants. */
export type CalibrationInfo = Pick<
  Calibration,
  'version' | 'fingerprint' | 'modelName' | 'nLayers' | 'ffn' | 'hidden' | 'headWidth' | 'tokens' | 'heldOutTokens' | 'seed' | 'gradients'
  | 'surprisalWeight' | 'entropyWeight' | 'levels'
>;

/** What of a tokenizer is told once. */
export type TokenizerFacts = Pick<Tokenizer, 'vocabSize' | 'bosId' | 'eosId' | 'warnings' | 'eogIds'>;

/** Text to tokens and back. Everything that takes a text or gives one is asked for by message, so it is asynchronous. */
export interface RemoteTokenizer extends TokenizerFacts {
  /** @throws as {@link Tokenizer.encode} */
  encode(text: string, options?: EncodeOptions): Promise<Uint32Array>;
  /** @throws as {@link Tokenizer.decode} */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): Promise<string>;
  /** @throws as {@link Tokenizer.tokenBytes} */
  tokenBytes(id: number): Promise<Uint8Array>;
  /** True for tokens that no text stands for. */
  isControl(id: number): Promise<boolean>;
  /** True for tokens that end a generation. */
  isEog(id: number): boolean;
}

/** What turns messages into a prompt, asynchronously. @throws as {@link ChatTemplate} */
export interface RemoteTemplate {
  /** The text that the messages become. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): Promise<string>;
  /** Its tokens. */
  encode(messages: readonly ChatMessage[], options?: RenderOptions): Promise<Uint32Array>;
  /** Tries a conversation that may not be complete yet. */
  check(messages: readonly ChatMessage[], options?: RenderOptions): Promise<void>;
}

/** Where a model is. */
export interface Placement {
  /** Other pages that ask for the same name have the same model. */
  readonly shared: boolean;
  /** Why, or why not. */
  readonly sharedReason: string;
}

/** @internal what a load answers */
export interface Loaded { readonly info: ModelInfo; readonly calibration: CalibrationInfo | undefined; readonly tokenizer: TokenizerFacts }

/** A model in a worker. It lives until it is closed; a shared one until the last page has closed it or is gone. */
export class RemoteModel implements AsyncDisposable {
  /** What was loaded, and how. */
  readonly info: ModelInfo;
  /** What was measured of this model offline, if its calibration was found; its constants stay in the worker. */
  readonly calibration: CalibrationInfo | undefined;
  /** Its tokenizer. */
  readonly tokenizer: RemoteTokenizer;
  /** Its chat template. */
  readonly template: RemoteTemplate;
  /** Where it is. */
  readonly placement: Placement;

  /** @internal use {@link loadInWorker} */
  constructor(
    private readonly link: Link, { info, calibration, tokenizer }: Loaded, placement: Placement, private readonly ahead: number,
  ) {
    this.placement = placement;
    this.info = info;
    this.calibration = calibration;
    const call = <T>(name: string, ...args: readonly unknown[]): Promise<T> => this.link.call(name, args) as Promise<T>;
    this.tokenizer = {
      ...tokenizer,
      encode: (text, options) => call('encode', text, options),
      decode: (ids, options) => call('decode', plain(ids), options),
      tokenBytes: (id) => call('tokenBytes', id),
      isControl: (id) => call('isControl', id),
      isEog: (id) => tokenizer.eogIds.includes(id),
    };
    this.template = {
      render: (messages, options) => call('render', messages, options),
      encode: (messages, options) => call('encodeChat', messages, options),
      check: (messages, options) => call('check', messages, options),
    };
  }

  /**
   * As `model.generate`; what is wrong with the options is thrown when it is iterated.
   *
   * ```ts
   * for await (const { text } of model.generate('Once upon a time', { maxTokens: 64 })) out.textContent += text;
   * ```
   */
  generate(prompt: string | ArrayLike<number>, { readAhead = this.ahead, ...options }: RemoteGenerateOptions = {}): RemoteGeneration {
    const make = (owner: object): number => this.link.make('generate', [plain(prompt), options], owner);
    return new RemoteGeneration(this.link, make, readAhead);
  }

  /** A conversation, as `model.chat`. */
  chat(options: ChatOptions = {}): RemoteChat {
    const { system, messages = [] } = options;
    const begun = [...(system === undefined ? [] : [{ role: 'system', content: system }]), ...messages];
    return new RemoteChat(this.link, 'chat', [options], this.ahead, begun);
  }

  /** As `model.restore`: a conversation that was saved here or in any other runtime. @throws as it */
  restore(snapshot: Uint8Array | ArrayBuffer, options: RestoreOptions = {}): Promise<RemoteChat> {
    return new RemoteChat(this.link, 'restore', [snapshot, options], this.ahead).made();
  }

  /** As `model.resume`: a generation that was saved here or in any other runtime. @throws as it */
  resume(
    snapshot: Uint8Array | ArrayBuffer, { readAhead = this.ahead, ...options }: RemoteGenerateOptions = {},
  ): Promise<RemoteGeneration> {
    const make = (owner: object): number => this.link.make('resume', [snapshot, options], owner);
    return new RemoteGeneration(this.link, make, readAhead).made();
  }

  /** Tokens of messages in the chat template. @throws as `model.encodeChat` */
  encodeChat(messages: readonly ChatMessage[], options: RenderOptions = {}): Promise<Uint32Array> {
    return this.template.encode(messages, options);
  }

  /** How well the model predicts a text. @throws as `model.score` */
  async score(text: string | ArrayLike<number>, options: ScoreOptions = {}): Promise<Score> {
    return (await this.link.call('score', [plain(text), options])) as Score;
  }

  /** Vectors that stand for texts. @throws as `model.embed` */
  async embed(texts: Texts, options: EmbedOptions = {}): Promise<Embeddings> {
    return (await this.link.call('embed', [texts, options])) as Embeddings;
  }

  /** The distribution after these tokens: logits [vocab] and the report of the last one. @throws as `model.evaluate` */
  async evaluate(tokens: ArrayLike<number>, options: EvaluateOptions = {}): Promise<{ logits: Float32Array; report: StepReport }> {
    return (await this.link.call('evaluate', [plain(tokens), options])) as { logits: Float32Array; report: StepReport };
  }

  /** Reads all weights once from memory: GB/s, the ceiling that decode speed is held against. */
  async measureBandwidth(): Promise<number> { return (await this.link.call('measureBandwidth', [])) as number; }

  /**
   * Calls a function that a worker of the application has provided (`clada/worker-main`), beside the model: `own(model, ...args)`. Of an
   * argument that is an object, `signal` and callbacks `on…` reach it.
   * @throws what it throws; InputError `E_OPTION` where nothing of that name was provided
   */
  async run<Result>(name: string, ...args: readonly unknown[]): Promise<Result> {
    return (await this.link.call('run', [name, ...args])) as Result;
  }

  /** As {@link run}, of a function that returns an async iterable: its values, each asked for when it is wanted. */
  async *stream<Part>(name: string, ...args: readonly unknown[]): AsyncGenerator<Part, void, undefined> {
    const owner = {}, id = this.link.make('stream', [name, ...args], owner);
    try {
      yield* pulled<Part>((what) => this.link.call(what, [], id), this.ahead);
    } finally {
      this.link.drop(id);
    }
  }

  /** Ends the worker, at once; of one that is shared it is left. What waits, and every later call, is refused with `E_CLOSED`. */
  close(): void { this.link.close(); }

  async [Symbol.asyncDispose](): Promise<void> { this.close(); }
}

/** Tokens in any list are sent as plain ones or in an array of numbers; whatever else as it is, for the model to refuse. */
function plain(tokens: string | ArrayLike<number>): unknown {
  if (typeof tokens === 'string' || ArrayBuffer.isView(tokens) || Array.isArray(tokens)) return tokens;
  return typeof (tokens as { length?: unknown } | null)?.length === 'number' ? Array.from(tokens) : tokens;
}

