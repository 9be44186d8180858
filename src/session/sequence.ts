/**
 * One sequence of tokens in the engine: its key/value cache and the logits after its last token.
 *
 * A sequence is asked for a state ("the logits after these tokens, please"), not for steps: it keeps the longest prefix that the cache
 * already holds and computes the rest. Prefix reuse, continued chats and regenerated answers all follow from that. Requests of one sequence
 * run one after the other, each to its end. What has to be computed for it the scheduler puts into passes with what others ask for.
 */
import type { Selection } from '../adapt/selection.ts';
import { denseSelection, sameSelection, usesStatistics } from '../adapt/selection.ts';
import type { AdaptState } from '../engine/adapt.ts';
import type { Engine, StepReport } from '../engine/engine.ts';
import { ModelError, throwIfAborted } from '../errors.ts';
import { StepFlag } from '../model/enums.ts';
import { stateOf } from './exact.ts';
import { checkTokens, sharesPasses, type EvaluateOptions, type State } from './request.ts';
import { goesOnAt } from './resume.ts';
import { Rows } from './rows.ts';
import { RowKind, type Parked, type SavedSequence } from './saved.ts';
import { Scheduler, type Asked, type How } from './scheduler.ts';

export type { Distribution, EvaluateOptions, State } from './request.ts';

const { counted, uncounted, sparse } = RowKind;

export class Sequence {
  readonly #ptr: number;
  readonly #rows: Rows;
  #selection: Selection = denseSelection;
  /** Who asked for the state that the cache is in. */
  #owner: object | undefined;
  /** Settles when the last request has. */
  #queue: Promise<unknown> = Promise.resolve();

  /** `scheduler`: of the engine, where it has several sequences. @throws ModelError `E_WONT_FIT` */
  constructor(readonly engine: Engine, private readonly scheduler: Scheduler = new Scheduler(engine)) {
    this.#ptr = engine.openSequence();
    this.#rows = new Rows(engine.contextSize);
  }

  /** The adaptive state in memory, made at the first call. */
  get adapt(): AdaptState { return this.engine.adapt(this.#ptr); }

  /** Gives its memory back, once what was asked for is done. Nothing may be asked for any more. */
  close(): Promise<void> { return this.#enqueue(async () => { this.engine.closeSequence(this.#ptr); }); }

  /** How many leading tokens of `tokens` the cache holds. */
  common(tokens: ArrayLike<number>): number { return this.#rows.common(tokens); }

  /** Runs `use` alone: nothing else moves the cache meanwhile. */
  exclusive<T>(use: (engine: Engine, ptr: number) => T | Promise<T>): Promise<T> {
    return this.#enqueue(async () => use(this.engine, this.#ptr));
  }

  /** What decoding skips from now on, with a load that starts anew. */
  #select(selection: Selection, room = selection): void {
    if (selection === this.#selection) return;
    if (room.stages !== 0) this.engine.makeForms(this.#ptr, room);
    if (!sameSelection(selection, this.#selection)) this.adapt.configure(selection); // else a mask would be made anew
    this.#selection = selection;
  }

  /** Tokens in the cache, and how many it holds at most. */
  get length(): number { return this.#rows.length; }
  get contextSize(): number { return this.engine.contextSize; }

  /**
   * Brings the cache to exactly `tokens` and hands the state after them to `use`, synchronously.
   * @throws InputError `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`; StateError; AbortedError between chunks (what was computed
   * stays cached).
   */
  async evaluate<T>(tokens: ArrayLike<number>, use: (state: State) => T, options: EvaluateOptions = {}): Promise<T> {
    const {
      signal, onProgress, onStep, selection = denseSelection, decodeFrom = tokens.length, computeFrom = Infinity, keepSparse = false,
      watch = false, owner = selection, margin = Infinity,
    } = options;
    return this.#enqueue(async () => {
      throwIfAborted(signal, 'evaluation');
      checkTokens(tokens, this.engine);
      this.#select(selection, options.room);
      const same = this.#reusable(tokens, selection.stages === 0 ? tokens.length : keepSparse ? 0 : decodeFrom);
      const place = { same: Math.min(same, computeFrom), length: this.#rows.length, decodeFrom, isOwner: owner === this.#owner };
      const reused = this.#resumable(goesOnAt(this.#selection, place), decodeFrom);
      this.#truncate(reused);
      this.#owner = owner;
      const computed = tokens.length - reused, finish = (): T => use({ ...stateOf(this.engine, this.#ptr, margin), reused, computed });
      const counts = usesStatistics(selection), promptEnd = Math.min(decodeFrom, tokens.length);
      while (this.#rows.length < promptEnd) {
        const again = this.#rows.length < this.#rows.counted; // computed again, but not counted again
        const end = again ? Math.min(this.#rows.counted, promptEnd) : promptEnd;
        const how = { from: end === promptEnd ? end - 1 : end, counts: counts && !again, signal, margin };
        await this.#join(tokens, end, how, counts ? counted : uncounted, () => {
          if (promptEnd - reused > 1) onProgress?.(this.#rows.length, tokens.length);
        });
      }
      if (sharesPasses(this.engine, selection, options)) {
        while (this.#rows.length < tokens.length) await this.#share(tokens, options, selection.stages !== 0);
        return finish();
      }
      let result: { of: T } | undefined;
      while (this.#rows.length < tokens.length) {
        await this.scheduler.alone(this.#ptr, () => {
          throwIfAborted(signal, 'evaluation');
          if (this.#rows.length === decodeFrom) this.adapt.restartCogLoad(); // a generation begins: its loads are its own
          this.#step(tokens[this.#rows.length]!, watch, margin);
          onStep?.(stateOf(this.engine, this.#ptr, margin), this.#rows.length - 1);
          // before anybody else gets a turn: a step's telemetry lies in the workspace
          if (this.#rows.length === tokens.length) result = { of: options.check ? this.#recheck(use, reused, computed) : finish() };
        });
      }
      return result ? result.of : finish();
    });
  }

  /** The next token, or all of them `together`, in passes with what others ask for: dense, or under a mask that stays. */
  async #share(tokens: ArrayLike<number>, options: EvaluateOptions, masked: boolean): Promise<void> {
    const { decodeFrom, together = false, signal, margin = Infinity, onStep } = options, { engine } = this, ptr = this.#ptr;
    const from = this.#rows.length, end = together ? tokens.length : from + 1;
    if (masked && from === decodeFrom) this.adapt.restartCogLoad();
    if (masked && this.adapt.record.get('dirty') !== 0) engine.reselect(ptr);
    const step = (): void => { engine.step(ptr, tokens[from]!, false, margin); }; // over copies, faster where nobody shares the pass
    const how = { from, counts: false, masked, single: masked && end === from + 1 ? step : undefined, signal, margin };
    await this.#join(tokens, end, how, masked ? sparse : uncounted, (count, row) => {
      const first = this.#rows.length - count;
      if (!together || row === undefined) { onStep?.(stateOf(engine, ptr, margin), first); return; }
      for (let i = 0; i < count; i++) onStep?.({ logits: engine.logits(ptr, row + i), report: engine.report(ptr, row + i) }, first + i);
    });
  }

  /** Computes the last token again, dense and in the same place, and hands over both distributions. */
  #recheck<T>(use: (state: State) => T, reused: number, computed: number): T {
    const report = this.engine.report(this.#ptr);
    const before = { logits: this.engine.logits(this.#ptr).slice(), logSumExp: report.logSumExp, topToken: report.topToken, report };
    const tokens = this.#rows.tokens.slice(this.#rows.length - 1, this.#rows.length);
    this.#truncate(this.#rows.length - 1);
    const [error] = this.engine.pass([{ sequence: this.#ptr, tokens, rows: 1, counts: false }]);
    if (error) throw error;
    this.#rows.add(1, sparse, true); // part of an answer: statistics do not ask for it
    return use({ ...stateOf(this.engine, this.#ptr, Infinity), reused, computed, sparse: before });
  }

  /**
   * Has `tokens` computed dense and together, and hands over the logits after every one from index `from` on (a view, valid during the
   * call) with its report. Of those before, what the cache holds is not computed again.
   * @throws as {@link evaluate}
   */
  async score(
    tokens: ArrayLike<number>, each: (report: StepReport, logits: Float32Array, index: number) => void,
    { signal, onProgress }: EvaluateOptions = {}, from = 0,
  ): Promise<void> {
    return this.follow(tokens, { from, counts: false, signal }, (index, row) => {
      each(this.engine.report(this.#ptr, row), this.engine.logits(this.#ptr, row), index);
    }, () => onProgress?.(this.#rows.length, tokens.length));
  }

  /** The same, with the row of the workspace that has what the token left (undefined: the sequence). `done`: so many more are computed. */
  follow(
    tokens: ArrayLike<number>, how: How, each: (index: number, row: number | undefined) => void, done: (count: number) => void,
  ): Promise<void> {
    return this.#enqueue(async () => {
      checkTokens(tokens, this.engine);
      this.#select(denseSelection);
      const same = this.engine.resumable(this.#ptr, Math.min(this.#reusable(tokens, tokens.length), how.from));
      if (same < this.#rows.counted) this.#forget();
      this.#truncate(same);
      await this.#join(tokens, tokens.length, how, uncounted, (count, row) => {
        const first = Math.max(how.from, this.#rows.length - count);
        for (let i = first; i < this.#rows.length; i++) each(i, row === undefined ? undefined : row + i - first);
        done(count);
      });
    });
  }

  /**
   * A copy of what the cache holds of a sequence, made where nothing else runs: `of` names its tokens and who decoded them, or gives
   * undefined where it is not the moment. Tokens that others left in the cache are not part of it.
   */
  async save<T extends { tokens: ArrayLike<number>; owner: object | undefined }>(of: () => T | undefined): Promise<
    { asked: T; sequence: SavedSequence } | undefined> {
    return this.#enqueue(async () => {
      const asked = of();
      if (!asked) return undefined;
      const { tokens, owner } = asked, same = this.engine.resumable(this.#ptr, this.common(tokens));
      const rows = this.#rows.first(same), whole = this.#rows.length === same, logits = whole && this.#rows.hasLogits;
      return {
        asked,
        sequence: {
          ...rows, owned: whole && owner !== undefined && owner === this.#owner,
          state: this.engine.saveState(this.#ptr, same, { logits, load: whole, statistics: rows.counted > 0 }),
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
      this.#rows.tokens.set(tokens);
      this.#rows.kinds.set(rows);
      this.#rows.length = tokens.length;
      this.#rows.counted = known;
      this.#rows.hasLogits = state.logits !== undefined;
      this.#owner = owned ? owner : undefined;
    });
  }

  /** All that another sequence needs to go on as this one would. */
  async park(): Promise<Parked> {
    const { asked: { owner, selection }, sequence } = (await this.save(() => (
      { tokens: this.#rows.tokens.slice(0, this.#rows.length), owner: this.#owner, selection: this.#selection })))!;
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
    if (length >= this.#rows.length) return;
    this.#rows.length = length;
    this.#rows.hasLogits = false;
    this.engine.truncate(this.#ptr, length);
  }

  /** Tokens of the cache that can stay: all but the last where the logits after it are gone; the first `denseTo` must be dense. */
  #reusable(tokens: ArrayLike<number>, denseTo: number): number {
    let same = this.#rows.commonDense(tokens, denseTo);
    if (same < this.#rows.counted) this.#forget(); // the statistics know tokens that are no longer there
    if (usesStatistics(this.#selection) && this.#rows.kinds.subarray(0, same).includes(uncounted)) {
      this.#forget();
      return 0;
    }
    if (same === tokens.length && !(this.#rows.hasLogits && same === this.#rows.length)) same--;
    return same;
  }

  /**
   * Where computing can go on at or before `length`. What it goes back over is computed as it was, and the statistics know it already; but
   * tokens of an answer that joined them would join them again.
   */
  #resumable(length: number, decodeFrom: number): number {
    const from = this.engine.resumable(this.#ptr, length);
    if (this.#rows.counted <= Math.max(from, decodeFrom)) return from;
    this.#forget();
    return usesStatistics(this.#selection) ? 0 : from;
  }

  #forget(): void {
    this.engine.forget(this.#ptr);
    this.#rows.forget();
  }

  /** Has the tokens from the end of the cache up to `end` computed in shared passes; `done` is told after each. */
  async #join(tokens: ArrayLike<number>, end: number, how: How, kind: number, done: Asked['done']): Promise<void> {
    try {
      await this.scheduler.join({
        ...how, sequence: this.#ptr, from: how.from - this.#rows.length, tokens: this.#rows.upcoming(tokens, end),
        done: (count, row) => {
          this.#rows.add(count, kind, !how.states && this.#rows.length + count > how.from);
          done(count, row);
        },
      });
    } catch (error) {
      this.#failed(error, kind === counted);
    }
  }

  /** A pass that fails leaves the tokens before, but neither their logits nor what was being counted. */
  #failed(error: unknown, counts: boolean): never {
    if (error instanceof ModelError) {
      this.#rows.hasLogits = false;
      if (counts) this.#forget();
    }
    throw error;
  }

  #step(token: number, watch: boolean, margin: number): void {
    const counts = usesStatistics(this.#selection);
    this.#rows.tokens[this.#rows.length] = token;
    try {
      this.engine.step(this.#ptr, token, watch, margin);
    } catch (error) {
      this.#failed(error, counts);
    }
    const { flags } = this.engine.report(this.#ptr), dense = (flags & (StepFlag.refreshed | StepFlag.reran)) !== 0 && counts;
    this.#rows.add(1, dense ? counted : flags & StepFlag.sparse ? sparse : uncounted, true);
  }
}
