/**
 * BPE by rank (GGUF tokenizer models `gpt2` and `gemma4`): words, then their bytes in GPT-2's spelling or their characters as they are,
 * then merges.
 */
import type { StringArray } from '../format/gguf/types.ts';
import { Merger, type PairLookup } from './merge.ts';
import type { PreTokenizer } from './pretokenize.ts';
import { bytePieces } from './sentencepiece.ts';
import { type TextEncoderOf, type Vocab, characterBytes, lostOf, slotsFor } from './vocab.ts';
import { WordCache } from './words.ts';

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

  /** The number of a text; it gets one if it has none. */
  of(spelled: Uint8Array, from = 0, to = spelled.length): number {
    const number = this.find(spelled, from, to);
    if (number >= 0) return number;
    this.#more.set(key(spelled, from, to), this.vocab.size + this.#more.size);
    return this.find(spelled, from, to);
  }

  /** The same, -1 for a text without a number. */
  find(spelled: Uint8Array, from: number, to: number): number {
    const id = this.vocab.findOrdinary(spelled, from, to);
    return id >= 0 || this.#more.size === 0 ? id : this.#more.get(key(spelled, from, to)) ?? -1;
  }
}

const key = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

/** (left, right) → (rank, merged): merges by rank in typed arrays, and a hash table of their ranks. */
class MergeTable implements PairLookup {
  key = 0;
  readonly #ranks: Int32Array;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #merged: Int32Array;

  constructor(merges: StringArray, numbers: Numbers) {
    this.#ranks = new Int32Array(slotsFor(merges.length)).fill(-1);
    this.#left = new Int32Array(merges.length);
    this.#right = new Int32Array(merges.length);
    this.#merged = new Int32Array(merges.length);
    const { bytes, offsets } = merges; // read where they lie: a view of each costs more than all else
    let both = new Uint8Array(512);
    for (let rank = 0; rank < merges.length; rank++) {
      const from = offsets[rank]!, to = offsets[rank + 1]!;
      let space = from + 1; // no spelling has blanks within, so the first one separates
      while (space < to && bytes[space] !== 0x20) space++;
      if (space >= to) continue;
      if (to - from > both.length) both = new Uint8Array(2 * (to - from));
      for (let i = from; i < space; i++) both[i - from] = bytes[i]!;
      for (let i = space + 1; i < to; i++) both[i - from - 1] = bytes[i]!;
      const left = numbers.of(bytes, from, space), right = numbers.of(bytes, space + 1, to);
      const slot = this.#slot(left, right);
      if (this.#ranks[slot] !== -1) continue; // the first of two equal merges counts
      this.#ranks[slot] = rank;
      this.#left[rank] = left;
      this.#right[rank] = right;
      this.#merged[rank] = numbers.of(both, 0, to - from - 1);
    }
  }

  merge(left: number, right: number): number {
    const rank = this.#ranks[this.#slot(left, right)]!;
    if (rank === -1) return -1;
    this.key = rank;
    return this.#merged[rank]!;
  }

  #slot(left: number, right: number): number {
    const mask = this.#ranks.length - 1;
    let h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    h ^= h >>> 15;
    for (let slot = h & mask; ; slot = (slot + 1) & mask) {
      const rank = this.#ranks[slot]!;
      if (rank === -1 || (this.#left[rank] === left && this.#right[rank] === right)) return slot;
    }
  }
}

export function bpe(vocab: Vocab, merges: StringArray, pre: PreTokenizer): TextEncoderOf {
  const numbers = new Numbers(vocab), table = new MergeTable(merges, numbers);
  const merger = new Merger();
  const numberOfByte = Int32Array.from(charOfByte, (char) => (pre.spellsText ? -1 : numbers.of(char)));
  const tokenOfByte = pre.spellsText ? bytePieces(vocab) : numberOfByte.map((number) => (number < vocab.size ? number : -1));
  const utf8 = new TextEncoder();
  let symbols = new Int32Array(256), starts = new Int32Array(256); // numbers, and the bytes that they begin with

  /** The symbols of a word: how many. */
  const read = (bytes: Uint8Array): number => {
    if (symbols.length <= bytes.length) [symbols, starts] = [new Int32Array(2 * bytes.length), new Int32Array(2 * bytes.length)];
    let count = 0;
    for (let at = 0; at < bytes.length; count++) {
      const end = pre.spellsText ? at + characterBytes(bytes[at]!) : at + 1;
      symbols[count] = pre.spellsText ? numbers.find(bytes, at, end) : numberOfByte[bytes[at]!]!;
      starts[count] = at;
      at = end;
    }
    starts[count] = bytes.length;
    return count;
  };

  const encodeWord = (word: string): number[] => {
    const bytes = utf8.encode(word);
    if (pre.ignoresMerges || (pre.keepsLineFeeds && bytes.every((byte) => byte === 0x0a))) {
      const id = vocab.findOrdinary(pre.spellsText ? bytes : spell(bytes));
      if (id >= 0) return [id];
    }
    // What became no token falls back to its bytes. Those that the vocabulary lacks (SmolLM's lacks 20 that valid text hardly has) are left
    // out, as llama.cpp does: no text turns into an "unknown" token, which may be <|endoftext|>.
    const ids: number[] = [], count = read(bytes);
    merger.run(symbols, count, table, (number, first, end) => {
      if (number >= 0 && number < vocab.size) ids.push(number);
      else for (const byte of bytes.subarray(starts[first], starts[end])) if (tokenOfByte[byte]! >= 0) ids.push(tokenOfByte[byte]!);
    });
    return ids;
  };

  const cache = new WordCache(encodeWord);
  // of every character one byte at least is below 0xc0
  return Object.assign((text: string, emit: (id: number) => void) => {
    for (const word of pre.cut(text)) for (const id of cache.of(word)) emit(id);
  }, { lost: lostOf(tokenOfByte.subarray(0, 0xc0)) });
}
