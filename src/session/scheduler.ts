/**
 * Who computes next. Sequences file what they want computed; each pass takes all that are ready, so that weights are read once for all of
 * them: a token of everyone who decodes, and pieces of prompts in the room that is left. Who joins or leaves does so between two passes.
 *
 * Prompts: the oldest gets half of that room, the shortest first the rest, so that a short one need not wait for a long one and none
 * starves. While others wait for their next token a pass is short. Steps that skip other neurons at every token read weights of their own:
 * they take turns with the passes. A mask that stays reads weights of its own while it is alone, and shares passes otherwise.
 */
import type { Engine, PassPart } from '../engine/engine.ts';
import { AbortedError } from '../errors.ts';
import { Turns } from './turn.ts';

/** Tokens of a pass that somebody's next token waits for. */
const SHORT_PASS = 32;

/** Tokens that a sequence wants computed behind it. */
export interface Asked {
  readonly sequence: number;
  /** Checked by the caller. */
  readonly tokens: Int32Array;
  /** Tokens from this one on leave their logits, or (`states`) their hidden states, of which a pass has any number. */
  readonly from: number;
  readonly states?: boolean | undefined;
  /** Whether they join its statistics. */
  readonly counts: boolean;
  /** Whether they skip what the sequence's mask leaves out. */
  readonly masked?: boolean | undefined;
  /** Does instead what a pass would do, where nobody else takes part in it. */
  readonly single?: (() => void) | undefined;
  /** Of the last token: logits are wanted exactly that are at most so far below the largest. Default: all. */
  readonly margin?: number | undefined;
  readonly signal: AbortSignal | undefined;
  /**
   * So many more are done; called before anybody else computes. `row`: where in the workspace the first of what they leave lies; undefined
   * where it is the sequence's own.
   */
  readonly done: (count: number, row: number | undefined) => void;
}

/** How tokens of a sequence are computed: `from` counts from its first one. */
export type How = Pick<Asked, 'from' | 'states' | 'counts' | 'masked' | 'single' | 'signal' | 'margin'>;

interface Filed { readonly asked: Asked; taken: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }

/** What is computed by itself. */
interface Alone { readonly since: number; readonly run: () => void }

const left = ({ asked, taken }: Filed): number => asked.tokens.length - taken;

/** Of `count` tokens behind the first `taken` ones those that leave something. */
const rowsOf = ({ from }: Asked, taken: number, count: number): number => Math.max(0, Math.min(count, taken + count - from));

export class Scheduler {
  #filed: Filed[] = [];
  readonly #alone: Alone[] = [];
  /** Counts what runs alone; those up to `#before` come before the next pass. */
  #clock = 0;
  #before = 0;
  /** Sequences that got all they wanted from the last pass and may want more at once. */
  readonly #awaited = new Set<number>();
  #isDue = false;
  /** When the event loop is due for a turn. */
  readonly turns: Turns = new Turns();

  constructor(private readonly engine: Engine) {}

  /**
   * Computes what is asked for, in one pass or several, beside others.
   * @throws AbortedError between two passes; ModelError where this sequence left the numbers; what `done` throws; StateError
   */
  join(asked: Asked): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#filed.push({ asked, taken: 0, resolve, reject });
      this.#schedule(asked.sequence);
    });
  }

  /** Runs a step of a sequence that shares no pass. @throws what `run` throws */
  alone<T>(sequence: number, run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#alone.push({
        since: ++this.#clock,
        run: () => {
          try {
            resolve(run());
          } catch (error) {
            reject(error as Error);
          }
          this.#awaited.add(sequence);
        },
      });
      this.#schedule(sequence);
    });
  }

  /**
   * Who computed last usually asks again at once. When all of them have, the next pass runs; else one task later, when whoever follows
   * without delay has asked: a single sequence never waits.
   */
  #schedule(sequence?: number): void {
    const goesOn = sequence === undefined || this.#awaited.delete(sequence);
    if (this.#isDue) return;
    this.#isDue = true;
    const run = (): void => { this.#run(); };
    if (goesOn && this.#awaited.size === 0 && !this.turns.due) queueMicrotask(run);
    else void this.turns.take().then(run);
  }

  #run(): void {
    this.#isDue = false;
    this.#filed = this.#filed.filter(({ asked: { signal }, reject }) => {
      if (signal?.aborted) reject(new AbortedError('evaluation', signal.reason));
      return !signal?.aborted;
    });
    const [next] = this.#alone;
    if (next && (this.#filed.length === 0 || next.since <= this.#before)) {
      this.#alone.shift();
      next.run();
    } else if (this.#filed.length > 0) {
      this.#awaited.clear();
      this.#pass(this.#compose());
      this.#before = this.#clock;
    }
    if (this.#filed.length + this.#alone.length > 0) this.#schedule();
  }

  /** Who joins the next pass, with how many tokens. */
  #compose(): Map<Filed, number> {
    const { chunkSize, logitRows } = this.engine, counts = new Map<Filed, number>();
    const steps = (filed: Filed): boolean => left(filed) === 1 && !filed.asked.states;
    const single = this.#filed.filter(steps), prompts = this.#filed.filter((filed) => !steps(filed));
    let rows = logitRows, room = chunkSize;
    const take = (filed: Filed, most: number): void => {
      const { asked } = filed, before = counts.get(filed) ?? 0, at = filed.taken + before;
      const free = asked.states ? room : Math.max(0, asked.from - at) + rows, count = Math.min(most, room, left(filed) - before, free);
      if (count <= 0) return;
      counts.set(filed, before + count);
      room -= count;
      if (!asked.states) rows -= rowsOf(asked, at, count);
    };
    for (const filed of single.slice(0, prompts.length > 0 ? logitRows - 1 : logitRows)) take(filed, 1);
    if (counts.size + this.#alone.length > 0) room = Math.min(room, Math.max(1, SHORT_PASS - counts.size));
    const [oldest, ...others] = prompts;
    if (oldest) take(oldest, others.length > 0 ? Math.ceil(room / 2) : room);
    for (const filed of others.sort((a, b) => left(a) - left(b))) take(filed, room);
    if (oldest) take(oldest, room);
    return counts;
  }

  #pass(counts: ReadonlyMap<Filed, number>): void {
    const taking = [...counts].sort(([a], [b]) => Number(a.asked.states ?? false) - Number(b.asked.states ?? false));
    const parts = taking.map(([{ asked, taken }, count]): PassPart => ({
      sequence: asked.sequence, tokens: asked.tokens.subarray(taken, taken + count), counts: asked.counts, masked: asked.masked,
      margin: asked.margin, rows: rowsOf(asked, taken, count), states: asked.states,
    }));
    const rows = parts.reduce((sum, part) => sum + (part.states ? 0 : part.rows), 0), ended = new Set<Filed>();
    const end = (filed: Filed, settle: () => void): void => { ended.add(filed); settle(); };
    let errors: readonly (Error | undefined)[];
    const single = taking.length === 1 ? taking[0]![0].asked.single : undefined;
    try {
      errors = single ? (single(), []) : this.engine.pass(parts);
    } catch (error) {
      errors = parts.map(() => error as Error);
    }
    let row = 0, i = 0;
    for (const [filed, count] of taking) {
      const { asked } = filed, error = errors[i];
      try {
        if (error) throw error;
        filed.taken += count;
        asked.done(count, rows > 1 || asked.states ? row : undefined);
        if (left(filed) === 0) end(filed, filed.resolve);
      } catch (reason) {
        end(filed, () => { filed.reject(reason); });
      }
      if (ended.has(filed)) this.#awaited.add(asked.sequence);
      row += parts[i++]!.rows;
    }
    this.#filed = this.#filed.filter((filed) => !ended.has(filed));
  }
}
