/** Generation: tokens one after the other, as an async iterable with `.text()`, `.tokens()` and `.stats()`. */
import type { Level } from '../adapt/levels.ts';
import { denseSelection, type Selection } from '../adapt/selection.ts';
import type { MethodName, Resolved, SparsityOptions } from '../adapt/methods.ts';
import type { StepThresholds } from '../engine/adapt.ts';
import type { StepReport } from '../engine/engine.ts';
import { AbortedError, InputError } from '../errors.ts';
import { StepFlag } from '../model/enums.ts';
import { checkNames, checkNumber, saidOf, show } from '../options.ts';
import type { Logprobs } from '../sampler/logprobs.ts';
import { samplerOptionNames, type SamplerOptions } from '../sampler/options.ts';
import type { RandomState } from '../sampler/random.ts';
import type { Sampler } from '../sampler/sampler.ts';
import type { Session, State } from '../session/session.ts';
import type { DecodeStream, Tokenizer } from '../tokenizer/tokenizer.ts';
import { Contract, type ContractState, type Measured } from './contract.ts';
import { createLoopGuard, type LoopGuard } from './loop.ts';
import { samplerFor } from './sampling.ts';
import { saveGeneration } from './snapshot.ts';
import { createStopper, type Stopper } from './stop.ts';

export interface GenerateOptions extends SamplerOptions {
  /** Tokens to generate at most. Default, and what -1 means: until the model ends its answer or the context is full. */
  maxTokens?: number | null | undefined;
  /** Texts that end the generation and are not part of it. */
  stop?: string | readonly string[];
  /** Never end by itself: the logits of end-of-generation tokens are -Infinity, as with llama.cpp's --ignore-eos. Default false. */
  ignoreEos?: boolean;
  /** End where the text says one passage (of at most 256 tokens) this many times in a row, over at least 32 tokens; from 2 up. Default 0: never. */
  loopGuard?: number;
  /** Log-probabilities of this many alternatives with each token. Default 0: none. */
  logprobs?: number;
  /** Surprisal, entropy, and what was skipped, with each token; 'neurons': which ones ran, too. Default false. */
  telemetry?: boolean | 'neurons';
  /** How feed-forward neurons are skipped. Default: what the model was loaded with. */
  sparsity?: SparsityOptions;
  /** Stops between tokens; iterating then throws {@link AbortedError}. */
  signal?: AbortSignal;
  /** Prompt tokens done, and in all. */
  onPrompt?: (done: number, total: number) => void;
}

export interface GeneratedToken {
  readonly id: number;
  /** The text that became certain with this token: empty while a character or a stop string is incomplete. */
  readonly text: string;
  /** log p(token), natural, before temperature and filters. */
  readonly logprob: number;
  /** The most likely alternatives, if asked for. */
  readonly top?: Logprobs['top'];
  /** -logprob, and the entropy of the distribution that the token was drawn from, in nats; if asked for. */
  readonly surprisal?: number;
  readonly entropy?: number;
  /** The step that led to that distribution; if asked for. */
  readonly step?: StepTelemetry;
}

/** What one decode step decided; the first token of an answer has none (it comes out of the prompt). */
export interface StepTelemetry {
  /** Standardised load that moved the thresholds, and what they were multiplied by. */
  readonly cogLoad: number;
  readonly factor: number;
  /** Share of the feed-forward weights used. */
  readonly density: number;
  /** Gate rows, up rows and down columns used, layer by layer; empty where the token ran dense. */
  readonly layers: readonly { gate: number; up: number; down: number }[];
  /**
   * With telemetry 'neurons': those whose down column was used, bit i & 7 of byte i >> 3 of a layer's ceil(ffn / 8) bytes, [layers, ceil(ffn / 8)].
   * Absent where the token ran dense.
   */
  readonly neurons?: Uint8Array<ArrayBuffer>;
  /**
   * The method's own setting (of stats().expected: clada tau, tt and clada-paper eta, cats quantile; undefined where nothing was calibrated), and the
   * thresholds that held for this token, load and contract included: of prompt scores, |gate| and |product|, one for all layers or one a layer.
   */
  readonly level: number | undefined;
  readonly thresholds: StepThresholds;
  /** The selection was made anew; the token was computed again, dense. */
  readonly refreshed: boolean;
  readonly reran: boolean;
  /** The prompt was too short for statistics: the calibration stood alone. */
  readonly prior: boolean;
  /** Bytes of weights read. */
  readonly weightBytes: number;
}

/** @internal what a generation runs on */
export interface GenerationSource {
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  readonly resolve: (signal?: AbortSignal) => Promise<Resolved>;
  /** Of the calibration that sparse methods use. */
  readonly digest?: () => string | undefined;
}

/** @internal a generation between two tokens: everything that its next ones depend on besides the session */
export interface GenerationState {
  /** Without those that cannot be kept: `signal`, `onPrompt`. The seed is there. */
  readonly options: GenerateOptions;
  /** Prompt, then what was generated. */
  readonly tokens: readonly number[];
  readonly promptTokens: number;
  readonly random: RandomState;
  /** The text so far, as far as it was certain. */
  readonly text: string;
  readonly cost: number;
  readonly sparsity: Resolved;
  /** Of the next token: the resolved one, or what the contract has made of it. */
  readonly selection: Selection;
  readonly contract: ContractState | undefined;
  readonly stopReason: StopReason | undefined;
  readonly stop: string | undefined;
  /** Who decoded, for the session. */
  readonly owner: object;
}

/** Why a generation ended: the model's own end, a stop text, `maxTokens`, a full context, the loop guard. */
export type StopReason = 'eog' | 'stop' | 'length' | 'context' | 'loop';

/** Honest figures. Times in ms, without what the caller does between tokens; the first token comes out of the prompt's pass. */
export interface GenerationStats {
  readonly promptTokens: number;
  /** Prompt tokens that the cache held already. */
  readonly cachedTokens: number;
  readonly promptMs: number;
  readonly generatedTokens: number;
  readonly generateMs: number;
  /** Tokens computed a second; NaN where there were none. */
  readonly promptPerSecond: number;
  readonly generatePerSecond: number;
  /** Weights read a second while generating, in bytes. */
  readonly weightBytesPerSecond: number;
  readonly stopReason: StopReason | undefined;
  /** The stop text met. */
  readonly stop: string | undefined;
  readonly seed: number;
  /** The method that ran (undefined before it is known), what its calibration promised, and the mean share of feed-forward weights used. */
  readonly method: MethodName | undefined;
  readonly expected: Level | undefined;
  readonly density: number;
  readonly warnings: readonly string[];
  /** Milliseconds a token that choosing neurons takes, timed apart once the answer is complete; undefined without telemetry. */
  readonly decideMs: number | undefined;
  /** Where a bound was asked for: what was measured against dense on the way. */
  readonly measured: Measured | undefined;
}

const ownNames = ['maxTokens', 'stop', 'ignoreEos', 'loopGuard', 'logprobs', 'telemetry', 'sparsity', 'signal', 'onPrompt'];
const counts = { min: 0, integer: true } as const, alternatives = { min: 0, max: 100, integer: true } as const;

export class Generation implements AsyncIterable<GeneratedToken> {
  readonly #options: GenerateOptions;
  readonly #sampler: Sampler;
  #maxTokens: number;
  readonly #logprobs: number;
  readonly #decoder: DecodeStream;
  readonly #stopper: Stopper;
  readonly #loopGuard: LoopGuard | undefined;
  readonly #owner: object;
  #tokens: number[] = [];
  #text = '';
  #started = false;
  #ready: Promise<void> | undefined;
  /** The token under way. */
  #stepping: Promise<unknown> | undefined;
  /** Tokens that were there before this object went on. */
  #earlier = 0;
  #promptTokens = 0;
  #cachedTokens = 0;
  #promptMs = 0;
  #generated = 0;
  #generateMs = 0;
  #weightBytes = 0;
  #cost = 0;
  #sparsity: Resolved | undefined;
  #selection: Selection = denseSelection;
  #contract: Contract | undefined;
  #decideMs: number | undefined;
  #stopReason: StopReason | undefined;
  #stop: string | undefined;

  /** @internal use `model.generate`; `from`: goes on there instead of at the prompt */
  constructor(private readonly source: GenerationSource, private readonly prompt: () => ArrayLike<number>, options: GenerateOptions, from?: GenerationState) {
    checkNames('generate options', options, [...samplerOptionNames, ...ownNames]);
    options = this.#options = saidOf(options);
    this.#sampler = samplerFor(options, source.tokenizer);
    this.#maxTokens = (options.maxTokens ?? -1) === -1 ? Infinity : checkNumber('maxTokens', counts, options.maxTokens);
    this.#loopGuard = createLoopGuard(options.loopGuard);
    this.#logprobs = checkNumber('logprobs', alternatives, options.logprobs ?? 0);
    this.#stopper = createStopper(typeof options.stop === 'string' ? [options.stop] : (options.stop ?? []));
    this.#decoder = source.tokenizer.decodeStream({ skipSpecial: true });
    this.#owner = from?.owner ?? this;
    for (const name of ['ignoreEos', 'telemetry'] as const) {
      const value = options[name], neurons = name === 'telemetry';
      if (value !== undefined && typeof value !== 'boolean' && !(neurons && value === 'neurons')) {
        throw new InputError('E_OPTION', { subject: `option ${name}`, found: show(value), expected: neurons ? "true, false or 'neurons'" : 'true or false', remedy: 'Leave it out for false.' });
      }
    }
    if (from) this.#goOn(from, options);
  }

  /** Prompt and generated tokens so far. */
  get ids(): readonly number[] { return this.#tokens; }

  /**
   * Everything needed to go on from here in another process or runtime, between two tokens: also after the end, and while the tokens are being
   * iterated. `model.resume` takes it.
   *
   * ```ts
   * const snapshot = await generation.save();
   * ```
   * @throws StateError where the model is closed; as iterating, where nothing has run yet
   */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#prepare();
    return saveGeneration(this.source, this);
  }

  /** @internal undefined while a token is under way */
  get state(): GenerationState | undefined {
    if (this.#stepping || !this.#sparsity) return undefined;
    const { signal: _signal, onPrompt: _onPrompt, ...options } = this.#options;
    return {
      options: { ...options, seed: this.#sampler.seed, ...(this.#maxTokens === Infinity ? {} : { maxTokens: this.#maxTokens }) }, tokens: [...this.#tokens], promptTokens: this.#promptTokens,
      random: this.#sampler.saveState().random, text: this.#text, cost: this.#cost, sparsity: this.#sparsity, selection: this.#selection, contract: this.#contract?.state,
      stopReason: this.#stopReason, stop: this.#stop, owner: this.#owner,
    };
  }

  /** @internal settles when no token is under way */
  async settled(): Promise<void> {
    await this.#ready?.catch(() => undefined);
    await this.#stepping;
  }

  /** @internal what decodes next, and the widest selection that may follow (a mask that must grow has its room from the beginning) */
  get selections(): { now: Selection; widest: Selection } {
    return { now: this.#selection, widest: this.#contract ? { ...this.#selection, density: 1 } : this.#selection };
  }

  /** The whole text. Runs the generation unless it is being iterated elsewhere. */
  async text(): Promise<string> {
    let text = '';
    for await (const token of this) text += token.text;
    return text;
  }

  /** All tokens. */
  async tokens(): Promise<GeneratedToken[]> {
    const tokens: GeneratedToken[] = [];
    for await (const token of this) tokens.push(token);
    return tokens;
  }

  /** Figures so far; final once iteration has ended. */
  stats(): GenerationStats {
    const perSecond = (count: number, ms: number): number => (count > 0 ? (1000 * count) / ms : NaN);
    return {
      promptTokens: this.#promptTokens, cachedTokens: this.#cachedTokens, promptMs: this.#promptMs,
      generatedTokens: this.#generated, generateMs: this.#generateMs,
      promptPerSecond: perSecond(this.#promptTokens - this.#cachedTokens, this.#promptMs),
      generatePerSecond: perSecond(this.#generated - Math.max(1, this.#earlier), this.#generateMs), // the first token's work is the prompt's
      weightBytesPerSecond: perSecond(this.#weightBytes, this.#generateMs),
      stopReason: this.#stopReason, stop: this.#stop, seed: this.#sampler.seed,
      method: this.#sparsity?.method, expected: this.#sparsity?.expected, decideMs: this.#decideMs, warnings: this.#sparsity?.warnings ?? [], measured: this.#contract?.measured,
      density: this.#generated > 1 ? this.#cost / (this.#generated - 1) : 1,
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    if (this.#started) {
      throw new InputError('E_OPTION', { subject: 'generation', found: 'a second iteration', expected: 'one', remedy: 'Call generate() again; keep the first text if you need it twice.' });
    }
    this.#started = true;
    await this.#prepare();
    if (this.#stopReason) return; // saved at its end
    for (let clock = performance.now(); this.#generated < this.#maxTokens; clock = performance.now()) {
      if (this.#generated > 0 && this.#tokens.length >= this.source.session.contextSize) { this.#stopReason = 'context'; break; }
      const index = this.#generated, step = this.#step(index);
      const over = (): void => { this.#stepping = undefined; };
      this.#stepping = step.then(over, over);
      const { eog, ...token } = await step, now = performance.now();
      if (index === 0) this.#promptMs = now - clock;
      else this.#generateMs += now - clock;
      if (!eog || token.text !== '') yield token;
      if (!this.#stopReason) continue;
      if (this.#options.telemetry && this.#generated > 1 && this.#selection.stages !== 0) {
        this.#decideMs = await this.source.session.exclusive((engine, ptr) => engine.decideMs(ptr));
      }
      return;
    }
    this.#stopReason ??= 'length';
  }

  /** What must be known before the first token, once: the selection, the prompt's tokens. */
  #prepare(): Promise<void> {
    return this.#ready ??= (async () => {
      const sparsity = await this.source.resolve(this.#options.signal);
      this.#use(sparsity);
      if (this.#contract) await this.source.session.exclusive((engine, ptr) => { engine.makeForms(ptr, this.selections.widest); });
      this.#tokens = Array.from(this.prompt());
      this.#promptTokens = this.#tokens.length;
      for (const id of this.#tokens) this.#sampler.accept(id);
    })();
  }

  #use(sparsity: Resolved, selection = sparsity.selection): void {
    this.#sparsity = sparsity;
    this.#selection = selection;
    if (sparsity.bound && selection.stages !== 0) this.#contract = new Contract(sparsity.bound, selection);
  }

  /** Takes over a state; with options of its own a generation that had ended goes on where they give it room. */
  #goOn({ tokens, promptTokens, random, text, cost, sparsity, selection, contract, stopReason, stop }: GenerationState, options: GenerateOptions): void {
    this.#ready = Promise.resolve();
    this.#use(sparsity, selection);
    if (contract) this.#contract?.restore(contract);
    this.#tokens = [...tokens];
    this.#promptTokens = promptTokens;
    this.#generated = this.#earlier = tokens.length - promptTokens;
    this.#cachedTokens = promptTokens;
    this.#cost = cost;
    this.#text = text;
    this.#sampler.restoreState({ random, recent: tokens });
    const room = stopReason === 'length' ? this.#generated < this.#maxTokens : stopReason === 'context' ? tokens.length < this.source.session.contextSize
      : (options.ignoreEos === true && stopReason === 'eog') || (!this.#loopGuard && stopReason === 'loop');
    for (const id of tokens.slice(promptTokens)) this.#loopGuard?.push(id);
    if (stopReason && !room) { this.#stopReason = stopReason; this.#stop = stop; return; }
    for (const id of tokens.slice(promptTokens)) { // a character or stop text that was begun; at an end what was held back has been shown
      const piece = this.#decoder.push(id);
      if (!stopReason) this.#stopper.push(piece);
    }
  }

  /** One token, from sampling to text; what `state` tells is whole before and after. */
  async #step(index: number): Promise<GeneratedToken & { eog: boolean }> {
    const token = await this.#next(this.#tokens, index);
    const eog = !this.#options.ignoreEos && this.source.tokenizer.isEog(token.id);
    const pushed = this.#stopper.push(eog ? this.#decoder.flush() : this.#decoder.push(token.id));
    let { text } = pushed;
    this.#tokens.push(token.id);
    this.#generated++;
    if (pushed.stopped) { this.#stopReason = 'stop'; this.#stop = pushed.stop; }
    else if (eog) this.#stopReason = 'eog';
    else if (this.#loopGuard?.push(token.id)) this.#stopReason = 'loop';
    else if (this.#generated >= this.#maxTokens) this.#stopReason = 'length';
    else if (this.#tokens.length >= this.source.session.contextSize) this.#stopReason = 'context';
    if (this.#stopReason && !pushed.stopped) text += this.#stopper.push(this.#decoder.flush()).text + this.#stopper.flush();
    this.#text += text;
    return { ...token, text, eog };
  }

  /** Samples the token after `tokens`. */
  async #next(tokens: readonly number[], index: number): Promise<Omit<GeneratedToken, 'text'>> {
    const { signal, onPrompt, telemetry } = this.#options;
    if (signal?.aborted) throw new AbortedError('generation', signal.reason);
    const options = {
      signal, onProgress: index === 0 ? onPrompt : undefined, selection: this.#selection, decodeFrom: this.#promptTokens, keepSparse: true, owner: this.#owner,
      watch: telemetry === 'neurons',
    };
    const choose = ({ logits, report }: State, step: StepTelemetry | undefined): Omit<GeneratedToken, 'text'> => {
      const id = this.#sampler.sample(logits);
      this.#sampler.accept(id);
      const logprob = logits[id]! - report.logSumExp;
      return {
        id, logprob,
        ...(this.#logprobs > 0 ? { top: this.#sampler.logprobs(logits, id, this.#logprobs, report.logSumExp).top } : {}),
        ...(telemetry ? { surprisal: -logprob, entropy: report.entropy, ...(step ? { step } : {}) } : {}),
      };
    };
    const { session } = this.source, contract = this.#contract?.isDue(index) ? this.#contract : undefined;
    const result = await session.evaluate(tokens, (state) => {
      const { report, reused } = state;
      if (index === 0) this.#cachedTokens = reused;
      else {
        this.#weightBytes += report.weightBytes;
        this.#cost += report.cost;
      }
      const step = telemetry && index > 0 ? this.#telemetry(report) : undefined;
      return contract ? step : choose(state, step);
    }, options);
    if (!contract) return result as Omit<GeneratedToken, 'text'>;
    return session.recheck((before, now) => {
      this.#weightBytes += now.report.weightBytes;
      this.#selection = contract.add(before, { logits: now.logits, logSumExp: now.report.logSumExp, topToken: now.report.topToken });
      return choose(now, result as StepTelemetry | undefined);
    });
  }

  #telemetry({ cogLoad, factor, cost, flags, weightBytes }: StepReport): StepTelemetry {
    const has = (flag: number): boolean => (flags & flag) !== 0, { session } = this.source, ran = has(StepFlag.sparse) && !has(StepFlag.reran);
    return {
      cogLoad, factor, density: cost, level: this.#sparsity?.expected?.parameter, thresholds: this.#selection.stages === 0 ? {} : session.adapt.thresholds(factor), weightBytes, refreshed: has(StepFlag.refreshed), reran: has(StepFlag.reran), prior: has(StepFlag.prior),
      layers: this.#selection.stages === 0 || has(StepFlag.refreshed) ? [] : session.adapt.counts(),
      ...(ran && this.#options.telemetry === 'neurons' ? { neurons: session.adapt.used() } : {}),
    };
  }
}
