/** The texts of the study as words: sentences that were read with an EEG, and stories that were read with a button (../shared/erp). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A text whose words people read one by one. */
export interface Text {
  /** Number of the sentence, or of the story: with the position of a word (from 1) the key of every table. */
  readonly id: number;
  /** As shown, punctuation attached. */
  readonly words: readonly string[];
}

/** Rows of a table with a header, tabs between cells. @throws Error for a row of another length */
export function parseTable(text: string): Record<string, string>[] {
  const [head, ...lines] = text.replace(/\n$/, '').split('\n').map((line) => line.replace(/\r$/, '').split('\t'));
  return lines.map((cells, i) => {
    if (cells.length !== head!.length) throw new Error(`row ${i + 2} has ${cells.length} cells, the header ${head!.length}`);
    return Object.fromEntries(head!.map((name, column) => [name, cells[column]!]));
  });
}

const read = (folder: string, file: string): Record<string, string>[] => parseTable(readFileSync(join(folder, file), 'utf8'));

/** The 205 sentences of Frank et al. (2015). */
export const sentences = (folder: string): Text[] =>
  read(folder, 'frank2015-sentences.tsv').map(({ sent_nr: id, sentence }) => ({ id: Number(id), words: sentence!.trim().split(/\s+/) }));

/** The ten Natural Stories. */
export function stories(folder: string): Text[] {
  const texts = new Map<number, string[]>();
  for (const { story, zone, word } of read(folder, 'naturalstories-words.tsv')) {
    const words = texts.get(Number(story)) ?? [];
    texts.set(Number(story), words);
    words[Number(zone) - 1] = word!;
  }
  return [...texts].map(([id, words]) => ({ id, words }));
}

/** A piece of a text behind what a reader or a model has seen before it. */
export interface Passage {
  readonly text: Text;
  /** Its words, from this one (0 is the first) up to that one, not included. */
  readonly from: number;
  readonly to: number;
  /** Everything before it, without a blank at its end; may be empty. */
  readonly before: string;
}

/** Each sentence alone. */
export const alone = (texts: readonly Text[]): Passage[] => texts.map((text) => ({ text, from: 0, to: text.words.length, before: '' }));

/**
 * Each sentence behind `count` others, as readers meet them and as methods that learn from a prompt need it: the first `count` of the
 * list, and for those the next ones. Two prompts in all, so that they are computed twice.
 */
export function listed(texts: readonly Text[], count = 8): Passage[] {
  const joined = (some: readonly Text[]): string => some.map(({ words }) => words.join(' ')).join(' ');
  const first = joined(texts.slice(0, count)), second = joined(texts.slice(count, 2 * count));
  return texts.map((text, i) => ({ text, from: 0, to: text.words.length, before: i < count ? second : first }));
}

/** Stories in windows of `size` words, each behind the whole story up to there. */
export function windows(texts: readonly Text[], size = 160): Passage[] {
  return texts.flatMap((text) => Array.from({ length: Math.ceil(text.words.length / size) }, (_, i) => (
    { text, from: i * size, to: Math.min((i + 1) * size, text.words.length), before: text.words.slice(0, i * size).join(' ') })));
}
