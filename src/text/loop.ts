/** A guard against loops: small models, greedily decoded ones above all, come to say one passage over and over and never end. */

import { InputError } from '../errors.ts';
import { inRange, show } from '../options.ts';

/** The longest passage that is looked for, and the least that must have been repeated (rows of dots and "ha ha ha" are no loops), in tokens. */
const longest = 256, least = 32;

/** Watches tokens go by. Costs one comparison a possible length and token. */
export class LoopGuard {
  readonly #recent = new Int32Array(longest).fill(-1); // a ring
  /** For each length: how many of the last tokens are the same as those that far before them. */
  readonly #same = new Uint32Array(longest + 1);
  #count = 0;

  /** @param times how often a passage must have been said in a row */
  constructor(private readonly times: number) {}

  /** Takes the next token; true where the text now ends in a passage of at most 256 tokens, said so many times, over at least 32 tokens. */
  push(id: number): boolean {
    let loops = false;
    for (let length = 1; length <= longest; length++) {
      const before = this.#recent[(this.#count + longest - length) % longest];
      this.#same[length] = before === id ? this.#same[length]! + 1 : 0;
      if (this.#same[length]! + length >= Math.max(this.times * length, least) && this.#same[length]! > 0) loops = true;
    }
    this.#recent[this.#count++ % longest] = id;
    return loops;
  }
}

/** The guard that option loopGuard asks for; none for 0. @throws InputError `E_OPTION` */
export function createLoopGuard(times = 0): LoopGuard | undefined {
  if (times === 0) return undefined;
  if (inRange({ min: 2, integer: true }, times)) return new LoopGuard(times);
  throw new InputError('E_OPTION', { subject: 'option loopGuard', found: show(times), expected: '0, or an integer from 2 up', remedy: 'Leave it out for no guard; 4 is a good one.' });
}
