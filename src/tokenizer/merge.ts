/**
 * Merging neighbours until none merges: what byte-level BPE (lowest rank first) and SentencePiece BPE (highest score first) share. A
 * linked list of symbols and a heap of candidate pairs: n log n, also for a word of a million letters. Equal keys merge left to right.
 */
import { Heap } from './heap.ts';

/**
 * Looks at the neighbours (left, right), which cover the symbols [first, end) of the beginning: the id that they merge to, or -1, and the
 * key of the merge in `key`.
 */
export interface PairLookup {
  merge(left: number, right: number, first: number, end: number): number;
  readonly key: number;
}

export class Merger {
  readonly #heap = new Heap();
  #ids = new Int32Array(256);
  #next = new Int32Array(256);
  #previous = new Int32Array(256);

  /** Merges `ids[0, count)`; hands the survivors to `emit` in order, with the symbols [first, end) that they cover. */
  run(ids: Int32Array, count: number, pairs: PairLookup, emit: (id: number, first: number, end: number) => void): void {
    if (count === 0) return;
    if (this.#ids.length < count) {
      this.#ids = new Int32Array(2 * count);
      this.#next = new Int32Array(2 * count);
      this.#previous = new Int32Array(2 * count);
    }
    const id = this.#ids, next = this.#next, previous = this.#previous, heap = this.#heap;
    id.set(ids.subarray(0, count));
    for (let i = 0; i < count; i++) {
      next[i] = i + 1 < count ? i + 1 : -1;
      previous[i] = i - 1;
    }
    const mergeOf = (left: number, right: number): number =>
      pairs.merge(id[left]!, id[right]!, left, next[right]! < 0 ? count : next[right]!);
    const consider = (left: number): void => {
      const right = next[left]!;
      if (right >= 0 && mergeOf(left, right) >= 0) heap.push(pairs.key, left);
    };
    heap.clear();
    for (let i = 0; i + 1 < count; i++) consider(i);
    while (heap.size > 0) {
      const key = heap.key, left = heap.pop();
      const right = id[left]! === dead ? -1 : next[left]!;
      if (right < 0) continue;
      const merged = mergeOf(left, right);
      if (merged < 0 || pairs.key !== key) continue; // an entry of neighbours that have merged since
      id[left] = merged;
      id[right] = dead;
      next[left] = next[right]!;
      if (next[left]! >= 0) previous[next[left]!] = left;
      if (previous[left]! >= 0) consider(previous[left]!);
      consider(left);
    }
    for (let i = 0; i >= 0; i = next[i]!) emit(id[i]!, i, next[i]! < 0 ? count : next[i]!);
  }
}

/** The id of a symbol that was merged into its left neighbour. */
const dead = -2;
