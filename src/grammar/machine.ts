/**
 * Runs an automaton over bytes. Where a text stands is a configuration: all stacks of calls that it may be in. Stacks share their tails,
 * and equal configurations have one number, so that what follows a byte is looked up where it was computed before.
 */
import type { Automaton } from './automaton.ts';
import { limits, tooLarge } from './expr.ts';

/** Stacks that hold nothing more: the text ends; what called is not known. */
export const root = 0, unknown = 1;
/** The configuration that nothing leads out of, and that no text has. */
export const dead = 0;

const unmade = -1;

export class Machine {
  /** Of each stack: the state on its top, and the stack below. */
  readonly tops: number[] = [-1, -1];
  readonly rests: number[] = [-1, -1];
  private readonly stackIds = new Map<number, number>();
  private readonly configIds = new Map<string | number, number>();
  /** Of a stack alone, what it enters. */
  private readonly entered = new Map<number, number>();
  /** Of each configuration: stacks whose top reads bytes. */
  readonly stacks: Int32Array[] = [];
  /** Whether the text may end there; whether what called is gone back to. */
  readonly accepting: boolean[] = [];
  readonly leaves: boolean[] = [];
  /** [configuration, class of bytes]: the next configuration, or below 0 where it is still to be made. It moves as it grows. */
  table = new Int32Array(0);
  /** Where a text begins. */
  readonly start: number;

  constructor(readonly automaton: Automaton) {
    this.intern([], false, false); // dead
    this.start = this.enter([this.stack(automaton.start, root)]);
  }

  get nConfigs(): number { return this.stacks.length; }

  stack(state: number, rest: number): number {
    const key = rest * this.automaton.nStates + state;
    let id = this.stackIds.get(key);
    if (id === undefined) {
      this.stackIds.set(key, id = this.tops.push(state) - 1);
      this.rests.push(rest);
    }
    return id;
  }

  private intern(stacks: number[], accepting: boolean, leaves: boolean): number {
    const flags = Number(accepting) + 2 * Number(leaves);
    if (stacks.length > 1) stacks.sort((a, b) => a - b);
    const [a, b] = stacks, few = 2 ** 24; // one or two of the first stacks are known by a number
    const key = stacks.length === 1 && a! < few ? 4 * a! + flags
      : stacks.length === 2 && b! < few ? 4 * (a! * few + b!) + flags : `${stacks.join()} ${flags}`;
    let id = this.configIds.get(key);
    if (id === undefined) {
      this.configIds.set(key, id = this.stacks.push(Int32Array.from(stacks)) - 1);
      this.accepting.push(accepting);
      this.leaves.push(leaves);
      const { nClasses } = this.automaton, size = (id + 1) * nClasses;
      if (size > this.table.length) {
        const grown = new Int32Array(Math.max(1024, 2 * size)).fill(unmade);
        grown.set(this.table);
        this.table = grown;
      }
      if (id === dead) this.table.fill(dead, 0, nClasses);
    }
    return id;
  }

  /** The configuration of these stacks: with all calls that begin there made, and those that end there gone back from. */
  enter(stacks: readonly number[]): number {
    const { reads, final, calls } = this.automaton, seen = [...stacks], result: number[] = [];
    let accepting = false, leaves = false;
    for (let i = 0; i < seen.length; i++) {
      const stack = seen[i]!;
      if (stack === root) { accepting = true; continue; }
      if (stack === unknown) { leaves = true; continue; }
      const state = this.tops[stack]!, rest = this.rests[stack]!;
      if (reads[state] === 1) result.push(stack);
      if (final[state] === 1 && !seen.includes(rest)) seen.push(rest);
      for (const [start, back] of calls[state]!) {
        const called = this.stack(start, back < 0 ? rest : this.stack(back, rest));
        if (!seen.includes(called)) seen.push(called);
      }
      if (seen.length > limits.stacks) throw tooLarge('grammar', `more than ${limits.stacks} ways to read the text so far`);
    }
    return this.intern(result, accepting, leaves);
  }

  /** What follows a byte: `dead` where it cannot come. */
  next(config: number, byte: number): number {
    const { classOf, nClasses } = this.automaton, cell = config * nClasses + classOf[byte]!, known = this.table[cell]!;
    return known < 0 ? this.make(config, cell) : known;
  }

  /** Of a cell of the table that is still to be made. */
  make(config: number, cell: number): number {
    const { next, nClasses } = this.automaton, column = cell - config * nClasses, stacks: number[] = [];
    for (const stack of this.stacks[config]!) {
      const to = next[this.tops[stack]! * nClasses + column]!;
      if (to >= 0) stacks.push(this.stack(to, this.rests[stack]!));
    }
    let result = stacks.length === 0 ? dead : stacks.length === 1 ? this.entered.get(stacks[0]!) : undefined;
    if (result === undefined) {
      result = this.enter(stacks);
      if (stacks.length === 1) this.entered.set(stacks[0]!, result);
    }
    this.table[cell] = result;
    return result;
  }

  /** The configuration after these bytes, or `dead`. */
  run(config: number, bytes: ArrayLike<number>, from = 0, end = bytes.length): number {
    for (let i = from; i < end && config !== dead; i++) config = this.next(config, bytes[i]!);
    return config;
  }
}
