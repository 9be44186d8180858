/** All texts of a vocabulary as trees of bytes, laid out in the order in which they are walked. */
import type { Tokenizer } from 'clada';
import { PlainTokens } from './plain.ts';

/** The part of a tokenizer that a constraint needs. */
export type Vocabulary = Pick<Tokenizer, 'vocabSize' | 'tokenBytes' | 'isControl' | 'isEog' | 'eogIds'>;

/** Of a token the bytes of text, where it stands for any: control tokens, ends and those that pad the vocabulary do not. */
export interface Tokens {
  readonly vocabSize: number;
  readonly eogIds: readonly number[];
  /** Token i: blob[starts[i] … starts[i + 1]). */
  readonly blob: Uint8Array;
  readonly starts: Int32Array;
  readonly plain: PlainTokens;
  readonly all: TokenTrie;
  /** Those that are not plain. */
  readonly others: TokenTrie;
  /** Space for one walk over a tree: of the nodes above where it stands something each, and the tokens that it finds. */
  readonly path: Int32Array;
  readonly found: Int32Array;
}

export interface TokenTrie {
  /** Node 0 is the root. Of each: its byte, how deep it lies, and the node after all that are below it. */
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  readonly after: Int32Array;
  /** Tokens that end at node i: ids[firstOf[i] … firstOf[i + 1]). */
  readonly firstOf: Int32Array;
  readonly ids: Int32Array;
  readonly maxDepth: number;
}

export function readTokens(vocabulary: Vocabulary): Tokens {
  const { vocabSize, eogIds } = vocabulary, ends = new Set(eogIds), starts = new Int32Array(vocabSize + 1);
  let blob = new Uint8Array(8 * vocabSize + 256), size = 0;
  for (let id = 0; id < vocabSize; id++) {
    if (!ends.has(id) && !vocabulary.isControl(id)) {
      const bytes = vocabulary.tokenBytes(id);
      if (size + bytes.length > blob.length) {
        const grown = new Uint8Array(2 * (size + bytes.length));
        grown.set(blob);
        blob = grown;
      }
      blob.set(bytes, size);
      size += bytes.length;
    }
    starts[id + 1] = size;
  }
  const plain = new PlainTokens(vocabSize, blob, starts), ids = new Int32Array(vocabSize);
  let count = 0;
  for (let id = 0; id < vocabSize; id++) if (starts[id]! < starts[id + 1]!) ids[count++] = id;
  const sorted = sort(ids.subarray(0, count), blob, starts);
  const all = tree(sorted, blob, starts), others = tree(sorted.filter((id) => !plain.has(id)), blob, starts);
  return {
    vocabSize, eogIds, blob, starts, plain, all, others, path: new Int32Array(all.maxDepth + 1), found: new Int32Array(count),
  };
}

/** By their bytes, the shorter one first: in buckets by one byte, then each bucket by the next. */
function sort(ids: Int32Array, blob: Uint8Array, starts: Int32Array): Int32Array {
  const from = ids.slice(), other = new Int32Array(ids.length);
  const byteAt = (id: number, depth: number): number => starts[id]! + depth < starts[id + 1]! ? blob[starts[id]! + depth]! + 1 : 0;
  const less = (a: number, b: number, depth: number): boolean => {
    for (; ; depth++) {
      const x = byteAt(a, depth), y = byteAt(b, depth);
      if (x !== y || x === 0) return x < y || (x === y && a < b);
    }
  };
  const bucket = (first: number, end: number, depth: number): void => {
    if (end - first < 24) {
      for (let i = first + 1; i < end; i++) {
        const id = from[i]!;
        let j = i;
        for (; j > first && less(id, from[j - 1]!, depth); j--) from[j] = from[j - 1]!;
        from[j] = id;
      }
      return;
    }
    const places = new Int32Array(258);
    for (let i = first; i < end; i++) places[byteAt(from[i]!, depth) + 1]!++;
    for (let i = 0; i < 257; i++) places[i + 1]! += places[i]!;
    const edges = places.slice();
    for (let i = first; i < end; i++) { const id = from[i]!; other[first + places[byteAt(id, depth)]!++] = id; }
    from.set(other.subarray(first, end), first);
    for (let byte = 1; byte < 257; byte++) { // those of 0 are at their end, and equal
      if (edges[byte + 1]! - edges[byte]! > 1) bucket(first + edges[byte]!, first + edges[byte + 1]!, depth + 1);
    }
  };
  bucket(0, from.length, 0);
  return from;
}

function tree(sorted: Int32Array, blob: Uint8Array, starts: Int32Array): TokenTrie {
  let total = 1, maxDepth = 0;
  for (const id of sorted) {
    const length = starts[id + 1]! - starts[id]!;
    total += length;
    maxDepth = Math.max(maxDepth, length);
  }
  const bytes = new Uint8Array(total), depths = new Uint16Array(total), firstOf = new Int32Array(total + 1), after = new Int32Array(total);
  const path = new Int32Array(maxDepth + 1);
  let nNodes = 1, last = 0, lastLength = 0;
  for (let order = 0; order < sorted.length; order++) {
    const start = starts[sorted[order]!]!, length = starts[sorted[order]! + 1]! - start;
    let shared = 0;
    while (shared < lastLength && shared < length && blob[last + shared] === blob[start + shared]) shared++;
    for (let depth = lastLength; depth > shared; depth--) after[path[depth]!] = nNodes;
    for (let i = shared; i < length; i++) {
      bytes[nNodes] = blob[start + i]!;
      depths[nNodes] = i + 1;
      firstOf[nNodes] = order;
      path[i + 1] = nNodes++;
    }
    last = start;
    lastLength = length;
  }
  for (let depth = lastLength; depth >= 0; depth--) after[path[depth]!] = nNodes;
  firstOf[nNodes] = sorted.length;
  return {
    bytes: bytes.slice(0, nNodes), depths: depths.slice(0, nNodes), after: after.slice(0, nNodes), firstOf: firstOf.slice(0, nNodes + 1),
    ids: sorted, maxDepth,
  };
}
