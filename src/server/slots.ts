/** Who runs, who waits, and who is sent away: a few slots, and a line of limited length before them. */
import { refusal, wrong } from './problem.ts';

/** A right to one slot: waited for, then held until it is left. */
export interface Place {
  /** Settles when the slot is this one's, or `cut` does. @throws what `cut` was rejected with */
  turn(cut: Promise<never>): Promise<void>;
  /** Gives it back, or leaves the line; a second time does nothing. */
  leave(): void;
}

/** What a slot is doing, for `/slots`. */
export interface SlotState { readonly id: number; readonly busy: boolean; readonly task: number; readonly tokens: number }

interface Entry extends Place { start: () => void; slot: number; since: number; task: number; tokens: number }

export class Slots {
  readonly #running: (Entry | undefined)[];
  #waiting: Entry[] = [];
  #tasks = 0;
  /** Seconds that a request takes: of those that ended a moving mean. */
  #seconds: number | undefined;

  constructor(readonly count: number, readonly queue: number) { this.#running = new Array<undefined>(count).fill(undefined); }

  get busy(): number { return this.#running.filter(Boolean).length; }
  get waiting(): number { return this.#waiting.length; }
  get states(): SlotState[] {
    return this.#running.map((entry, id) => ({ id, busy: entry !== undefined, task: entry?.task ?? -1, tokens: entry?.tokens ?? 0 }));
  }

  /** As many places as asked for, or none. @throws Problem 429 where the line is too long */
  enter(wanted: number): (Place & { count(tokens: number): void })[] {
    const most = this.count + this.queue;
    if (wanted > most) throw wrong('n', `This server takes at most ${most} answers of a request.`);
    if (this.busy + this.waiting + wanted > most) {
      const seconds = Math.ceil(Math.min(60, Math.max(1, ((this.#seconds ?? 1) * (this.waiting + wanted)) / this.count)));
      throw refusal(429, `All ${this.count} slots are busy and ${this.waiting} requests wait. Try again in ${seconds} s.`, {
        type: 'rate_limit_error', code: 'rate_limit_exceeded', headers: { 'retry-after': String(seconds) },
      });
    }
    const entries = Array.from({ length: wanted }, () => this.#entry());
    this.#waiting.push(...entries);
    this.#next();
    return entries;
  }

  #entry(): Entry & { count(tokens: number): void } {
    let start!: () => void;
    const started = new Promise<void>((resolve) => { start = resolve; });
    const entry = {
      start, slot: -1, since: 0, task: this.#tasks++, tokens: 0,
      count: (tokens: number): void => { entry.tokens += tokens; },
      turn: async (cut: Promise<never>): Promise<void> => {
        try { await Promise.race([cut, started]); } catch (error) { entry.leave(); throw error; }
      },
      leave: (): void => {
        if (entry.slot < 0) this.#waiting = this.#waiting.filter((other) => other !== entry);
        else if (this.#running[entry.slot] === entry) {
          this.#running[entry.slot] = undefined;
          const seconds = (performance.now() - entry.since) / 1000;
          this.#seconds = this.#seconds === undefined ? seconds : this.#seconds + 0.1 * (seconds - this.#seconds);
          this.#next();
        }
      },
    };
    return entry;
  }

  #next(): void {
    for (let free = this.#running.indexOf(undefined); free >= 0; free = this.#running.indexOf(undefined)) {
      const entry = this.#waiting.shift();
      if (!entry) return;
      this.#running[free] = entry;
      entry.slot = free;
      entry.since = performance.now();
      entry.start();
    }
  }
}
