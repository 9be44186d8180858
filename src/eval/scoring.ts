/**
 * The requests of one item, scored with as little computing as gives every figure: a context is computed once for all subjects, what
 * continuations have in common once for each of them, and what the dense context itself predicts is not computed with a method at all.
 */
import type { EncodedRequest } from './items.ts';
import type { Subject } from './subject.ts';

/** What a subject makes of an item's requests. */
export interface Scores {
  /** Sum of log p of each continuation's tokens, nats; and whether each of them was the most likely. */
  readonly sums: readonly number[];
  readonly greedy: readonly boolean[];
  /** Of every token fed. */
  readonly costs: readonly number[];
  readonly times: readonly number[];
  /** Tokens scored, and how many of them after a token that the method computed. */
  readonly scored: number;
  readonly sparse: number;
}

/** The distribution after a dense context. */
interface Head { readonly logits: Float32Array; readonly logSumExp: number; readonly topToken: number }

/** Leading tokens that two requests share. */
function common(a: readonly number[], b: readonly number[]): number {
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  return same;
}

export class ItemScorer {
  /** By the tokens that ran dense: the same for every subject. */
  readonly #heads = new Map<string, Head>();

  /** @param dense tokens of each request that run dense, its context at most */
  constructor(private readonly requests: readonly EncodedRequest[], private readonly dense: readonly number[]) {}

  async score(subject: Subject, signal: AbortSignal | undefined): Promise<Scores> {
    const { requests, dense } = this, sums = requests.map(() => 0), greedy = requests.map(() => true);
    const costs: number[] = [], times: number[] = [];
    const scoredTo = requests.map(({ split }) => split); // next token of each that has no log p yet
    let scored = 0, sparse = 0;
    /** Of request i's tokens so far every request that begins with them gets the log p of its next. */
    const take = (i: number, next: number, { logits, logSumExp, topToken }: Head, fed: number): void => {
      for (const [j, { ids }] of requests.entries()) {
        if (scoredTo[j] !== next || next >= ids.length || dense[j] !== dense[i] || common(ids, requests[i]!.ids) < next) continue;
        const id = ids[next]!;
        sums[j]! += logits[id]! - logSumExp;
        greedy[j] = greedy[j]! && id === topToken;
        scoredTo[j]!++;
        scored++;
        if (fed > 0) sparse++;
      }
    };
    let before: { ids: readonly number[]; dense: number } | undefined;
    for (const i of this.#order()) {
      const { ids } = requests[i]!, at = dense[i]!;
      if (scoredTo[i] === at) take(i, at, await this.#head(subject, ids.slice(0, at), signal), 0);
      if (scoredTo[i] === ids.length) continue;
      const shared = before?.dense === at ? common(ids.slice(0, -1), before.ids.slice(0, -1)) : 0;
      const from = Math.max(1, shared - at + 1); // the last shared row has told all that it knows
      await subject.follow(ids.slice(0, at), ids.slice(at, -1), (logits, { fed, logSumExp, topToken, cost = NaN, ms = NaN }) => {
        if (fed < from) return;
        costs.push(cost);
        times.push(ms);
        take(i, at + fed, { logits, logSumExp, topToken }, fed);
      }, { from, together: true, signal });
      before = { ids, dense: at };
    }
    return { sums, greedy, costs, times, scored, sparse };
  }

  /** Requests with what they share side by side. */
  #order(): number[] {
    const compare = (a: readonly number[], b: readonly number[]): number => {
      const at = common(a, b);
      return (a[at] ?? -1) - (b[at] ?? -1);
    };
    const { requests, dense } = this;
    return [...requests.keys()].sort((i, j) => dense[i]! - dense[j]! || compare(requests[i]!.ids, requests[j]!.ids));
  }

  async #head(subject: Subject, context: readonly number[], signal: AbortSignal | undefined): Promise<Head> {
    const key = context.join();
    if (!this.#heads.has(key)) {
      await subject.follow(context, [], (logits, { logSumExp, topToken }) => {
        this.#heads.set(key, { logits: logits.slice(), logSumExp, topToken });
      }, { signal });
    }
    return this.#heads.get(key)!;
  }
}
