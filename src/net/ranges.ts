/** A set of byte offsets as stretches [start, end), sorted and merged. */
import type { Stretch } from './cache.ts';

export class Ranges {
  #list: [number, number][] = [];

  constructor(stretches: Iterable<Stretch> = []) {
    for (const [start, end] of stretches) this.add(start, end);
  }

  get list(): readonly Stretch[] { return this.#list; }

  /** How many offsets are in it. */
  get total(): number { return this.#list.reduce((sum, [start, end]) => sum + end - start, 0); }

  add(start: number, end: number): void {
    if (end <= start) return;
    const before = this.#list.filter((s) => s[1] < start), after = this.#list.filter((s) => s[0] > end);
    const touching = this.#list.filter((s) => s[1] >= start && s[0] <= end);
    this.#list = [...before, [Math.min(start, ...touching.map((s) => s[0])), Math.max(end, ...touching.map((s) => s[1]))], ...after];
  }

  remove(start: number, end: number): void {
    this.#list = this.#list.flatMap(([s, e]): [number, number][] =>
      [[s, Math.min(e, start)] as [number, number], [Math.max(s, end), e] as [number, number]].filter(([from, to]) => to > from));
  }

  /** True if all of [start, end) is in it. */
  covers(start: number, end: number): boolean { return end <= start || this.#list.some(([s, e]) => s <= start && end <= e); }

  /** Where what is in it from `start` on without a gap ends; `start` if it is not in it. */
  endOf(start: number): number { return this.#list.find(([s, e]) => s <= start && start < e)?.[1] ?? start; }

  /** The first stretch at or behind `from` that is not in it, cut at `limit`; undefined if there is none. */
  gap(from: number, limit: number): Stretch | undefined {
    const start = this.endOf(from);
    if (start >= limit) return undefined;
    return [start, Math.min(limit, this.#list.find(([s]) => s > start)?.[0] ?? limit)];
  }
}
