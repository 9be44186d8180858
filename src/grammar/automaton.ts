/** A grammar as tables: a deterministic automaton for each rule, whose states may call other rules. What leads nowhere is not in it. */
import { limits, refused, tooLarge, type Expr, type Grammar } from './expr.ts';
import { Budget, toDfa, type DfaState } from './nfa.ts';

/** Of all rules together; states are numbered through. */
export interface Automaton {
  readonly nStates: number;
  /** Bytes that no state tells apart are of one class. */
  readonly classOf: Uint8Array;
  readonly nClasses: number;
  /** [state, class]: the next state, or -1. */
  readonly next: Int32Array;
  /** Whether the state reads bytes. */
  readonly reads: Uint8Array;
  /** Whether its rule may end there. */
  readonly final: Uint8Array;
  /** Of each state: where the called rule begins, and where it goes on after it (-1: nowhere but to the end of its own rule). */
  readonly calls: readonly (readonly (readonly [start: number, back: number])[])[];
  readonly start: number;
}

/** Size of a rule where it is copied to its callers. */
const inlined = 48;

/**
 * Marks small rules without loops, so that they are copied to their callers: less is known of what is behind a call. Loops stay where they
 * are: what they read is looked up once for all who call them.
 */
export function inlineSmall({ rules }: Grammar): Grammar {
  const sizes = new Map<number, number>(), open = new Set<number>();
  const known = new Map<Expr, number>();
  const sizeOf = (expr: Expr): number => {
    let size = known.get(expr);
    if (size === undefined) known.set(expr, size = measure(expr));
    return size;
  };
  const measure = (expr: Expr): number => {
    switch (expr.kind) {
      case 'set': return 1;
      case 'seq': case 'alt': return expr.parts.reduce((sum, part) => sum + sizeOf(part), 1);
      case 'repeat': return expr.max === 0 ? 0 : sizeOf(expr.of) * expr.max; // Infinity where it goes on
      case 'rule': return ruleSize(expr.rule);
      case 'and': case 'minus': return sizeOf(expr.left) + sizeOf(expr.right);
    }
  };
  const ruleSize = (index: number): number => {
    if (open.has(index)) return Infinity;
    let size = sizes.get(index);
    if (size === undefined) {
      open.add(index);
      sizes.set(index, size = sizeOf(rules[index]!.expr));
      open.delete(index);
    }
    return size;
  };
  return { rules: rules.map((rule, i) => ({ ...rule, inline: i > 0 && rule.inline !== false && ruleSize(i) <= inlined })) };
}

/** @throws InputError `E_OPTION` for left recursion, what nothing can satisfy, and what is too large */
export function compile(grammar: Grammar): Automaton {
  const budget = new Budget(), dfas = reachable(grammar, budget);
  const ends = productive(dfas);
  if (ends.get(0)![0] === 0) {
    throw refused('grammar', 'one that no text satisfies', 'at least one text', 'Look for contradictions in it.');
  }
  checkLeftRecursion(grammar, dfas);
  // of each rule the states that lead to its end, numbered through
  const numbers = new Map<number, number[]>();
  let nStates = 0;
  for (const [index, live] of ends) numbers.set(index, Array.from(live, (is) => is === 1 ? nStates++ : -1));
  const { classOf, nClasses } = classes([...dfas.values()]);
  if (nStates * nClasses > 100 * limits.states) throw tooLarge('grammar', `${nStates} states of ${nClasses} classes of bytes`);
  const next = new Int32Array(nStates * nClasses).fill(-1), reads = new Uint8Array(nStates), final = new Uint8Array(nStates);
  const none: [number, number][] = [], calls: [number, number][][] = Array.from({ length: nStates }, () => none);
  for (const [index, dfa] of dfas) {
    const at = numbers.get(index)!;
    dfa.forEach((state, i) => {
      const from = at[i]!;
      if (from < 0) return;
      final[from] = Number(state.final);
      for (const [first, last, target] of state.bytes) {
        const to = at[target]!;
        if (to < 0) continue;
        reads[from] = 1;
        for (let byte = first; byte <= last; byte++) next[from * nClasses + classOf[byte]!] = to;
      }
      for (const [called, target] of state.calls) {
        const start = numbers.get(called)![0]!, back = at[target]!, after = dfa[target]!;
        if (start < 0 || back < 0) continue;
        if (calls[from] === none) calls[from] = [];
        calls[from]!.push([start, after.final && after.bytes.length + after.calls.length === 0 ? -1 : back]);
      }
    });
  }
  return { nStates, classOf, nClasses, next, reads, final, calls, start: numbers.get(0)![0]! };
}

/** The automata of all rules that are called from rule 0. */
function reachable(grammar: Grammar, budget: Budget): Map<number, DfaState[]> {
  const dfas = new Map<number, DfaState[]>(), work = [0];
  for (let index = work.pop(); index !== undefined; index = work.pop()) {
    if (dfas.has(index)) continue;
    const dfa = toDfa(grammar.rules[index]!.expr, grammar, budget);
    dfas.set(index, dfa);
    for (const { calls } of dfa) for (const [called] of calls) work.push(called);
  }
  return dfas;
}

/** Of each rule which states lead to its end by some text. */
function productive(dfas: ReadonlyMap<number, readonly DfaState[]>): Map<number, Uint8Array> {
  const offsets = new Map<number, number>();
  let nStates = 0;
  for (const [index, dfa] of dfas) { offsets.set(index, nStates); nStates += dfa.length; }
  // of each state a list of those that wait for it, and of the state that they wait for besides
  const live = new Uint8Array(nStates), head = new Int32Array(nStates).fill(-1), work: number[] = [];
  const waiting: number[] = [], besides: number[] = [], more: number[] = [];
  const wait = (from: number, to: number, other: number): void => {
    more.push(head[to]!);
    besides.push(other);
    head[to] = waiting.push(from) - 1;
  };
  for (const [index, dfa] of dfas) {
    const offset = offsets.get(index)!;
    dfa.forEach(({ bytes, calls, final }, i) => {
      for (const [, , to] of bytes) wait(offset + i, offset + to, offset + to);
      for (const [called, to] of calls) {
        const start = offsets.get(called)!;
        wait(offset + i, offset + to, start);
        wait(offset + i, start, offset + to);
      }
      if (final) { live[offset + i] = 1; work.push(offset + i); }
    });
  }
  for (let state = work.pop(); state !== undefined; state = work.pop()) {
    for (let edge = head[state]!; edge >= 0; edge = more[edge]!) {
      const from = waiting[edge]!;
      if (live[from] === 1 || live[besides[edge]!] === 0) continue;
      live[from] = 1;
      work.push(from);
    }
  }
  return new Map([...dfas].map(([index, dfa]) => [index, live.subarray(offsets.get(index)!, offsets.get(index)! + dfa.length)]));
}

/** A rule that calls itself before it has read anything would be called for ever. */
function checkLeftRecursion(grammar: Grammar, dfas: ReadonlyMap<number, readonly DfaState[]>): void {
  const nullable = new Set<number>();
  const opening = (index: number): Set<number> => { // states reached without reading, by what may be empty
    const dfa = dfas.get(index)!, seen = new Set([0]);
    for (const i of seen) for (const [called, to] of dfa[i]!.calls) if (nullable.has(called)) seen.add(to); // grows
    return seen;
  };
  for (let size = -1; size !== nullable.size;) {
    size = nullable.size;
    for (const [index, dfa] of dfas) if ([...opening(index)].some((i) => dfa[i]!.final)) nullable.add(index);
  }
  const done = new Set<number>(), open = new Set<number>();
  const visit = (index: number): void => {
    if (done.has(index)) return;
    if (open.has(index)) {
      throw refused(`rule ${grammar.rules[index]!.name}`, 'left recursion: it begins with itself', 'rules that read something first',
        'Write repetition instead: a ::= b c* for a ::= a c | b.');
    }
    open.add(index);
    for (const i of opening(index)) for (const [called] of dfas.get(index)![i]!.calls) visit(called);
    open.delete(index);
    done.add(index);
  };
  for (const index of dfas.keys()) visit(index);
}

/** Bytes fall into classes by the ranges that occur. */
function classes(dfas: readonly (readonly DfaState[])[]): { classOf: Uint8Array; nClasses: number } {
  const starts = new Uint8Array(257);
  for (const dfa of dfas) for (const { bytes } of dfa) for (const [first, last] of bytes) starts[first] = starts[last + 1] = 1;
  const classOf = new Uint8Array(256);
  let index = 0;
  for (let byte = 0; byte < 256; byte++) {
    if (byte > 0 && starts[byte] === 1) index++;
    classOf[byte] = index;
  }
  return { classOf, nClasses: index + 1 };
}
