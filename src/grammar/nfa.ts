/** Rules as automata over bytes: built from the end, so that what is the same and goes on alike is built once; then made deterministic. */
import { limits, tooLarge, type Expr, type Grammar } from './expr.ts';
import { utf8Ranges, type ByteRanges } from './utf8.ts';

type Range = readonly [first: number, last: number, target: number];
type Call = readonly [rule: number, target: number];

interface NfaState {
  empty: readonly number[];
  bytes: readonly Range[];
  calls: readonly Call[];
}

const none: readonly never[] = [];

/** A state of a deterministic automaton; targets are indices in the same list. */
export interface DfaState {
  final: boolean;
  /** Byte ranges that do not overlap: first, last, target. */
  bytes: Range[];
  /** At most one for each rule. */
  calls: readonly Call[];
}

/** Counts the states that a grammar costs. */
export class Budget {
  used = 0;

  private steps = 0;

  take(): void {
    if (++this.used > limits.states) throw tooLarge('grammar', `more than ${limits.states} states`);
  }

  /** Steps that a state took to find: alternatives may be many though states are few. */
  spend(steps: number): void {
    if ((this.steps += steps) > limits.steps) throw tooLarge('grammar', `more than ${limits.steps} steps to compile it`);
  }
}

/** Of sets that stand in many places. */
const written = new WeakMap<readonly number[], readonly ByteRanges[]>();

class Builder {
  readonly states: NfaState[] = [];
  private readonly numbers = new Map<Expr, number>();
  /** By an expression's number and what it leads to. */
  private readonly made = new Map<number, number>();

  constructor(private readonly grammar: Grammar, private readonly budget: Budget) {}

  state(empty: readonly number[] = none, bytes: readonly Range[] = none, calls: readonly Call[] = none): number {
    this.budget.take();
    return this.states.push({ empty, bytes, calls }) - 1;
  }

  /** The state from which `expr` leads to `next`. */
  build(expr: Expr, next: number): number {
    let number = this.numbers.get(expr);
    if (number === undefined) this.numbers.set(expr, number = this.numbers.size);
    const key = number * 2 ** 20 + next;
    let start = this.made.get(key);
    if (start === undefined) this.made.set(key, start = this.make(expr, next));
    return start;
  }

  private make(expr: Expr, next: number): number {
    switch (expr.kind) {
      case 'set': return this.bytes(expr.ranges, next);
      case 'seq': return expr.parts.reduceRight((to, part) => this.build(part, to), next);
      case 'alt': return this.state(expr.parts.map((part) => this.build(part, next)));
      case 'repeat': return this.repeat(expr.of, expr.min, expr.max, next);
      case 'rule': {
        const called = this.grammar.rules[expr.rule]!;
        return called.inline ? this.build(called.expr, next) : this.state(none, none, [[expr.rule, next]]);
      }
      case 'and': case 'minus': return this.embed(product(
        toDfa(expr.left, this.grammar, this.budget), toDfa(expr.right, this.grammar, this.budget), expr.kind === 'and', this.budget,
      ), next);
    }
  }

  private bytes(ranges: readonly number[], next: number): number {
    if (ranges.length === 2 && ranges[1]! < 0x80) return this.state(none, [[ranges[0]!, ranges[1]!, next]]);
    const shared = new Map<number, number>(), bytes: Range[] = [];
    let sequences = written.get(ranges);
    if (!sequences) written.set(ranges, sequences = utf8Ranges(ranges));
    for (const sequence of sequences) {
      let to = next;
      for (let i = sequence.length - 1; i > 0; i--) {
        const [first, last] = sequence[i]!, key = (to * 256 + first) * 256 + last;
        let from = shared.get(key);
        if (from === undefined) shared.set(key, from = this.state(none, [[first, last, to]]));
        to = from;
      }
      bytes.push([sequence[0]![0], sequence[0]![1], to]);
    }
    return this.state(none, bytes);
  }

  private repeat(of: Expr, min: number, max: number, next: number): number {
    if (min > limits.repeats || (max !== Infinity && max > limits.repeats)) {
      throw tooLarge('repetition', `${max === Infinity ? min : max} times, more than ${limits.repeats}`);
    }
    let start = next;
    if (max === Infinity) {
      start = this.state();
      this.states[start]!.empty = [this.build(of, start), next];
    } else for (let i = min; i < max; i++) start = this.state([this.build(of, start), next]);
    for (let i = 0; i < min; i++) start = this.build(of, start);
    return start;
  }

  private embed(dfa: readonly DfaState[], next: number): number {
    const at = dfa.map(() => this.state());
    dfa.forEach(({ final, bytes }, i) => {
      const state = this.states[at[i]!]!;
      if (final) state.empty = [next];
      state.bytes = bytes.map(([first, last, to]) => [first, last, at[to]!]);
    });
    return at[0]!;
  }
}

/** The byte ranges of several states, cut where one begins or ends: [first, last, targets]. */
function cut(bytes: readonly Range[]): (readonly [number, number, readonly number[]])[] {
  if (bytes.every(([first], i) => i === 0 || bytes[i - 1]![1] < first)) return bytes.map(([first, last, to]) => [first, last, [to]]);
  const sorted = [...bytes].sort((a, b) => a[0] - b[0]), parts: [number, number, number[]][] = [];
  let open: Range[] = [], at = 0;
  for (let i = 0; i < sorted.length || open.length > 0;) {
    if (open.length === 0) at = sorted[i]![0];
    while (i < sorted.length && sorted[i]![0] === at) open.push(sorted[i++]!);
    const end = open.reduce((least, [, last]) => Math.min(least, last), i < sorted.length ? sorted[i]![0] - 1 : 255);
    parts.push([at, end, open.map(([, , to]) => to)]);
    open = open.filter(([, last]) => last > end);
    at = end + 1;
  }
  return parts;
}

/** The deterministic automaton of an expression; its first state is where it begins. */
export function toDfa(expr: Expr, grammar: Grammar, budget: Budget): DfaState[] {
  const builder = new Builder(grammar, budget), end = builder.state(), start = builder.build(expr, end), { states } = builder;
  const ids = new Map<string | number, number>(), dfa: DfaState[] = [], sets: number[][] = [];
  const seen = new Int32Array(states.length).fill(-1);
  let round = 0;
  const enter = (targets: readonly number[]): number => {
    round++;
    const reached: number[] = [], work = [...targets];
    let final = false;
    while (work.length > 0) {
      const id = work.pop()!;
      if (seen[id] === round) continue;
      seen[id] = round;
      const { empty, bytes, calls } = states[id]!;
      if (id === end) final = true;
      if (bytes.length + calls.length > 0) reached.push(id);
      for (const to of empty) work.push(to);
    }
    budget.spend(reached.length + targets.length);
    const key = reached.length === 1 ? 2 * reached[0]! + Number(final) : `${final}${reached.sort((a, b) => a - b).join()}`;
    let index = ids.get(key);
    if (index === undefined) {
      budget.take();
      ids.set(key, index = dfa.push({ final, bytes: [], calls: none }) - 1);
      sets.push(reached);
    }
    return index;
  };
  enter([start]);
  for (let i = 0; i < dfa.length; i++) {
    const set = sets[i]!, state = dfa[i]!, isOne = set.length === 1;
    for (const [first, last, targets] of cut(isOne ? states[set[0]!]!.bytes : set.flatMap((id) => states[id]!.bytes))) {
      const to = enter(targets), before = state.bytes.at(-1);
      if (before && before[1] === first - 1 && before[2] === to) state.bytes[state.bytes.length - 1] = [before[0], last, to];
      else state.bytes.push([first, last, to]);
    }
    const all = isOne ? states[set[0]!]!.calls : set.flatMap((id) => states[id]!.calls);
    if (all.length === 0) continue;
    const called = new Map<number, number[]>();
    for (const [rule, to] of all) called.set(rule, [...(called.get(rule) ?? []), to]);
    state.calls = [...called].map(([rule, targets]) => [rule, enter(targets)]);
  }
  return dfa;
}

/** What both accept, or what the first accepts and the second does not. */
function product(left: readonly DfaState[], right: readonly DfaState[], both: boolean, budget: Budget): DfaState[] {
  const dead: DfaState = { final: false, bytes: [], calls: none }, ids = new Map<string, number>(), dfa: DfaState[] = [];
  const pairs: [number, number][] = [];
  const enter = (a: number, b: number): number => {
    let index = ids.get(`${a} ${b}`);
    if (index === undefined) {
      budget.take();
      const isRight = b >= 0 && right[b]!.final;
      ids.set(`${a} ${b}`, index = dfa.push({ final: left[a]!.final && isRight === both, bytes: [], calls: none }) - 1);
      pairs.push([a, b]);
    }
    return index;
  };
  enter(0, 0);
  for (let i = 0; i < dfa.length; i++) {
    const [a, b] = pairs[i]!, other = b < 0 ? dead : right[b]!;
    const tagged = [
      ...left[a]!.bytes, ...other.bytes.map(([first, last, to]) => [first, last, -1 - to] as const),
    ];
    for (const [first, last, targets] of cut(tagged)) {
      const to = targets.find((target) => target >= 0), against = targets.find((target) => target < 0);
      if (to === undefined || (both && against === undefined)) continue;
      dfa[i]!.bytes.push([first, last, enter(to, against === undefined ? -1 : -1 - against)]);
    }
  }
  return dfa;
}
