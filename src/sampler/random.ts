/**
 * The sampler's generator: xoshiro128** (Blackman & Vigna, https://prng.di.unimi.it/xoshiro128starstar.c), its four words
 * filled by splitmix32 from one 32-bit seed. 32-bit integer operations only, so every runtime draws the same sequence.
 */
import { InputError } from '../errors.ts';

/** The four words of xoshiro128**, each an unsigned 32-bit integer, not all zero. */
export type RandomState = readonly [number, number, number, number];

const rotateLeft = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/** Four outputs of splitmix32. It permutes its counter, so at most one of them is zero and the state is always valid. */
function splitmix32(seed: number): RandomState {
  let counter = seed | 0;
  const next = (): number => {
    counter = (counter + 0x9e3779b9) | 0;
    let t = counter ^ (counter >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return (t ^ (t >>> 15)) >>> 0;
  };
  return [next(), next(), next(), next()];
}

export class Random {
  private readonly words = new Uint32Array(4);

  /** @param seed an integer in 0 … 2³²−1 */
  constructor(seed: number) {
    this.words.set(splitmix32(seed));
  }

  /** A generator that continues from `state`. @throws InputError `E_OPTION` if that is no state of this generator. */
  static fromState(state: RandomState): Random {
    const random = new Random(0);
    random.restoreState(state);
    return random;
  }

  /** Uniform in 0 … 2³²−1. */
  uint32(): number {
    const w = this.words;
    const result = Math.imul(rotateLeft(Math.imul(w[1]!, 5), 7), 9) >>> 0;
    const shifted = w[1]! << 9;
    w[2] = w[2]! ^ w[0]!;
    w[3] = w[3]! ^ w[1]!;
    w[1] = w[1]! ^ w[2]!;
    w[0] = w[0]! ^ w[3]!;
    w[2] = w[2]! ^ shifted;
    w[3] = rotateLeft(w[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits (two draws). */
  float64(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  saveState(): RandomState {
    const w = this.words;
    return [w[0]!, w[1]!, w[2]!, w[3]!];
  }

  /** @throws InputError `E_OPTION` if `state` is not four 32-bit words, not all zero. */
  restoreState(state: RandomState): void {
    const valid = Array.isArray(state) && state.length === 4
      && state.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff) && state.some((word) => word !== 0);
    if (!valid) {
      throw new InputError('E_OPTION', {
        subject: 'random state', found: JSON.stringify(state) ?? String(state), expected: 'four integers in 0 … 4294967295, not all zero',
        remedy: 'Pass what saveState() returned.',
      });
    }
    this.words.set(state);
  }
}

/** A seed that nobody chose, from the platform's entropy. Whoever uses it reports it, so that the run can be repeated. */
export function freshSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
