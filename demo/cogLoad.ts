/**
 * The load of a token as docs/methods.md defines it, for tokens whose thresholds no load has moved: there the engine does not compute one. Mean and
 * deviation are of the tokens before it in the same answer.
 */
export interface LoadWeights { readonly surprisal: number; readonly entropy: number }

/** Tokens before loads count, and the deviations at which they are cut: the engine's defaults. */
const warmup = 8, clamp = 2;

export class CogLoad {
  #count = 0;
  #mean = 0;
  #squares = 0;

  constructor(private readonly weights: LoadWeights) {}

  /** The load of the step that feeds a token with this surprisal, drawn from a distribution of this entropy, nats. */
  step(surprisal: number, entropy: number): number {
    const raw = this.weights.surprisal * surprisal + this.weights.entropy * entropy, delta = raw - this.#mean;
    const deviation = Math.sqrt(this.#squares / this.#count), load = this.#count >= warmup && deviation > 1e-6 ? delta / deviation : 0;
    this.#mean += delta / ++this.#count;
    this.#squares += delta * (raw - this.#mean);
    return Math.min(Math.max(load, -clamp), clamp);
  }
}
