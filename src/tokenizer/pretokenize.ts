/**
 * Cutting text into words before byte-level BPE, by the name in `tokenizer.ggml.pre`. The expressions are those of the models' own
 * tokenizers, as llama.cpp lists them (src/llama-vocab.cpp). Each expression of a list cuts the pieces that the one before it left: what
 * matches and what lies between matches become pieces. `\s` is spelled out because JavaScript's differs from Unicode's in U+0085 and U+FEFF.
 */
import { ModelError } from '../errors.ts';

const S = '\\p{White_Space}';
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?![^${S}])|${S}+`;
const llama3 = (digits: string): string =>
  `'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;

const digitsThenGpt2 = ['\\p{N}', gpt2];

const table: Record<string, readonly string[]> = {
  'gpt-2': [gpt2], phi: [gpt2], mpt: [gpt2], olmo: [gpt2], jais: [gpt2], 'roberta-bpe': [gpt2], dbrx: [llama3('\\p{N}{1,3}')],
  smollm: digitsThenGpt2, starcoder: digitsThenGpt2, refact: digitsThenGpt2, 'command-r': digitsThenGpt2, codeshell: digitsThenGpt2, exaone: digitsThenGpt2,
  'llama-bpe': [llama3('\\p{N}{1,3}')], llama3: [llama3('\\p{N}{1,3}')], 'llama-v3': [llama3('\\p{N}{1,3}')], smaug: [llama3('\\p{N}{1,3}')], 'smaug-bpe': [llama3('\\p{N}{1,3}')],
  qwen2: [llama3('\\p{N}')], stablelm2: [llama3('\\p{N}')], 'deepseek-r1-qwen': [llama3('\\p{N}')],
  falcon: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', gpt2, '[0-9][0-9][0-9]'],
  default: ['[\\p{P}\\$\\+<=>\\^~\\|]+', gpt2, '\\p{N}+', '[0-9][0-9][0-9]'],
  'deepseek-coder': ['[\\r\\n]', `${S}?\\p{L}+`, `${S}?\\p{P}+`, '[一-龥ࠀ-一가-퟿]+', '\\p{N}'],
};

/** True where a word that is a token as a whole is taken as it is, merges or not (Llama 3). */
export function ignoresMerges(name: string): boolean {
  return ['llama-bpe', 'llama3', 'llama-v3'].includes(name);
}

/** The cutter of that name. @throws ModelError `E_TOKENIZER` that lists the known ones. */
export function preTokenizer(name: string): (text: string) => string[] {
  const sources = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!sources) {
    throw new ModelError('E_TOKENIZER', {
      subject: 'tokenizer.ggml.pre', found: JSON.stringify(name), expected: `one of ${Object.keys(table).join(', ')}`,
      remedy: 'Cutting words by another rule would give wrong tokens without a word of warning; use a model with a known pre-tokenizer.',
    });
  }
  const expressions = sources.map((source) => new RegExp(source, 'gu'));
  return (text) => expressions.reduce((pieces, expression) => pieces.flatMap((piece) => cut(piece, expression)), [text]);
}

function cut(text: string, expression: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(expression)) {
    if (index > end) pieces.push(text.slice(end, index));
    pieces.push(match);
    end = index + match.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
