/** `clada embed`: texts in, vectors out, in the formats of llama-embedding. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { clada } from '../helpers/cli.ts';
import { cosine } from '../helpers/embeddings.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('clada embed'), tiny = tinyPath('llama256-q8_0.gguf'), texts = ['Hello there', 'A second text', '</s>'];
const embed = (...args: string[]): string => {
  const { status, stdout, stderr } = clada(['embed', '-m', tiny, '-c', '64', '-p', texts.join('\n'), ...args]);
  assert.is(status, 0, stderr);
  return stdout;
};
interface Listed { data: { index: number; embedding: number[] }[]; usage: { prompt_tokens: number }; cosineSimilarity: number[][] }

test('the vectors of the library, in every format', async () => {
  const model = await load(tiny, { contextSize: 64 }), ids = texts.map((text) => model.tokenizer.encode(text, { addSpecial: true, parseSpecial: true }));
  const { embeddings, tokens } = await model.embed(ids), plain = (await model.embed(ids, { normalize: false, dimensions: 8, pooling: 'mean' })).embeddings;
  const close = (got: number[][], want: readonly Float32Array[], digits = 1e-6): void => {
    assert.is(got.length, want.length);
    got.forEach((vector, i) => { assert.ok(vector.length === want[i]!.length && vector.every((value, d) => Math.abs(value - want[i]![d]!) < digits), String(i)); });
  };
  const json = JSON.parse(embed('--json')) as Listed;
  close(json.data.map(({ embedding }) => embedding), embeddings);
  assert.equal([json.data.map(({ index }) => index), json.usage.prompt_tokens], [[0, 1, 2], tokens]);
  close((JSON.parse(embed('--embd-output-format', 'json')) as Listed).data.map(({ embedding }) => embedding), embeddings);
  close(JSON.parse(embed('--embd-output-format', 'array')) as number[][], embeddings);
  close(embed('--embd-output-format', 'raw').trimEnd().split('\n').map((line) => line.split(' ').map(Number)), embeddings);
  const { cosineSimilarity } = JSON.parse(embed('--embd-output-format', 'json+')) as Listed;
  close(cosineSimilarity, embeddings.map((a) => Float32Array.from(embeddings, (b) => cosine(a, b))), 0.0051);

  const normed = (norm: string): number[][] => JSON.parse(embed('--embd-output-format', 'array', '--pooling', 'mean', '--dimensions', '8', '--embd-normalize', norm)) as number[][];
  const over = (size: (vector: Float32Array) => number): Float32Array[] => plain.map((vector) => vector.map((value) => value / size(vector)));
  close(normed('-1'), plain);
  close(normed('0'), over((vector) => Math.max(...vector.map(Math.abs)) / 32760), 0.51);
  close(normed('1'), over((vector) => vector.reduce((sum, value) => sum + Math.abs(value), 0)));
  close(normed('3'), over((vector) => vector.reduce((sum, value) => sum + Math.abs(value) ** 3, 0) ** (1 / 3)));

  const rows = JSON.parse(embed('--embd-output-format', 'array', '--pooling', 'none')) as number[][];
  assert.is(rows.length, tokens);
  close([rows.at(-1)!], [embeddings.at(-1)!]); // the last token of the last text
  model.close();
});

test('for people: one vector whole, of several the beginnings and how similar they are, of tokens both ends', () => {
  assert.match(embed(), /^embedding 0: ( ?[ -]\d\.\d{6}){16}\n(.*\n){3}cosine similarity matrix:\n\nHello  A seco   <\/s> \n( +-?\d\.\d\d){3} Hello ther\n/);
  const one = clada(['embed', '-m', tiny, '-c', '64', 'Hello']).stdout.trim();
  assert.is(one.split(/ +/).length, 2 + 256);
  assert.match(embed('--pooling', 'none'), /^embedding 0: .* {2}\.\.\. .*\nembedding 1: /);
  assert.match(embed('--embd-normalize', '0'), /^embedding 0: +-?\d+ +-?\d+ /);
});

test('texts of a file or pipe, parted as asked; what is wrong says so', () => {
  const piped = clada(['embed', '-m', tiny, '-c', '64', '--embd-separator', '<#sep#>', '--json'], 'one\ntext<#sep#>another\n');
  assert.is((JSON.parse(piped.stdout) as Listed).data.length, 2, piped.stderr);
  const long = clada(['embed', '-m', tiny, '-c', '8', '-p', 'short\nthis one is much longer than eight tokens are']);
  assert.is(long.status, 1);
  assert.match(long.stderr, /texts\[1\], context: found \d+ tokens.*E_CONTEXT_FULL/);
  assert.match(clada(['embed', '-m', tiny, '-c', '8', '-p', 'a', '--dimensions', '257']).stderr, /dimensions.*1 … 256.*E_OPTION/);
  assert.is(clada(['embed', '-p', 'a', '--pooling', 'rank']).status, 2);
});

test.run();
