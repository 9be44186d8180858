/** Words of a text as tokens of a model, and what tokens say of a word. */
import type { Tokenizer } from 'clada';

/** The tokens of one word: the blank before it is theirs. */
export interface WordSpan {
  readonly word: string;
  /** Tokens from..to of the list, `to` not included. */
  readonly from: number;
  readonly to: number;
}

export type Vocabulary = Pick<Tokenizer, 'vocabSize' | 'tokenBytes' | 'isEog' | 'isControl'>;

const utf8 = new TextEncoder(), isBlank = (byte: number | undefined): boolean => byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);

/**
 * Which tokens make which word of `words.join(' ')`. A blank that a vocabulary puts in front of a text is taken for a part of the first word.
 * @throws Error where the tokens are not of this text, or where one token reaches over two words
 */
export function alignWords(ids: ArrayLike<number>, words: readonly string[], vocabulary: Pick<Vocabulary, 'tokenBytes'>): WordSpan[] {
  const bytes = Array.from(ids, (id) => vocabulary.tokenBytes(id)), spans: WordSpan[] = [];
  const joined = Uint8Array.from(bytes.flatMap((piece) => [...piece])), text = utf8.encode(words.join(' '));
  const extra = joined.length - text.length;
  const fits = (extra === 0 || (extra === 1 && isBlank(joined[0]))) && text.every((byte, i) => joined[i + extra] === byte);
  if (!fits) throw new Error(`the tokens spell ${JSON.stringify(new TextDecoder().decode(joined))}, not ${JSON.stringify(words.join(' '))}`);
  let token = 0, at = 0, end = extra;
  for (const [i, word] of words.entries()) {
    end += utf8.encode(word).length + (i === 0 ? 0 : 1);
    const from = token;
    while (token < bytes.length && at < end) at += bytes[token++]!.length;
    if (at !== end || token === from) throw new Error(`a token reaches over the end of ${JSON.stringify(word)}, word ${i + 1}`);
    spans.push({ word, from, to: token });
  }
  return spans;
}

/** Tokens that end the word before them: they begin with a blank or end the text. */
export function boundaryTokens(vocabulary: Vocabulary): Uint32Array {
  const ids = Array.from({ length: vocabulary.vocabSize }, (_, id) => id);
  return Uint32Array.from(ids.filter((id) => vocabulary.isEog(id) || (!vocabulary.isControl(id) && isBlank(vocabulary.tokenBytes(id)[0]))));
}

/** log of the share of the distribution that lies on these tokens. */
export function logMass(logits: Float32Array, logSumExp: number, tokens: Uint32Array): number {
  let sum = 0;
  for (const id of tokens) sum += Math.exp(logits[id]! - logSumExp);
  return Math.log(Math.min(sum, 1));
}

/** What the model knew after a token (or after what stands before the first), as far as words need it. Nats. */
export interface TokenStep {
  /** Of the distribution after it. */
  readonly entropy: number;
  /** log of the probability that the word ends here. */
  readonly ends: number;
  /** -log p(token | before it); absent before the first. */
  readonly surprisal?: number;
  /** Share of weights that the token used; load that was measured with it; absent before the first. */
  readonly density?: number;
  readonly load?: number;
  /** KL of the distribution after it from dense's. */
  readonly damage: number;
  /** Rows of the head that were computed exactly for the distribution after it; NaN where the head is read whole. */
  readonly refined: number;
}

/** What the tables hold of a word. Nats; means over its tokens where it has several. */
export interface WordFigures {
  readonly tokens: number;
  /** Sum over its tokens: its blank is in front. */
  readonly surprisalRaw: number;
  /** With the blank behind it instead of the one before: of the word as a word, neither longer nor shorter. */
  readonly surprisal: number;
  readonly entropyBefore: number;
  readonly entropyAfter: number;
  readonly density: number;
  readonly load: number;
  readonly damageBefore: number;
  readonly damageAfter: number;
  readonly refinedBefore: number;
}

/**
 * How rare a word is by its vocabulary alone: the sum over its tokens of log(1 + id). A vocabulary is learnt by joining the most frequent pairs first, so
 * an id is close to a rank by frequency; for texts that come without a frequency norm.
 */
export const rankOf = (ids: readonly number[]): number => ids.reduce((sum, id) => sum + Math.log1p(id), 0);

/**
 * Figures of the word whose tokens are steps[from + 1] … steps[to]; steps[0] is before the first token. p(word) is the product over its tokens,
 * times p(it ends there), by p(the word before had ended), which the blank of its first token paid for.
 */
export function figuresOf({ from, to }: Pick<WordSpan, 'from' | 'to'>, steps: readonly TokenStep[], afterBlank = true): WordFigures {
  const own = steps.slice(from + 1, to + 1), before = steps[from]!, last = own.at(-1)!;
  const sum = (value: (step: TokenStep) => number): number => own.reduce((total, step) => total + value(step), 0);
  const mean = (value: (step: TokenStep) => number): number => sum(value) / own.length;
  const raw = sum(({ surprisal }) => surprisal!);
  return {
    tokens: own.length, surprisalRaw: raw, surprisal: raw - last.ends + (afterBlank ? before.ends : 0),
    entropyBefore: before.entropy, entropyAfter: last.entropy, density: mean(({ density }) => density!), load: mean(({ load }) => load!),
    damageBefore: before.damage, damageAfter: last.damage, refinedBefore: before.refined,
  };
}
