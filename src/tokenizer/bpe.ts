/** Byte-level BPE (GPT-2 and its heirs; GGUF tokenizer model `gpt2`): words, bytes, merges by rank. */
import type { StringArray } from '../format/gguf/types.ts';
import { Merger, type PairLookup } from './merge.ts';
import type { PreTokenizer } from './pretokenize.ts';
import type { TextEncoderOf, Vocab } from './vocab.ts';

/**
 * GPT-2 writes each byte as a printable character; code point → byte, or -1. Tokens and merges are looked up in that spelling, as the
 * file has them.
 */
const byteOfChar = new Int16Array(0x180).fill(-1);
/** Byte → its character in UTF-8, one or two bytes. */
const charOfByte: Uint8Array[] = [];
{
  let spare = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    const code = printable ? byte : spare++;
    byteOfChar[code] = byte;
    charOfByte.push(code < 0x80 ? Uint8Array.of(code) : Uint8Array.of(0xc0 | (code >> 6), 0x80 | (code & 0x3f)));
  }
}

/** Bytes in GPT-2's spelling. */
function spell(bytes: Uint8Array): Uint8Array {
  const spelled = new Uint8Array(2 * bytes.length);
  let at = 0;
  for (const byte of bytes) {
    for (const part of charOfByte[byte]!) spelled[at++] = part;
  }
  return spelled.subarray(0, at);
}

/** What GPT-2's spelling stands for; undefined where a character is none of its alphabet. */
export function unspell(spelled: Uint8Array): Uint8Array | undefined {
  const bytes = new Uint8Array(spelled.length);
  let at = 0;
  for (let i = 0; i < spelled.length; i++) {
    let code = spelled[i]!;
    if (code >= 0x80) { // two bytes at most: the alphabet ends at U+0143
      if ((code & 0xe0) !== 0xc0 || i + 1 >= spelled.length) return undefined;
      code = ((code & 0x1f) << 6) | (spelled[++i]! & 0x3f);
    }
    const byte = code < byteOfChar.length ? byteOfChar[code]! : -1;
    if (byte < 0) return undefined;
    bytes[at++] = byte;
  }
  return bytes.subarray(0, at);
}

/** Texts by number: tokens by their ids, and behind them those that merges lead through although the vocabulary lacks them. */
class Numbers {
  readonly #more = new Map<string, number>();

  constructor(private readonly vocab: Vocab) {}

  of(spelled: Uint8Array, from = 0, to = spelled.length): number {
    const id = this.vocab.findOrdinary(spelled, from, to);
    if (id >= 0) return id;
    const key = String.fromCharCode(...spelled.subarray(from, to)), known = this.#more.get(key);
    if (known !== undefined) return known;
    this.#more.set(key, this.vocab.size + this.#more.size);
    return this.of(spelled, from, to);
  }
}

/** (left, right) → (rank, merged), open addressing over typed arrays. */
class MergeTable implements PairLookup {
  key = 0;
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  constructor(merges: StringArray, numbers: Numbers) {
    this.#mask = 2 ** Math.ceil(Math.log2(2 * merges.length + 2)) - 1;
    this.#left = new Int32Array(this.#mask + 1).fill(-1);
    this.#right = new Int32Array(this.#mask + 1);
    this.#rank = new Int32Array(this.#mask + 1);
    this.#merged = new Int32Array(this.#mask + 1);
    let both = new Uint8Array(512);
    for (let rank = 0; rank < merges.length; rank++) {
      const spelled = merges.bytesAt(rank);
      const space = spelled.indexOf(0x20, 1); // GPT-2's spelling has no blank, so the first one separates
      if (space < 0) continue;
      if (spelled.length > both.length) both = new Uint8Array(2 * spelled.length);
      both.set(spelled.subarray(0, space));
      both.set(spelled.subarray(space + 1), space);
      const left = numbers.of(spelled, 0, space), right = numbers.of(spelled, space + 1);
      const slot = this.#slot(left, right);
      if (this.#left[slot] !== -1) continue; // the first of two equal merges counts
      this.#left[slot] = left;
      this.#right[slot] = right;
      this.#rank[slot] = rank;
      this.#merged[slot] = numbers.of(both, 0, spelled.length - 1);
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

export function byteLevelEncoder(vocab: Vocab, merges: StringArray, { cut, ignoresMerges }: PreTokenizer): TextEncoderOf {
  const numbers = new Numbers(vocab), table = new MergeTable(merges, numbers);
  const merger = new Merger();
  const numberOfByte = Int32Array.from(charOfByte, (char) => numbers.of(char));
  const cache = new Map<string, readonly number[]>();
  const utf8 = new TextEncoder();
  let symbols = new Int32Array(256);

  const encodeWord = (word: string): number[] => {
    const bytes = utf8.encode(word);
    if (ignoresMerges) {
      const id = vocab.findOrdinary(spell(bytes));
      if (id >= 0) return [id];
    }
    if (symbols.length < bytes.length) symbols = new Int32Array(2 * bytes.length);
    for (let i = 0; i < bytes.length; i++) symbols[i] = numberOfByte[bytes[i]!]!;
    // What became no token falls back to its bytes. Those that the vocabulary lacks (SmolLM's lacks 20 that valid text hardly has) are left
    // out, as llama.cpp does: no text turns into an "unknown" token, which may be <|endoftext|>.
    const ids: number[] = [];
    let pending = -1;
    const settle = (end: number): void => {
      if (pending >= 0) for (const number of symbols.subarray(pending, end)) if (number < vocab.size) ids.push(number);
      pending = -1;
    };
    merger.run(symbols, bytes.length, table, (number, first) => {
      settle(first);
      if (number < vocab.size) ids.push(number);
      else pending = first;
    });
    settle(bytes.length);
    return ids;
  };

  return (text, emit) => {
    for (const word of cut(text)) {
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
