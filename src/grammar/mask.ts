/**
 * Which tokens may come next. Where any words may come, those that fit are known beforehand, and only the other tokens are looked at.
 * Elsewhere most of a token is read within the rule that is on top, whatever called it: that part is computed once for each state, in a
 * walk over all tokens. What is left are tokens that end the rule and go on with what called it; only they are looked at for each stack.
 */
import { dead, Machine, unknown } from './machine.ts';
import { Room } from './plain.ts';
import type { Tokens, TokenTrie } from './trie.ts';

/** Of a state with unknown callers: tokens that may come, and the nodes of the tree where its rule ends. */
interface Local {
  /** Bits, or ids where they are few. */
  readonly bits: Uint32Array | undefined;
  readonly ids: Int32Array;
  readonly exits: Int32Array;
}

/** How many masks are kept, of states and of configurations; each takes a bit a token. */
const kept = 256;
/** More tokens than this are kept as bits. */
const few = 1000;

export class Masks {
  private readonly locals = new Map<number, Local>();
  private readonly dense = new Set<number>();
  private readonly made = new Map<number, Uint32Array>();
  private nFound = 0;
  private readonly room: Room;

  constructor(private readonly machine: Machine, private readonly tokens: Tokens) {
    this.room = new Room(machine);
  }

  /** Not to be written to. */
  of(config: number): Uint32Array {
    const known = this.made.get(config);
    if (known) return known;
    const { machine, tokens } = this, room = this.room.of(config) ?? 0;
    const mask = room > 0 ? tokens.plain.upTo(room).slice() : new Uint32Array((tokens.vocabSize + 31) >> 5);
    if (room > 0) {
      this.nFound = 0;
      this.walk(tokens.others, 0, config);
      setBits(mask, tokens.found, this.nFound);
    } else this.byRules(config, mask);
    if (machine.accepting[config]) setBits(mask, tokens.eogIds);
    if (this.made.size >= kept) this.made.delete(this.made.keys().next().value!);
    this.made.set(config, mask);
    return mask;
  }

  private byRules(config: number, mask: Uint32Array): void {
    const { machine, tokens } = this;
    for (const stack of machine.stacks[config]!) {
      const { bits, ids, exits } = this.local(machine.tops[stack]!), rest = machine.rests[stack]!;
      if (bits) for (let i = 0; i < bits.length; i++) mask[i]! |= bits[i]!;
      else setBits(mask, ids);
      if (exits.length === 0) continue;
      const behind = machine.enter([rest]);
      if (machine.stacks[behind]!.length === 0) continue;
      for (const node of exits) { // one lies below another where the rule goes on behind an end
        this.nFound = 0;
        this.walk(tokens.all, node, behind);
        setBits(mask, tokens.found, this.nFound);
      }
    }
  }

  private local(state: number): Local {
    const known = this.locals.get(state);
    if (known) return known;
    const { machine, tokens } = this, exits: number[] = [];
    this.nFound = 0;
    this.walk(tokens.all, 0, machine.enter([machine.stack(state, unknown)]), exits);
    const ids = tokens.found.slice(0, this.nFound);
    let bits: Uint32Array | undefined;
    if (ids.length > few) {
      bits = new Uint32Array((tokens.vocabSize + 31) >> 5);
      setBits(bits, ids);
      if (this.dense.size >= kept) {
        const oldest = this.dense.values().next().value!;
        this.dense.delete(oldest);
        this.locals.delete(oldest);
      }
      this.dense.add(state);
    }
    const local = { bits, ids: bits ? new Int32Array(0) : ids, exits: Int32Array.from(exits) };
    this.locals.set(state, local);
    return local;
  }

  /** Adds tokens below `from`, where the text stands at `config`; `exits` gets nodes where what called is gone back to. */
  private walk(trie: TokenTrie, from: number, config: number, exits?: number[]): void {
    const { machine, tokens: { path, found } } = this, { bytes, depths, after, firstOf, ids } = trie, end = after[from]!;
    const { leaves, automaton: { classOf, nClasses } } = machine;
    let { nFound } = this, { table } = machine;
    path[depths[from]!] = config;
    for (let node = from + 1; node < end;) {
      const depth = depths[node]!, before = path[depth - 1]!, cell = before * nClasses + classOf[bytes[node]!]!;
      let to = table[cell]!;
      if (to < 0) {
        to = machine.make(before, cell);
        table = machine.table;
      }
      if (to === dead) { node = after[node]!; continue; }
      path[depth] = to;
      for (let i = firstOf[node]!, until = firstOf[node + 1]!; i < until; i++) found[nFound++] = ids[i]!;
      if (exits && leaves[to]) exits.push(node);
      node++;
    }
    this.nFound = nFound;
  }
}

function setBits(mask: Uint32Array, ids: ArrayLike<number>, count = ids.length): void {
  for (let i = 0; i < count; i++) { const id = ids[i]!; mask[id >> 5]! |= 1 << (id & 31); }
}
