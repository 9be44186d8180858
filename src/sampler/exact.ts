/**
 * A distribution of which only a part is known exactly: what a sampler asks of it, so that it draws what it would draw from all of it.
 * Logits from `floor` up are exact and none is missing; what is below stands nearly as it is, below the floor too.
 */
export interface Exact {
  /** -Infinity: all are exact. */
  readonly floor: number;
  /** log of the sum of exp over all logits, and its standard error. */
  readonly logSumExp: number;
  readonly tailError: number;
  /** The first of the tokens whose logit is the largest, where that is known: of a distribution that is sound. */
  readonly top?: number | undefined;
  /** Makes logits from `floor` up exact (default: all), and those of `ids`. */
  refine(floor?: number, ids?: readonly number[]): void;
}

/** All logits are exact. */
export const allExact: Exact = { floor: -Infinity, logSumExp: NaN, tailError: 0, refine: () => undefined };
