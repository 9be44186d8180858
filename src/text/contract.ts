/**
 * The quality contract: what a generation measures of itself while it runs. Every `checkEvery` tokens one is computed a second time,
 * dense; the divergence of the two distributions is held against the bound, and where the bound is not kept the selection becomes gentler.
 */
import { klDivergence } from '../adapt/divergence.ts';
import type { Bound } from '../adapt/methods.ts';
import type { Selection } from '../adapt/selection.ts';
import { scaled } from '../adapt/selection.ts';
import type { Distribution } from '../session/sequence.ts';

/** What was measured while generating. */
export interface Measured {
  /** Tokens that were also computed dense. */
  readonly checks: number;
  /** Mean KL(dense || sparse) over them in nats with its standard error, and the share with the same top token; NaN without checks. */
  readonly kl: number;
  /** Its standard error, nats. */
  readonly klError: number;
  /** Share of checks with the same most likely token. */
  readonly top1: number;
  /** How often the selection was made gentler. */
  readonly adjustments: number;
}

/** Checks since the last adjustment before the next may follow, and how much gentler it makes the selection. */
const fewest = 3, gentler = 0.85;

/** What a contract has measured so far; plain JSON. */
export interface ContractState {
  readonly kls: readonly number[];
  /** Checks with the same top token; since the last adjustment: checks, same tokens, sum of KL. */
  readonly same: number;
  readonly since: number;
  readonly sinceSame: number;
  readonly sinceKl: number;
  readonly adjustments: number;
}

/** The selection after so many adjustments. */
export function adjusted(selection: Selection, adjustments: number): Selection {
  return adjustments > 0 ? adjusted(scaled(selection, gentler), adjustments - 1) : selection;
}

export class Contract {
  #kls: number[] = [];
  #same = 0;
  #since = 0;
  #sinceSame = 0;
  #sinceKl = 0;
  #adjustments = 0;

  constructor(private readonly bound: Bound, private selection: Selection) {}

  /** Everything that later decisions depend on besides bound and selection. */
  get state(): ContractState {
    return {
      kls: [...this.#kls], same: this.#same, since: this.#since, sinceSame: this.#sinceSame, sinceKl: this.#sinceKl,
      adjustments: this.#adjustments,
    };
  }

  /** Goes on from the state of another, whose selection this one was made with. */
  restore({ kls, same, since, sinceSame, sinceKl, adjustments }: ContractState): void {
    this.#kls = [...kls];
    this.#same = same;
    this.#since = since;
    this.#sinceSame = sinceSame;
    this.#sinceKl = sinceKl;
    this.#adjustments = adjustments;
  }

  /** True where the token with this index (from 0) is to be checked. */
  isDue(index: number): boolean {
    const { checkEvery } = this.bound;
    return checkEvery > 0 && index > 0 && index % checkEvery === 0;
  }

  /** Takes in one check and returns the selection that holds from now on. */
  add(sparse: Distribution, dense: Distribution): Selection {
    const kl = klDivergence(dense.logits, dense.logSumExp, sparse.logits, sparse.logSumExp), same = sparse.topToken === dense.topToken;
    this.#kls.push(kl);
    this.#since++;
    this.#sinceKl += kl;
    if (same) { this.#same++; this.#sinceSame++; }
    if (this.#since >= fewest && this.#isBroken()) {
      this.selection = adjusted(this.selection, 1);
      this.#since = this.#sinceKl = this.#sinceSame = 0;
      this.#adjustments++;
    }
    return this.selection;
  }

  /** A few checks scatter: the bound counts as broken where their mean is past it by half; agreement where a binomial error below it. */
  #isBroken(): boolean {
    const { maxKl, minTop1 } = this.bound, n = this.#since;
    if (maxKl !== undefined) return this.#sinceKl / n > 1.5 * maxKl;
    return this.#sinceSame / n < minTop1! - Math.sqrt((minTop1! * (1 - minTop1!)) / n);
  }

  get measured(): Measured {
    const n = this.#kls.length, kl = this.#kls.reduce((sum, value) => sum + value, 0) / n;
    const variance = this.#kls.reduce((sum, value) => sum + (value - kl) ** 2, 0) / (n - 1);
    return { checks: n, kl, klError: n > 1 ? Math.sqrt(variance / n) : NaN, top1: this.#same / n, adjustments: this.#adjustments };
  }
}
