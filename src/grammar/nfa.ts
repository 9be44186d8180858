/** Rules as automata over bytes: built from the end, so that what is the same and goes on alike is built once; then made deterministic. */
import { limits, tooLarge, type Expr, type Grammar } from './expr.ts';
import { utf8Ranges } from './utf8.ts';

interface NfaState {
  readonly empty: number[];
  /** Byte ranges: first, last, target. */
  readonly bytes: (readonly [number, number, number])[];
  readonly calls: (readonly [rule: number, target: number])[];
}

/** A state of a deterministic automaton; targets are indices in the same list. */
export interface DfaState {
  final: boolean;
  /** Byte ranges that do not overlap: first, last, target. */
  bytes: [first: number, last: number, target: number][];
  /** At most one for each rule. */
  calls: [rule: number, target: number][];
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

class Builder {
  readonly states: NfaState[] = [];
  private readonly made = new Map<Expr, Map<number, number>>();

  constructor(private readonly grammar: Grammar, private readonly budget: Budget) {}

  state(): number {
    this.budget.take();
    return this.states.push({ empty: [], bytes: [], calls: [] }) - 1;
  }

  /** The state from which `expr` leads to `next`. */
  build(expr: Expr, next: number): number {
    let known = this.made.get(expr);
    if (!known) this.made.set(expr, known = new Map<number, number>());
    let start = known.get(next);
    if (start === undefined) known.set(next, start = this.make(expr, next));
    return start;
  }

  private make(expr: Expr, next: number): number {
    switch (expr.kind) {
      case 'set': return this.bytes(expr.ranges, next);
      case 'seq': return expr.parts.reduceRight((to, part) => this.build(part, to), next);
      case 'alt': {
        const start = this.state();
        for (const part of expr.parts) this.states[start]!.empty.push(this.build(part, next));
        return start;
      }
      case 'repeat': return this.repeat(expr.of, expr.min, expr.max, next);
      case 'rule': {
        const called = this.grammar.rules[expr.rule]!;
        if (called.inline) return this.build(called.expr, next);
        const start = this.state();
        this.states[start]!.calls.push([expr.rule, next]);
        return start;
      }
      case 'and': case 'minus': return this.embed(product(
        toDfa(expr.left, this.grammar, this.budget), toDfa(expr.right, this.grammar, this.budget), expr.kind === 'and', this.budget,
      ), next);
    }
  }

  private bytes(ranges: readonly number[], next: number): number {
    const start = this.state(), shared = new Map<string, number>();
    for (const sequence of utf8Ranges(ranges)) {
      let to = next;
      for (let i = sequence.length - 1; i > 0; i--) {
        const [first, last] = sequence[i]!, key = `${first} ${last} ${to}`;
        let from = shared.get(key);
        if (from === undefined) {
          shared.set(key, from = this.state());
          this.states[from]!.bytes.push([first, last, to]);
        }
        to = from;
      }
      this.states[start]!.bytes.push([sequence[0]![0], sequence[0]![1], to]);
    }
    return start;
  }

  private repeat(of: Expr, min: number, max: number, next: number): number {
    if (min > limits.repeats || (max !== Infinity && max > limits.repeats)) {
      throw tooLarge('repetition', `${max === Infinity ? min : max} times, more than ${limits.repeats}`);
    }
    let start = next;
    if (max === Infinity) {
      start = this.state();
      this.states[start]!.empty.push(this.build(of, start), next);
    } else {
      for (let i = min; i < max; i++) {
        const before = this.state();
        this.states[before]!.empty.push(this.build(of, start), next);
        start = before;
      }
    }
    for (let i = 0; i < min; i++) start = this.build(of, start);
    return start;
  }

  private embed(dfa: readonly DfaState[], next: number): number {
    const at = dfa.map(() => this.state());
    dfa.forEach(({ final, bytes }, i) => {
      const state = this.states[at[i]!]!;
      if (final) state.empty.push(next);
      for (const [first, last, to] of bytes) state.bytes.push([first, last, at[to]!]);
    });
    return at[0]!;
  }
}

/** The byte ranges of several states, cut where one begins or ends: [first, last, targets]. */
function cut(bytes: readonly (readonly [number, number, number])[]): [number, number, number[]][] {
  const starts = new Set<number>();
  for (const [first, last] of bytes) { starts.add(first); starts.add(last + 1); }
  const edges = [...starts].sort((a, b) => a - b), parts: [number, number, number[]][] = [];
  const at = new Map(edges.map((edge, i) => [edge, i] as const));
  const targets: number[][] = edges.map(() => []);
  for (const [first, last, to] of bytes) for (let i = at.get(first)!; edges[i]! <= last; i++) targets[i]!.push(to);
  for (let i = 0; i + 1 < edges.length; i++) if (targets[i]!.length > 0) parts.push([edges[i]!, edges[i + 1]! - 1, targets[i]!]);
  return parts;
}

/** The deterministic automaton of an expression; its first state is where it begins. */
export function toDfa(expr: Expr, grammar: Grammar, budget: Budget): DfaState[] {
  const builder = new Builder(grammar, budget), end = builder.state(), start = builder.build(expr, end), { states } = builder;
  const ids = new Map<string, number>(), dfa: DfaState[] = [], sets: number[][] = [], seen = new Int32Array(states.length).fill(-1);
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
    const key = `${final}${reached.sort((a, b) => a - b).join()}`;
    let index = ids.get(key);
    if (index === undefined) {
      budget.take();
      ids.set(key, index = dfa.push({ final, bytes: [], calls: [] }) - 1);
      sets.push(reached);
    }
    return index;
  };
  enter([start]);
  for (let i = 0; i < dfa.length; i++) {
    const set = sets[i]!, state = dfa[i]!, called = new Map<number, number[]>();
    for (const [first, last, targets] of cut(set.flatMap((id) => states[id]!.bytes))) {
      const to = enter(targets), before = state.bytes.at(-1);
      if (before && before[1] === first - 1 && before[2] === to) before[1] = last;
      else state.bytes.push([first, last, to]);
    }
    for (const [rule, to] of set.flatMap((id) => states[id]!.calls)) called.set(rule, [...(called.get(rule) ?? []), to]);
    state.calls = [...called].map(([rule, targets]) => [rule, enter(targets)]);
  }
  return dfa;
}

/** What both accept, or what the first accepts and the second does not. */
function product(left: readonly DfaState[], right: readonly DfaState[], both: boolean, budget: Budget): DfaState[] {
  const dead: DfaState = { final: false, bytes: [], calls: [] }, ids = new Map<string, number>(), dfa: DfaState[] = [];
  const pairs: [number, number][] = [];
  const enter = (a: number, b: number): number => {
    let index = ids.get(`${a} ${b}`);
    if (index === undefined) {
      budget.take();
      const isRight = b >= 0 && right[b]!.final;
      ids.set(`${a} ${b}`, index = dfa.push({ final: left[a]!.final && isRight === both, bytes: [], calls: [] }) - 1);
      pairs.push([a, b]);
    }
    return index;
  };
  enter(0, 0);
  for (let i = 0; i < dfa.length; i++) {
    const [a, b] = pairs[i]!, other = b < 0 ? dead : right[b]!;
    const tagged = [
      ...left[a]!.bytes, ...other.bytes.map(([first, last, to]) => [first, last, -1 - to] as [number, number, number]),
    ];
    for (const [first, last, targets] of cut(tagged)) {
      const to = targets.find((target) => target >= 0), against = targets.find((target) => target < 0);
      if (to === undefined || (both && against === undefined)) continue;
      dfa[i]!.bytes.push([first, last, enter(to, against === undefined ? -1 : -1 - against)]);
    }
  }
  return dfa;
}
