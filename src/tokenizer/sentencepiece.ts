/**
 * SentencePiece (arXiv 1808.06226) as the library does it: BPE by score (GGUF model `llama`) and unigram by Viterbi (`t5`). Blanks are
 * written as U+2581; characters without a piece fall back to byte pieces where the vocabulary has them.
 */
import { Merger, type PairLookup } from './merge.ts';
import type { TextEncoderOf } from './tokenizer.ts';
import { TokenType, type Vocab } from './vocab.ts';

const utf8 = new TextEncoder();

/** Length in bytes of the UTF-8 character that begins with `byte`. */
function charBytes(byte: number): number {
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** Byte → id of the piece `<0xNN>`, -1 where there is none. */
export function bytePieces(vocab: Vocab): Int32Array {
  const pieces = new Int32Array(256).fill(-1);
  for (let byte = 0; byte < 256; byte++) {
    const id = vocab.find(utf8.encode(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
    if (id >= 0 && vocab.types[id] === TokenType.byte) pieces[byte] = id;
  }
  return pieces;
}

/** Emits what stands for characters without a piece: their bytes, or one unknown token. */
function fallback(bytes: Uint8Array, from: number, to: number, pieces: Int32Array, unknownId: number | undefined, emit: (id: number) => void): void {
  if (pieces[bytes[from]!]! >= 0) for (let i = from; i < to; i++) emit(pieces[bytes[i]!]!);
  else if (unknownId !== undefined) emit(unknownId);
}

/** Pieces that ordinary text may become. */
const fromText = (type: number): boolean => type === TokenType.normal || type === TokenType.userDefined;

export function sentencePieceBpe(vocab: Vocab, scores: Float32Array, unknownId: number | undefined): TextEncoderOf {
  const pieces = bytePieces(vocab);
  const merger = new Merger();
  return (text, emit) => {
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
        const id = vocab.find(bytes, start, end);
        if (id < 0 || !fromText(vocab.types[id]!)) return -1;
        this.key = -scores[id]!;
        return run(start, end);
      },
    };
    merger.run(Int32Array.from(starts.keys()), starts.length, pairs, (number) => {
      const start = runs[2 * number]!, end = runs[2 * number + 1]!;
      const id = vocab.find(bytes, start, end);
      if (id >= 0 && fromText(vocab.types[id]!)) emit(id);
      else fallback(bytes, start, end, pieces, unknownId, emit);
    });
  };
}

/** Unknown characters score this much below the worst piece (sentencepiece's kUnkPenalty). */
const unknownPenalty = 10;

export function unigram(vocab: Vocab, scores: Float32Array, unknownId: number | undefined): TextEncoderOf {
  const pieces = bytePieces(vocab);
  let longest = 1, worst = Infinity, best = -Infinity;
  for (let id = 0; id < vocab.size; id++) {
    if (!fromText(vocab.types[id]!)) continue;
    longest = Math.max(longest, vocab.offsets[id + 1]! - vocab.offsets[id]!);
    if (vocab.types[id] === TokenType.normal) { worst = Math.min(worst, scores[id]!); best = Math.max(best, scores[id]!); }
  }
  const unknownScore = worst - unknownPenalty;
  return (text, emit) => {
    const bytes = utf8.encode(text), n = bytes.length;
    const score = new Float32Array(n + 1).fill(-Infinity); // f32 and in this order, as the library adds
    const from = new Int32Array(n + 1), by = new Int32Array(n + 1);
    score[0] = 0;
    for (let at = 0, step = 0; at < n; at += step) {
      step = charBytes(bytes[at]!);
      let single = false;
      for (let end = at + step; end <= Math.min(n, at + longest); end += end < n ? charBytes(bytes[end]!) : 1) {
        const id = vocab.find(bytes, at, end);
        if (id < 0 || !fromText(vocab.types[id]!)) continue;
        if (end === at + step) single = true;
        // user-defined pieces always win (sentencepiece: length * best score - 0.1)
        const own = vocab.types[id] === TokenType.userDefined ? (end - at) * best - 0.1 : scores[id]!;
        relax(at, end, id, own);
      }
      if (!single) relax(at, at + step, -1, unknownScore);
    }
    const path: number[] = [];
    for (let end = n; end > 0; end = from[end]!) path.push(end);
    for (let i = path.length - 1; i >= 0; i--) {
      const end = path[i]!;
      if (by[end]! >= 0) emit(by[end]!);
      else fallback(bytes, from[end]!, end, pieces, unknownId, emit);
    }

    function relax(start: number, end: number, id: number, own: number): void {
      const total = Math.fround(score[start]! + own);
      if (total > score[end]!) { score[end] = total; from[end] = start; by[end] = id; }
    }
  };
}
