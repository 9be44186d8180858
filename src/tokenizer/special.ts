/**
 * Tokens that are found by their text before anything else is done: user-defined ones always, control ones only where asked for. As
 * llama.cpp finds them: longer ones first, wherever in the text they are.
 */
import type { Metadata } from '../format/gguf/metadata.ts';
import { getString } from '../format/gguf/metadata.ts';
import { Heap } from './heap.ts';
import { TokenType, type Vocab, slotsFor } from './vocab.ts';

export type SpecialPart = { readonly text: string; readonly id?: undefined } | { readonly id: number };

/** Tokens that take blanks to their left or right with them (`lstrip`, `rstrip` of Hugging Face's added tokens; GGUF does not keep it). */
export interface Strip { left(id: number): boolean; right(id: number): boolean; readonly any: boolean }

/** What special tokens of this model take with them, by its name: GGUF does not keep it (llama.cpp knows the same models). */
export function stripOf(metadata: Metadata, vocab: Vocab): Strip {
  const name = getString(metadata, 'general.name', '').toLowerCase(), pre = getString(metadata, 'tokenizer.ggml.pre', '');
  const mask = /jina-v2-(de|es|code)/.test(pre) ? vocab.findText('<mask>') : name.includes('modern-bert') ? vocab.findText('[MASK]') : -1;
  const phi3 = /phi-?3/.test(name), kept = new Set(['<unk>', '<s>', '<|endoftext|>'].map((text) => vocab.findText(text)));
  return { left: (id) => id === mask, right: (id) => phi3 && !kept.has(id), any: phi3 || mask >= 0 };
}

interface Token { readonly id: number; readonly text: string; readonly bytes: number }

/** C's isspace: what llama.cpp strips. */
export const blanks = ' \t\n\v\f\r';

/** Finds which of many texts begin at a place. Gemma has 6,249 of them, and runs of blanks among them. */
class Finder {
  readonly #slots: Int32Array;
  readonly #begins = new Uint8Array(0x10000); // by code unit: one of the texts begins with it
  readonly #longest = new Map<number, number>(); // by the first two code units: how long the longest of them is

  constructor(private readonly texts: readonly string[]) {
    this.#slots = new Int32Array(slotsFor(texts.length)).fill(-1);
    const mask = this.#slots.length - 1;
    for (const [number, text] of texts.entries()) {
      let hash = 0;
      for (let i = 0; i < text.length; i++) hash = next(hash, text.charCodeAt(i));
      let slot = spread(hash) & mask;
      while (this.#slots[slot] !== -1) slot = (slot + 1) & mask;
      this.#slots[slot] = number;
      this.#begins[text.charCodeAt(0)] = 1;
      const two = firstTwo(text, 0);
      this.#longest.set(two, Math.max(this.#longest.get(two) ?? 0, text.length));
    }
  }

  /** Number of the longest of them that begins at `start` and is at most so long; -1 for none. */
  longestAt(text: string, start: number, most: number): number {
    if (this.#begins[text.charCodeAt(start)] === 0) return -1;
    const longest = Math.min(this.#longest.get(firstTwo(text, start)) ?? 1, text.length - start, most);
    let found = -1, hash = 0;
    for (let i = 0; i < longest; i++) {
      hash = next(hash, text.charCodeAt(start + i));
      const number = this.#at(hash, text, start, i + 1);
      if (number >= 0) found = number;
    }
    return found;
  }

  #at(hash: number, text: string, start: number, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]!;
      if (number < 0 || (this.texts[number]!.length === length && text.startsWith(this.texts[number]!, start))) return number;
    }
  }
}

const next = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193) + 0x9e3779b;
const spread = (hash: number): number => hash ^ (hash >>> 15);
/** The code unit at `at` and the one behind it as one number; NaN at the end. */
const firstTwo = (text: string, at: number): number => text.charCodeAt(at) * 0x10000 + text.charCodeAt(at + 1);

function splitter(tokens: readonly Token[], strip: Strip): (text: string) => SpecialPart[] {
  const inOrder = [...tokens].sort((a, b) => b.bytes - a.bytes || a.id - b.id);
  const finder = new Finder(inOrder.map(({ text }) => text)), queue = new Heap(); // of (order of the token, place)

  return (text) => {
    queue.clear();
    const consider = (start: number, most: number): void => {
      const order = finder.longestAt(text, start, most);
      if (order >= 0) queue.push(order, start);
    };
    for (let start = 0; start < text.length; start++) consider(start, Infinity);
    if (queue.size === 0) return text === '' ? [] : [{ text }];
    const owner = new Int32Array(text.length).fill(-1); // of each character: the token that took it
    const taken = new Map<number, number>();
    const free = (at: number): boolean => at >= 0 && at < text.length && owner[at] === -1 && blanks.includes(text[at]!);
    while (queue.size > 0) {
      const { id, text: { length } } = inOrder[queue.key]!, start = queue.pop(), end = start + length;
      let at = start;
      while (at < end && owner[at] === -1) at++;
      if (at < end) { // what is left may be a shorter one
        if (at > start) consider(start, at - start);
        continue;
      }
      owner.fill(start, start, end);
      taken.set(start, id);
      if (strip.left(id)) for (let at = start - 1; free(at); at--) owner[at] = start;
      if (strip.right(id)) for (let at = end; free(at); at++) owner[at] = start;
    }
    const parts: SpecialPart[] = [];
    for (let from = 0, to = 0; from < text.length; from = to) {
      while (to < text.length && owner[to] === owner[from]) to++;
      const id = taken.get(owner[from]!);
      parts.push(id !== undefined ? { id } : { text: text.slice(from, to) });
    }
    return parts;
  };
}

/** Cuts text at special tokens; `parseSpecial` adds the control tokens and the unknown one. */
export function specialSplitter(vocab: Vocab, strip: Strip): (text: string, parseSpecial: boolean) => SpecialPart[] {
  const all: Token[] = [];
  for (let id = 0; id < vocab.size; id++) {
    const type = vocab.types[id]!, bytes = vocab.bytesOf(id).length;
    if (bytes === 0 || (type !== TokenType.userDefined && type !== TokenType.control && type !== TokenType.unknown)) continue;
    all.push({ id, text: vocab.text(id), bytes });
  }
  const splitAll = splitter(all, strip), splitAlways = splitter(all.filter(({ id }) => vocab.types[id] === TokenType.userDefined), strip);
  return (text, parseSpecial) => (parseSpecial ? splitAll : splitAlways)(text);
}
