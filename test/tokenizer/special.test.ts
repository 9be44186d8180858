/** Special tokens in a text, against the plain reading of what llama.cpp does: each token in order, wherever it still fits. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SpecialPart } from '../../src/tokenizer/special.ts';
import { specialSplitter } from '../../src/tokenizer/special.ts';
import { TokenType, Vocab } from '../../src/tokenizer/vocab.ts';

const test = suite('special tokens');

function vocabOf(tokens: readonly string[]): Vocab {
  const bytes = tokens.map((token) => new TextEncoder().encode(token)), offsets = new Uint32Array(tokens.length + 1);
  for (const [i, { length }] of bytes.entries()) offsets[i + 1] = offsets[i]! + length;
  return new Vocab(new Uint8Array(Buffer.concat(bytes)), offsets, new Uint8Array(tokens.length).fill(TokenType.userDefined));
}

const strip = (left: number, right: number): Parameters<typeof specialSplitter>[1] => ({ left: (id) => id === left, right: (id) => id === right, any: true });

/** Token by token, the longest first, through all pieces of text that are left. */
function plainly(tokens: readonly string[], text: string, left: number, right: number): SpecialPart[] {
  const order = [...tokens.keys()].sort((a, b) => Buffer.byteLength(tokens[b]!) - Buffer.byteLength(tokens[a]!) || a - b);
  let parts: SpecialPart[] = text === '' ? [] : [{ text }];
  for (const id of order) {
    parts = parts.flatMap((part) => {
      if (part.id !== undefined) return [part];
      const found: SpecialPart[] = [];
      let rest = part.text;
      for (let at = rest.indexOf(tokens[id]!); at >= 0; at = rest.indexOf(tokens[id]!)) {
        const before = id === left ? rest.slice(0, at).replace(/[ \t\n\v\f\r]+$/, '') : rest.slice(0, at);
        found.push(...(before === '' ? [] : [{ text: before }]), { id });
        rest = rest.slice(at + tokens[id]!.length);
        if (id === right) rest = rest.replace(/^[ \t\n\v\f\r]+/, '');
      }
      return [...found, ...(rest === '' ? [] : [{ text: rest }])];
    });
  }
  return parts;
}

test('any tokens, any text', () => {
  const letters = fc.constantFrom('a', 'b', ' ', '\n', '<', 'é', '日', '😀');
  const word = (maxLength: number): fc.Arbitrary<string> => fc.array(letters, { minLength: 1, maxLength }).map((list) => list.join(''));
  const runs = fc.integer({ min: 1, max: 12 }).map((count) => ' '.repeat(count));
  const tokens = fc.uniqueArray(fc.oneof(word(4), runs), { minLength: 1, maxLength: 14 });
  const text = fc.array(fc.oneof(word(6), runs), { maxLength: 12 }).map((list) => list.join(''));
  fc.assert(fc.property(tokens, text, fc.integer({ min: -1, max: 13 }), fc.integer({ min: -1, max: 13 }), (list, given, left, right) => {
    assert.equal(specialSplitter(vocabOf(list), strip(left, right))(given, false), plainly(list, given, left, right), JSON.stringify([list, given]));
  }), { numRuns: 3_000, seed: 5 });
});

test('a megabyte of blanks with a token for each run of them takes no time', () => {
  const split = specialSplitter(vocabOf(Array.from({ length: 31 }, (_, i) => ' '.repeat(i + 1))), strip(-1, -1)), started = performance.now();
  assert.is(split(' '.repeat(1_000_003), false).length, 32_259);
  assert.ok(performance.now() - started < 20_000, `${performance.now() - started} ms`);
});

test.run();
