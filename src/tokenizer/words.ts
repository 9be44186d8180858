/** Words whose tokens are remembered, and how long a word may be to be worth it. */
const words = 8192, length = 32;

const utf8 = new TextEncoder(), decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A part of a text keeps the whole text in memory, in every engine; a copy does not. */
const copied = (word: string): string => decoder.decode(utf8.encode(word));

/** Tokens of words, so that a text that repeats its words (every text does) costs little. */
export class WordCache {
  readonly #known = new Map<string, readonly number[]>();

  constructor(private readonly encode: (word: string) => readonly number[]) {}

  of(word: string): readonly number[] {
    let ids = this.#known.get(word);
    if (ids) return ids;
    ids = this.encode(word);
    if (word.length > length) return ids;
    if (this.#known.size >= words) this.#known.clear();
    this.#known.set(copied(word), ids);
    return ids;
  }
}
