/** Subjects without a model: distributions that depend on the tokens before them, the sparse ones with noise that depends on the position. */
import type { EachStep, Subject } from '../../src/eval/subject.ts';

export const toyVocab = 50;

/** log-sum-exp and entropy in float64, and the first largest. */
function sweep(logits: Float32Array): { logSumExp: number; entropy: number; topToken: number } {
  const logSumExp = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
  return { logSumExp, entropy: logits.reduce((sum, x) => sum - Math.exp(x - logSumExp) * (x - logSumExp), 0), topToken: logits.indexOf(Math.max(...logits)) };
}

export class ToySubject implements Subject {
  /** Prompts and tokens that were asked for. */
  calls = 0;
  tokens = 0;

  /** @param failAfter throws once this many calls were answered */
  constructor(readonly label: string, private readonly noise: number, private readonly failAfter = Infinity) {}

  logits(ids: readonly number[], fed: number): Float32Array {
    const last = ids.at(-1)!, before = ids.at(-2) ?? 0;
    return Float32Array.from({ length: toyVocab }, (_, i) => 3 * Math.sin(i * (last + 1)) + Math.cos(i + before) + (fed > 0 ? this.noise * Math.sin(7 * i + ids.length) : 0));
  }

  async follow(prompt: ArrayLike<number>, continuation: ArrayLike<number>, each: EachStep): Promise<void> {
    if (this.calls++ >= this.failAfter) throw new Error('cut');
    const ids = Array.from(prompt);
    for (let fed = 0; fed <= continuation.length; fed++) {
      if (fed > 0) { ids.push(continuation[fed - 1]!); this.tokens++; }
      const logits = this.logits(ids, fed);
      each(logits, { fed, ...sweep(logits), ...(fed > 0 ? { cost: this.noise === 0 ? 1 : 0.6, ms: this.noise === 0 ? 10 : 8 } : {}) });
    }
  }
}
