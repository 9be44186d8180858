/**
 * Most of a vocabulary is words: whole characters that stand in a string of JSON as they are. Where a text may go on with any of them, what
 * is allowed depends on nothing but how many fit, so that is made once for all grammars over a vocabulary.
 */
import { inverted } from './expr.ts';
import { dead, type Machine } from './machine.ts';
import { utf8Ranges } from './utf8.ts';

/** Neither controls nor quotes nor backslashes. */
export const plainRanges = inverted([0, 0x1f, 0x22, 0x22, 0x5c, 0x5c, 0x7f, 0x7f]);
const plainBytes = utf8Ranges(plainRanges);
/** Tokens of more characters are looked at one by one. */
const longest = 64;

/** [state, byte]: what reads one plain character after the other, from state 0 to state 0; 255: none comes here. */
const reader = ((): Uint8Array => {
  const rows = [new Uint8Array(256).fill(255)];
  for (const sequence of plainBytes) {
    let state = 0;
    sequence.forEach(([first, last], i) => {
      const next = i + 1 < sequence.length ? rows.push(new Uint8Array(256).fill(255)) - 1 : 0;
      rows[state]!.fill(next, first, last + 1);
      state = next;
    });
  }
  const table = new Uint8Array(rows.length * 256);
  rows.forEach((row, state) => { table.set(row, 256 * state); });
  return table;
})();

/** Tokens that are plain characters, by how many. */
export class PlainTokens {
  private readonly lengths: Uint8Array;
  /** Those of n characters: byLength[firstOf[n] … firstOf[n + 1]). */
  private readonly byLength: Int32Array;
  private readonly firstOf = new Int32Array(longest + 2);
  private readonly masks: Uint32Array[];

  /** @param starts of token i in `blob`, and of the next */
  constructor(vocabSize: number, blob: Uint8Array, starts: Int32Array) {
    const lengths = this.lengths = new Uint8Array(vocabSize), { firstOf } = this;
    for (let id = 0; id < vocabSize; id++) {
      let state = 0, length = 0;
      for (let i = starts[id]!; i < starts[id + 1]! && state < 255; i++) {
        state = reader[256 * state + blob[i]!]!;
        if (state === 0) length++;
      }
      if (state === 0 && length <= longest) lengths[id] = length;
      firstOf[lengths[id]! + 1]!++;
    }
    for (let length = 0; length <= longest; length++) firstOf[length + 1]! += firstOf[length]!;
    this.byLength = new Int32Array(vocabSize);
    const places = firstOf.slice();
    for (let id = 0; id < vocabSize; id++) this.byLength[places[lengths[id]!]!++] = id;
    this.masks = [new Uint32Array((vocabSize + 31) >> 5)];
  }

  has(id: number): boolean { return this.lengths[id] !== 0; }

  /** Those of at most so many characters. Not to be written to. */
  upTo(count: number): Uint32Array {
    let mask = this.masks[count];
    if (!mask) {
      let less = count - 1;
      while (!this.masks[less]) less--;
      this.masks[count] = mask = this.masks[less]!.slice();
      for (let i = this.firstOf[less + 1]!; i < this.firstOf[count + 1]!; i++) {
        const id = this.byLength[i]!;
        mask[id >> 5]! |= 1 << (id & 31);
      }
    }
    return mask;
  }
}

/** Of configurations how many plain characters may follow, whichever they are. */
export class Room {
  private readonly known = new Map<number, number | undefined>();
  private readonly steps = new Map<number, readonly number[]>();

  /** Of the ways to write a plain character the bytes that some state tells apart, one of each kind. */
  private readonly bytes: readonly (readonly (readonly number[])[])[];

  constructor(private readonly machine: Machine) {
    const { classOf } = machine.automaton;
    this.bytes = plainBytes.map((sequence) => sequence.map(([first, last]) => {
      const all = Array.from({ length: last - first + 1 }, (_, i) => first + i);
      return all.filter((byte, i) => i === 0 || classOf[byte] !== classOf[byte - 1]);
    }));
  }

  /** At most so many as the longest token has; undefined where it depends on which they are. */
  of(config: number): number | undefined {
    if (!this.known.has(config)) this.known.set(config, this.find(config));
    return this.known.get(config);
  }

  private find(config: number): number | undefined {
    let level: readonly number[] = [config];
    for (let count = 0; count < longest; count++) {
      const next: readonly number[] = level.length === 1 ? this.after(level[0]!) : [...new Set(level.flatMap((one) => this.after(one)))];
      if (next.includes(dead)) return next.length === 1 ? count : undefined;
      if (next.length > 64) return undefined;
      if (next.length === 1 && next[0] === level[0]) return longest;
      level = next;
    }
    return longest;
  }

  /** Where plain characters lead, each of them; `dead` is one such place. */
  private after(config: number): readonly number[] {
    let known = this.steps.get(config);
    if (!known) {
      const { machine } = this, found: number[] = [];
      for (const sequence of this.bytes) {
        let level = [config];
        for (const bytes of sequence) {
          const next: number[] = [];
          for (const one of level) {
            for (const byte of bytes) {
              const to = machine.next(one, byte);
              if (!next.includes(to)) next.push(to);
            }
          }
          level = next;
        }
        for (const one of level) if (!found.includes(one)) found.push(one);
      }
      this.steps.set(config, known = found);
    }
    return known;
  }
}
