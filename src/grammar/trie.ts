/** All texts of a vocabulary as a tree of bytes, laid out in the order in which it is walked. */
import type { Tokenizer } from 'clada';

/** The part of a tokenizer that a constraint needs. */
export type Vocabulary = Pick<Tokenizer, 'vocabSize' | 'tokenBytes' | 'isControl' | 'isEog' | 'eogIds'>;

export interface TokenTrie {
  readonly vocabSize: number;
  readonly eogIds: readonly number[];
  /** Node 0 is the root. Of each: its byte, how deep it lies, and the node after all that are below it. */
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  readonly after: Int32Array;
  /** Tokens that end at node i: ids[firstOf[i] … firstOf[i + 1]). */
  readonly firstOf: Int32Array;
  readonly ids: Int32Array;
  readonly maxDepth: number;
  /** Bytes of each token that text may be made of; empty for others. */
  bytesOf(id: number): Uint8Array;
}

/** Tokens that stand for text; control tokens, ends and those that pad the vocabulary do not. */
export function buildTrie(vocabulary: Vocabulary): TokenTrie {
  const { vocabSize, eogIds } = vocabulary, ends = new Set(eogIds), none: Uint8Array = new Uint8Array(0);
  const texts = Array.from({ length: vocabSize }, (_, id) => ends.has(id) || vocabulary.isControl(id) ? none : vocabulary.tokenBytes(id));
  // one key a token to sort by numbers: six bytes, then the rest by comparing
  const keys = new Float64Array(vocabSize);
  texts.forEach((bytes, id) => {
    let key = 0;
    for (let i = 0; i < 6; i++) key = key * 257 + (i < bytes.length ? bytes[i]! + 1 : 0);
    keys[id] = key;
  });
  const sorted = texts.map((_, id) => id).filter((id) => texts[id]!.length > 0)
    .sort((a, b) => keys[a]! - keys[b]! || compare(texts[a]!, texts[b]!) || a - b);
  const total = sorted.reduce((sum, id) => sum + texts[id]!.length, 1);
  const bytes = new Uint8Array(total), depths = new Uint16Array(total), firstOf = new Int32Array(total + 1), after = new Int32Array(total);
  const path: number[] = [0];
  let nNodes = 1, last = none;
  sorted.forEach((id, order) => {
    const text = texts[id]!;
    let shared = 0;
    while (shared < last.length && shared < text.length && last[shared] === text[shared]) shared++;
    for (; path.length > shared + 1; path.pop()) after[path[path.length - 1]!] = nNodes;
    for (let i = shared; i < text.length; i++) {
      bytes[nNodes] = text[i]!;
      depths[nNodes] = i + 1;
      firstOf[nNodes] = order;
      path.push(nNodes++);
    }
    last = text;
  });
  for (const node of path) after[node] = nNodes;
  firstOf[nNodes] = sorted.length;
  return {
    vocabSize, eogIds, bytes: bytes.slice(0, nNodes), depths: depths.slice(0, nNodes), after: after.slice(0, nNodes),
    firstOf: firstOf.slice(0, nNodes + 1), ids: Int32Array.from(sorted),
    maxDepth: sorted.reduce((max, id) => Math.max(max, texts[id]!.length), 0),
    bytesOf: (id) => texts[id] ?? none,
  };
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
