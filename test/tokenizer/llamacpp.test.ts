/** Vocabularies with gaps and oddities, as llama.cpp reads them: test/fixtures/tokenizers/llamacpp.json, made by llamacpp.ts beside it. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { preTokenizerNames } from '../../src/tokenizer/pretokenize.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { metadataFrom } from '../helpers/metadata.ts';
import type { Vocabulary } from './vocabularies.ts';
import { pairs, vocabularies } from './vocabularies.ts';

interface Answer {
  addBos: boolean;
  addEos: boolean;
  ends: number[];
  control: [first: number, last: number][];
  plain: number[][];
  special: number[][];
}
interface Pre { names: string[]; addBos: boolean; lengths: string[] }
const file = readFileSync(new URL('../fixtures/tokenizers/llamacpp.json', import.meta.url), 'utf8');
const { pre: groups, vocabularies: answers } = JSON.parse(file) as { pre: Pre[]; vocabularies: Record<string, Answer> };

const test = suite('as llama.cpp');
const open = async ({ entries }: Vocabulary): Promise<Tokenizer> => createTokenizer(await metadataFrom(entries));
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const which = (tokenizer: Tokenizer, is: (id: number) => boolean): number[] => from(0, tokenizer.vocabSize - 1).filter(is);

for (const vocabulary of await vocabularies()) {
  test(vocabulary.name, async () => {
    const answer = answers[vocabulary.name]!, tokenizer = await open(vocabulary);
    const start = answer.addBos ? [tokenizer.bosId] : [], end = answer.addEos ? [tokenizer.eosId] : [];
    assert.equal([...tokenizer.encode('', { addSpecial: true })], [...start, ...end]);
    assert.equal([...tokenizer.encode('', { addSpecial: 'start' })], start);
    assert.equal(which(tokenizer, (id) => tokenizer.isEog(id)), answer.ends);
    assert.equal([...tokenizer.eogIds].sort((a, b) => a - b), answer.ends);
    assert.equal(which(tokenizer, (id) => tokenizer.isControl(id)), answer.control.flatMap(([first, last]) => from(first, last)));
    for (const [i, text] of vocabulary.texts.entries()) {
      assert.equal([...tokenizer.encode(text)], answer.plain[i], JSON.stringify(text));
      assert.equal([...tokenizer.encode(text, { parseSpecial: true })], answer.special[i], `${JSON.stringify(text)} with special tokens`);
    }
  });
}

test('every pre-tokenizer cuts where llama.cpp cuts', async () => {
  assert.equal(groups.flatMap(({ names }) => names).sort(), [...preTokenizerNames].sort());
  for (const { names, addBos, lengths } of groups) {
    for (const name of names) {
      const vocabulary = pairs(name), tokenizer = await open(vocabulary);
      assert.is(tokenizer.encode('', { addSpecial: true }).length, addBos ? 1 : 0, name);
      for (const [i, text] of vocabulary.texts.entries()) {
        const ids = tokenizer.encode(text);
        assert.is(Array.from(ids, (id) => tokenizer.tokenBytes(id).length).join(''), lengths[i], `${name}: ${JSON.stringify(text)}`);
        assert.is(tokenizer.decode(ids), text);
      }
    }
  }
});

test.run();
