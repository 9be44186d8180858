/**
 * A vocabulary as typed arrays: the bytes that each token stands for in one pool, and a hash table from bytes to id. A map of 150,000
 * strings would take some 70 MB; this takes about twice the bytes of the vocabulary.
 */

/** Token types of GGUF (`tokenizer.ggml.token_type`). */
export const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

const empty = -1;

/** FNV-1a, folded once more because the table takes its low bits. */
function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h ^ (h >>> 15);
}

export class Vocab {
  readonly #slots: Int32Array;

  constructor(
    /** All tokens' bytes, one after the other. */
    readonly bytes: Uint8Array,
    /** `size + 1` offsets into `bytes`. */
    readonly offsets: Uint32Array,
    readonly types: Uint8Array,
  ) {
    const mask = 2 ** Math.ceil(Math.log2(2 * this.size + 2)) - 1;
    this.#slots = new Int32Array(mask + 1).fill(empty);
    for (let id = 0; id < this.size; id++) {
      let slot = hashBytes(bytes, offsets[id]!, offsets[id + 1]!) & mask;
      // of several tokens with the same bytes the first one that text may become wins; control tokens are found by name, not by bytes
      while (this.#slots[slot] !== empty && !this.#same(this.#slots[slot]!, id)) slot = (slot + 1) & mask;
      const held = this.#slots[slot]!;
      if (held === empty || (types[held] === TokenType.control && types[id] !== TokenType.control)) this.#slots[slot] = id;
    }
  }

  get size(): number { return this.offsets.length - 1; }

  /** The bytes of a token: a view. */
  bytesOf(id: number): Uint8Array { return this.bytes.subarray(this.offsets[id], this.offsets[id + 1]); }

  /** The token that stands for bytes[from, to), or -1. */
  find(bytes: Uint8Array, from = 0, to = bytes.length): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashBytes(bytes, from, to) & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]!;
      if (id === empty || this.#equals(id, bytes, from, to)) return id;
    }
  }

  #same(a: number, b: number): boolean {
    return this.#equals(a, this.bytes, this.offsets[b]!, this.offsets[b + 1]!);
  }

  #equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.offsets[id]!;
    if (this.offsets[id + 1]! - start !== to - from) return false;
    for (let i = 0; i < to - from; i++) if (this.bytes[start + i] !== bytes[from + i]) return false;
    return true;
  }
}
