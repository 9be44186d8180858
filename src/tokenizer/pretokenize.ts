/**
 * Cutting text into words before BPE, by the name in `tokenizer.ggml.pre`. Names, expressions and what else goes with a name are
 * llama.cpp's (src/llama-vocab.cpp, src/unicode.cpp): the models' own tokenizers' but for what it simplifies, and there it is followed.
 * Each cutter of a list cuts the pieces that the one before it left: what matches and what lies between matches become pieces. `\s` is
 * spelled out: JavaScript's differs from Unicode's in U+0085 and U+FEFF.
 */
import { ModelError } from '../errors.ts';
import { asOfUnicode15, characters, ranges } from './unicode.ts';

export interface PreTokenizer {
  readonly cut: (text: string) => string[];
  /** A word that is a token as a whole is taken as it is, merges or not. */
  readonly ignoresMerges: boolean;
  /** A text begins with BOS where the file does not say; 'always': whatever it says. */
  readonly addsBos: boolean | 'always';
  /** Tokens are text with U+2581 for a blank, as SentencePiece writes them, in place of GPT-2's spelling of bytes. */
  readonly spellsText: boolean;
  /** A word of line feeds alone that is a token is taken as it is. */
  readonly keepsLineFeeds: boolean;
}

/** `known`: the text holds no character of later years. */
type Cutter = (text: string, known: boolean) => string[];

const S = '\\p{White_Space}';
const contraction = '\'[sS]|\'[tT]|\'[rR][eE]|\'[vV][eE]|\'[mM]|\'[lL][lL]|\'[dD]';
const blanks = `${S}+(?![^${S}])|${S}+`;
const lines = `${S}*[\\r\\n]+|${blanks}`;
const letters = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+', marked = '[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+';
const other = ` ?[^${S}\\p{L}\\p{N}]+`;
const japanese = `${characters('4e00-9fa5 3040-30ff')}+`;

const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|${other}|${blanks}`;
const llama3 = (digits: string): string => `${contraction}|${letters}|${digits}|${other}[\\r\\n]*|${lines}`;
const qwen2 = llama3('\\p{N}');
// Capitals and small letters of the original are here letters but for a to z, then letters but for A to Z.
const cased = (ending: string, upper = '[^\\P{L}a-z]', lower = '[^\\P{L}A-Z]'): string => {
  const before = '[^\\r\\n\\p{L}\\p{N}]?';
  return `${before}${upper}*${lower}+${ending}|${before}${upper}+${lower}*${ending}`;
};
const gpt4o = (...letters: string[]): string => `${cased(`(?:${contraction})?`, ...letters)}|\\p{N}{1,3}|${other}[\\r\\n/]*|${lines}`;
const deepseek = (breaks: string): string =>
  `[!-/:-@\\[-\`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+${breaks}|${blanks}`;
// 2ffff: an ideograph that came after Unicode 15
const han = ranges('4e00-9fff 3400-4dbf 20000-2a6df 2a700-2ebef f900-faff 2f800-2fa1f 2ffff');
const kimi = `[${han}]+|[^\\r\\n\\p{L}\\p{N}]?[^\\P{L}${han}]+(?:${contraction})?|\\p{N}{1,3}|${other}[\\r\\n]*|${lines}`;
const bloom = ` ?[^(${S}|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+`;
// letters that have capitals and small forms, as of the years of that model
const deepseekLetters = characters(
  '41-5a 61-7a b5 c0-d6 d8-f6 f8-1ba 1bc-1bf 1c4-293 295-2af 370-373 376 377 37b-37d 37f 386 388-38a 38c 38e-3a1 3a3-3f5 3f7-481 '
  + '48a-52f 531-556 10a0-10c5 13a0-13f5 13f8-13fd 1c90-1cba 1cbd-1cbf 1d00-1d2b 1d6b-1d77 1d79-1d9a 1e00-1f15 1f18-1f1d 1f20-1f45 '
  + '1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4 1fc6-1fcc 1fd0-1fd3 1fd6-1fdb 1fe0-1fec '
  + '1ff2-1ff4 1ff6-1ffc 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 212a-212d 212f-2134 2139 213c-213f 2145-2149 214e 2183 '
  + '2184 2c00-2c7b 2c7e-2ce4 2ceb-2cee 2cf2 2cf3 a640-a66d a680-a69b a722-a76f a771-a787 a78b-a78e ab70-abbf fb00-fb06 fb13-fb17 '
  + 'ff21-ff3a ff41-ff5a 10400-1044f 104b0-104d3 104d8-104fb 10c80-10cb2 10cc0-10cf2 118a0-118df 1e900-1e943',
);
// without the wide blanks of the originals (3000-3002, 800-9fa5), which llama.cpp takes out
const deepseekSigns = `${characters('21-2f 3a-7e ff01-ff0f ff1a-ff5e 2018-201f 3001-3002')}+`;
const deepseekWide = `${characters('800-167f 1681-1fff 200b-2027 202a-202e 2030-205e 2060-2fff 3001-9fa5 ac00-d7ff')}+`;

/**
 * Cuts runs of digits in threes from their right ends. `isolated`: a run is cut off in front and not behind (superbpe); otherwise behind
 * and not in front, as llama.cpp does for afmoe and tiny_aya: what stands before a run goes with its first group.
 */
function threes(digits: RegExp, isolated: boolean): Cutter {
  return (text, known) => {
    const pieces: string[] = [];
    let from = 0;
    const cutAt = (at: number): void => {
      if (at > from) pieces.push(text.slice(from, at));
      from = at;
    };
    for (const { 0: run, index } of (known ? text : asOfUnicode15(text)).matchAll(digits)) {
      const each = [...run];
      let at = index;
      for (const [i, digit] of each.entries()) {
        if ((each.length - i) % 3 === 0 && (isolated || i > 0)) cutAt(at);
        at += digit.length;
      }
      if (!isolated) cutAt(at);
    }
    cutAt(text.length);
    return pieces;
  };
}

const lineFeeds = '[^\\n]+|\\n+';

interface Rule {
  readonly names: string;
  readonly cutters: readonly (string | Cutter)[];
  readonly ignoresMerges?: true;
  readonly addsBos?: true | 'always';
  readonly spellsText?: true;
  readonly keepsLineFeeds?: true;
}

const rules: readonly Rule[] = [
  {
    names: 'gpt-2 phi-2 mpt olmo jais roberta-bpe exaone4 trillion granite-docling gigachat a.x-4.0 mellum modern-bert jina-es jina-de '
      + 'jina-v1-en jina-v2-es jina-v2-de jina-v2-code',
    cutters: [gpt2],
  },
  { names: 'smollm starcoder refact command-r codeshell exaone minerva-7b mellum2', cutters: ['\\p{N}', gpt2] },
  {
    names: 'llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano', cutters: [llama3('\\p{N}{1,3}')],
    ignoresMerges: true, addsBos: true,
  },
  { names: 'smaug-bpe dbrx chatglm-bpe', cutters: [llama3('\\p{N}{1,3}')] },
  { names: 'glm4 glm5', cutters: [llama3('\\p{N}{1,3}')], ignoresMerges: true },
  { names: 'minicpm5', cutters: ['\\p{N}{1,3}', llama3('\\p{N}+')], ignoresMerges: true },
  {
    names: 'jais-2',
    cutters: [`${contraction}|${letters}|\\p{N}{1,3}|${other}[\\r\\n]*|${S}*[\\r\\n]+|`
      + `${[512, 256, 128, 64, 32, 16, 8, 4, '1,2'].map((count) => `${S}{${count}}(?![^${S}])|`).join('')}${S}`],
  },
  {
    names: 'qwen2 stablelm2 deepseek-r1-qwen kormo f2llmv2 megrez hunyuan solar-open grok-2 bailingmoe bailingmoe2 llada-moe',
    cutters: [qwen2],
  },
  { names: 'qwen35', cutters: [`${contraction}|${marked}|\\p{N}| ?[^${S}\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${lines}`] },
  { names: 'laguna', cutters: [lineFeeds, qwen2] },
  { names: 'ufakzeka', cutters: [`${letters}|\\p{N}|${other}[\\r\\n]*|${lines}`] },
  { names: 'seed-coder', cutters: [`${contraction}|${letters}|\\p{N}| ?[^${S}\\p{L}\\p{N}\\r\\n]+|${lines}`] },
  {
    names: 'exaone-moe',
    cutters: [`${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}\\p{M}*(?: ?\\p{L}\\p{M}*)*|\\p{N}|${other}[\\r\\n/]?|${lines}`],
  },
  { names: 'tekken', cutters: [`${cased('')}|\\p{N}|${other}[\\r\\n/]*|${lines}`], ignoresMerges: true, addsBos: true },
  { names: 'gpt-4o llama4 kanana2 talkie minimax-m2', cutters: [gpt4o()] },
  { names: 'granite-embed-multi-97m', cutters: [gpt4o('(?:[^\\P{L}a-z]|\\p{M})', '(?:[^\\P{L}A-Z]|\\p{M})')], ignoresMerges: true },
  {
    names: 'tiny_aya cohere2moe',
    cutters: [threes(/\p{N}+/gu, false), `${marked}(?:${contraction})?|\\p{N}{1,3}|${other}[\\r\\n/]*|${lines}`],
  },
  {
    names: 'youtu', ignoresMerges: true,
    cutters: [
      `${['ac00-d7a3 3131-318e', 'ff01 2026 201c 201d 2018 2019 2014 ff1a ff1b ff0c 3001-303f fe30-fe4f', '3105-312f']
        .map((codes) => `${characters(codes)}+|`).join('')}${japanese}`,
      `${marked}(?:${contraction})?|\\p{N}|${other}[\\r\\n/]*|${lines}`],
  },
  { names: 'kimi-k2', cutters: [kimi] },
  { names: 'superbpe', cutters: ['\\p{N}+', threes(/[0-9]+/g, true)] },
  { names: 'deepseek-coder', cutters: ['[\\r\\n]', `${S}?\\p{L}+`, `${S}?\\p{P}+`, deepseekWide, '\\p{N}'] },
  {
    names: 'deepseek-llm',
    cutters: ['[\\r\\n]', `${S}?${deepseekLetters}+`, `${S}?${deepseekSigns}`, `${S}+$`, deepseekWide, '\\p{N}+'],
  },
  {
    names: 'deepseek-v3 hunyuan-dense joyai-llm hy_v4',
    cutters: ['\\p{N}{1,3}', japanese, deepseek(`[\\r\\n]*|${S}*[\\r\\n]+`)],
  },
  { names: 'spark2_5', cutters: ['\\p{N}{1,3}', japanese, deepseek('|[\\r\\n]'), '\\p{N}'] },
  {
    names: 'afmoe',
    cutters: [threes(/\p{N}+/gu, false),
      `${characters('3040-30ff 3400-4dbf 4e00-faff e40-eff 1000-109f 1100-11ff 1780-17ff 2f00-2fdf a9e0-a9ff aa60-aa7f ff65-ff9f')}+`,
      deepseek(`[\\r\\n]*|${S}*[\\r\\n]+`)],
  },
  { names: 'bloom poro-chat gpt3-finnish', cutters: [bloom] },
  { names: 'viking', cutters: [bloom, '\\p{N}'] },
  {
    names: 'chameleon', addsBos: true,
    cutters: ['<sentinel:[0-9]+>', 'IMGIMG[A-I]{1,4}Z', '[\\t\\n]|    |  ', '\\p{N}', '[\\p{P}!-/:-@\\[-`{-~]', gpt2],
  },
  { names: 'falcon', cutters: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', gpt2, '[0-9][0-9][0-9]'] },
  { names: 'default', cutters: ['[\\p{P}\\$\\+<=>\\^~\\|]+', gpt2, '\\p{N}+', '[0-9][0-9][0-9]'] },
  {
    names: 'gemma4 granite-embed-multi-311m', cutters: [lineFeeds], addsBos: 'always', spellsText: true, keepsLineFeeds: true,
  },
  { names: 'sarvam-moe', cutters: [lineFeeds], spellsText: true },
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
  const cutters = rule.cutters.map((cutter) => (typeof cutter === 'string' ? cutterOf(cutter) : cutter));
  return {
    cut: (text) => {
      const known = asOfUnicode15(text) === text;
      return cutters.reduce((list, cutter) => list.flatMap((piece) => cutter(piece, known)), [text]);
    },
    ignoresMerges: rule.ignoresMerges ?? false, addsBos: rule.addsBos ?? false,
    spellsText: rule.spellsText ?? false, keepsLineFeeds: rule.keepsLineFeeds ?? false,
  };
}

function cutterOf(source: string): Cutter {
  const expression = new RegExp(source, 'gu'), byCategory = /\\p\{[LMNPS]\}/i.test(source);
  return (text, known) => {
    const read = known || !byCategory ? text : asOfUnicode15(text), pieces: string[] = [];
    let end = 0;
    for (let match; (match = expression.exec(read));) { // matchAll makes an expression a call, too much for pieces of a letter
      if (match.index > end) pieces.push(text.slice(end, match.index));
      pieces.push(text.slice(match.index, end = expression.lastIndex));
    }
    if (end < text.length) pieces.push(text.slice(end));
    return pieces;
  };
}
