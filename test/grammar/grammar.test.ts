/** Constraints: what they allow, what they refuse, and that a mask says of every token what reading its bytes says. */
import Ajv from 'ajv';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, Constraint } from '../../src/index.ts';
import { createGrammar } from '../../src/grammar/index.ts';
import { Random } from '../../src/sampler/random.ts';
import { randomText, smallVocabulary } from './walk.ts';

const test = suite('grammar');
const vocabulary = smallVocabulary([
  '{"', '":', '": "', '", "', '"}', '},', '[]', '{}', 'true', 'null', '  ', '\n  ', '12', '00', '-1', '.5', 'name', 'a', 'ab', 'abc', 'é', '日本', '🙂', '"a', '","b', '\\u00', '\\"',
]);
const grammar = createGrammar(vocabulary), [end] = vocabulary.eogIds, utf8 = new TextEncoder();

function accepts(constraint: Constraint, text: string): boolean {
  for (const byte of utf8.encode(text)) {
    if (!constraint.allows(byte)) return false;
    constraint.accept(byte);
  }
  return constraint.allows(end!);
}

function refusal(run: () => unknown): string {
  try { run(); } catch (error) { return `${(error as CladaError).code} ${(error as Error).message}`; }
  return 'none';
}

const person = {
  type: 'object', required: ['name', 'age'], additionalProperties: false,
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 5 }, age: { type: 'integer', minimum: 0, maximum: 130 },
    tags: { type: 'array', items: { enum: ['a', 'b', 3, null] }, maxItems: 3 }, friend: { $ref: '#' },
  },
};
const schemas: readonly [schema: unknown, valid: readonly unknown[], invalid: readonly unknown[]][] = [
  [person, [{ name: 'é🙂', age: 0 }, { name: 'abcde', age: 130, tags: ['a', 3, null], friend: { name: 'b', age: 9 } }],
    [{ name: '', age: 0 }, { name: 'abcdef', age: 0 }, { name: 'a', age: 131 }, { name: 'a' }, { name: 'a', age: 1, more: 1 }, { name: 'a', age: 1, friend: {} }, []]],
  [{ type: 'number', exclusiveMinimum: -1.5, maximum: 0.25 }, [-1.4, -1, 0, 0.25, 0.2, -0.999], [-1.5, -2, 0.26, 0.251, 1, 10]],
  [{ type: 'integer', minimum: -12, maximum: 305 }, [-12, -9, 0, 99, 100, 299, 305], [-13, -20, 306, 1000, 1.5]],
  [{ anyOf: [{ type: 'string', pattern: '^[a-c]{2,3}$' }, { const: { x: [1] } }, { type: 'null' }] }, ['ab', 'cab', { x: [1] }, null], ['a', 'abcd', 'xab', { x: 1 }, true]],
  [{ pattern: 'b+"' }, ['b"', 'aabb"c'], ['b', 'a"']],
  [{ type: 'array', prefixItems: [{ type: 'boolean' }, { type: 'string' }], items: { type: 'null' }, minItems: 2 }, [[true, 'x'], [false, '', null, null]], [[true], ['x', true], [true, 'x', 1]]],
  [{ type: 'object', additionalProperties: { type: 'integer' }, properties: { a: { type: 'string' } } }, [{}, { a: 'x', b: 1 }, { ab: 2 }], [{ a: 1 }, { b: 'x' }]],
  [{ type: 'object', patternProperties: { '^x': { type: 'null' } }, additionalProperties: false }, [{}, { x: null, xy: null }], [{ y: null }, { x: 1 }]],
  [{ allOf: [{ type: 'object', properties: { a: { type: 'number' } }, required: ['a'] }, { properties: { a: { minimum: 3 }, b: true } }] }, [{ a: 3 }, { a: 4, b: [{}] }], [{ a: 2 }, { b: 1 }]],
  [{ type: 'string', format: 'date' }, ['2024-02-29', '1999-12-31'], ['2023-02-29', '2024-04-31', '2024-13-01']],
  [{ enum: ['a', 'ab', 7], type: 'string' }, ['a', 'ab'], [7, 'abc']],
  [{ oneOf: [{ type: 'object', properties: { t: { const: 'a' } }, required: ['t'] }, { type: 'object', properties: { t: { const: 'b' }, v: {} }, required: ['t'] }] }, [{ t: 'a' }, { t: 'b', v: 1 }], [{ t: 'c' }, { t: 'a', v: 1 }]],
  [{ type: 'string', minLength: 300, maxLength: 1000 }, ['x'.repeat(300), 'é'.repeat(1000)], ['x'.repeat(299), 'x'.repeat(1001)]],
];

test('schemas allow what is valid and nothing else, byte for byte', () => {
  for (const [schema, valid, invalid] of schemas) {
    for (const value of valid) assert.ok(accepts(grammar.jsonSchema(schema), JSON.stringify(value)), `${JSON.stringify(schema)} ${JSON.stringify(value)}`);
    for (const value of invalid) assert.not(accepts(grammar.jsonSchema(schema), JSON.stringify(value)), `${JSON.stringify(schema)} ${JSON.stringify(value)}`);
  }
});

test('what libraries write of records, formats and never is understood', () => {
  const cases: readonly [schema: unknown, valid: readonly unknown[], invalid: readonly unknown[]][] = [
    [{ type: 'object', propertyNames: { type: 'string' }, additionalProperties: { type: 'number' } }, [{}, { a: 1, 'é"': 2 }], [{ a: '1' }]],
    [{ type: 'object', propertyNames: { type: 'string', enum: ['a', 'b"'] }, additionalProperties: { type: 'number' } }, [{}, { a: 1 }, { 'b"': 1, a: 2 }], [{ c: 1 }, { ab: 1 }]],
    [{ type: 'object', propertyNames: { enum: ['a', 'b'] }, additionalProperties: { type: 'number' }, required: ['a', 'b'] }, [{ a: 1, b: 2 }], [{ a: 1 }, { a: 1, b: 2, c: 3 }]],
    [{ propertyNames: { minLength: 2, maxLength: 3, pattern: '^x' }, additionalProperties: true }, [{ xy: 1, xyz: 2 }], [{ x: 1 }, { yx: 1 }, { xyzz: 1 }]],
    [{ propertyNames: { const: 'b' }, properties: { a: {}, b: {} } }, [{}, { b: 1 }], [{ a: 1 }, { a: 1, b: 2 }]],
    [{ propertyNames: { pattern: '^x' }, patternProperties: { 'y$': { type: 'null' } }, additionalProperties: false }, [{ xy: null }, {}], [{ y: null }, { xy: 1 }]],
    [{ propertyNames: false }, [{}], [{ a: 1 }]],
    [{ allOf: [{ propertyNames: { type: 'string' } }, { type: 'object', additionalProperties: { type: 'null' } }] }, [{ a: null }], [{ a: 1 }]],
    [{ type: 'string', format: 'starts_with', pattern: '^ab.*' }, ['ab', 'abc'], ['a', 'xab']],
    [{ type: 'object', properties: { a: { not: {} }, b: {} }, additionalProperties: false }, [{}, { b: 1 }], [{ a: 1 }]],
  ];
  for (const [schema, valid, invalid] of cases) {
    for (const value of valid) assert.ok(accepts(grammar.jsonSchema(schema), JSON.stringify(value)), `${JSON.stringify(schema)} ${JSON.stringify(value)}`);
    for (const value of invalid) assert.not(accepts(grammar.jsonSchema(schema), JSON.stringify(value)), `${JSON.stringify(schema)} ${JSON.stringify(value)}`);
  }
});

test('look-aheads say of the text what RegExp says', () => {
  const random = new Random(5), letters = ['a', 'b', 'B', '1', '.', '@', '-', '\n', 'é'];
  const patterns = [
    '^(?=.*[A-Z])(?=.*\\d).{3,}$', '^(?!\\.)(?!.*\\.\\.)([aB.]*)[aB]@([a-b]+\\.)+[ab]{2,}$', '(?=b)[ab]+', 'a(?!b)', '^a(?=b|1$)(?:b(?!.*@)|1)', '(?!a)|^a$', '^(?:(?=a.$)a|b(?!b)).*$', '^(?=a)', '(?=a$)', '^(?!)', '^(?=)a?$',
  ];
  for (const pattern of patterns) {
    const expected = new RegExp(pattern, 'u');
    for (let i = 0; i < 150; i++) {
      const text = Array.from({ length: Math.floor(random.float64() * 7) }, () => letters[Math.floor(random.float64() * letters.length)]!).join('');
      if (expected.test('')) assert.ok(accepts(grammar.jsonSchema({ type: 'string', pattern }), '""'));
      let found: boolean;
      try { found = accepts(grammar.jsonSchema({ type: 'string', pattern }), JSON.stringify(text)); } catch (error) { // of what nothing satisfies
        assert.ok(pattern === '^(?!)' && /no text satisfies/.test((error as Error).message), `${pattern} ${(error as Error).message}`);
        found = false;
      }
      assert.is(found, expected.test(text), `${pattern} ${JSON.stringify(text)}`);
    }
  }
});

test('random texts are valid, as ajv says', () => {
  const random = new Random(3), ajv = new Ajv({ strict: false, validateFormats: false });
  for (const [schema] of schemas.slice(0, -1)) {
    // a draft that this ajv does not read; what a random walk hardly ever comes to
    if (/prefixItems|b\+/.test(JSON.stringify(schema))) continue;
    const validate = ajv.compile(schema as object);
    for (let i = 0; i < 12; i++) {
      const text = randomText(grammar.jsonSchema(schema), vocabulary, random, 30);
      assert.ok(validate(JSON.parse(text)), `${JSON.stringify(schema)} ${text} ${JSON.stringify(validate.errors)}`);
    }
  }
  for (let i = 0; i < 30; i++) JSON.parse(randomText(grammar.json(), vocabulary, random, 20));
});

test('what is not supported, contradictory or too large is refused at once, with its place', () => {
  for (const [schema, words] of [
    [{ properties: { a: { type: 'array', uniqueItems: true } } }, '/properties/a/uniqueItems'], [{ not: { type: 'string' } }, 'keyword not'], [{ if: {} }, 'keyword if'],
    [{ properties: { x: { type: 'string', format: 'mystery' } } }, '/properties/x/format'], [{ type: 'string', minLength: 3, maxLength: 2 }, 'no text satisfies'],
    [{ type: 'object', required: ['a'], properties: { a: false } }, 'no text satisfies'], [{ $ref: 'https://x/y' }, '$ref'], [{ type: 'text' }, '/type'],
    [{ oneOf: [{ type: 'string' }, { type: 'string', maxLength: 3 }] }, '/oneOf'], [{ multipleOf: 3 }, 'multipleOf'], [{ pattern: '(?<=a)b' }, 'look-behind'], [{ pattern: '((?=a)b)*' }, 'look-ahead'], [{ propertyNames: { contentMediaType: 'a', not: {} } }, '/propertyNames/not'], [{ propertyNames: { type: 'integer' }, required: ['a'] }, 'no text satisfies'],
    [{ properties: { a: { $ref: '#' } }, required: ['a'] }, 'no text satisfies'], [{ type: 'array', items: { pattern: '(a|b)*a(a|b){18}' } }, 'steps to compile'],
    [7, 'expected an object'], [undefined, 'plain JSON'], [{ const: Infinity }, 'plain JSON'], [{ properties: { a: { enum: [1, NaN] } } }, 'plain JSON'],
  ] as const) {
    const message = refusal(() => grammar.jsonSchema(schema));
    assert.match(message, /^E_OPTION/);
    assert.ok(message.includes(words), `${message} lacks ${words}`);
  }
  assert.match(refusal(() => grammar.gbnf('root ::= root "a" | "b"')), /left recursion/);
  assert.match(refusal(() => grammar.gbnf('root ::= a "b"\na ::= "x"? root | "c"')), /left recursion/);
  assert.match(refusal(() => grammar.gbnf('root ::= "a" other')), /no rule \\?"other/);
  assert.match(refusal(() => grammar.gbnf('root ::= ("a"')), /line 1/);
  assert.match(refusal(() => grammar.regex('(a)\\1')), /back-reference/);
});

test('what no schema is, is too deep or would take for ever is refused as everything else', () => {
  let deep: unknown = true;
  for (let i = 0; i < 5000; i++) deep = { items: deep };
  const circle: Record<string, unknown> = {}, texts = (count: number, of: (i: number) => unknown): unknown[] => Array.from({ length: count }, (_, i) => of(i));
  circle.properties = circle;
  const schemas: unknown[] = [
    { $ref: '#' }, { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, { $ref: '#/%' }, { allOf: [null] }, { oneOf: [null, 5] },
    { enum: 5, allOf: [{ enum: ['a'] }] }, { required: 5, allOf: [{ required: ['a'] }] }, { patternProperties: null, allOf: [{ patternProperties: { a: true } }] },
    { constructor: 1 }, { type: 'string', toString: 1 }, deep, circle, { oneOf: texts(20_000, (i) => ({ type: 'string', minLength: i, maxLength: i })) },
    { properties: Object.fromEntries(texts(3000, (i) => [`p${i}`, { type: 'string' }]) as [string, object][]) }, { type: 'string', pattern: 'a'.repeat(200_000) },
  ];
  for (const schema of schemas) {
    const said = refusal(() => grammar.jsonSchema(schema));
    assert.match(said, /^E_OPTION /);
    assert.ok(said.length < 700, said);
  }
  assert.match(refusal(() => grammar.gbnf(`${texts(20_000, (i) => `r${i} ::= "a" r${i + 1}`).join('\n')}\nr20000 ::= "b"\nroot ::= r0`)), /^E_OPTION .*too deep/);
  const started = performance.now();
  const names = { patternProperties: { '^(a+)+$': { type: 'string' } }, properties: { [`${'a'.repeat(40)}b`]: true } };
  assert.ok(accepts(grammar.jsonSchema(names), `{"${'a'.repeat(40)}b":1}`), 'a pattern that a RegExp tries for ever');
  const props = (count: number, of: (i: number) => unknown): object => Object.fromEntries(texts(count, (i) => [`p${i}`, of(i)]) as [string, unknown][]);
  const many = { patternProperties: Object.fromEntries(texts(30, (i) => [`^(a|b)*a(a|b){${(i as number) % 10}}$`, {}]) as [string, object][]), properties: props(300, () => ({})) };
  grammar.jsonSchema(many); // each pattern is asked of each name
  const required = Object.keys(props(20, () => 0)), tagged = (i: number): object => ({ type: 'object', required, properties: { ...props(19, () => ({ type: 'string' })), p19: { const: i } } });
  assert.match(refusal(() => grammar.jsonSchema({ oneOf: texts(900, tagged) })), /states/); // one tag tells all of them apart
  assert.match(refusal(() => grammar.jsonSchema({ oneOf: texts(900, (i) => ({ ...tagged(i), patternProperties: { '^p': {} }, properties: { ...props(20, () => ({})), p19: { enum: [i] } } })) })), /exclude each other/);
  const ms = performance.now() - started;
  assert.ok(ms < 9000, `${ms} ms`);
  const two = { oneOf: [{ type: 'object', properties: { t: { const: 1 } }, required: ['t'] }, { type: 'object', properties: { t: { const: 1 }, b: {} }, required: ['t', 'b'] }] };
  assert.match(refusal(() => grammar.jsonSchema(two)), /one value may satisfy both/);
});

test('what was compiled is kept for the next, large grammars only as far as memory allows', () => {
  const other = createGrammar(smallVocabulary([])), large = (i: number): string => `.{4000}${i}`, maskOf = (pattern: string) => other.regex(pattern).mask();
  const first = maskOf(large(0));
  assert.is(maskOf(large(0)), first);
  for (let i = 1; i < 9; i++) maskOf(large(i));
  assert.is.not(maskOf(large(0)), first);
  const small = maskOf('a');
  for (let i = 0; i < 60; i++) maskOf(`b{${i + 1}}`);
  assert.is(maskOf('a'), small);
});

test('several anyOf within allOf hold at once', () => {
  const either = (...names: string[]): object => ({ anyOf: names.map((name) => ({ properties: { [name]: { const: 1 } }, required: [name] })) });
  const schema = { type: 'object', allOf: [either('a', 'b'), either('c', 'd'), either('e', 'f')] };
  for (const [text, is] of [['{"a":1,"c":1,"e":1}', true], ['{"b":1,"d":1,"f":1}', true], ['{"a":1,"b":1,"e":1}', false], ['{"a":1,"c":1}', false]] as const) {
    assert.is(accepts(grammar.jsonSchema(schema), text), is, text);
  }
});

test('GBNF: repetitions, sets, escapes, comments, groups over lines, recursion', () => {
  const source = 'root ::= item+ # items\nitem ::= "- " [^\\n#()-]{1,3} (\n  "\\x21" | nested\n)? "\\n"\nnested ::= "(" nested? ")" | [\\u65e5-\\u672c]';
  for (const [text, is] of [['- ab!\n', true], ['- a(())\n- 日本\n', true], ['- abcd\n', false], ['- a(()\n', false], ['', false], ['- #\n', false]] as const) {
    assert.is(accepts(grammar.gbnf(source), text), is, text);
  }
});

test('regular expressions match what JavaScript matches', () => {
  const random = new Random(11), letters = ['a', 'b', 'é', '-', '1', '\n'];
  for (const pattern of ['(a|b)*1', '[^a-b]{2,3}', 'a?b+?(?:-\\d)*', '\\w+-\\W', '.[é-ê]?', '\\S\\s', '(?<x>ab|a)(bb)?', '^(a|1-)+$', '\\x61|\\u{e9}', '[\\d-]*']) {
    for (let i = 0; i < 60; i++) {
      const text = Array.from({ length: random.uint32() % 6 }, () => letters[random.uint32() % letters.length]!).join('');
      assert.is(accepts(grammar.regex(pattern), text), new RegExp(`^(?:${pattern})$`, 'u').test(text), `${pattern} ${JSON.stringify(text)}`);
    }
  }
});

test('every mask says of every token what its bytes say, on random walks; a saved walk goes on alike', () => {
  const random = new Random(29);
  const fresh: (() => Constraint)[] = [
    () => grammar.json(), ...schemas.slice(0, 12).map(([schema]) => () => grammar.jsonSchema(schema)),
    () => grammar.gbnf('root ::= "a" root "b" | "c" ws root? | "日" [^a]*\nws ::= ([ \\n] ws)?'), () => grammar.regex(/(ab|a)*(日本|🙂){0,2}/),
  ];
  for (const make of fresh) {
    let constraint = make();
    for (let step = 0; step < 40; step++) {
      const mask = constraint.mask(), ids: number[] = [];
      for (let id = 0; id < vocabulary.vocabSize; id++) {
        const is = (mask[id >> 5]! >>> (id & 31) & 1) === 1;
        assert.is(is, constraint.allows(id), `token ${id} at step ${step}`);
        if (is && id !== end) ids.push(id);
      }
      if (ids.length === 0) { assert.ok(constraint.allows(end!)); break; }
      constraint.accept(ids[random.uint32() % ids.length]!);
      if (step % 10 === 3) {
        const saved: unknown = JSON.parse(JSON.stringify(constraint.save())), other = make();
        other.restore(saved);
        assert.equal(other.mask(), constraint.mask());
        constraint = other;
      }
    }
  }
  assert.match(refusal(() => { grammar.regex('a*').restore({ said: 'b', ended: false }); }), /E_OPTION/);
  assert.match(refusal(() => { grammar.regex('a*').restore(null); }), /E_OPTION/);
  assert.match(refusal(() => { grammar.regex('a*').accept(98); }), /E_OPTION/);
});

test.run();
