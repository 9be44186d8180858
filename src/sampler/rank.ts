/**
 * The one order of tokens: larger value first, lower index first among equals (−0 equals +0). A (value, index) pair is packed
 * into one float64 integer, `order(value) · 2²¹ + (2²¹ − 1 − index)`: 53 bits, exact, so that heaps and the engine's native
 * `Float64Array.sort` order pairs by comparing plain numbers, ties included.
 */
import { badLogit, nextAbove } from './check.ts';

/** Most entries that can be ordered. The largest vocabularies in use have 262,144. */
export const MAX_ENTRIES = 2 ** 21;

/** Packs a value given as the bit pattern of its float32; NaN has no place in the order and must have been refused. */
export function pack(bits: number, index: number): number {
  // Positive floats order like their bits, negative ones against them; both patterns of zero meet at 2³¹.
  const order = bits < 0x80000000 ? 0x80000000 + bits : 0x100000000 - bits;
  return order * MAX_ENTRIES + (MAX_ENTRIES - 1 - index);
}

export function indexOf(key: number): number {
  return MAX_ENTRIES - 1 - (key - Math.floor(key / MAX_ENTRIES) * MAX_ENTRIES);
}

/** The bit patterns of a float32 array, over the same memory. */
export function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/**
 * The keys of the `k` first entries of `values`, ascending (the best is last), at the start of `keys`; returns how many, which
 * is min(k, values.length). One sweep with a min-heap of k keys: almost every entry costs one comparison with the smallest
 * kept value, and entries arrive by rising index, so an equal one is rightly left out.
 * @throws ModelError `E_LOGITS` at a NaN
 */
export function selectTop(values: Float32Array, bits: Uint32Array, k: number, keys: Float64Array): number {
  const n = values.length;
  const kept = Math.min(k, n);
  if (kept === 0) return 0;
  for (let i = 0; i < kept; i++) {
    if (values[i] !== values[i]) throw badLogit(values, i);
    keys[i] = pack(bits[i]!, i);
  }
  for (let root = (kept >> 1) - 1; root >= 0; root--) siftDown(keys, kept, root, keys[root]!);
  let threshold = values[indexOf(keys[0]!)]!;
  for (let i = nextAbove(values, kept, threshold); i < n; i = nextAbove(values, i + 1, threshold)) {
    siftDown(keys, kept, 0, pack(bits[i]!, i));
    threshold = values[indexOf(keys[0]!)]!;
  }
  keys.subarray(0, kept).sort();
  return kept;
}

/** Puts `key` into the min-heap `heap[0 … size)` from the hole at `hole` downwards. */
function siftDown(heap: Float64Array, size: number, hole: number, key: number): void {
  for (;;) {
    let child = 2 * hole + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= key) break;
    heap[hole] = heap[child]!;
    hole = child;
  }
  heap[hole] = key;
}
