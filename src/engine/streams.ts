/**
 * Whether a matrix is read from several places at a time (assembly/kernels/matvec/streams.ts), measured on the first tokens that are
 * decoded: one processor reads its memory 1.2 to 1.5 times as fast so, another slower. Both ways give the same bits, so any token may try
 * either.
 */

/** As many as gain: more than four give nothing. */
const several = 4;
/** Tokens before the first try: engines compile what is hot anew, in the background. Then so many pairs of tokens, one each way. */
const warm = 12, pairs = 8;
/** By how much several must be faster; and how much slower ends the tries after two pairs. */
const margin = 0.97, hopeless = 1.15;

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

export class Streams {
  /** Places that the next token's matrices are read from. */
  #count = 1;
  #tokens = 0;
  #first = NaN;
  /** Time of several over that of one, pair by pair. */
  readonly #ratios: number[] = [];
  #decided = false;

  /** Runs a pass; of one token it is tried both ways. */
  run<T>(work: { set(field: 'streams', count: number): void }, pass: () => T, tokens = 1): T {
    work.set('streams', this.#count);
    if (this.#decided || tokens > 1) return pass();
    const started = performance.now(), result = pass();
    this.#took(performance.now() - started);
    return result;
  }

  #took(ms: number): void {
    if (++this.#tokens <= warm) return;
    const second = (this.#tokens - warm) % 2 === 0;
    if (!second) {
      this.#first = ms;
      this.#count = 1 + several - this.#count;
      return;
    }
    this.#ratios.push(this.#count === several ? ms / this.#first : this.#first / ms); // of the next pair it comes first
    const ratio = middle(this.#ratios), n = this.#ratios.length;
    if (n < pairs && !(n >= 2 && Math.min(...this.#ratios) > hopeless)) return;
    this.#decided = true;
    this.#count = ratio < margin ? several : 1; // where a clock stands still, one
  }
}
