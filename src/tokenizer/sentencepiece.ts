/**
 * SentencePiece (arXiv 1808.06226): BPE by score (GGUF model `llama`) and unigram by Viterbi (`t5`). Blanks are written as U+2581;
 * characters without a piece fall back to byte pieces where the vocabulary has them.
 */
import { Merger, type PairLookup } from './merge.ts';
import { type TextEncoderOf, TokenType, type Vocab } from './vocab.ts';

export const blank = '▁';
const utf8 = new TextEncoder();

/** Length in bytes of the UTF-8 character that begins with `byte`. */
function charBytes(byte: number): number {
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** Gives the pieces `<0xNN>` their type where the file calls them ordinary: llama.cpp finds them by name. */
export function typeBytePieces(vocab: Vocab): void {
  for (const id of bytePieces(vocab)) {
    const type = vocab.types[id];
    if (type === TokenType.normal || type === TokenType.unused || type === TokenType.undefined) vocab.types[id] = TokenType.byte;
  }
}

/** Byte → id of the piece `<0xNN>`, -1 where there is none. */
function bytePieces(vocab: Vocab): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => vocab.findText(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
}

/** The byte that a piece of type byte stands for, else undefined. */
export function byteOfPiece(vocab: Vocab, id: number): number | undefined {
  const hex = vocab.types[id] === TokenType.byte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(vocab.text(id))?.[1] : undefined;
  return hex === undefined ? undefined : parseInt(hex, 16);
}

/** How a text becomes the one that pieces are looked for in. `open`: nothing or a special token is before it, not text. */
export type Normaliser = (text: string, open: boolean) => string;

export interface BlankRules {
  /** Put a blank in front (`add_space_prefix`). */
  readonly prefix: boolean;
  /** Runs of blanks are one, none at the ends (`remove_extra_whitespaces`). */
  readonly squeeze: boolean;
}

/**
 * Squeezing is the library's for BPE (llama.cpp never squeezes there, and no converter asks for it), llama.cpp's for unigram: a blank in
 * front of every word, the first one included. Unigram texts of blanks alone keep them, as in the library; llama.cpp drops one.
 */
export function normaliser({ prefix, squeeze }: BlankRules, isBpe: boolean): Normaliser {
  return (text, open) => {
    if (!squeeze) return (prefix && open ? ` ${text}` : text).replaceAll(' ', blank);
    const words = text.split(' ').filter((word) => word !== '');
    if (words.length === 0) return '';
    const apart = open ? prefix || !isBpe : text.startsWith(' ');
    return (apart ? blank : '') + words.join(blank);
  };
}

/** Emits what stands for a character without a piece: its bytes, or the unknown token, one for a run of such characters. */
class Fallback {
  readonly #pieces: Int32Array;
  #run = -1;

  constructor(vocab: Vocab, private readonly unknownId: number | undefined) {
    this.#pieces = bytePieces(vocab);
  }

  reset(): void { this.#run = -1; }

  emit(bytes: Uint8Array, from: number, to: number, emit: (id: number) => void): void {
    const ids = Array.from(bytes.subarray(from, to), (byte) => this.#pieces[byte]!);
    if (!ids.includes(-1)) for (const id of ids) emit(id);
    else {
      if (this.unknownId !== undefined && this.#run !== from) emit(this.unknownId);
      this.#run = to;
    }
  }
}

export function sentencePieceBpe(vocab: Vocab, scores: Float32Array, unknownId: number | undefined): TextEncoderOf {
  const fallback = new Fallback(vocab, unknownId);
  const merger = new Merger();
  return (text, emit) => {
    fallback.reset();
    const bytes = utf8.encode(text);
    // symbols are numbered runs of bytes; symbol i covers [starts[i], ends of the run it has grown to)
    const starts: number[] = [];
    for (let at = 0; at < bytes.length; at += charBytes(bytes[at]!)) starts.push(at);
    const ends = Int32Array.from(starts, (at) => at + charBytes(bytes[at]!));
    // symbols are told apart by (start, end) packed into run numbers: a run's number is the index of its (start, end) pair
    const runs: number[] = starts.flatMap((start, i) => [start, ends[i]!]);
    const known = new Map<number, number>(); // start * (length + 1) + end → run
    const run = (start: number, end: number): number => {
      const key = start * (bytes.length + 1) + end;
      let number = known.get(key);
      if (number === undefined) { number = runs.length / 2; runs.push(start, end); known.set(key, number); }
      return number;
    };
    const pairs: PairLookup & { key: number } = {
      key: 0,
      merge(left, right) {
        const start = runs[2 * left]!, end = runs[2 * right + 1]!;
        const id = vocab.findOrdinary(bytes, start, end);
        if (id < 0) return -1;
        this.key = -scores[id]!;
        return run(start, end);
      },
    };
    merger.run(Int32Array.from(starts.keys()), starts.length, pairs, (number) => {
      const start = runs[2 * number]!, end = runs[2 * number + 1]!;
      const id = vocab.findOrdinary(bytes, start, end);
      if (id >= 0) emit(id);
      else fallback.emit(bytes, start, end, emit);
    });
  };
}

/** Unknown characters score this much below the worst piece (sentencepiece's kUnkPenalty). */
const unknownPenalty = 10;

/** llama.cpp has no byte pieces here and makes `<unk>` of what they spell; the library has, and loses nothing. */
export function unigram(vocab: Vocab, scores: Float32Array, unknownId: number | undefined): TextEncoderOf {
  const fallback = new Fallback(vocab, unknownId);
  let longest = 1, worst = Infinity;
  for (let id = 0; id < vocab.size; id++) {
    longest = Math.max(longest, vocab.offsets[id + 1]! - vocab.offsets[id]!);
    if (vocab.types[id] === TokenType.normal) worst = Math.min(worst, scores[id]!);
  }
  const unknownScore = Math.fround(worst - unknownPenalty);
  return (text, emit) => {
    fallback.reset();
    const bytes = utf8.encode(text), n = bytes.length;
    const score = new Float64Array(n + 1).fill(-Infinity);
    const from = new Int32Array(n + 1), by = new Int32Array(n + 1);
    score[0] = 0;
    for (let at = 0, step = 0; at < n; at += step) {
      step = charBytes(bytes[at]!);
      let single = false;
      for (let end = at + step; end <= Math.min(n, at + longest); end += end < n ? charBytes(bytes[end]!) : 1) {
        const id = vocab.findOrdinary(bytes, at, end);
        if (id < 0) continue;
        if (end === at + step) single = true;
        relax(at, end, id, vocab.types[id] === TokenType.userDefined ? 0 : scores[id]!);
      }
      if (!single) relax(at, at + step, -1, unknownScore);
    }
    const path: number[] = [];
    for (let end = n; end > 0; end = from[end]!) path.push(end);
    for (let i = path.length - 1; i >= 0; i--) {
      const end = path[i]!;
      if (by[end]! >= 0) emit(by[end]!);
      else fallback.emit(bytes, from[end]!, end, emit);
    }

    function relax(start: number, end: number, id: number, own: number): void {
      const total = score[start]! + own;
      if (total > score[end]!) { score[end] = total; from[end] = start; by[end] = id; }
    }
  };
}
