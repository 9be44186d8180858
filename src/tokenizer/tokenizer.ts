/** Text ↔ token ids, by the vocabulary in a GGUF file's metadata. */
import { InputError, ModelError } from '../errors.ts';
import type { Metadata } from '../format/gguf/metadata.ts';
import { getBool, getNumber, getNumbers, getString, getStrings } from '../format/gguf/metadata.ts';
import { byteLevelEncoder, byteLevelVocab } from './bpe.ts';
import { bytePieces, sentencePieceBpe, unigram } from './sentencepiece.ts';
import type { SpecialPart } from './special.ts';
import { specialSplitter } from './special.ts';
import { TokenType, Vocab } from './vocab.ts';

/** Ordinary text (no special tokens in it) → ids, handed over one by one. */
export type TextEncoderOf = (text: string, emit: (id: number) => void) => void;

/** How text becomes tokens. */
export interface EncodeOptions {
  /** Read control tokens in the text as such. Default false: text of users never becomes control tokens. */
  parseSpecial?: boolean;
  /** Add the tokens that the model wants around a text (BOS, EOS), as the file says. Default false. */
  addSpecial?: boolean;
}

/** How tokens become text. */
export interface DecodeOptions {
  /** Leave control tokens out. Default false: they appear as they are written. */
  skipSpecial?: boolean;
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
  /** @throws InputError `E_UTF8` for a lone surrogate in the text. */
  encode(text: string, options?: EncodeOptions): Uint32Array;
  /**
   * Reads control tokens in `text` as such, then encodes what lies between them as plain text after `change`. For chat templates, which
   * hide the control tokens of messages from the first step and restore them in the second.
   */
  encodeParts(text: string, change: (text: string) => string): Uint32Array;
  /** @throws InputError `E_TOKEN_RANGE` */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Decodes token by token: a character that is cut waits for its rest. */
  decodeStream(options?: DecodeOptions): DecodeStream;
  /** The bytes that a token stands for; need not be valid UTF-8. @throws InputError `E_TOKEN_RANGE` */
  tokenBytes(id: number): Uint8Array;
  /** True for tokens that no text stands for. */
  isControl(id: number): boolean;
  /** True for tokens that end a generation: EOS, end of turn, end of text. */
  isEog(id: number): boolean;
}

/** Names that end a generation whatever the file's keys say (llama.cpp keeps the same list). */
const endNames = ['<|im_end|>', '<|endoftext|>', '<|eot_id|>', '<|eom_id|>', '<|end|>', '<end_of_turn>', '<|end_of_text|>', '<EOT>', '<｜end▁of▁sentence｜>', '</s>'];

const blank = '▁';
const utf8 = new TextEncoder();

function tokenTypes(metadata: Metadata, size: number): Uint8Array {
  if (!metadata.has('tokenizer.ggml.token_type')) return new Uint8Array(size).fill(TokenType.normal);
  const types = Uint8Array.from(getNumbers(metadata, 'tokenizer.ggml.token_type') as ArrayLike<number>);
  return types.length === size ? types : mismatch('tokenizer.ggml.token_type', types.length, size);
}

function tokenScores(metadata: Metadata, size: number): Float32Array {
  const scores = Float32Array.from(getNumbers(metadata, 'tokenizer.ggml.scores') as ArrayLike<number>);
  return scores.length === size ? scores : mismatch('tokenizer.ggml.scores', scores.length, size);
}

function mismatch(key: string, found: number, size: number): never {
  throw new ModelError('E_TOKENIZER', { subject: key, found: `${found} entries`, expected: `one for each of the ${size} tokens`, remedy: 'The file is damaged; fetch or convert the model again.' });
}

function idAt(metadata: Metadata, key: string, size: number): number | undefined {
  if (!metadata.has(`tokenizer.ggml.${key}`)) return undefined;
  const id = getNumber(metadata, `tokenizer.ggml.${key}`);
  if (id >= 0 && id < size) return id;
  throw new ModelError('E_TOKENIZER', { subject: `tokenizer.ggml.${key}`, found: String(id), expected: `a token id below ${size}`, remedy: 'The file is damaged; fetch or convert the model again.' });
}

/**
 * ```ts
 * const ids = createTokenizer(file.metadata).encode('Hello');
 * ```
 * @throws ModelError `E_TOKENIZER` for a kind of vocabulary that is not known; FormatError `E_GGUF_KEY`
 */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const model = getString(metadata, 'tokenizer.ggml.model');
  const tokens = getStrings(metadata, 'tokenizer.ggml.tokens');
  const size = tokens.length;
  const types = tokenTypes(metadata, size);
  const unknownId = idAt(metadata, 'unknown_token_id', size);
  if (model === 'gpt2') {
    const vocab = byteLevelVocab(tokens, types);
    const pre = getString(metadata, 'tokenizer.ggml.pre', 'default');
    return new VocabTokenizer(metadata, vocab, byteLevelEncoder(vocab, getStrings(metadata, 'tokenizer.ggml.merges'), pre, unknownId), false);
  }
  if (model === 'llama' || model === 't5') {
    const charsmap = metadata.get('tokenizer.ggml.precompiled_charsmap');
    if (typeof charsmap === 'object' && charsmap.length > 0) {
      throw new ModelError('E_TOKENIZER', { subject: 'tokenizer.ggml.precompiled_charsmap', found: `${charsmap.length} bytes of normalisation rules`, expected: 'none (identity normalisation)', remedy: 'This version does not apply them, and tokens would be wrong without a word; use a model without.' });
    }
    const vocab = new Vocab(tokens.bytes, tokens.offsets, types);
    const scores = tokenScores(metadata, size);
    return new VocabTokenizer(metadata, vocab, (model === 'llama' ? sentencePieceBpe : unigram)(vocab, scores, unknownId), true);
  }
  throw new ModelError('E_TOKENIZER', { subject: 'tokenizer.ggml.model', found: JSON.stringify(model), expected: 'gpt2 (byte-level BPE), llama (SentencePiece BPE) or t5 (SentencePiece unigram)', remedy: 'Use a model with one of these vocabularies.' });
}

class VocabTokenizer implements Tokenizer {
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly #split: ReturnType<typeof specialSplitter>;
  readonly #ends = new Set<number>();
  readonly #addBos: boolean;
  readonly #addEos: boolean;
  readonly #prefix: boolean;
  readonly #squeeze: boolean;
  /** id → byte, for byte pieces. */
  readonly #byteOf = new Map<number, number>();

  constructor(metadata: Metadata, private readonly vocab: Vocab, private readonly encodeText: TextEncoderOf, private readonly sentencePiece: boolean) {
    const size = vocab.size;
    this.bosId = idAt(metadata, 'bos_token_id', size);
    this.eosId = idAt(metadata, 'eos_token_id', size);
    this.#addBos = getBool(metadata, 'tokenizer.ggml.add_bos_token', sentencePiece) && this.bosId !== undefined;
    this.#addEos = getBool(metadata, 'tokenizer.ggml.add_eos_token', false) && this.eosId !== undefined;
    this.#prefix = sentencePiece && getBool(metadata, 'tokenizer.ggml.add_space_prefix', true);
    this.#squeeze = sentencePiece && getBool(metadata, 'tokenizer.ggml.remove_extra_whitespaces', false);
    this.#split = specialSplitter(vocab);
    for (const key of ['eos_token_id', 'eot_token_id', 'eom_token_id']) {
      const id = idAt(metadata, key, size);
      if (id !== undefined) this.#ends.add(id);
    }
    for (const name of endNames) {
      const id = vocab.find(utf8.encode(name));
      if (id >= 0 && vocab.types[id] !== TokenType.normal) this.#ends.add(id);
    }
    if (sentencePiece) bytePieces(vocab).forEach((id, byte) => { if (id >= 0) this.#byteOf.set(id, byte); });
  }

  get vocabSize(): number { return this.vocab.size; }

  encode(text: string, { parseSpecial = false, addSpecial = false }: EncodeOptions = {}): Uint32Array {
    if (typeof text !== 'string' || !isWellFormed(text)) {
      throw new InputError('E_UTF8', {
        subject: 'text', found: typeof text === 'string' ? 'a lone surrogate, which no UTF-8 can hold' : typeof text, expected: 'a well-formed string',
        remedy: 'Decode bytes with TextDecoder, or call toWellFormed() on the text.',
      });
    }
    const ids: number[] = [];
    if (addSpecial && this.#addBos) ids.push(this.bosId!);
    this.#encodeParts(this.#split(text, parseSpecial), ids, true);
    if (addSpecial && this.#addEos) ids.push(this.eosId!);
    return Uint32Array.from(ids);
  }

  encodeParts(text: string, change: (text: string) => string): Uint32Array {
    const ids: number[] = [];
    for (const [i, part] of this.#split(text, true).entries()) {
      if (part.id !== undefined) ids.push(part.id);
      else if (part.text) this.#encodeParts(this.#split(change(part.text), false), ids, i === 0);
    }
    return Uint32Array.from(ids);
  }

  #encodeParts(parts: readonly SpecialPart[], ids: number[], atStart: boolean): void {
    for (const [i, part] of parts.entries()) {
      if (part.id !== undefined) ids.push(part.id);
      else if (part.text) this.encodeText(this.sentencePiece ? this.#normalise(part.text, atStart && i === 0) : part.text, (id) => { ids.push(id); });
    }
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const stream = this.decodeStream(options);
    let text = '';
    for (let i = 0; i < ids.length; i++) text += stream.push(ids[i]!);
    return text + stream.flush();
  }

  decodeStream({ skipSpecial = false }: DecodeOptions = {}): DecodeStream {
    let decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let first = this.#prefix;
    return {
      push: (id) => {
        if (skipSpecial && this.isControl(id)) return '';
        let bytes = this.tokenBytes(id);
        if (first && bytes.length > 0) { // the blank that encoding put in front
          first = false;
          if (bytes[0] === 0x20) bytes = bytes.subarray(1);
        }
        return decoder.decode(bytes, { stream: true });
      },
      flush: () => {
        const rest = decoder.decode();
        decoder = new TextDecoder('utf-8', { ignoreBOM: true });
        first = this.#prefix;
        return rest;
      },
    };
  }

  tokenBytes(id: number): Uint8Array {
    this.#check(id);
    const bytes = this.vocab.bytesOf(id);
    if (!this.sentencePiece || this.vocab.types[id] === TokenType.control) return bytes.slice();
    const byte = this.#byteOf.get(id);
    return byte === undefined ? utf8.encode(new TextDecoder().decode(bytes).replaceAll(blank, ' ')) : Uint8Array.of(byte);
  }

  isControl(id: number): boolean {
    this.#check(id);
    return this.vocab.types[id] === TokenType.control || this.vocab.types[id] === TokenType.unknown;
  }

  isEog(id: number): boolean {
    this.#check(id);
    return this.#ends.has(id);
  }

  #normalise(text: string, atStart: boolean): string {
    const squeezed = this.#squeeze ? text.replace(/ +/g, ' ').replace(/^ | $/g, '') : text;
    return (this.#prefix && atStart && squeezed !== '' ? ` ${squeezed}` : squeezed).replaceAll(' ', blank);
  }

  #check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocab.size) return;
    throw new InputError('E_TOKEN_RANGE', { subject: 'token', found: String(id), expected: `an integer from 0 to ${this.vocab.size - 1}`, remedy: 'Use ids of this tokenizer.' });
  }
}

function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}
