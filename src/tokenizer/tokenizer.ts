/** Text ↔ token ids, by the vocabulary in a GGUF file's metadata. */
import { InputError, ModelError } from '../errors.ts';
import type { Metadata } from '../format/gguf/metadata.ts';
import { getBool, getNumbers, getString, getStrings } from '../format/gguf/metadata.ts';
import { StringArray } from '../format/gguf/types.ts';
import { bpe, unspell } from './bpe.ts';
import { preTokenizer } from './pretokenize.ts';
import type { Roles } from './roles.ts';
import { readRoles, sentencePieceDefaults, unigramDefaults } from './roles.ts';
import type { Normaliser } from './sentencepiece.ts';
import { blank, byteOfPiece, normaliser, sentencePieceBpe, typeBytePieces, unigram } from './sentencepiece.ts';
import type { SpecialPart, Strip } from './special.ts';
import { blanks, specialSplitter, stripOf } from './special.ts';
import type { TextEncoderOf } from './vocab.ts';
import { TokenType, Vocab } from './vocab.ts';

/** How text becomes tokens. */
export interface EncodeOptions {
  /** Read control tokens in the text as such. Default false: text of users never becomes control tokens. */
  parseSpecial?: boolean;
  /**
   * Add the tokens that the model wants around a text (BOS, EOS), as the file says. 'start': those in front only, for a text that is to be
   * continued. Default false.
   */
  addSpecial?: boolean | 'start';
  /**
   * Tokens that the text goes on behind. SentencePiece puts a blank in front of a text, which has no place in the middle of one: with these
   * ids it is left out, unless they end with a special token. Default: none, a text of its own.
   */
  after?: ArrayLike<number>;
}

/** How tokens become text. */
export interface DecodeOptions {
  /** Leave control tokens out. Default false: they appear as they are written. */
  skipSpecial?: boolean;
}

/** How tokens become text one by one. */
export interface DecodeStreamOptions extends DecodeOptions {
  /** Tokens that the stream goes on behind: what it gives is their text's continuation, the first blank included. Default: none. */
  after?: ArrayLike<number>;
}

/** Tokens become text one by one. */
export interface DecodeStream {
  /** The text that became certain with this token: an incomplete character is held back. */
  push(id: number): string;
  /** What is left at the end; an incomplete character becomes U+FFFD. */
  flush(): string;
}

/** Text to tokens and back, as the file says. */
export interface Tokenizer {
  /** Tokens of the vocabulary. */
  readonly vocabSize: number;
  /** The token that begins a text, if there is one. */
  readonly bosId: number | undefined;
  /** The token that ends a text, if there is one. */
  readonly eosId: number | undefined;
  /** What is wrong with the vocabulary without making it useless: ids out of range, things that the file leaves open. */
  readonly warnings: readonly string[];
  /** @throws InputError `E_UTF8` for a lone surrogate in the text; `E_TOKEN_RANGE` for an id in `after` */
  encode(text: string, options?: EncodeOptions): Uint32Array;
  /**
   * Reads control tokens in `text` as such, then encodes what lies between them as plain text after `change`. For chat templates, which
   * hide the control tokens of messages from the first step and restore them in the second.
   */
  encodeParts(text: string, change: (text: string) => string): Uint32Array;
  /** Whether a text is more than `most` tokens as far as its length tells, certainly and at once; false: it may be more, or not. */
  isLonger(text: string, most: number): boolean;
  /** @throws InputError `E_TOKEN_RANGE` */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /**
   * Decodes token by token: a character that is cut waits for its rest.
   * @throws InputError `E_TOKEN_RANGE`, for an id in `after` at once
   */
  decodeStream(options?: DecodeStreamOptions): DecodeStream;
  /** The bytes that a token stands for; need not be valid UTF-8. @throws InputError `E_TOKEN_RANGE` */
  tokenBytes(id: number): Uint8Array;
  /** True for tokens that no text stands for. */
  isControl(id: number): boolean;
  /** True for tokens that end a generation: EOS, end of turn, end of text. */
  isEog(id: number): boolean;
  /** All of these. */
  readonly eogIds: readonly number[];
}

const utf8 = new TextEncoder();
const blankCodes = Array.from(blanks, (c) => c.charCodeAt(0));

/** One number a token, those behind the last token left out; `fallback` where the file has none. */
function perToken(metadata: Metadata, key: string, size: number, fallback: number): ArrayLike<number> {
  if (!metadata.has(key)) return new Uint8Array(size).fill(fallback);
  const values = getNumbers(metadata, key);
  if (values.length >= size) return values.subarray(0, size) as ArrayLike<number>;
  throw new ModelError('E_TOKENIZER', {
    subject: key, found: `${values.length} entries`, expected: `one for each of the ${size} tokens`,
    remedy: 'The file is damaged; fetch or convert the model again.',
  });
}

/** The texts of a vocabulary. @throws ModelError `E_TOKENIZER` where the model's embedding has `rows` of another number */
export function readTokens(metadata: Metadata, rows?: number): StringArray {
  const tokens = getStrings(metadata, 'tokenizer.ggml.tokens'), size = tokens.length;
  if (rows === undefined || rows === size) return tokens;
  throw new ModelError('E_TOKENIZER', {
    subject: 'vocabulary', found: `${size} tokens and ${rows} rows in token_embd.weight`, expected: 'a row for each token',
    remedy: 'Convert the model again: a token without a row cannot be read, a row without a token cannot be said.',
  });
}

/**
 * ```ts
 * const ids = createTokenizer(file.metadata).encode('Hello');
 * ```
 * @param rows of the model's embedding, where it has one
 * @throws ModelError `E_TOKENIZER` for a kind of vocabulary that is not known, or one that is not the model's; FormatError `E_GGUF_KEY`
 */
export function createTokenizer(metadata: Metadata, rows?: number): Tokenizer {
  const model = getString(metadata, 'tokenizer.ggml.model');
  const tokens = readTokens(metadata, rows), size = tokens.length;
  const types = Uint8Array.from(perToken(metadata, 'tokenizer.ggml.token_type', size, TokenType.normal));
  const vocab = new Vocab(tokens.bytes, tokens.offsets, types);
  const warnings: string[] = [], warn = (text: string): void => { warnings.push(text); };
  if (model === 'gpt2' || model === 'gemma4') {
    const name = model === 'gemma4' ? model : getString(metadata, 'tokenizer.ggml.pre', '');
    if (name === '') warn('tokenizer.ggml.pre is missing: words are cut by the rule "default", which may not be the model\'s');
    const pre = preTokenizer(name || 'default');
    const roles = readRoles(metadata, vocab, { addBos: pre.addsBos, addEos: false }, warn);
    const normalise = pre.spellsText ? normaliser({ prefix: false, squeeze: false }, true) : undefined;
    const none = name === 'kimi-k2' ? new StringArray(new Uint8Array(), Uint32Array.of(0)) : undefined; // its tokenizer has no list of them
    const merges = getStrings(metadata, 'tokenizer.ggml.merges', none);
    const strip = stripOf(metadata, vocab);
    return new VocabTokenizer(vocab, roles, bpe(vocab, merges, pre), normalise, false, strip, warnings, strip.any);
  }
  if (model === 'llama' || model === 't5') {
    const charsmap = metadata.get('tokenizer.ggml.precompiled_charsmap');
    if (typeof charsmap === 'object' && charsmap.length > 0) {
      throw new ModelError('E_TOKENIZER', {
        subject: 'tokenizer.ggml.precompiled_charsmap', found: `${charsmap.length} bytes of normalisation rules`,
        expected: 'none (identity normalisation)',
        remedy: 'This version does not apply them, and tokens would be wrong without a word; use a model without.',
      });
    }
    const isBpe = model === 'llama';
    const roles = readRoles(metadata, vocab, isBpe ? sentencePieceDefaults : unigramDefaults, warn);
    typeBytePieces(vocab);
    const listed = perToken(metadata, 'tokenizer.ggml.scores', size, 0);
    const scores = listed instanceof Float32Array ? listed : Float32Array.from(listed), wrong = scores.findIndex(Number.isNaN);
    if (wrong >= 0) {
      throw new ModelError('E_TOKENIZER', {
        subject: 'tokenizer.ggml.scores', found: `NaN for token ${wrong}`, expected: 'a number for each token',
        remedy: 'The file is damaged; fetch or convert the model again.',
      });
    }
    const prefix = getBool(metadata, 'tokenizer.ggml.add_space_prefix', isBpe);
    const squeeze = getBool(metadata, 'tokenizer.ggml.remove_extra_whitespaces', false), strip = stripOf(metadata, vocab);
    const encodeText = (isBpe ? sentencePieceBpe : unigram)(vocab, scores, roles.unknownId);
    const normalise = normaliser({ prefix, squeeze }, isBpe);
    return new VocabTokenizer(vocab, roles, encodeText, normalise, prefix, strip, warnings, squeeze || strip.any);
  }
  throw new ModelError('E_TOKENIZER', {
    subject: 'tokenizer.ggml.model', found: JSON.stringify(model),
    expected: 'gpt2 (byte-level BPE), gemma4 (BPE of characters), llama (SentencePiece BPE) or t5 (SentencePiece unigram)',
    remedy: 'Use a model with one of these vocabularies.',
  });
}

class VocabTokenizer implements Tokenizer {
  readonly #split: ReturnType<typeof specialSplitter>;
  #longest = 0;
  /** Characters that may vanish; above 0x7f: any. */
  readonly #lost: readonly number[];

  /** `normalise`: undefined for byte-level BPE; `prefix`: a text begins with a blank of its own; `squeeze`: blanks may vanish */
  constructor(
    private readonly vocab: Vocab, private readonly roles: Roles, private readonly encodeText: TextEncoderOf,
    private readonly normalise: Normaliser | undefined, private readonly prefix: boolean, strip: Strip,
    readonly warnings: readonly string[], squeeze: boolean,
  ) {
    this.#split = specialSplitter(vocab, strip);
    this.#lost = squeeze ? [...encodeText.lost, ...blankCodes] : encodeText.lost;
  }

  get vocabSize(): number { return this.vocab.size; }
  get bosId(): number | undefined { return this.roles.bosId; }
  get eogIds(): readonly number[] { return [...this.roles.ends]; }
  get eosId(): number | undefined { return this.roles.eosId; }

  encode(text: string, { parseSpecial = false, addSpecial = false, after = [] }: EncodeOptions = {}): Uint32Array {
    if (typeof text !== 'string' || !isWellFormed(text)) {
      throw new InputError('E_UTF8', {
        subject: 'text', found: typeof text === 'string' ? 'a lone surrogate, which no UTF-8 can hold' : typeof text,
        expected: 'a well-formed string', remedy: 'Decode bytes with TextDecoder, or call toWellFormed() on the text.',
      });
    }
    const ids: number[] = [];
    if (addSpecial && this.roles.addBos) ids.push(this.bosId!);
    const open = ids.length > 0 || after.length === 0 || this.#isSpecial(after[after.length - 1]!);
    this.#encodeParts(this.#split(text, parseSpecial), ids, open);
    if (addSpecial === true && this.roles.addEos) ids.push(this.eosId!);
    return Uint32Array.from(ids);
  }

  encodeParts(text: string, change: (text: string) => string): Uint32Array {
    const ids: number[] = [];
    for (const part of this.#split(text, true)) {
      if (part.id !== undefined) ids.push(part.id);
      else this.#encodeParts(this.#split(change(part.text), false), ids, true);
    }
    return Uint32Array.from(ids);
  }

  isLonger(text: string, most: number): boolean {
    if (text.length <= most || this.#lost.some((code) => code > 0x7f)) return false;
    const limit = most * (this.#longest ||= this.vocab.longest);
    let kept = 0;
    for (let i = 0; i < text.length && kept <= limit; i++) if (!this.#lost.includes(text.charCodeAt(i))) kept++;
    return kept > limit;
  }

  /** `open`: what is before the parts is no text. Behind a special token nothing is. */
  #encodeParts(parts: readonly SpecialPart[], ids: number[], open: boolean): void {
    for (const [i, part] of parts.entries()) {
      if (part.id !== undefined) ids.push(part.id);
      else this.encodeText(this.normalise ? this.normalise(part.text, open || i > 0) : part.text, (id) => { ids.push(id); });
    }
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const stream = this.decodeStream(options);
    let text = '';
    for (let i = 0; i < ids.length; i++) text += stream.push(ids[i]!);
    return text + stream.flush();
  }

  decodeStream({ skipSpecial = false, after = [] }: DecodeStreamOptions = {}): DecodeStream {
    let decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let first = this.prefix;
    const push = (id: number): string => {
      if (skipSpecial && this.isControl(id)) return '';
      let bytes = this.tokenBytes(id);
      if (first && bytes.length > 0) { // the blank that encoding put in front
        first = false;
        if (bytes[0] === 0x20) bytes = bytes.subarray(1);
      }
      return decoder.decode(bytes, { stream: true });
    };
    for (let i = 0; i < after.length; i++) push(after[i]!);
    return {
      push,
      flush: () => {
        const rest = decoder.decode();
        decoder = new TextDecoder('utf-8', { ignoreBOM: true });
        first = this.prefix;
        return rest;
      },
    };
  }

  tokenBytes(id: number): Uint8Array {
    this.#check(id);
    const bytes = this.vocab.bytesOf(id), type = this.vocab.types[id]!;
    if (type === TokenType.control || type === TokenType.unknown || type === TokenType.userDefined) return bytes.slice();
    // What pads a vocabulary to the rows of the embedding ([PAD151936]) stands for no text.
    if (type === TokenType.unused || type === TokenType.undefined) return new Uint8Array(0);
    const byte = byteOfPiece(this.vocab, id);
    if (byte !== undefined) return Uint8Array.of(byte);
    return this.normalise ? utf8.encode(this.vocab.text(id).replaceAll(blank, ' ')) : unspell(bytes) ?? bytes.slice();
  }

  isControl(id: number): boolean {
    this.#check(id);
    return this.vocab.types[id] === TokenType.control || this.vocab.types[id] === TokenType.unknown;
  }

  isEog(id: number): boolean {
    this.#check(id);
    return this.roles.ends.has(id);
  }

  #isSpecial(id: number): boolean {
    return this.isControl(id) || this.vocab.types[id] === TokenType.userDefined;
  }

  #check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocab.size) return;
    throw new InputError('E_TOKEN_RANGE', {
      subject: 'token', found: String(id), expected: `an integer from 0 to ${this.vocab.size - 1}`, remedy: 'Use ids of this tokenizer.',
    });
  }
}

function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}
