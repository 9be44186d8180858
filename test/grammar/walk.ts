/** Random texts under a constraint: what a model without sense would say. */
import type { Constraint, Tokenizer } from '../../src/index.ts';
import type { Random } from '../../src/sampler/random.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A small vocabulary: single bytes, some longer texts, one end. */
export function smallVocabulary(texts: readonly string[]): Pick<Tokenizer, 'vocabSize' | 'tokenBytes' | 'isControl' | 'isEog' | 'eogIds'> {
  const bytes = [...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)), ...texts.map((text) => new TextEncoder().encode(text))];
  const end = bytes.length;
  return {
    vocabSize: end + 1, eogIds: [end], isControl: (id) => id === end, isEog: (id) => id === end,
    tokenBytes: (id) => bytes[id] ?? new Uint8Array(0),
  };
}

function allowed(mask: Uint32Array): number[] {
  const ids: number[] = [];
  mask.forEach((bits, word) => { for (let bit = 0; bit < 32; bit++) if (bits >>> bit & 1) ids.push(32 * word + bit); });
  return ids;
}

/** Draws tokens until the text ends; from `patience` tokens on it takes what closes things where it can. */
export function randomText(
  constraint: Constraint, vocabulary: Pick<Tokenizer, 'vocabSize' | 'tokenBytes' | 'eogIds'>, random: Random, patience: number,
): string {
  const bytes: number[] = [], { eogIds, vocabSize } = vocabulary, ends = new Set(eogIds);
  const closers = Array.from({ length: vocabSize }, (_, id) => id)
    .filter((id) => !ends.has(id) && vocabulary.tokenBytes(id).length === 1 && /["}\]]/.test(String.fromCharCode(vocabulary.tokenBytes(id)[0]!)));
  const pick = (list: readonly number[]): number => list[random.uint32() % list.length]!;
  for (let step = 0; step < 40 * patience; step++) {
    const mask = constraint.mask(), has = (id: number): boolean => (mask[id >> 5]! >>> (id & 31) & 1) === 1;
    const late = step > patience, close = late ? closers.filter(has) : [], quotes = close.filter((one) => vocabulary.tokenBytes(one)[0] === 0x22);
    let id = random.uint32() % vocabSize;
    for (let tries = 0; tries < 50 && !has(id); tries++) id = random.uint32() % vocabSize;
    if (!has(id)) id = pick(allowed(mask));
    if (close.length > 0 && random.uint32() % 4 > 0) id = pick(quotes.length > 0 ? quotes : close);
    if (has(eogIds[0]!) && (late || random.uint32() % 3 === 0)) id = eogIds[0]!;
    if (id === undefined) throw new Error(`nothing may follow ${JSON.stringify(utf8.decode(Uint8Array.from(bytes)))}`);
    constraint.accept(id);
    if (ends.has(id)) return utf8.decode(Uint8Array.from(bytes));
    bytes.push(...vocabulary.tokenBytes(id));
  }
  throw new Error(`no end: ${String.fromCharCode(...bytes.slice(0, 300))}`);
}
