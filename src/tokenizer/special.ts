/**
 * Tokens that are found by their text before anything else is done: user-defined ones always, control ones only where asked for. As
 * llama.cpp finds them: longer ones first, wherever in the text they are.
 */
import { TokenType, type Vocab } from './vocab.ts';

export type SpecialPart = { readonly text: string; readonly id?: undefined } | { readonly id: number };

/** Tokens that take blanks to their left or right with them (`lstrip`, `rstrip` of Hugging Face's added tokens; GGUF does not keep it). */
export interface Strip { left(id: number): boolean; right(id: number): boolean }

interface Token { readonly id: number; readonly text: string; readonly bytes: number }

/** C's isspace: what llama.cpp strips. */
const blanks = ' \t\n\v\f\r';

/** The code unit at `at` and the one behind it as one number; NaN at the end. */
const firstTwo = (text: string, at: number): number => text.charCodeAt(at) * 0x10000 + text.charCodeAt(at + 1);

function finder(tokens: readonly Token[], strip: Strip): (text: string) => SpecialPart[] {
  const byText = new Map(tokens.map((token) => [token.text, token]));
  const begins = new Uint8Array(0x10000); // by code unit: a token begins with it
  const lengths = new Map<number, Set<number>>(); // first two code units → lengths of the longer tokens that begin with them
  for (const { text } of tokens) {
    begins[text.charCodeAt(0)] = 1;
    if (text.length > 1) lengths.set(firstTwo(text, 0), (lengths.get(firstTwo(text, 0)) ?? new Set()).add(text.length));
  }

  return (text) => {
    const found: { token: Token; start: number }[] = [];
    for (let start = 0; start < text.length; start++) {
      if (begins[text.charCodeAt(start)] === 0) continue;
      for (const length of [...lengths.get(firstTwo(text, start)) ?? [], 1]) {
        const token = byText.get(text.slice(start, start + length));
        if (token) found.push({ token, start });
      }
    }
    if (found.length === 0) return text === '' ? [] : [{ text }];
    found.sort((a, b) => b.token.bytes - a.token.bytes || a.token.id - b.token.id || a.start - b.start);
    const owner = new Int32Array(text.length).fill(-1); // of each character: the token that took it
    const taken = new Map<number, Token>();
    const free = (at: number): boolean => at >= 0 && at < text.length && owner[at] === -1 && blanks.includes(text[at]!);
    for (const { token, start } of found) {
      const end = start + token.text.length;
      if (owner.subarray(start, end).some((taker) => taker !== -1)) continue;
      owner.fill(start, start, end);
      taken.set(start, token);
      if (strip.left(token.id)) for (let at = start - 1; free(at); at--) owner[at] = start;
      if (strip.right(token.id)) for (let at = end; free(at); at++) owner[at] = start;
    }
    const parts: SpecialPart[] = [];
    for (let from = 0, to = 0; from < text.length; from = to) {
      while (to < text.length && owner[to] === owner[from]) to++;
      const token = taken.get(owner[from]!);
      parts.push(token ? { id: token.id } : { text: text.slice(from, to) });
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
  const splitAll = finder(all, strip), splitAlways = finder(all.filter(({ id }) => vocab.types[id] === TokenType.userDefined), strip);
  return (text, parseSpecial) => (parseSpecial ? splitAll : splitAlways)(text);
}
