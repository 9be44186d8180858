/** What a generation has counted so far. Times in ms. */
import type { GenerationState, GenerationStats } from './types.ts';

/** What it says of the figures of a generation. */
type Figures = Pick<GenerationStats,
  | 'promptTokens' | 'cachedTokens' | 'promptMs' | 'promptPerSecond'
  | 'generatedTokens' | 'shiftedTokens' | 'generateMs' | 'generatePerSecond' | 'weightBytesPerSecond' | 'density'>;

export class Tally {
  promptTokens = 0;
  cachedTokens = 0;
  promptMs = 0;
  generated = 0;
  generateMs = 0;
  weightBytes = 0;
  /** Of the feed-forward weights used, summed over decoded tokens. */
  cost = 0;
  shifted = 0;
  /** Tokens that were there before this generation went on from a state. */
  #earlier = 0;

  /** Goes on from a saved generation. */
  goOn({ tokens, promptTokens, shiftedTokens = 0, cost }: GenerationState): void {
    this.promptTokens = this.cachedTokens = promptTokens;
    this.shifted = shiftedTokens;
    this.generated = this.#earlier = tokens.length + shiftedTokens - promptTokens;
    this.cost = cost;
  }

  /** The first token's work is the prompt's. */
  time(index: number, ms: number): void {
    if (index === 0) this.promptMs = ms;
    else this.generateMs += ms;
  }

  get figures(): Figures {
    const perSecond = (count: number, ms: number): number => (count > 0 ? (1000 * count) / ms : NaN);
    return {
      promptTokens: this.promptTokens, cachedTokens: this.cachedTokens, promptMs: this.promptMs,
      generatedTokens: this.generated, shiftedTokens: this.shifted, generateMs: this.generateMs,
      promptPerSecond: perSecond(this.promptTokens - this.cachedTokens, this.promptMs),
      generatePerSecond: perSecond(this.generated - Math.max(1, this.#earlier), this.generateMs),
      weightBytesPerSecond: perSecond(this.weightBytes, this.generateMs),
      density: this.generated > 1 ? this.cost / (this.generated - 1) : 1,
    };
  }
}
