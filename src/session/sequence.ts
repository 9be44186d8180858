/**
 * One sequence of tokens in the engine: its key/value cache and the logits after its last token.
 *
 * A sequence is asked for a state ("the logits after these tokens, please"), not for steps: it keeps the longest prefix that the cache
 * already holds and computes the rest. Prefix reuse, continued chats and regenerated answers all follow from that. Requests of one sequence
 * run one after the other, each to its end; those of others run in between whenever the event loop gets a turn, so nothing in the workspace
 * outlives one.
 */
import type { Selection } from '../adapt/selection.ts';
import { denseSelection, usesStatistics } from '../adapt/selection.ts';
import type { AdaptState } from '../engine/adapt.ts';
import type { Engine, StepReport } from '../engine/engine.ts';
import { ModelError, throwIfAborted } from '../errors.ts';
import { StepFlag } from '../model/enums.ts';
import type { EvaluateOptions, State } from './request.ts';
import { checkTokens } from './request.ts';
import { goesOnAt } from './resume.ts';
import type { SavedSequence } from './saved.ts';
import { RowKind } from './saved.ts';
import { Turns } from './turn.ts';

export type { Distribution, EvaluateOptions, State } from './request.ts';

const { counted, uncounted, sparse } = RowKind;

/** A sequence outside the engine's memory: what its owner goes on from once there is room again. */
export interface Parked { readonly sequence: SavedSequence; readonly owner: object | undefined; readonly selection: Selection }

export class Sequence {
  readonly #ptr: number;
  /** Ids of the positions in the cache. */
  readonly #tokens: Int32Array;
  readonly #rows: Uint8Array;
  /** Leading tokens that the statistics know. */
  #counted = 0;
  #selection: Selection = denseSelection;
  /** Who asked for the state that the cache is in. */
  #owner: object | undefined;
  #length = 0;
  #hasLogits = false;
  /** Settles when the last request has. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #turns = new Turns();

  /** @throws ModelError `E_WONT_FIT` */
  constructor(readonly engine: Engine) {
    this.#ptr = engine.openSequence();
    this.#tokens = new Int32Array(engine.contextSize);
    this.#rows = new Uint8Array(engine.contextSize);
  }

  /** The adaptive state in memory, made at the first call. */
  get adapt(): AdaptState { return this.engine.adapt(this.#ptr); }

  /** Gives its memory back, once what was asked for is done. Nothing may be asked for any more. */
  close(): Promise<void> { return this.#enqueue(async () => { this.engine.closeSequence(this.#ptr); }); }

  /** How many leading tokens of `tokens` the cache holds. */
  common(tokens: ArrayLike<number>): number {
    const limit = Math.min(this.#length, tokens.length);
    let same = 0;
    while (same < limit && this.#tokens[same] === tokens[same]) same++;
    return same;
  }

  /** Runs `use` alone: nothing else moves the cache meanwhile. */
  exclusive<T>(use: (engine: Engine, ptr: number) => T | Promise<T>): Promise<T> {
    return this.#enqueue(async () => use(this.engine, this.#ptr));
  }

  /** What decoding skips from now on, with a load that starts anew. */
  #select(selection: Selection, room = selection): void {
    if (selection === this.#selection) return;
    if (room.stages !== 0) this.engine.makeForms(this.#ptr, room);
    this.adapt.configure(selection);
    this.#selection = selection;
  }

  /** Tokens in the cache, and how many it holds at most. */
  get length(): number { return this.#length; }
  get contextSize(): number { return this.engine.contextSize; }

  /**
   * Brings the cache to exactly `tokens` and hands the state after them to `use`, synchronously.
   * @throws InputError `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`; StateError; AbortedError between chunks (what was computed
   * stays cached).
   */
  async evaluate<T>(tokens: ArrayLike<number>, use: (state: State) => T, options: EvaluateOptions = {}): Promise<T> {
    const {
      signal, onProgress, onStep, selection = denseSelection, decodeFrom = tokens.length, computeFrom = Infinity, keepSparse = false,
      watch = false, owner = selection,
    } = options;
    return this.#enqueue(async () => {
      throwIfAborted(signal, 'evaluation');
      checkTokens(tokens, this.engine);
      this.#select(selection, options.room);
      const same = this.#reusable(tokens, selection.stages === 0 ? tokens.length : keepSparse ? 0 : decodeFrom);
      const place = { same: Math.min(same, computeFrom), length: this.#length, decodeFrom, isOwner: owner === this.#owner };
      const reused = this.#resumable(goesOnAt(this.#selection, place), decodeFrom);
      this.#truncate(reused);
      this.#owner = owner;
      const finish = (): T => use({ ...this.#now, reused, computed: tokens.length - reused });
      if (reused === tokens.length) return finish();
      for (let done = reused; ; await this.#turns.give()) {
        throwIfAborted(signal, 'evaluation');
        const decodes = done >= decodeFrom;
        const known = done < this.#counted ? this.#counted - done : Infinity; // computed again, but not counted again
        const count = decodes ? 1 : Math.min(this.engine.chunkSize, Math.min(decodeFrom, tokens.length) - done, known);
        if (done === decodeFrom && selection.stages !== 0) this.adapt.restartCogLoad(); // a generation begins: its loads are its own
        if (decodes) this.#step(tokens[done]!, watch);
        else this.#run(tokens, done, count, 1);
        if (decodes) onStep?.(this.#now, done);
        done += count;
        if (count > 1) onProgress?.(done, tokens.length);
        if (done < tokens.length) continue;
        // before anybody else gets a turn: a step's telemetry lies in the workspace
        const result = decodes && options.check ? this.#recheck(use, reused, tokens.length - reused) : finish();
        await this.#turns.give();
        return result;
      }
    });
  }

  /** Computes the last token again, dense and in the same place, and hands over both distributions. */
  #recheck<T>(use: (state: State) => T, reused: number, computed: number): T {
    const report = this.engine.report(this.#ptr);
    const before = { logits: this.engine.logits(this.#ptr).slice(), logSumExp: report.logSumExp, topToken: report.topToken, report };
    const last = this.#tokens.slice(this.#length - 1, this.#length);
    this.#truncate(this.#length - 1);
    this.#run(last, 0, 1, 1, false);
    this.#rows[this.#length - 1] = sparse; // part of an answer: statistics do not ask for it
    return use({ ...this.#now, reused, computed, sparse: before });
  }

  get #now(): Pick<State, 'logits' | 'report'> {
    return { logits: this.engine.logits(this.#ptr), report: this.engine.report(this.#ptr) };
  }

  /**
   * Feeds `tokens` from an empty cache and hands over the logits after every one of them (a view, valid during the call) with its report.
   * @throws as {@link evaluate}
   */
  async score(
    tokens: ArrayLike<number>, each: (report: StepReport, logits: Float32Array, index: number) => void,
    { signal, onProgress }: EvaluateOptions = {},
  ): Promise<void> {
    return this.#enqueue(async () => {
      checkTokens(tokens, this.engine);
      if (this.#counted > 0) this.#forget();
      this.#truncate(0);
      for (let done = 0; done < tokens.length;) {
        throwIfAborted(signal, 'score');
        const count = Math.min(this.engine.logitRows, tokens.length - done);
        this.#run(tokens, done, count, count, false);
        for (let row = 0; row < count; row++) {
          const at = count === 1 ? undefined : row; // a single row is the sequence's own
          each(this.engine.report(this.#ptr, at), this.engine.logits(this.#ptr, at), done + row);
        }
        done += count;
        onProgress?.(done, tokens.length);
        await this.#turns.give();
      }
    });
  }

  /**
   * A copy of what the cache holds of a sequence, made where nothing else runs: `of` names its tokens and who decoded them, or gives
   * undefined where it is not the moment. Tokens that others left in the cache are not part of it.
   */
  async save<T extends { tokens: ArrayLike<number>; owner: object | undefined }>(
    of: () => T | undefined,
  ): Promise<{ asked: T; sequence: SavedSequence } | undefined> {
    return this.#enqueue(async () => {
      const asked = of();
      if (!asked) return undefined;
      const { tokens, owner } = asked, same = this.engine.resumable(this.#ptr, this.common(tokens));
      const whole = same === this.#length, known = this.#counted > 0 && this.#counted <= same, rows = this.#rows.slice(0, same);
      if (!known) rows.forEach((kind, i) => { if (kind === counted) rows[i] = uncounted; });
      return {
        asked,
        sequence: {
          tokens: this.#tokens.slice(0, same), rows, counted: known ? this.#counted : 0,
          owned: whole && owner !== undefined && owner === this.#owner,
          state: this.engine.saveState(this.#ptr, same, { logits: whole && this.#hasLogits, load: whole, statistics: known }),
        },
      };
    });
  }

  /**
   * Replaces the cache by a saved sequence (checked by the caller), decoded by `owner` with `selection`. `room`: the widest selection that
   * will follow. Nothing has changed when it throws.
   * @throws ModelError `E_WONT_FIT`
   */
  async restore(
    { tokens, rows, counted: known, owned, state }: SavedSequence, selection: Selection | undefined, owner: object, room = selection,
  ): Promise<void> {
    return this.#enqueue(async () => {
      if (selection) this.#select(selection, room);
      this.engine.restoreState(this.#ptr, tokens.length, state);
      this.#tokens.set(tokens);
      this.#rows.set(rows);
      this.#length = tokens.length;
      this.#counted = known;
      this.#hasLogits = state.logits !== undefined;
      this.#owner = owned ? owner : undefined;
    });
  }

  /** All that another sequence needs to go on as this one would. */
  async park(): Promise<Parked> {
    const { asked: { owner, selection }, sequence } = (await this.save(() => (
      { tokens: this.#tokens.slice(0, this.#length), owner: this.#owner, selection: this.#selection })))!;
    return { sequence, owner, selection };
  }

  /** Goes on where another was parked. */
  unpark({ sequence, owner, selection }: Parked): Promise<void> { return this.restore(sequence, selection, owner ?? {}); }

  #enqueue<T>(request: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(request);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #truncate(length: number): void {
    if (length >= this.#length) return;
    this.#length = length;
    this.#hasLogits = false;
    this.engine.truncate(this.#ptr, length);
  }

  /**
   * Tokens of the cache that can stay: all but the last must be computed again if the logits after it are gone; the first `denseTo` must be
   * dense.
   */
  #reusable(tokens: ArrayLike<number>, denseTo: number): number {
    const limit = this.common(tokens);
    let same = 0;
    while (same < limit && (same >= denseTo || this.#rows[same] !== sparse)) same++;
    if (same < this.#counted) this.#forget(); // the statistics know tokens that are no longer there
    if (usesStatistics(this.#selection) && this.#rows.subarray(0, same).includes(uncounted)) {
      this.#forget();
      return 0;
    }
    if (same === tokens.length && !(this.#hasLogits && same === this.#length)) same--;
    return same;
  }

  /**
   * Where computing can go on at or before `length`. What it goes back over is computed as it was, and the statistics know it already; but
   * tokens of an answer that joined them would join them again.
   */
  #resumable(length: number, decodeFrom: number): number {
    const from = this.engine.resumable(this.#ptr, length);
    if (this.#counted <= Math.max(from, decodeFrom)) return from;
    this.#forget();
    return usesStatistics(this.#selection) ? 0 : from;
  }

  #forget(): void {
    this.engine.forget(this.#ptr);
    for (let i = 0; i < this.#counted; i++) if (this.#rows[i] === counted) this.#rows[i] = uncounted;
    this.#counted = 0;
  }

  /** A dense pass; its tokens join the statistics if `statistics`. */
  #run(tokens: ArrayLike<number>, from: number, count: number, rows: number, statistics = usesStatistics(this.#selection)): void {
    for (let i = 0; i < count; i++) this.#tokens[this.#length + i] = tokens[from + i]!;
    const again = this.#length < this.#counted; // a token whose logits were lost: known already
    this.engine.collect(this.#ptr, statistics && !again);
    this.#attempt(statistics, () => { this.engine.pass(this.#ptr, this.#tokens.subarray(this.#length, this.#length + count), rows); });
    this.#rows.fill(statistics ? counted : uncounted, this.#length, this.#length + count);
    this.#length += count;
    if (statistics) this.#counted = Math.max(this.#counted, this.#length);
    this.#hasLogits = true;
  }

  /** What fails leaves the tokens before, but neither their logits nor what was being counted. */
  #attempt(counts: boolean, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#hasLogits = false;
      if (counts && error instanceof ModelError) this.#forget();
      throw error;
    }
  }

  #step(token: number, watch: boolean): void {
    this.#tokens[this.#length] = token;
    this.#attempt(usesStatistics(this.#selection), () => { this.engine.step(this.#ptr, token, watch); });
    const { flags } = this.engine.report(this.#ptr);
    const dense = (flags & (StepFlag.refreshed | StepFlag.reran)) !== 0 && usesStatistics(this.#selection);
    this.#rows[this.#length++] = dense ? counted : flags & StepFlag.sparse ? sparse : uncounted;
    if (dense) this.#counted = this.#length;
    this.#hasLogits = true;
  }
}
