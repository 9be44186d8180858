/** Generation: tokens one after the other, as an async iterable with `.text()`, `.tokens()` and `.stats()`. */
import type { Level } from '../adapt/levels.ts';
import type { Selection } from '../adapt/selection.ts';
import { denseSelection } from '../adapt/selection.ts';
import type { MethodName, Resolved, SparsityOptions } from '../adapt/methods.ts';
import type { StepReport } from '../engine/engine.ts';
import { AbortedError, InputError } from '../errors.ts';
import { StepFlag } from '../model/enums.ts';
import { checkNames, checkNumber, show } from '../options.ts';
import type { Logprobs } from '../sampler/logprobs.ts';
import { samplerOptionNames, type SamplerOptions } from '../sampler/options.ts';
import type { Sampler } from '../sampler/sampler.ts';
import { createSampler } from '../sampler/sampler.ts';
import type { Session, State } from '../session/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Measured } from './contract.ts';
import { Contract } from './contract.ts';
import { createStopper } from './stop.ts';

export interface GenerateOptions extends SamplerOptions {
  /** Tokens to generate at most. Default: until the model ends its answer or the context is full. */
  maxTokens?: number;
  /** Texts that end the generation and are not part of it. */
  stop?: string | readonly string[];
  /** Go on past end-of-generation tokens. Default false. */
  ignoreEos?: boolean;
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
  readonly resolve: () => Promise<Resolved>;
}

/** Why a generation ended: the model's own end, a stop text, `maxTokens`, a full context. */
export type StopReason = 'eog' | 'stop' | 'length' | 'context';

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
  /** Where a bound was asked for: what was measured against dense on the way. */
  readonly measured: Measured | undefined;
}

const ownNames = ['maxTokens', 'stop', 'ignoreEos', 'logprobs', 'telemetry', 'sparsity', 'signal', 'onPrompt'];
const counts = { min: 0, integer: true } as const;
const alternatives = { min: 0, max: 100, integer: true } as const;

export class Generation implements AsyncIterable<GeneratedToken> {
  readonly #options: GenerateOptions;
  readonly #sampler: Sampler;
  readonly #maxTokens: number;
  readonly #logprobs: number;
  readonly #stops: readonly string[];
  #started = false;
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
  #stopReason: StopReason | undefined;
  #stop: string | undefined;

  /** @internal use `model.generate` */
  constructor(private readonly source: GenerationSource, private readonly prompt: () => ArrayLike<number>, options: GenerateOptions) {
    checkNames('generate options', options, [...samplerOptionNames, ...ownNames]);
    this.#options = options;
    this.#sampler = createSampler(Object.fromEntries(samplerOptionNames.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]))));
    this.#maxTokens = options.maxTokens === undefined ? Infinity : checkNumber('maxTokens', counts, options.maxTokens);
    this.#logprobs = checkNumber('logprobs', alternatives, options.logprobs ?? 0);
    this.#stops = typeof options.stop === 'string' ? [options.stop] : (options.stop ?? []);
    createStopper(this.#stops); // refuses bad ones now rather than at the first token
    for (const name of ['ignoreEos', 'telemetry'] as const) {
      const value = options[name], neurons = name === 'telemetry';
      if (value !== undefined && typeof value !== 'boolean' && !(neurons && value === 'neurons')) {
        throw new InputError('E_OPTION', { subject: `option ${name}`, found: show(value), expected: neurons ? "true, false or 'neurons'" : 'true or false', remedy: 'Leave it out for false.' });
      }
    }
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
      generatePerSecond: perSecond(this.#generated - 1, this.#generateMs), // the first token's work is the prompt's
      weightBytesPerSecond: perSecond(this.#weightBytes, this.#generateMs),
      stopReason: this.#stopReason, stop: this.#stop, seed: this.#sampler.seed,
      method: this.#sparsity?.method, expected: this.#sparsity?.expected, warnings: this.#sparsity?.warnings ?? [], measured: this.#contract?.measured,
      density: this.#generated > 1 ? this.#cost / (this.#generated - 1) : 1,
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    if (this.#started) {
      throw new InputError('E_OPTION', { subject: 'generation', found: 'a second iteration', expected: 'one', remedy: 'Call generate() again; keep the first text if you need it twice.' });
    }
    this.#started = true;
    this.#sparsity = await this.source.resolve();
    this.#selection = this.#sparsity.selection;
    if (this.#sparsity.bound && this.#selection.stages !== 0) {
      this.#contract = new Contract(this.#sparsity.bound, this.#selection);
      // a mask that must grow has its room from the beginning: nothing is allocated while tokens run
      await this.source.session.exclusive((engine, ptr) => { engine.makeForms(ptr, { ...this.#selection, density: 1 }); });
    }
    const tokens = Array.from(this.prompt());
    this.#promptTokens = tokens.length;
    for (const id of tokens) this.#sampler.accept(id);
    const decoder = this.source.tokenizer.decodeStream({ skipSpecial: true });
    const stopper = createStopper(this.#stops);
    let clock = performance.now();

    for (let index = 0; index < this.#maxTokens; index++) {
      if (index > 0 && tokens.length >= this.source.session.contextSize) { this.#stopReason = 'context'; break; }
      const token = await this.#next(tokens, index);
      const eog = !this.#options.ignoreEos && this.source.tokenizer.isEog(token.id);
      const pushed = stopper.push(eog ? decoder.flush() : decoder.push(token.id));
      let { text } = pushed;
      tokens.push(token.id);
      this.#generated++;
      if (pushed.stopped) { this.#stopReason = 'stop'; this.#stop = pushed.stop; }
      else if (eog) this.#stopReason = 'eog';
      else if (this.#generated === this.#maxTokens) this.#stopReason = 'length';
      else if (tokens.length >= this.source.session.contextSize) this.#stopReason = 'context';
      if (this.#stopReason && !pushed.stopped) text += stopper.push(decoder.flush()).text + stopper.flush();
      const now = performance.now();
      if (index === 0) this.#promptMs = now - clock;
      else this.#generateMs += now - clock;
      if (!eog || text !== '') yield { ...token, text };
      clock = performance.now();
      if (this.#stopReason) return;
    }
    this.#stopReason ??= 'length';
  }

  /** Samples the token after `tokens`. */
  async #next(tokens: readonly number[], index: number): Promise<Omit<GeneratedToken, 'text'>> {
    const { signal, onPrompt, telemetry } = this.#options;
    if (signal?.aborted) throw new AbortedError('generation', signal.reason);
    const options = {
      signal, onProgress: index === 0 ? onPrompt : undefined, selection: this.#selection, decodeFrom: this.#promptTokens, keepSparse: true, owner: this,
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
      cogLoad, factor, density: cost, weightBytes, refreshed: has(StepFlag.refreshed), reran: has(StepFlag.reran), prior: has(StepFlag.prior),
      layers: this.#selection.stages === 0 || has(StepFlag.refreshed) ? [] : session.adapt.counts(),
      ...(ran && this.#options.telemetry === 'neurons' ? { neurons: session.adapt.used() } : {}),
    };
  }
}
