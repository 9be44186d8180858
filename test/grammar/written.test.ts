/** Grammars with the features of llama.cpp's examples, the recipe of docs/grammar.md, and masks where strings are counted. */
import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load, type Constraint } from '../../src/index.ts';
import { createGrammar } from '../../src/grammar/index.ts';
import { Random } from '../../src/sampler/random.ts';
import { embeddedModel } from '../helpers/models.ts';
import { randomText, smallVocabulary } from './walk.ts';

const test = suite('written grammars');
const words = ['{"', '":', '", "', '"}', '],', 'int ', 'ab', 'the ', 'x1', ' = ', ');', '}\n', '1. ', 'e4', 'O-O', '日本', 'かな', 'ab"', 'é', 'aé', '🙂🙂', '\\n', '\\u00', 'a\\', 'x'.repeat(70), 'y'.repeat(20), '"]'];
const vocabulary = smallVocabulary([...words, ...words.flatMap((a) => words.slice(0, 20).map((b) => a + b))]), [end] = vocabulary.eogIds;
// characters cut in two
const cut = { ...vocabulary, vocabSize: vocabulary.vocabSize + 3, tokenBytes: (id: number) => id < vocabulary.vocabSize ? vocabulary.tokenBytes(id)
  : [Uint8Array.of(0x61, 0xe6), Uint8Array.of(0xe6, 0x97), Uint8Array.of(0x97, 0xa5, 0x22)][id - vocabulary.vocabSize]! };
const grammar = createGrammar(cut), utf8 = new TextEncoder();

function accepts(constraint: Constraint, text: string): boolean {
  for (const byte of utf8.encode(text)) {
    if (!constraint.allows(byte)) return false;
    constraint.accept(byte);
  }
  return constraint.allows(end!);
}

const grammars: Readonly<Record<string, { source: string; right: readonly string[]; wrong: readonly string[] }>> = {
  'sums: recursion through groups, sets with a minus, lines': {
    source: `root   ::= (sum "=" ws value "\\n")+
sum    ::= value ([-+*/] ws value)*
value  ::= name | digits | "(" ws sum ")" ws
name   ::= [a-z] [a-z0-9_]* ws
digits ::= [0-9]+ ws
ws     ::= [ \\t]*`,
    right: ['1+2=3\n', 'a_1 * (b - 2)=c\nx=y\n', '((1))= 1\n'], wrong: ['1+=2\n', '(1=1\n', '1=2', '1++2=3\n', 'A=1\n'],
  },
  'a list of lines: a set that excludes line breaks of every kind by escapes': {
    source: 'root ::= entry+\n\n# no line breaks within\nentry ::= "- " [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ "\\n"',
    right: ['- a\n', '- é "x"\n- 日本\n'], wrong: ['- \n', '-a\n', '- a\u2028b\n', '- a\u0085b\n', '- a'],
  },
  'scripts: ranges of characters written as they are': {
    source: '# kana and ideographs\nroot ::= sign+ ([ \\t\\n] sign+)*\nsign ::= kana | mark | ideograph\nkana ::= [ぁ-ゟ] | [ァ-ヿ]\nmark ::= [、-〾]\nideograph ::= [一-鿿]',
    right: ['日本', 'かな。カナ 日本', 'ア\tイ'], wrong: ['a', '日本 ', ' か', 'か  な', '🙂'],
  },
  'moves: optional parts, sets of letters, numbered lines': {
    source: `root ::= "1. " ply " " ply "\\n" ([1-9] [0-9]? ". " ply " " ply "\\n")*
ply ::= (piece | pawn | castling) [+#]? # check, mate
piece ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castling ::= "O-O" "-O"?`,
    right: ['1. e4 e5\n', '1. e4 c5\n2. Nf3 exd8=Q+\n10. O-O-O Qh4#\n'], wrong: ['2. e4 e5\n', '1. e9 e5\n', '1. e4\n', '1. e4 e5\n100. e4 e5\n', '1. Ke e5\n'],
  },
  'a language of statements: alternatives over lines, groups that are optional or repeat, comments of two kinds': {
    source: `root ::= (function)*
function ::= type name "(" (type name)? ")" "{" statement* "}"
type ::= "int" gap | "float" gap
name ::= [a-zA-Z_] [a-zA-Z_0-9]*
statement ::=
    ( type name " = " value ";" ) |
    ( "return" gap value ";" ) |
    ( "while" "(" value ("<=" | "<" | "==") value ")" "{" statement* "}" ("else" "{" statement* "}")? ) |
    ( "//" [^\\n]* "\\n" ) |
    ( "/*" ( [^*] | ("*" [^/]) )* "*/" )
value ::= term (("+" | "-") term)*
term ::= name | [0-9]+ | "-" term | "(" value ")" | name "(" (value ("," gap value)*)? ")"
gap ::= ([ \\t\\n]+)
`,
    right: ['', 'int f(){}', 'int f(float x){int y = x+1;while(y<=3){return g(1, y);}else{}// é\n/* a*b */return -(y);}float g(){}'],
    wrong: ['int f(', 'intf(){}', 'int f(){return 1}', 'int 1(){}', 'int f(){/* a }', 'int f(){while(y){}}'],
  },
  'JSON: counted escapes, sets with quotes, an empty alternative, white space that ends': {
    source: `root ::= list
value ::= object | list | string | number | ("true" | "false" | "null") ws
list ::= "[" ws ( value ("," ws value)* )? "]" ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
string ::=
  "\\"" (
    [^"\\\\\\x7F\\x00-\\x1F] |
    "\\\\" (["\\\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\\n" [ \\t]{0,20}`,
    right: ['[]', '[{"a":[1,-2.5e3,"\\u00e9\\n日本"]},\n\t null] '], wrong: ['{}', '[1,]', '["\\x"]', '[01]', '["a\nb"]', '[]  ', '["\\u12"]', `[\n${' '.repeat(21)}]`],
  },
};

for (const [name, { source, right, wrong }] of Object.entries(grammars)) {
  test(name, () => {
    for (const text of right) assert.ok(accepts(grammar.gbnf(source), text), JSON.stringify(text));
    for (const text of wrong) assert.not(accepts(grammar.gbnf(source), text), JSON.stringify(text));
    checkMasks(() => grammar.gbnf(source), 3);
  });
}

/** Walks at random; at every place the mask must say of every token what reading its bytes says. */
function checkMasks(make: () => Constraint, walks: number): void {
  const random = new Random(17);
  for (let walk = 0; walk < walks; walk++) {
    const constraint = make();
    for (let step = 0; step < 25; step++) {
      const mask = constraint.mask(), ids: number[] = [];
      for (let id = 0; id < cut.vocabSize; id++) {
        const is = (mask[id >> 5]! >>> (id & 31) & 1) === 1;
        if (is !== constraint.allows(id)) assert.unreachable(`token ${id} (${JSON.stringify(String.fromCharCode(...cut.tokenBytes(id)))}) at step ${step}: mask ${is}`);
        if (is && id !== end) ids.push(id);
      }
      if (ids.length === 0) break;
      constraint.accept(ids[random.uint32() % ids.length]!);
    }
  }
}

test('masks where words may come: free, counted, counted in blocks, with names that are taken, with patterns', () => {
  for (const schema of [
    { type: 'string' }, { type: 'string', maxLength: 5 }, { type: 'string', minLength: 3, maxLength: 22 }, { type: 'string', minLength: 2, maxLength: 75 },
    { type: 'string', minLength: 66 }, { type: 'string', maxLength: 200 }, { type: 'array', items: { type: 'string', maxLength: 2 } },
    { type: 'object', additionalProperties: { type: 'string', maxLength: 4 }, properties: { ab: true, xx: true } },
    { type: 'string', pattern: '^x' }, { type: 'string', pattern: '^[^y]{0,30}$' }, { type: 'string', pattern: '^(.|\\n){0,9}$' }, { type: 'string', pattern: 'ab$' },
  ]) checkMasks(() => grammar.jsonSchema(schema), 4);
  for (const pattern of ['.*', '[^"]{0,7}', '(..)*', '[^a]*|[a-z]{3}', '(.{3}|日本)*"']) checkMasks(() => grammar.regex(pattern), 3);
});

test('strings end where their length does', () => {
  for (const [min, max] of [[0, 31], [0, 32], [0, 33], [1, 64], [0, 65], [0, 66], [7, 100], [64, 64], [65, 130]] as const) {
    for (const [length, is] of [[min, true], [max, true], [max + 1, false], [min - 1, false]] as const) {
      if (length < 0) continue;
      assert.is(accepts(grammar.jsonSchema({ type: 'string', minLength: min, maxLength: max }), JSON.stringify('é'.repeat(length))), is, `${length} of ${min} to ${max}`);
    }
    const text = JSON.parse(randomText(grammar.jsonSchema({ type: 'string', minLength: min, maxLength: max }), cut, new Random(max), 400)) as string;
    assert.ok([...text].length >= min && [...text].length <= max, text);
  }
});

test('the recipe of docs/grammar.md', async () => {
  const page = readFileSync(new URL('../../docs/grammar.md', import.meta.url), 'utf8'), recipe = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
  const { code } = transformSync(`async function run() {${recipe.replace(/^import .*$/gm, '')}}`, { loader: 'ts', target: 'es2022' });
  const said: unknown[] = [], make = new Function('load', 'createGrammar', 'console', `${code}; return run();`) as (...given: unknown[]) => Promise<void>;
  await make(() => load(embeddedModel, { contextSize: 256, calibration: false }), createGrammar, { log: (value: unknown) => said.push(value) });
  const { city, people } = said[0] as { city: unknown; people: unknown };
  assert.type(city, 'string');
  assert.ok(Number.isInteger(people) && (people as number) >= 0);
});

test.run();
