/**
 * Cutting text into words before byte-level BPE, by the name in `tokenizer.ggml.pre`. Names and expressions are those that llama.cpp knows
 * (src/llama-vocab.cpp), which are the models' own tokenizers'. Each expression of a list cuts the pieces that the one before it left: what
 * matches and what lies between matches become pieces. `\s` is spelled out: JavaScript's differs from Unicode's in U+0085 and U+FEFF.
 */
import { ModelError } from '../errors.ts';

export interface PreTokenizer {
  readonly cut: (text: string) => string[];
  /** A word that is a token as a whole is taken as it is, merges or not. */
  readonly ignoresMerges: boolean;
  /** A text begins with BOS where the file does not say. */
  readonly addsBos: boolean;
}

const S = '\\p{White_Space}';
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?![^${S}])|${S}+`;
const punctuated = (newlines: string): string => ` ?[^${S}\\p{L}\\p{N}]+[${newlines}]*|${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;
const llama3 = (digits: string): string =>
  `'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${punctuated('\\r\\n')}`;
// letters but for a to z, then letters but for A to Z: what llama.cpp makes of the original's classes of capitals and small letters
const upper = '(?:(?=\\p{L})[^a-z])', lower = '(?:(?=\\p{L})[^A-Z])';
const tekken = `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*|\\p{N}|${punctuated('\\r\\n/')}`;

interface Rule { readonly names: string; readonly expressions: readonly string[]; readonly ignoresMerges?: true; readonly addsBos?: true }

const rules: readonly Rule[] = [
  {
    names: 'gpt-2 phi-2 mpt olmo jais roberta-bpe exaone4 trillion granite-docling gigachat a.x-4.0 mellum modern-bert jina-es jina-de '
      + 'jina-v1-en jina-v2-es jina-v2-de jina-v2-code',
    expressions: [gpt2],
  },
  { names: 'smollm starcoder refact command-r codeshell exaone minerva-7b mellum2', expressions: ['\\p{N}', gpt2] },
  {
    names: 'llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano', expressions: [llama3('\\p{N}{1,3}')],
    ignoresMerges: true, addsBos: true,
  },
  { names: 'smaug-bpe dbrx glm4 chatglm-bpe', expressions: [llama3('\\p{N}{1,3}')] },
  { names: 'qwen2 stablelm2 deepseek-r1-qwen kormo f2llmv2 megrez hunyuan solar-open grok-2', expressions: [llama3('\\p{N}')] },
  { names: 'tekken', expressions: [tekken], ignoresMerges: true, addsBos: true },
  { names: 'falcon', expressions: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', gpt2, '[0-9][0-9][0-9]'] },
  { names: 'default', expressions: ['[\\p{P}\\$\\+<=>\\^~\\|]+', gpt2, '\\p{N}+', '[0-9][0-9][0-9]'] },
  // the class holds wide blanks, which llama.cpp takes out of it
  { names: 'deepseek-coder', expressions: ['[\\r\\n]', `${S}?\\p{L}+`, `${S}?\\p{P}+`, `(?:(?!${S})[一-龥ࠀ-一가-퟿])+`, '\\p{N}'] },
];

const table = new Map(rules.flatMap((rule) => rule.names.split(' ').map((name) => [name, rule] as const)));

export const preTokenizerNames: readonly string[] = [...table.keys()];

/** The pre-tokenizer of that name. @throws ModelError `E_TOKENIZER` that lists the known ones. */
export function preTokenizer(name: string): PreTokenizer {
  const rule = table.get(name);
  if (!rule) {
    throw new ModelError('E_TOKENIZER', {
      subject: 'tokenizer.ggml.pre', found: JSON.stringify(name), expected: `one of ${preTokenizerNames.join(', ')}`,
      remedy: 'Cutting words by another rule would give wrong tokens without a word of warning; use a model with a known pre-tokenizer.',
    });
  }
  const expressions = rule.expressions.map((source) => new RegExp(source, 'gu'));
  return {
    cut: (text) => expressions.reduce((pieces, expression) => pieces.flatMap((piece) => cut(piece, expression)), [text]),
    ignoresMerges: rule.ignoresMerges ?? false, addsBos: rule.addsBos ?? false,
  };
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
