/** Generation: tokens one after the other, as an async iterable with `.text()`, `.tokens()` and `.stats()`. */
import type { Selection } from '../adapt/selection.ts';
import { denseSelection } from '../adapt/selection.ts';
import type { Resolved } from '../adapt/resolve.ts';
import { AbortedError, InputError } from '../errors.ts';
import { checkNumber } from '../options.ts';
import type { Sampler } from '../sampler/sampler.ts';
import type { State } from '../session/sequence.ts';
import type { DecodeStream } from '../tokenizer/tokenizer.ts';
import { checkGenerateOptions, takeConstraint } from './asked.ts';
import { Contract } from './contract.ts';
import type { LoopGuard } from './loop.ts';
import { createLoopGuard } from './loop.ts';
import type { Prompt } from './overflow.ts';
import { withoutOldest } from './overflow.ts';
import { samplerFor } from './sampling.ts';
import { saveGeneration } from './snapshot.ts';
import type { Stopper } from './stop.ts';
import { createStopper } from './stop.ts';
import { Tally } from './tally.ts';
import { telemetryOf } from './telemetry.ts';
import type {
  GenerateOptions, GeneratedToken, GenerationSource, GenerationState, GenerationStats, StepTelemetry, StopReason,
} from './types.ts';

const counts = { min: 0, integer: true } as const;
const alternatives = { min: 0, max: 100, integer: true } as const;

/** A text in the making: iterated token by token, or run to its end by `text()` and `tokens()`. */
export class Generation implements AsyncIterable<GeneratedToken> {
  readonly #options: GenerateOptions;
  readonly #sampler: Sampler;
  #maxTokens: number;
  readonly #logprobs: number;
  #decoder: DecodeStream;
  readonly #stopper: Stopper;
  readonly #loopGuard: LoopGuard | undefined;
  readonly #owner: object;
  readonly #tally = new Tally();
  /** What the model sees: prompt, then what was generated, less what was pushed out. */
  #tokens: number[] = [];
  /** From here on they are decoded one by one. */
  #decodeFrom = 0;
  #text = '';
  #started = false;
  #ready: Promise<void> | undefined;
  /** The token under way. */
  #stepping: Promise<unknown> | undefined;
  #sparsity: Resolved | undefined;
  #selection: Selection = denseSelection;
  #contract: Contract | undefined;
  #decideMs: number | undefined;
  #stopReason: StopReason | undefined;
  #stop: string | undefined;
  #ended = false;

  /** @internal use `model.generate`; `from`: goes on there instead of at the prompt */
  constructor(
    private readonly source: GenerationSource, private readonly prompt: Prompt, options: GenerateOptions, from?: GenerationState,
  ) {
    options = this.#options = checkGenerateOptions(options);
    this.#sampler = samplerFor(options, source.tokenizer);
    this.#maxTokens = (options.maxTokens ?? -1) === -1 ? Infinity : checkNumber('maxTokens', counts, options.maxTokens);
    this.#loopGuard = createLoopGuard(options.loopGuard);
    this.#logprobs = checkNumber('logprobs', alternatives, options.logprobs ?? 0);
    this.#stopper = createStopper(typeof options.stop === 'string' ? [options.stop] : (options.stop ?? []));
    this.#decoder = source.tokenizer.decodeStream({ skipSpecial: true });
    this.#owner = from?.owner ?? this;
    if (from) this.#goOn(from, options);
  }

  /** Tokens that the model sees: prompt and what was generated so far, less what a full context has pushed out. */
  get ids(): readonly number[] { return this.#tokens; }

  /**
   * Everything needed to go on from here in another process or runtime, between two tokens: also after the end, and while the tokens are
   * being iterated. `model.resume` takes it.
   *
   * ```ts
   * const snapshot = await generation.save();
   * ```
   * @throws StateError where the model is closed; as iterating, where nothing has run yet
   */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    // one that has not begun stays so: what its prompt will be, the turns before it decide
    const saved = this.#ready ? this : new Generation(this.source, this.prompt, { ...this.#options, seed: this.#sampler.seed });
    await saved.#prepare();
    return saveGeneration(this.source, saved);
  }

  /** @internal undefined while a token is under way */
  get state(): GenerationState | undefined {
    if (this.#stepping || !this.#sparsity) return undefined;
    const { signal: _signal, onPrompt: _onPrompt, constraint, ...options } = this.#options, { promptTokens, cost, shifted } = this.#tally;
    return {
      options: { ...options, seed: this.#sampler.seed, ...(this.#maxTokens === Infinity ? {} : { maxTokens: this.#maxTokens }) },
      tokens: [...this.#tokens], promptTokens, ...(shifted > 0 ? { shiftedTokens: shifted, decodeFrom: this.#decodeFrom } : {}),
      random: this.#sampler.saveState().random, text: this.#text, cost,
      sparsity: this.#sparsity, selection: this.#selection, contract: this.#contract?.state,
      ...(constraint ? { constraint: constraint.save() } : {}),
      stopReason: this.#stopReason, stop: this.#stop, owner: this.#owner,
    };
  }

  /** @internal settles when no token is under way */
  async settled(): Promise<void> {
    await this.#ready?.catch(() => undefined);
    await this.#stepping;
  }

  /** @internal the text so far, as far as it was certain */
  get said(): string { return this.#text; }

  /** @internal somebody else goes on: iterating gives no further token */
  end(): void { this.#ended = true; }

  /** @internal what decodes next, and the widest selection that may follow (a mask that must grow has its room from the beginning) */
  get selections(): { now: Selection; widest: Selection } {
    return { now: this.#selection, widest: this.#contract ? { ...this.#selection, density: 1 } : this.#selection };
  }

  /** The whole text. Runs the generation unless it is being iterated elsewhere. */
  async text(): Promise<string> {
    return (await this.tokens()).map(({ text }) => text).join('');
  }

  /** All tokens. */
  async tokens(): Promise<GeneratedToken[]> {
    const tokens: GeneratedToken[] = [];
    for await (const token of this) tokens.push(token);
    return tokens;
  }

  /** Figures so far; final once iteration has ended. */
  stats(): GenerationStats {
    return {
      ...this.#tally.figures, stopReason: this.#stopReason, stop: this.#stop, seed: this.#sampler.seed,
      method: this.#sparsity?.method, expected: this.#sparsity?.expected, decideMs: this.#decideMs,
      warnings: this.#sparsity?.warnings ?? [], measured: this.#contract?.measured,
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    if (this.#started) {
      throw new InputError('E_OPTION', {
        subject: 'generation', found: 'a second iteration', expected: 'one', remedy: 'Call generate() again, or keep its text.',
      });
    }
    this.#started = true;
    const { claim } = this.source;
    await this.begin();
    claim.awake();
    try {
      takeConstraint(this.#options.constraint);
      await this.#prepare();
      while (!this.#stopReason && !this.#ended) {
        if (this.#tally.generated >= this.#maxTokens) { this.#stopReason = 'length'; break; }
        if (!this.#hasRoom()) { this.#stopReason = 'context'; break; }
        const index = this.#tally.generated, started = performance.now(), step = this.#step(index);
        const over = (): void => { this.#stepping = undefined; };
        this.#stepping = step.then(over, over);
        const { eog, ...token } = await step;
        this.#tally.time(index, performance.now() - started);
        if (eog && token.text === '') continue;
        claim.rest();
        yield token;
        if (!this.#ended) claim.awake();
      }
      await this.#timeChoices();
    } finally {
      if (!this.#ended) claim.release();
      this.done();
    }
  }

  /** @internal before the first token: waits for what must end before */
  protected async begin(): Promise<void> {}

  /** @internal after the last, however it ended */
  protected done(): void {}

  /** How long choosing takes, once the answer is complete. */
  async #timeChoices(): Promise<void> {
    if (!this.#options.telemetry || this.#tally.generated < 2 || this.#selection.stages === 0 || this.#ended) return;
    this.#decideMs = await this.source.claim.use(this.#tokens, this.#options.signal, (sequence) =>
      sequence.exclusive((engine, ptr) => engine.decideMs(ptr)));
  }

  /** What must be known before the first token, once: the selection, the prompt's tokens. */
  #prepare(): Promise<void> {
    return this.#ready ??= (async () => {
      const sparsity = await this.source.resolve(this.#options.signal), { contextSize } = this.source.pool.engine;
      this.#use(sparsity);
      const room = this.#options.overflow === 'shift' ? contextSize - Math.min(this.#maxTokens, contextSize >> 2) : undefined;
      this.#tokens = Array.from(this.prompt(room).tokens);
      this.#decodeFrom = this.#tally.promptTokens = this.#tokens.length;
      this.#decoder = this.source.tokenizer.decodeStream({ skipSpecial: true, after: this.#tokens });
      for (const id of this.#tokens) this.#sampler.accept(id);
    })();
  }

  #use(sparsity: Resolved, selection = sparsity.selection): void {
    this.#sparsity = sparsity;
    this.#selection = selection;
    if (sparsity.bound && selection.stages !== 0) this.#contract = new Contract(sparsity.bound, selection);
  }

  /** Takes over a state; with options of its own a generation that had ended goes on where they give it room. */
  #goOn(from: GenerationState, options: GenerateOptions): void {
    const { tokens, promptTokens, decodeFrom = promptTokens, random, text, sparsity, selection, contract, stopReason, stop } = from;
    this.#ready = Promise.resolve();
    this.#use(sparsity, selection);
    if (contract) this.#contract?.restore(contract);
    this.#tokens = [...tokens];
    this.#decodeFrom = decodeFrom;
    this.#tally.goOn(from);
    this.#text = text;
    this.#sampler.restoreState({ random, recent: tokens });
    if (from.constraint !== undefined) options.constraint?.restore(from.constraint);
    const room = stopReason === 'length' ? this.#tally.generated < this.#maxTokens
      : stopReason === 'context' ? tokens.length < this.source.pool.engine.contextSize
      : (options.ignoreEos === true && stopReason === 'eog') || (!this.#loopGuard && stopReason === 'loop');
    const own = Math.max(0, tokens.length - this.#tally.generated);
    this.#decoder = this.source.tokenizer.decodeStream({ skipSpecial: true, after: tokens.slice(0, own) });
    for (const id of tokens.slice(own)) this.#loopGuard?.push(id);
    if (stopReason && !room) { this.#stopReason = stopReason; this.#stop = stop; return; }
    for (const id of tokens.slice(own)) { // a character or stop text that was begun; at an end what was held back has been shown
      const piece = this.#decoder.push(id);
      if (!stopReason) this.#stopper.push(piece);
    }
  }

  /**
   * Whether another token finds room in the context, which is made where that may be: what stays is computed anew, as a prompt. A prompt
   * alone is the sequence's to refuse.
   */
  #hasRoom(): boolean {
    const { contextSize } = this.source.pool.engine, { generated } = this.#tally;
    if (generated === 0 || this.#tokens.length < contextSize) return true;
    const next = this.#options.overflow === 'shift' ? withoutOldest(this.#tokens, generated, this.prompt, contextSize) : undefined;
    if (!next) return false;
    this.#tally.shifted += this.#tokens.length - next.length;
    this.#tokens = next;
    this.#decodeFrom = next.length;
    return true;
  }

  /** One token, from sampling to text; what `state` tells is whole before and after. */
  async #step(index: number): Promise<GeneratedToken & { eog: boolean }> {
    const token = await this.#next(this.#tokens, index);
    const eog = !this.#options.ignoreEos && this.source.tokenizer.isEog(token.id);
    const pushed = this.#stopper.push(eog ? this.#decoder.flush() : this.#decoder.push(token.id));
    let { text } = pushed;
    this.#tokens.push(token.id);
    this.#tally.generated++;
    if (pushed.stopped) { this.#stopReason = 'stop'; this.#stop = pushed.stop; }
    else if (eog) this.#stopReason = 'eog';
    else if (this.#loopGuard?.push(token.id)) this.#stopReason = 'loop';
    else if (this.#tally.generated >= this.#maxTokens) this.#stopReason = 'length';
    else if (this.#tokens.length >= this.source.pool.engine.contextSize && this.#options.overflow !== 'shift') this.#stopReason = 'context';
    if (this.#stopReason && !pushed.stopped) text += this.#stopper.push(this.#decoder.flush()).text + this.#stopper.flush();
    this.#text += text;
    return { ...token, text, eog };
  }

  /** Samples the token after `tokens`. */
  async #next(tokens: readonly number[], index: number): Promise<Omit<GeneratedToken, 'text'>> {
    const { signal, onPrompt, telemetry, constraint } = this.#options;
    if (signal?.aborted) throw new AbortedError('generation', signal.reason);
    const choose = ({ logits, report, exact }: State, step: StepTelemetry | undefined): Omit<GeneratedToken, 'text'> => {
      const id = this.#sampler.sample(logits, exact, constraint);
      this.#sampler.accept(id);
      constraint?.accept(id);
      const logprob = logits[id]! - exact.logSumExp;
      return {
        id, logprob,
        ...(this.#logprobs > 0 ? { top: this.#sampler.logprobs(logits, id, this.#logprobs, report.logSumExp).top } : {}),
        ...(telemetry ? { surprisal: -logprob, entropy: report.entropy, ...(step ? { step } : {}) } : {}),
      };
    };
    const contract = this.#contract?.isDue(index) ? this.#contract : undefined, tally = this.#tally;
    return this.source.claim.use(tokens, signal, (sequence) => sequence.evaluate(tokens, (state) => {
      const { report, reused, sparse, logits } = state, own = sparse?.report ?? report;
      if (index === 0) tally.cachedTokens = reused;
      else {
        tally.weightBytes += own.weightBytes + (sparse ? report.weightBytes : 0);
        tally.cost += own.cost;
      }
      const level = this.#sparsity?.expected?.parameter;
      const step = telemetry && index > 0 ? telemetryOf(sequence, own, level, telemetry === 'neurons') : undefined;
      if (sparse) this.#selection = contract!.add(sparse, { logits, logSumExp: report.logSumExp, topToken: report.topToken });
      return choose(state, step);
    }, {
      signal, onProgress: index === 0 ? onPrompt : undefined, selection: this.#selection, room: this.selections.widest,
      decodeFrom: this.#decodeFrom, keepSparse: true, owner: this.#owner,
      watch: telemetry === 'neurons', check: contract !== undefined,
      margin: contract || this.#logprobs > 0 ? Infinity : this.#sampler.margin,
    }));
  }
}
