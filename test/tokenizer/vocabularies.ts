/**
 * Tiny vocabularies, each with one thing that files get wrong or leave open, and texts for them.
 * test/fixtures/tokenizers/llamacpp.ts asks llama.cpp about the same bytes; llamacpp.test.ts compares.
 */
import type { Metadata } from '../../src/format/gguf/metadata.ts';
import { StringArray } from '../../src/format/gguf/types.ts';
import type { WriteValue } from '../../src/format/gguf/write.ts';
import { TokenType } from '../../src/tokenizer/vocab.ts';
import { metadataOf } from '../helpers/metadata.ts';

export interface Vocabulary { readonly name: string; readonly entries: Record<string, WriteValue>; readonly texts: readonly string[] }

interface Draft {
  model: string;
  tokens: string[];
  types: number[] | undefined;
  scores?: number[] | undefined;
  merges?: string[];
  keys: Record<string, WriteValue>;
}

const u32 = (value: number): WriteValue => ({ type: 'u32', value });
const bool = (value: boolean): WriteValue => ({ type: 'bool', value });
const string = (value: string): WriteValue => ({ type: 'string', value });

function entriesOf({ model, tokens, types, scores, merges, keys }: Draft): Record<string, WriteValue> {
  return {
    'tokenizer.ggml.model': string(model), 'tokenizer.ggml.tokens': { type: 'strings', value: tokens },
    ...(types ? { 'tokenizer.ggml.token_type': { type: 'i32s', value: types } } : {}),
    ...(scores ? { 'tokenizer.ggml.scores': { type: 'f32s', value: scores } } : {}),
    ...(merges ? { 'tokenizer.ggml.merges': { type: 'strings', value: merges } } : {}),
    ...Object.fromEntries(Object.entries(keys).map(([key, value]) => [key.includes('.') ? key : `tokenizer.ggml.${key}`, value])),
  };
}

function add(draft: Draft, type: number, ...tokens: string[]): void {
  for (const token of tokens) {
    draft.tokens.push(token);
    draft.types?.push(type);
    draft.scores?.push(0);
  }
}

// SentencePiece: the pieces of the fixtures -------------------------------------------------------------------------------------------------

const plain = [
  '', ' ', '   ', 'Hello world', ' leading', 'trailing  ', 'a  b', 'naïve café', 'tab\tnew\nline\r\n', '▁', 'a▁b', '日本語 😀', '\u0000', 'x'.repeat(30),
  'so we saw a  b and a b; 日 x  日  x to who we o w',
];
const marked = [
  '<s>', '<s>Hello', '<s> Hello', 'a<s>b</s>c', '</s></s> x ', '<unk>a', '<|u|>x<|u|>', 'x <|u|> y', '<|long|u|>x', '<|u<|u|>',
  '<|im_start|>user\nhi<|im_end|>\n', '<0x0A>', 'aXYZb', ' <s> ', '<s>\n\n</s>  \n<|u|> \nx', '<||u|>',
];
const spmTexts = [...plain, ...marked];

async function spmDraft(file: 'spm-bpe' | 'spm-unigram'): Promise<Draft> {
  const metadata: Metadata = await metadataOf(new URL(`../fixtures/tokenizers/${file}.gguf`, import.meta.url));
  const numbers = (key: string): number[] => Array.from(metadata.get(`tokenizer.ggml.${key}`) as Float32Array);
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const draft: Draft = {
    model: file === 'spm-bpe' ? 'llama' : 't5', tokens: (tokens as StringArray).toArray(), types: numbers('token_type'), scores: numbers('scores'),
    keys: {
      bos_token_id: u32(1), eos_token_id: u32(2), unknown_token_id: u32(0), add_bos_token: bool(true), add_eos_token: bool(false),
      add_space_prefix: bool(true),
    },
  };
  add(draft, TokenType.control, '<|im_start|>', '<|im_end|>');
  add(draft, TokenType.userDefined, '<|u|>', '<|long|u|>', 'XY', 'YZb', '▁▁x');
  return draft;
}

const spmChanges: Record<string, (draft: Draft) => void> = {
  'spm': () => undefined,
  'spm, no prefix': ({ keys }) => { keys.add_space_prefix = bool(false); },
  'spm, no keys': (draft) => { draft.keys = {}; },
  'spm, no types': (draft) => { draft.types = undefined; },
  'spm, bytes unused': (draft) => { draft.types = draft.types!.map((type) => (type === TokenType.byte ? TokenType.unused : type)); },
  'spm, pieces unused': (draft) => {
    draft.types = draft.types!.map((type, id) => (type === TokenType.normal && id % 3 === 0 ? TokenType.unused : type));
  },
  'spm, blanks within pieces': (draft) => { add(draft, TokenType.normal, 'o▁w', 'a▁', '▁▁b', '日▁', '日▁x', '▁▁▁'); },
  'spm, no scores': (draft) => { draft.scores = undefined; },
  'spm, EOS added': ({ keys }) => { keys.add_bos_token = bool(false); keys.add_eos_token = bool(true); },
  'spm, ids out of range': ({ keys }) => {
    for (const key of ['bos', 'eos', 'unknown', 'eot', 'fim_pad']) keys[`${key}_token_id`] = u32(99_999);
  },
  'spm, Phi-3': (draft) => {
    draft.keys['general.name'] = string('Phi-3 mini');
    add(draft, TokenType.control, '<|endoftext|>');
  },
};

const unigramChanges: Record<string, (draft: Draft) => void> = {
  'unigram': () => undefined,
  'unigram, no keys': (draft) => { draft.keys = { unknown_token_id: u32(0) }; },
  'unigram, default ids': (draft) => {
    draft.keys = {};
    [draft.types![0], draft.types![1], draft.types![2]] = [TokenType.normal, TokenType.control, TokenType.unknown];
  },
  'unigram, squeezed': ({ keys }) => { keys.remove_extra_whitespaces = bool(true); },
  'unigram, squeezed, no prefix': ({ keys }) => { keys.remove_extra_whitespaces = bool(true); keys.add_space_prefix = bool(false); },
};

/** llama.cpp has no byte pieces for unigram, and leaves nothing of blanks alone: there the library is followed (sentencepiece.ts). */
function withoutBytes(draft: Draft): void {
  const kept = draft.types!.map((type) => type !== TokenType.byte);
  draft.tokens = draft.tokens.filter((_, id) => kept[id]);
  draft.scores = draft.scores!.filter((_, id) => kept[id]);
  draft.types = draft.types!.filter((_, id) => kept[id]);
}
const hasBlanksAlone = (text: string): boolean =>
  text.split(/<s>|<\/s>|<\|u\|>|<\|im_end\|>/).some((part) => /^ +$/.test(part));

// Byte-level BPE: bytes, and pairs of them so that every cut between words shows -------------------------------------------------------------

const gpt2Chars: string[] = [];
for (let byte = 0, spare = 0x100; byte < 256; byte++) {
  gpt2Chars.push(String.fromCharCode((byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae ? byte : spare++));
}

export const words = [
  'ti', "'ti", // its pair comes before that of 't
  "I'm we've it's don't I'll he'd you're", "I'M WE'VE IT'S 'S x's's ſ'ſ", 'HelloWorld HELLOworld helloWORLD iPhone', 'ÉCOLE École écoleÉCOLE ǅungla ßẞ',
  '1234567 12 3.14159 1,000,000', '٣٤٥٦ x²³ ½ Ⅷ 一二三4', 'a\r\nb\n\n\nc \n x', '\t\tx \t y  \n\n  z', '  two  blanks  ', '!!!??? ... -- — “quotes” $100 + €5 = ?',
  'a/b//\n/c ///\r\n d', 'foo(bar)[baz]{qux} `code` ^~|<>=',
  'a_b_c #tag @user http://x.y/z?a=b',
  'naïve e\u0301 a\u0300\u0301 हिन्दी',
  '日本語のテキスト 한국어 ไทย العربية', '😀👨‍👩‍👧 🇩🇪 ❤️',
  'a\u0085b\u00a0c\u2028d\u3000e\u200bf\ufeffg',
  '\u0001\u001c\u001f\u007f \u000b\u000c', '12ab34CD ab12CD', ' !x !!\n\n!', '',
  '1234567890 12345 123456 x1234y12z 5', '٣٤٥٦٧ 12٣45٦ ১২৩৪ ²³¹ 𝟙𝟚𝟛𝟜', 'abc12def345 4x  56', 'a  b   c    d\t\te\n\n f \r\n\r\n g   ',
  `${' '.repeat(70)}x${' '.repeat(33)}`, '\u0301 \u0301x 1\u0301 !\u0301 में  ক্ষ', "l'été d'accord L'Été c'EST Ankara'da",
  'HelloWORLDabcÉÀéàABC ΑΒγδ ЖЗжз ǅabc ʰªº', '漢字かなカナ한글ㄱㄴㄅㄆ 々、。！「」…—：；中文abc中文123', 'foo!!\n\n!!\r\n ?\n/ x',
  '#include <a.h>\n$x+=@y^z|w~`v`\\n', '<sentinel:12>IMGIMGABIZ IMGIMGJZ  \t    x', '\u{1cc00}\u088fa \u{323b0}漢\u{2b73a} \u{10d40}1 !\u1acfe',
  'ก ข\u0e31 ကိ ꩠ ᄀ 㐀 \uf900 ﾟ ･ ⼀', '!word ?Word .word -1 +x =y $z', 'no\nspaces\n\nhere\n\n\n', 'a,b…f，g、h।i۔j،k(l|m)',
  '\u2126 \u212a Ა ა ᏸ ꭰ ʔ', 'a b c d', '\n \n x\r\r \r',
];

function pairDraft(pre: string): Draft {
  const draft: Draft = {
    model: 'gpt2', tokens: [...gpt2Chars], types: gpt2Chars.map(() => TokenType.normal), merges: [],
    keys: { bos_token_id: u32(0), eos_token_id: u32(0), pre: string(pre) },
  };
  addPairs(draft, (text) => Array.from(new TextEncoder().encode(text), (byte) => gpt2Chars[byte]!));
  return draft;
}

/** The same where tokens are text: bytes for what has no token, every character of the texts but a few, and pairs of them. */
function textDraft(pre: string): Draft {
  const draft: Draft = {
    model: 'gpt2', tokens: [], types: [], merges: [], keys: { bos_token_id: u32(0), eos_token_id: u32(0), pre: string(pre) },
  };
  for (let byte = 0; byte < 256; byte++) add(draft, TokenType.byte, `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const charactersOf = (text: string): string[] => [...text.replaceAll(' ', '▁')];
  add(draft, TokenType.normal, ...new Set(words.flatMap(charactersOf).filter((character) => !'漢e\u0301'.includes(character))), '\n\n\n');
  addPairs(draft, charactersOf);
  return draft;
}

function addPairs(draft: Draft, symbolsOf: (text: string) => string[]): void {
  const pairs = new Set<string>();
  for (const text of words) {
    const symbols = symbolsOf(text);
    for (let i = 1; i < symbols.length; i++) pairs.add(`${symbols[i - 1]!} ${symbols[i]!}`);
  }
  draft.merges = [...pairs];
  add(draft, TokenType.normal, ...draft.merges.map((pair) => pair.replace(' ', '')));
}

/** Pre-tokenizers whose tokens are text. */
const ofText = new Set(['gemma4', 'granite-embed-multi-311m', 'sarvam-moe']);

/** The vocabulary for a pre-tokenizer. What its tokens' lengths in bytes are, tells which they are. */
export const pairs = (pre: string): Vocabulary => {
  const draft = ofText.has(pre) ? textDraft(pre) : pairDraft(pre);
  if (pre === 'roberta-bpe' || pre.startsWith('jina-v')) draft.keys.seperator_token_id = u32(0); // encoders' files have one
  return { name: `pre ${pre}`, entries: entriesOf(draft), texts: words };
};

const names = [
  '<|eot_id|>', '<|im_end|>', '<|end|>', '<|return|>', '<|flush|>', '<end_of_turn>', '<|endoftext|>', '</s>', '<|eom_id|>',
  '<EOT>', '_<EOT>', '[EOT]', '[EOS]', '<|end_of_text|>', '<end_of_utterance>', '<eos>', '<turn|>', '<|fim_prefix|>',
  '<|fim_suffix|>', '<|fim_middle|>', '<|fim_pad|>', '<|repo_name|>', '<|file_sep|>', '<other>',
  '<｜end▁of▁sentence｜>', '<|channel|>',
];
const bpeTexts = ['a<|im_end|>b', 'x <|endoftext|> y', '<other><|file_sep|>', 'abcde', '<abc><|channel|>', 'ab  <mask>  c', 'pq pqr', 'HELLO'];

const bpeChanges: Record<string, (draft: Draft) => void> = {
  'bpe': (draft) => {
    add(draft, TokenType.userDefined, 'abc', 'cde', 'bcde');
    add(draft, TokenType.unknown, '<abc>');
  },
  'bpe, names as ordinary tokens': (draft) => { add(draft, TokenType.normal, ...names); },
  'bpe, names as user-defined tokens': (draft) => { add(draft, TokenType.userDefined, ...names); },
  'bpe, no types': (draft) => { add(draft, TokenType.normal, ...names); draft.types = undefined; },
  'bpe, gpt-oss': (draft) => { add(draft, TokenType.control, '<|call|>', '<|return|>', '<|end|>', '<|start|>', '<|message|>'); },
  'bpe, solar': (draft) => { add(draft, TokenType.control, '<|calls|>', '<|flush|>', '<|end|>'); },
  'bpe, gemma': (draft) => { add(draft, TokenType.control, '<|tool_response>', '</s>', '<eos>'); },
  'bpe, other names of the middle': (draft) => { add(draft, TokenType.normal, '<PRE>', '<SUF>', '<MID>', '[PAD]', '<fim-repo>'); },
  'bpe, keys of the middle': (draft) => {
    add(draft, TokenType.normal, '<|fim_pad|>', '<PAD>');
    for (const [i, key] of ['fim_pad', 'prefix', 'eot', 'eom'].entries()) draft.keys[`${key}_token_id`] = u32(70 + i);
  },
  'bpe, merges through what is no token': (draft) => {
    draft.merges!.unshift('p q', 'pq r', 'L L', 'H E', 'HE LL');
    add(draft, TokenType.normal, 'pqr');
  },
  'bpe, a byte missing': (draft) => { draft.tokens[0x61] = '<gone>'; draft.keys.unknown_token_id = u32(5); },
  'bpe, tokens unused': (draft) => { draft.types = draft.types!.map((type, id) => (id > 255 && id % 2 === 0 ? TokenType.unused : type)); },
  'bpe, mask': (draft) => {
    Object.assign(draft.keys, { pre: string('jina-v2-code'), seperator_token_id: u32(0) });
    add(draft, TokenType.control, '<mask>');
  },
  'bpe, no pre': (draft) => { delete draft.keys.pre; },
  'bpe, whole words': (draft) => {
    draft.keys.pre = string('tekken');
    add(draft, TokenType.normal, 'HELLO', 'abcde');
  },
};

/** Bytes that a token of {@link pairs} stands for. */
export function bytesOfPair({ entries }: Vocabulary, id: number): number {
  const { value } = entries['tokenizer.ggml.tokens'] as { value: readonly string[] }, token = value[id]!;
  return id < 256 ? 1 : value[0] === '<0x00>' ? Buffer.byteLength(token.replaceAll('▁', ' ')) : token.length;
}

/** Gemma 4's kind: BPE of characters with a blank for SentencePiece's, runs of line feeds, bytes for the rest. */
const gemma4 = (): Draft => {
  const draft: Draft = { model: 'gemma4', tokens: [], types: [], merges: ['▁ t', 'h e', '▁t he', 'l l', 'o ▁'], keys: { bos_token_id: u32(2), eos_token_id: u32(1) } };
  add(draft, TokenType.control, '<pad>', '<eos>', '<bos>', '<unk>');
  for (let byte = 0; byte < 256; byte++) add(draft, TokenType.byte, `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  add(draft, TokenType.normal, ...'▁theHlowrd\n日', '▁t', 'he', '▁the', 'll', 'o▁', '\n\n', '\n\n\n');
  add(draft, TokenType.userDefined, '<u>', 'XY', '  ');
  return draft;
};
const gemma4Texts = [...plain, 'the the\n\nthe', '\n\n\n\n', 'Hello ▁ the', '日本 é', 'x<u>y<bos>z<eos>', 'XYthe  the<u> ', '\r\n'];

export async function vocabularies(): Promise<Vocabulary[]> {
  const list: Vocabulary[] = [];
  for (const [name, change] of Object.entries(spmChanges)) {
    const draft = await spmDraft('spm-bpe');
    change(draft);
    list.push({ name, entries: entriesOf(draft), texts: spmTexts });
  }
  for (const [name, change] of Object.entries(unigramChanges)) {
    const draft = await spmDraft('spm-unigram');
    change(draft);
    withoutBytes(draft);
    list.push({ name, entries: entriesOf(draft), texts: spmTexts.filter((text) => !hasBlanksAlone(text)) });
  }
  for (const [name, change] of Object.entries(bpeChanges)) {
    const draft = pairDraft('gpt-2');
    change(draft);
    list.push({ name, entries: entriesOf(draft), texts: bpeTexts });
  }
  for (const [name, keys] of [['gemma4', {}], ['gemma4, no BOS wanted', { add_bos_token: bool(false) }]] as const) {
    const draft = gemma4();
    Object.assign(draft.keys, keys);
    list.push({ name, entries: entriesOf(draft), texts: gemma4Texts });
  }
  return list;
}
