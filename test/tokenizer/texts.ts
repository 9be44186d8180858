/** Texts that tell tokenizers apart: 700 of them, the same on every run. */
import { Random } from '../../src/sampler/random.ts';

const scripts = [
  'The quick brown fox jumps over the lazy dog. It isn\'t what we\'d have said, is it? "No," they\'ll say; "we\'ve been here."',
  'DON\'T SHOUT: I\'M SURE YOU\'LL SEE WE\'RE RIGHT. \'Tis the \'90s, o\'clock, rock \'n\' roll.',
  'Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. L\'été, d\'où, aujourd\'hui, Ankara\'da.',
  'Съешь же ещё этих мягких французских булок, да выпей чаю. Україна, ґанок, їжак.',
  'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Καλημέρα σας!', 'いろはにほへと ちりぬるを。東京都庁へ行きました。カタカナ、ﾊﾝｶｸ、漢字かな交じり文！',
  '天地玄黄，宇宙洪荒。人工智能的发展——“非常快”，对吗？２０２４年１２月。', '다람쥐 헌 쳇바퀴에 타고파. 안녕하세요, 세계! ㅋㅋㅋ',
  'ภาษาไทยไม่มีช่องว่างระหว่างคำ และมีวรรณยุกต์ ๑๒๓๔', 'العربية لغة جميلة، أليس كذلك؟ ١٢٣٤٥ مرحبًا بالعالم', 'עברית היא שפה יפה. שָׁלוֹם עוֹלָם!',
  'हिन्दी में लिखा हुआ वाक्य। क्षत्रिय, ज्ञान, श्री १२३', 'বাংলা ভাষা ০১২৩ তামিল தமிழ் మరియు తెలుగు ಕನ್ನಡ മലയാളം', 'ქართული ენა, Հայերեն լեզու, አማርኛ ቋንቋ, ខ្មែរ ភាសា, မြန်မာဘာသာ',
  '😀 😃😄 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷🇯🇵 ❤️ ☺️ 🧑🏿‍🚀 #️⃣ 1️⃣ ©®™', '∑∫√∞≈≠≤≥ αβγ x² y³ ½ ⅔ Ⅳ ① ㊙ ℝ∈ℂ → ⇒ ∀x∃y',
  'def fib(n: int) -> int:\n    """Doc."""\n    if n < 2:\n        return n\n    return fib(n-1) + fib(n-2)\n\n\nprint(f"{fib(10)!r}")  # 55\n',
  'for (let i = 0; i < xs.length; i++) {\r\n\tconst { a, b } = xs[i]!;\r\n\tif (a !== b && !(a ?? b)) console.log(`${a}\\n`, b?.c);\r\n}\r\n',
  '#include <stdio.h>\n#define MAX(a,b) ((a)>(b)?(a):(b))\nint main(void){return printf("%d\\n",MAX(0x1F,077))==0;}/* end */\n',
  'SELECT t."id", COUNT(*) AS n FROM tbl t WHERE x LIKE \'%a_b%\' GROUP BY 1 HAVING n>=10 -- why\n;', '<div class="a b" id=\'x\'>&nbsp;&#169; <br/></div>\n<!-- c -->',
  '{"k": [1, 2.5e-10, true, null], "s": "\\u00e9\\n", "o": {}}', '| a | b |\n|---|:-:|\n| `x` | **y** |\n\n- [ ] todo\n1. _one_\n> quote\n```sh\n$ ls -la ~/\n```',
  'https://example.org/a/b?c=d&e=f%20g#h user@mail.example 192.168.0.1 ::1 C:\\Users\\x', '3.14159 1,000,000 0xDEADBEEF 1e-9 12:34:56 2024-12-31 +49 (0)30 123456 $9.99 50% №5',
];

const pieces = [
  ' ', '  ', '   ', '    ', '\t', '\n', '\n\n', '\r\n', '\r', '\n ', ' \n', '\v', '\f', '\u0085', '\u00a0', '\u2028', '\u3000', '\u200b', '\u200d', '\ufeff', '\ufe0f',
  '\'s', '\'S', '\'ll', '\'LL', '\'Re', '\'d', '\'', '’s', 'a', 'Z', 'the', 'The', 'THE', ' the', 'iPhone', 'é', 'e\u0301', '\u0301', 'ß', 'ẞ', 'ǅ', 'ª', 'ʰ',
  '中', '漢字', 'の', '한', 'ไ', 'ا', 'ש', 'हि', '0', '12', '123', '4567', '٣', '²', '½', 'Ⅷ', '𝟙', '😀', '👩‍💻', '🇬🇧', '!', '?!', '...', ' .', ' ,', ' ?', '/', '//',
  '\\', '$', '+', '<=>', '`', '~', '“', '”', '、', '。', '…', '_', '__', '(', ')', '[', ']', '{', '}', '|', '^', '#', '@', '&', '*', '-', '--', '—', '=', '==', ':', ';',
  '\u0000', '\u0001', '\u001b', '\u007f', '\u0378', '\u{1cc00}', '\u{10ffff}', '\ue000', '\ufffd', '▁', '▁▁', 'Ġ', '<', '>', '</', '<|', '|>',
];

/** Marks of many vocabularies, and what looks like one. */
const marks = [
  '<s>', '</s>', '<unk>', '<pad>', '<bos>', '<eos>', '<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|begin_of_text|>', '<|eot_id|>', '<|end_of_text|>',
  '<start_of_turn>', '<end_of_turn>', '<|user|>', '<|assistant|>', '<|end|>', '<|fim_prefix|>', '<fim_prefix>', '<|START_OF_TURN_TOKEN|>', '[INST]', '[/INST]',
  '<｜begin▁of▁sentence｜>', '<｜fim▁hole｜>', '<|file_sep|>', '<tool_call>', '</tool_call>', '<|turn>', '<turn|>', '<unused0>', '<unused99>', '<mask>', '[multimodal]',
  '<h1>', '</h1>', '<td>', '<|x|>', '<0x0A>', '<|im_start|', '<start_of_image>', '<think>', '</think>', '<extra_id_0>',
];

function make(): string[] {
  const generator = new Random(20_261_126), next = (): number => generator.float64(), below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const repeat = (count: number, text: () => string): string => Array.from({ length: count }, text).join('');
  const anyCharacter = (): string => {
    const code = next() < 0.6 ? below(0x3400) : next() < 0.6 ? below(0x1_0000) : below(0x3_4000);
    return code >= 0xd800 && code < 0xe000 ? '�' : String.fromCodePoint(code);
  };
  const slice = (text: string): string => {
    const characters = [...text], from = below(characters.length);
    return characters.slice(from, from + 1 + below(40)).join('');
  };
  return [
    '', ...scripts, ...pieces, ...marks,
    ...[' ', '\n', '\t', 'a', 'A', '1', '=', '-', '中', 'é', '😀', ' a', '\r\n', '▁', '\'', 'ab1 '].map((text) => text.repeat(3 + below(150))),
    ...Array.from({ length: 130 }, () => slice(pick(scripts))),
    ...Array.from({ length: 150 }, () => repeat(1 + below(12), () => pick(pieces))),
    ...Array.from({ length: 60 }, () => slice(pick(scripts)) + repeat(1 + below(3), () => pick(pieces)) + slice(pick(scripts))),
    ...Array.from({ length: 70 }, () => repeat(1 + below(5), () => pick([pick(marks), pick(pieces), slice(pick(scripts))]))),
    ...Array.from({ length: 50 }, () => repeat(1 + below(20), anyCharacter)),
    ...Array.from({ length: 20 }, () => repeat(1 + below(30), () => String.fromCharCode(below(128)))),
  ];
}

export const texts: readonly string[] = make();
