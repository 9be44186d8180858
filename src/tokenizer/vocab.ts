/**
 * A vocabulary as typed arrays: the tokens' texts as the file spells them in one pool, and a hash table from text to id. A map of 150,000
 * strings would take some 70 MB; this takes about twice the bytes of the vocabulary.
 */
import { ModelError } from '../errors.ts';

/** Token types of GGUF (`tokenizer.ggml.token_type`). */
export const TokenType = { undefined: 0, normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Ordinary text (no special tokens in it) → ids, handed over one by one. `lost`: bytes that may be part of no token. */
export type TextEncoderOf = ((text: string, emit: (id: number) => void) => void) & { readonly lost: readonly number[] };

/** Bytes to which no token is given. */
export const lostOf = (tokens: Int32Array): number[] => Array.from(tokens.keys()).filter((byte) => tokens[byte] === -1);

const empty = -1;

/** Slots of an open hash table for so many entries: a power of two, a third of them free at least. */
export function slotsFor(entries: number): number {
  return 2 ** Math.ceil(Math.log2(1.5 * entries + 1));
}

/** Length in bytes of the UTF-8 character that begins with `byte`. */
export function characterBytes(byte: number): number {
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** FNV-1a, folded once more because the table takes its low bits. */
function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h ^ (h >>> 15);
}

const utf8 = new TextEncoder();

export class Vocab {
  readonly #slots: Int32Array;

  /** @throws ModelError `E_TOKENIZER` where two tokens have one text (llama.cpp refuses that, too: which is meant cannot be known) */
  constructor(
    /** All tokens' texts in UTF-8, one after the other. */
    readonly bytes: Uint8Array,
    /** `size + 1` offsets into `bytes`. */
    readonly offsets: Uint32Array,
    readonly types: Uint8Array,
  ) {
    this.#slots = new Int32Array(slotsFor(this.size)).fill(empty);
    const mask = this.#slots.length - 1;
    for (let id = 0; id < this.size; id++) {
      const from = offsets[id]!, to = offsets[id + 1]!;
      if (from === to) continue; // a token without a text: llama.cpp, too, lets there be several
      let slot = hashBytes(bytes, from, to) & mask;
      for (; this.#slots[slot] !== empty; slot = (slot + 1) & mask) {
        if (!this.#equals(this.#slots[slot]!, bytes, from, to)) continue;
        throw new ModelError('E_TOKENIZER', {
          subject: 'tokenizer.ggml.tokens', found: `${JSON.stringify(this.text(id))} as token ${this.#slots[slot]!} and again as ${id}`,
          expected: 'texts that differ', remedy: 'The file was written by a broken converter; convert the model again.',
        });
      }
      this.#slots[slot] = id;
    }
  }

  get size(): number { return this.offsets.length - 1; }

  /** Characters (UTF-16) of the longest token as it is spelled. */
  get longest(): number {
    let longest = 0;
    for (let id = 0, at = 0; id < this.size; id++) {
      let characters = 0;
      for (; at < this.offsets[id + 1]!; at++) characters += Number((this.bytes[at]! & 0xc0) !== 0x80) + Number(this.bytes[at]! > 0xef);
      longest = Math.max(longest, characters);
    }
    return longest;
  }

  /** The text of a token in UTF-8: a view. */
  bytesOf(id: number): Uint8Array { return this.bytes.subarray(this.offsets[id], this.offsets[id + 1]); }

  text(id: number): string { return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytesOf(id)); }

  /** The token with the text bytes[from, to), or -1. */
  find(bytes: Uint8Array, from = 0, to = bytes.length): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashBytes(bytes, from, to) & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]!;
      if (id === empty || this.#equals(id, bytes, from, to)) return id;
    }
  }

  findText(text: string): number { return this.find(utf8.encode(text)); }

  /**
   * True where ordinary text may become that token. llama.cpp would let it become control tokens and byte pieces, too; a text must not
   * become `<s>` or a newline because it spells one.
   */
  isOrdinary(id: number): boolean {
    const type = this.types[id];
    return type !== TokenType.control && type !== TokenType.unknown && type !== TokenType.byte;
  }

  /** {@link find}, but for tokens that ordinary text does not become: -1. */
  findOrdinary(bytes: Uint8Array, from = 0, to = bytes.length): number {
    const id = this.find(bytes, from, to);
    return id >= 0 && this.isOrdinary(id) ? id : -1;
  }

  #equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.offsets[id]!;
    if (this.offsets[id + 1]! - start !== to - from) return false;
    for (let i = 0; i < to - from; i++) if (this.bytes[start + i] !== bytes[from + i]) return false;
    return true;
  }
}
