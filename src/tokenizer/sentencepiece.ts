/**
 * SentencePiece (arXiv 1808.06226): BPE by score (GGUF model `llama`) and unigram by Viterbi (`t5`). Blanks are written as U+2581;
 * characters without a piece fall back to byte pieces where the vocabulary has them.
 */
import { Merger, type PairLookup } from './merge.ts';
import { type TextEncoderOf, TokenType, type Vocab, characterBytes, lostOf } from './vocab.ts';
import { WordCache } from './words.ts';

export const blank = '▁';
const utf8 = new TextEncoder();

/** Gives the pieces `<0xNN>` their type where the file calls them ordinary: llama.cpp finds them by name. */
export function typeBytePieces(vocab: Vocab): void {
  for (const id of bytePieces(vocab)) {
    const type = vocab.types[id];
    if (type === TokenType.normal || type === TokenType.unused || type === TokenType.undefined) vocab.types[id] = TokenType.byte;
  }
}

/** Byte → id of the piece `<0xNN>`, -1 where there is none. */
export function bytePieces(vocab: Vocab): Int32Array {
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

/** What stands for a character without a piece: its byte pieces, or {@link unknown} where one of them is missing. */
function fallback(vocab: Vocab): { bytesOf(bytes: Uint8Array, from: number, to: number): readonly number[]; lost: readonly number[] } {
  const pieces = bytePieces(vocab);
  return {
    bytesOf: (bytes, from, to) => {
      const ids = Array.from(bytes.subarray(from, to), (byte) => pieces[byte]!);
      return ids.includes(-1) ? [unknown] : ids;
    },
    lost: lostOf(pieces),
  };
}

const unknown = -1;

/** Emits ids, one unknown token for a run of unknown characters. */
function emitter(unknownId: number | undefined, emit: (id: number) => void): (ids: readonly number[]) => void {
  let inRun = false;
  return (ids) => {
    for (const id of ids) {
      if (id !== unknown) emit(id);
      else if (!inRun && unknownId !== undefined) emit(unknownId);
      inRun = id === unknown;
    }
  };
}

/** Last byte of a character in UTF-8, by its last code unit. */
const lastByte = (unit: number): number => (unit < 0x80 ? unit : 0x80 | (unit & 0x3f));

/**
 * Cuts text before blanks where no piece goes on: what is left and right of such a place never merges, so that words can be encoded one by
 * one and remembered. Pieces that have a blank within, but for runs of blanks, are few (Gemma 3: one of 262,144).
 */
function wordsOf(vocab: Vocab): (text: string) => string[] {
  const joined = new Uint8Array(256), [a, b, c] = utf8.encode(blank) as unknown as [number, number, number]; // by the byte before a blank
  const isBlank = (bytes: Uint8Array, at: number): boolean => bytes[at] === a && bytes[at + 1] === b && bytes[at + 2] === c;
  for (let id = 0; id < vocab.size; id++) {
    for (let at = vocab.offsets[id]! + 1, end = vocab.offsets[id + 1]! - 2; at < end; at++) {
      if (isBlank(vocab.bytes, at) && !isBlank(vocab.bytes, at - 3) && vocab.isOrdinary(id)) joined[vocab.bytes[at - 1]!] = 1;
    }
  }
  return (text) => {
    const words: string[] = [];
    let from = 0;
    for (let at = text.indexOf(blank, 1); at > 0; at = text.indexOf(blank, at + 1)) {
      const before = text.charCodeAt(at - 1);
      if (before === blank.charCodeAt(0) || joined[lastByte(before)]) continue;
      words.push(text.slice(from, at));
      from = at;
    }
    words.push(text.slice(from));
    return words;
  };
}

export function sentencePieceBpe(vocab: Vocab, scores: Float32Array, unknownId: number | undefined): TextEncoderOf {
  const { bytesOf, lost } = fallback(vocab), split = wordsOf(vocab), merger = new Merger();
  let ids = new Int32Array(256), starts = new Int32Array(256); // of the characters: their pieces or -1, where they begin

  const encodeWord = (word: string): number[] => {
    const bytes = utf8.encode(word);
    if (starts.length <= bytes.length) [ids, starts] = [new Int32Array(2 * bytes.length), new Int32Array(2 * bytes.length)];
    let count = 0;
    for (let at = 0; at < bytes.length;) {
      starts[count] = at;
      at += characterBytes(bytes[at]!);
      ids[count++] = vocab.findOrdinary(bytes, starts[count - 1], at);
    }
    starts[count] = bytes.length;
    const pairs: PairLookup & { key: number } = {
      key: 0,
      merge(_left, _right, first, end) {
        const id = vocab.findOrdinary(bytes, starts[first], starts[end]);
        if (id >= 0) this.key = -scores[id]!;
        return id;
      },
    };
    const found: number[] = [];
    merger.run(ids, count, pairs, (id, first, end) => {
      if (id >= 0) found.push(id);
      else found.push(...bytesOf(bytes, starts[first]!, starts[end]!));
    });
    return found;
  };

  const cache = new WordCache(encodeWord);
  return Object.assign((text: string, emit: (id: number) => void) => {
    const put = emitter(unknownId, emit);
    for (const word of split(text)) put(cache.of(word));
  }, { lost });
}

/** Unknown characters score this much below the worst piece (sentencepiece's kUnkPenalty). */
const unknownPenalty = 10;

/** llama.cpp has no byte pieces here and makes `<unk>` of what they spell; the library has, and loses nothing. */
export function unigram(vocab: Vocab, scores: Float32Array, unknownId: number | undefined): TextEncoderOf {
  const { bytesOf, lost } = fallback(vocab);
  let longest = 1, worst = Infinity;
  for (let id = 0; id < vocab.size; id++) {
    longest = Math.max(longest, vocab.offsets[id + 1]! - vocab.offsets[id]!);
    if (vocab.types[id] === TokenType.normal) worst = Math.min(worst, scores[id]!);
  }
  const unknownScore = Math.fround(worst - unknownPenalty);
  return Object.assign((text: string, emit: (id: number) => void) => {
    const put = emitter(unknownId, emit), bytes = utf8.encode(text), n = bytes.length;
    const score = new Float64Array(n + 1).fill(-Infinity);
    const from = new Int32Array(n + 1), by = new Int32Array(n + 1);
    score[0] = 0;
    for (let at = 0, step = 0; at < n; at += step) {
      step = characterBytes(bytes[at]!);
      let single = false;
      for (let end = at + step; end <= Math.min(n, at + longest); end += end < n ? characterBytes(bytes[end]!) : 1) {
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
      put(by[end]! >= 0 ? [by[end]!] : bytesOf(bytes, from[end]!, end));
    }

    function relax(start: number, end: number, id: number, own: number): void {
      const total = score[start]! + own;
      if (total > score[end]!) { score[end] = total; from[end] = start; by[end] = id; }
    }
  }, { lost });
}
