/**
 * One sequence of tokens in the engine: its key/value cache, the logits after its last token, and what each token decided.
 *
 * A session is asked for a state ("these tokens, please"), not for steps: {@link Session.advanceTo} keeps the longest common prefix that the
 * cache already holds and computes the rest. Prefix reuse, continued chats and several generators taking turns on one cache all
 * follow from that and need no locks.
 */
import type { Engine, StepReport } from '../engine/engine.ts';
import { InputError, throwIfAborted } from '../errors.ts';
import { Turns } from './turn.ts';

export interface AdvanceResult {
  /** Tokens taken from the cache and tokens computed. */
  readonly reused: number;
  readonly computed: number;
}

export class Session {
  readonly #engine: Engine;
  readonly #ptr: number;
  /** Ids of the positions in the cache. */
  readonly #tokens: Int32Array;
  #length = 0;
  #hasLogits = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#ptr = engine.openSession();
    this.#tokens = new Int32Array(engine.contextSize);
  }

  /** Tokens in the cache. */
  get length(): number { return this.#length; }

  /** Positions that the cache holds. */
  get contextSize(): number { return this.#engine.contextSize; }

  /** Logits after the last token, [vocab] f32: a view of engine memory, valid until the next call. */
  get logits(): Float32Array { return this.#engine.logits(this.#ptr, 0); }

  /** Report of the last token. */
  get report(): StepReport { return this.#engine.report(this.#ptr, 0); }

  /** Forgets everything behind the first `length` tokens. */
  truncate(length: number): void {
    if (length >= this.#length) return;
    this.#length = length;
    this.#hasLogits = false;
    this.#engine.truncate(this.#ptr, length);
  }

  /**
   * Makes the cache hold exactly `tokens` and the logits those after the last of them.
   * @throws InputError `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`; AbortedError between chunks, the cache then holds what was done.
   */
  async advanceTo(tokens: ArrayLike<number>, signal?: AbortSignal, onProgress?: (done: number, total: number) => void): Promise<AdvanceResult> {
    this.#check(tokens);
    const reused = this.#commonPrefix(tokens);
    this.truncate(reused);
    const turns = new Turns();
    let done = reused;
    while (done < tokens.length) {
      throwIfAborted(signal, 'prompt');
      const count = Math.min(this.#engine.chunkSize, tokens.length - done);
      this.#run(tokens, done, count, 1);
      done += count;
      onProgress?.(done, tokens.length);
      await turns.give();
    }
    return { reused, computed: tokens.length - reused };
  }

  /** Appends one token; the logits are then those after it. */
  step(token: number): StepReport {
    this.#check([token], this.#length);
    this.#run([token], 0, 1, 1);
    return this.report;
  }

  /**
   * Feeds `tokens` from an empty cache and hands over the logits after every one of them (a view, valid during the call) with its report.
   */
  async score(tokens: ArrayLike<number>, each: (report: StepReport, logits: Float32Array, index: number) => void, signal?: AbortSignal): Promise<void> {
    this.#check(tokens);
    this.truncate(0);
    const turns = new Turns();
    for (let done = 0; done < tokens.length;) {
      throwIfAborted(signal, 'score');
      const count = Math.min(this.#engine.logitRows, tokens.length - done);
      this.#run(tokens, done, count, count);
      for (let row = 0; row < count; row++) each(this.#engine.report(this.#ptr, row), this.#engine.logits(this.#ptr, row), done + row);
      done += count;
      await turns.give();
    }
    this.#hasLogits = false; // they may lie in a row other than the first
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

  #check(tokens: ArrayLike<number>, held = 0): void {
    if (tokens.length === 0) {
      throw new InputError('E_EMPTY_PROMPT', {
        subject: 'prompt', found: 'no tokens', expected: 'at least one token', remedy: 'Give some text, or start from the BOS token.',
      });
    }
    if (held + tokens.length > this.contextSize) {
      throw new InputError('E_CONTEXT_FULL', {
        subject: 'context', found: `${held + tokens.length} tokens`, expected: `at most ${this.contextSize} (contextSize)`,
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
