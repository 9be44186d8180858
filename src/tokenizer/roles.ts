/**
 * Which tokens begin, end and replace text: by the file's keys, and where it leaves things to the reader by their texts, as llama.cpp does
 * (src/llama-vocab.cpp). A file whose ids make no sense can still be read: what is wrong becomes a warning.
 */
import type { Metadata } from '../format/gguf/metadata.ts';
import { getBool, getNumber } from '../format/gguf/metadata.ts';
import { TokenType, type Vocab } from './vocab.ts';

export interface Defaults {
  readonly bos?: number;
  readonly eos?: number;
  readonly unknown?: number;
  /** 'always': whatever the file says. */
  readonly addBos: boolean | 'always';
  readonly addEos: boolean;
}

/**
 * What llama.cpp takes where a key is missing. Its 11 for BOS and EOS of byte-level BPE is not taken over: that is Falcon's <|endoftext|>,
 * in any other vocabulary an ordinary token that would end an answer.
 */
export const sentencePieceDefaults: Defaults = { bos: 1, eos: 2, unknown: 0, addBos: true, addEos: false };
export const unigramDefaults: Defaults = { eos: 1, unknown: 2, addBos: false, addEos: true };

export interface Roles {
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unknownId: number | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** Tokens that end a generation. */
  readonly ends: ReadonlySet<number>;
}

/** Names that end a generation, whatever the file's keys and types say. */
const endNames = [
  '<|eot_id|>', '<|im_end|>', '<|end|>', '<|return|>', '<|call|>', '<|flush|>', '<|calls|>', '<end_of_turn>', '<|endoftext|>', '</s>',
  '<|eom_id|>', '<EOT>', '_<EOT>', '[EOT]', '[EOS]', '<|end_of_text|>', '<end_of_utterance>', '<eos>', '<turn|>', '<|tool_response>',
  '<｜end▁of▁sentence｜>', '[e~[',
];

/** Tokens of filling in the middle: keys that may name them, texts that else do. Those of padding, repository and file end a generation. */
const middle: readonly { keys: readonly string[]; names: readonly string[]; ends?: true }[] = [
  {
    keys: ['fim_pre_token_id', 'prefix_token_id'],
    names: ['<|fim_prefix|>', '<fim-prefix>', '<fim_prefix>', '<｜fim▁begin｜>', '<PRE>', '▁<PRE>', '<|code_prefix|>', '<|prefix|>'],
  },
  {
    keys: ['fim_suf_token_id', 'suffix_token_id'],
    names: ['<|fim_suffix|>', '<fim-suffix>', '<fim_suffix>', '<｜fim▁hole｜>', '<SUF>', '▁<SUF>', '<|code_suffix|>', '<|suffix|>'],
  },
  {
    keys: ['fim_mid_token_id', 'middle_token_id'],
    names: ['<|fim_middle|>', '<fim-middle>', '<fim_middle>', '<｜fim▁end｜>', '<MID>', '▁<MID>', '<|code_middle|>', '<|middle|>'],
  },
  { keys: ['fim_pad_token_id'], names: ['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'], ends: true },
  { keys: ['fim_rep_token_id'], names: ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'], ends: true },
  { keys: ['fim_sep_token_id'], names: ['<|file_sep|>'], ends: true },
];

/** Reads the roles, and corrects the types of tokens whose texts tell them. */
export function readRoles(metadata: Metadata, vocab: Vocab, defaults: Defaults, warn: (text: string) => void): Roles {
  const idAt = (name: string, fallback?: number): number | undefined => {
    const key = `tokenizer.ggml.${name}`, known = fallback !== undefined && fallback < vocab.size ? fallback : undefined;
    if (!metadata.has(key)) return known;
    const id = getNumber(metadata, key);
    if (Number.isInteger(id) && id >= 0 && id < vocab.size) return id;
    warn(`${key} is ${id}, which is none of the ${vocab.size} tokens: ${known === undefined ? 'ignored' : `${known} is taken instead`}`);
    return known;
  };
  const named = (names: readonly string[]): number[] =>
    names.map((name) => vocab.findText(name)).filter((id) => id >= 0).sort((a, b) => a - b);
  const control = (id: number): void => { vocab.types[id] = TokenType.control; };

  const ends = new Set<number>();
  for (const { keys, names, ends: isEnd } of middle) {
    let id = keys.map((key) => idAt(key)).findLast((known) => known !== undefined);
    if (id === undefined) {
      [id] = named(names);
      if (id !== undefined) control(id);
    }
    if (isEnd && id !== undefined) ends.add(id);
  }
  for (const id of named(endNames)) {
    ends.add(id);
    control(id);
  }
  // shown: they structure gpt-oss's answers
  for (const id of named(['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>'])) vocab.types[id] = TokenType.userDefined;

  const bosId = idAt('bos_token_id', defaults.bos), eosId = idAt('eos_token_id', defaults.eos);
  const unknownId = idAt('unknown_token_id', defaults.unknown);
  for (const id of [eosId, idAt('eot_token_id'), idAt('eom_token_id')]) if (id !== undefined) ends.add(id);
  exceptions(vocab, ends);

  const adds = (end: 'bos' | 'eos', id: number | undefined, fallback: boolean | 'always'): boolean => {
    const key = `tokenizer.ggml.add_${end}_token`, wanted = fallback === 'always' || getBool(metadata, key, fallback);
    if (wanted && id === undefined) {
      const says = metadata.has(key) ? key : 'tokenizer.ggml.pre';
      warn(`${end.toUpperCase()} belongs to every text (${says}), but the file names no ${end}_token_id: it is left out`);
    }
    return wanted && id !== undefined;
  };
  return { bosId, eosId, unknownId, addBos: adds('bos', bosId, defaults.addBos), addEos: adds('eos', eosId, defaults.addEos), ends };
}

/** Names that end an answer in one family and a part of it in another. */
function exceptions(vocab: Vocab, ends: Set<number>): void {
  const has = (...names: string[]): boolean => names.some((name) => ends.has(vocab.findText(name)));
  const spare = (name: string, type: number): void => {
    const id = vocab.findText(name);
    ends.delete(id);
    vocab.types[id] = type;
  };
  // gpt-oss, Solar Open: <|end|> ends a message, and another one follows
  if (has('<|end|>') && has('<|call|>', '<|calls|>') && has('<|return|>', '<|flush|>')) spare('<|end|>', TokenType.userDefined);
  if (has('</s>') && has('<|tool_response>', '<|plamo:eos|>')) spare('</s>', TokenType.normal); // Gemma 4, PLaMo
}
