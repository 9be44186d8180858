/**
 * One sequence of tokens in the engine: its key/value cache and the logits after its last token.
 *
 * A session is asked for a state ("the logits after these tokens, please"), not for steps: it keeps the longest prefix that the cache already
 * holds and computes the rest. Prefix reuse, continued chats and several generators taking turns on one cache all follow from that.
 * Requests run one after the other, each to its end, so none can see another's half-done work and none can wait for ever.
 */
import type { Engine, StepReport } from '../engine/engine.ts';
import { InputError, throwIfAborted } from '../errors.ts';
import { Turns } from './turn.ts';

/** The state after the tokens that were asked for. Views and numbers are valid during the callback only. */
export interface State {
  /** Logits after the last token, [vocab] f32: a view of engine memory. */
  readonly logits: Float32Array;
  /** What the last token decided. */
  readonly report: StepReport;
  /** Tokens taken from the cache, and tokens computed. */
  readonly reused: number;
  readonly computed: number;
}

export interface EvaluateOptions {
  readonly signal?: AbortSignal | undefined;
  /** After each chunk of the prompt. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export class Session {
  readonly #engine: Engine;
  readonly #ptr: number;
  /** Ids of the positions in the cache. */
  readonly #tokens: Int32Array;
  #length = 0;
  #hasLogits = false;
  /** Settles when the last request has. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #turns = new Turns();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#ptr = engine.openSession();
    this.#tokens = new Int32Array(engine.contextSize);
  }

  /** Tokens in the cache. */
  get length(): number { return this.#length; }

  /** Positions that the cache holds. */
  get contextSize(): number { return this.#engine.contextSize; }

  /**
   * Brings the cache to exactly `tokens` and hands the state after them to `use`, synchronously.
   * @throws InputError `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`; StateError; AbortedError between chunks (what was computed stays cached).
   */
  async evaluate<T>(tokens: ArrayLike<number>, use: (state: State) => T, { signal, onProgress }: EvaluateOptions = {}): Promise<T> {
    return this.#enqueue(async () => {
      this.#check(tokens);
      const reused = this.#commonPrefix(tokens);
      this.#truncate(reused);
      for (let done = reused; done < tokens.length;) {
        throwIfAborted(signal, 'evaluation');
        const count = Math.min(this.#engine.chunkSize, tokens.length - done);
        this.#run(tokens, done, count, 1);
        done += count;
        if (count > 1) onProgress?.(done, tokens.length);
        await this.#turns.give();
      }
      return use({ logits: this.#engine.logits(this.#ptr, 0), report: this.#engine.report(this.#ptr, 0), reused, computed: tokens.length - reused });
    });
  }

  /**
   * Feeds `tokens` from an empty cache and hands over the logits after every one of them (a view, valid during the call) with its report.
   * @throws as {@link evaluate}
   */
  async score(tokens: ArrayLike<number>, each: (report: StepReport, logits: Float32Array, index: number) => void, { signal, onProgress }: EvaluateOptions = {}): Promise<void> {
    return this.#enqueue(async () => {
      this.#check(tokens);
      this.#truncate(0);
      for (let done = 0; done < tokens.length;) {
        throwIfAborted(signal, 'score');
        const count = Math.min(this.#engine.logitRows, tokens.length - done);
        this.#run(tokens, done, count, count);
        for (let row = 0; row < count; row++) each(this.#engine.report(this.#ptr, row), this.#engine.logits(this.#ptr, row), done + row);
        done += count;
        onProgress?.(done, tokens.length);
        await this.#turns.give();
      }
      this.#hasLogits = false; // those of the last token lie in a row of their own
    });
  }

  #enqueue<T>(request: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(request);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #truncate(length: number): void {
    if (length >= this.#length) return;
    this.#length = length;
    this.#hasLogits = false;
    this.#engine.truncate(this.#ptr, length);
  }

  /** Tokens of the cache that can stay: all but the last must be recomputed if the logits after it are gone. */
  #commonPrefix(tokens: ArrayLike<number>): number {
    const limit = Math.min(this.#length, tokens.length);
    let same = 0;
    while (same < limit && this.#tokens[same] === tokens[same]) same++;
    if (same === tokens.length && !(this.#hasLogits && same === this.#length)) same--;
    return same;
  }

  #run(tokens: ArrayLike<number>, from: number, count: number, rows: number): void {
    for (let i = 0; i < count; i++) this.#tokens[this.#length + i] = tokens[from + i]!;
    this.#engine.pass(this.#ptr, this.#tokens.subarray(this.#length, this.#length + count), rows);
    this.#length += count;
    this.#hasLogits = true;
  }

  #check(tokens: ArrayLike<number>): void {
    if (tokens.length === 0) {
      throw new InputError('E_EMPTY_PROMPT', {
        subject: 'prompt', found: 'no tokens', expected: 'at least one token', remedy: 'Give some text, or start from the BOS token.',
      });
    }
    if (tokens.length > this.contextSize) {
      throw new InputError('E_CONTEXT_FULL', {
        subject: 'context', found: `${tokens.length} tokens`, expected: `at most ${this.contextSize} (contextSize)`,
        remedy: 'Shorten the prompt, or load the model with a larger contextSize.',
      });
    }
    for (let i = 0; i < tokens.length; i++) {
      const id = tokens[i]!;
      if (!(Number.isInteger(id) && id >= 0 && id < this.#engine.vocab)) {
        throw new InputError('E_TOKEN_RANGE', {
          subject: `token ${i}`, found: String(id), expected: `an integer from 0 to ${this.#engine.vocab - 1}`,
          remedy: 'Encode the text with the tokenizer of this model.',
        });
      }
    }
  }
}
