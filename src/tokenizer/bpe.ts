/** Byte-level BPE (GPT-2 and its heirs; GGUF tokenizer model `gpt2`): words, bytes, merges by rank. */
import type { StringArray } from '../format/gguf/types.ts';
import { Merger, type PairLookup } from './merge.ts';
import { ignoresMerges, preTokenizer } from './pretokenize.ts';
import type { TextEncoderOf } from './tokenizer.ts';
import { TokenType, Vocab } from './vocab.ts';

/**
 * GPT-2 writes each byte as a printable character; code point → byte, or -1. Files hold tokens in that spelling, memory holds the bytes.
 */
const byteOfChar = new Int16Array(0x180).fill(-1);
{
  let spare = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    byteOfChar[printable ? byte : spare++] = byte;
  }
}

/** A token as spelled → its bytes at `target[at…]`; the new end, or -1 where a character is none of GPT-2's. */
function unspell(spelled: Uint8Array, target: Uint8Array, at: number): number {
  for (let i = 0; i < spelled.length; i++) {
    let code = spelled[i]!;
    if (code >= 0x80) { // two bytes at most: the alphabet ends at U+0143
      if ((code & 0xe0) !== 0xc0 || i + 1 >= spelled.length) return -1;
      code = ((code & 0x1f) << 6) | (spelled[++i]! & 0x3f);
    }
    const byte = code < byteOfChar.length ? byteOfChar[code]! : -1;
    if (byte < 0) return -1;
    target[at++] = byte;
  }
  return at;
}

/** The vocabulary with bytes in place of GPT-2's spelling; control and user-defined tokens are plain text in the file already. */
export function byteLevelVocab(tokens: StringArray, types: Uint8Array): Vocab {
  const bytes = new Uint8Array(tokens.bytes.length);
  const offsets = new Uint32Array(tokens.length + 1);
  let at = 0;
  for (let id = 0; id < tokens.length; id++) {
    const spelled = tokens.bytesAt(id);
    const end = types[id] === TokenType.normal ? unspell(spelled, bytes, at) : -1;
    if (end < 0) bytes.set(spelled, at);
    at = end < 0 ? at + spelled.length : end;
    offsets[id + 1] = at;
  }
  return new Vocab(bytes.slice(0, at), offsets, types);
}

/** (left, right) → (rank, merged), open addressing over typed arrays. */
class MergeTable implements PairLookup {
  key = 0;
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  constructor(merges: StringArray, vocab: Vocab) {
    this.#mask = 2 ** Math.ceil(Math.log2(2 * merges.length + 2)) - 1;
    this.#left = new Int32Array(this.#mask + 1).fill(-1);
    this.#right = new Int32Array(this.#mask + 1);
    this.#rank = new Int32Array(this.#mask + 1);
    this.#merged = new Int32Array(this.#mask + 1);
    let scratch = new Uint8Array(512);
    for (let rank = 0; rank < merges.length; rank++) {
      const spelled = merges.bytesAt(rank);
      const space = spelled.indexOf(0x20, 1); // GPT-2's spelling has no blank, so the first one separates
      if (space < 0) continue;
      if (spelled.length > scratch.length) scratch = new Uint8Array(2 * spelled.length);
      const middle = unspell(spelled.subarray(0, space), scratch, 0);
      const end = middle < 0 ? -1 : unspell(spelled.subarray(space + 1), scratch, middle);
      if (end < 0) continue;
      const left = vocab.find(scratch, 0, middle), right = vocab.find(scratch, middle, end), merged = vocab.find(scratch, 0, end);
      if (left < 0 || right < 0 || merged < 0) continue; // a merge to nothing can never happen
      const slot = this.#slot(left, right);
      if (this.#left[slot] !== -1) continue; // the first of two equal merges counts
      this.#left[slot] = left;
      this.#right[slot] = right;
      this.#rank[slot] = rank;
      this.#merged[slot] = merged;
    }
  }

  merge(left: number, right: number): number {
    const slot = this.#slot(left, right);
    if (this.#left[slot] === -1) return -1;
    this.key = this.#rank[slot]!;
    return this.#merged[slot]!;
  }

  #slot(left: number, right: number): number {
    let h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    h ^= h >>> 15;
    let slot = h & this.#mask;
    while (this.#left[slot] !== -1 && (this.#left[slot] !== left || this.#right[slot] !== right)) slot = (slot + 1) & this.#mask;
    return slot;
  }
}

/** Words whose tokens are remembered, and how long a word may be to be worth it. */
const cacheWords = 8192, cacheLength = 32;

/** @throws ModelError `E_TOKENIZER` for an unknown pre-tokenizer. */
export function byteLevelEncoder(vocab: Vocab, merges: StringArray, pre: string, unknownId: number | undefined): TextEncoderOf {
  const words = preTokenizer(pre);
  const table = new MergeTable(merges, vocab);
  const whole = ignoresMerges(pre);
  const merger = new Merger();
  const idOfByte = Int32Array.from({ length: 256 }, (_, byte) => vocab.find(Uint8Array.of(byte)));
  const cache = new Map<string, readonly number[]>();
  const utf8 = new TextEncoder();
  let symbols = new Int32Array(256);
  // For bytes that the vocabulary lacks (SmolLM's lacks 20 that valid text hardly has). Where the "unknown" token is a control token they are
  // left out, as llama.cpp does: text must not turn into <|endoftext|>.
  const substitute = unknownId !== undefined && vocab.types[unknownId] !== TokenType.control ? unknownId : undefined;

  const encodeWord = (word: string): number[] => {
    const bytes = utf8.encode(word);
    if (whole) {
      const id = vocab.find(bytes);
      if (id >= 0) return [id];
    }
    if (symbols.length < bytes.length) symbols = new Int32Array(2 * bytes.length);
    for (let i = 0; i < bytes.length; i++) symbols[i] = idOfByte[bytes[i]!]!;
    const ids: number[] = [];
    merger.run(symbols, bytes.length, table, (id) => {
      if (id >= 0) ids.push(id);
      else if (substitute !== undefined) ids.push(substitute);
    });
    return ids;
  };

  return (text, emit) => {
    for (const word of words(text)) {
      let ids = cache.get(word);
      if (!ids) {
        ids = encodeWord(word);
        if (word.length <= cacheLength) {
          if (cache.size >= cacheWords) cache.clear();
          cache.set(word, ids);
        }
      }
      for (const id of ids) emit(id);
    }
  };
}
