/** `clada embed`: llama-embedding's flags, norms and output formats. Its texts are lines, in which control tokens are read as such. */
import type { Values } from './commands.ts';
import { openModel } from './model.ts';
import { print, printJson } from './output.ts';
import { readText } from './text.ts';

/** In place: -1 as it is, 0 to the range of int16, else to a length of 1 in the norm of that number. */
function normalise(vector: Float32Array, norm: number): void {
  const size = norm === -1 ? 1
    : norm === 0 ? vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 32760
    : vector.reduce((sum, value) => sum + Math.abs(value) ** norm, 0) ** (1 / norm);
  for (let i = 0; i < vector.length; i++) vector[i] = size > 0 ? vector[i]! / size : 0;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const sizes = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  return sizes > 0 ? dot(a, b) / sizes : Number(dot(a, a) === dot(b, b)); // two vectors of zeros are the same
}

/** For people: the vector of one text; of several the beginnings, and how similar they are. */
function describe(vectors: readonly Float32Array[], texts: readonly string[], isRows: boolean, whole: boolean): string[] {
  const digits = whole ? 0 : 6;
  const shown = (values: Float32Array): string => [...values].map((value) => value.toFixed(digits).padStart(whole ? 6 : 9)).join(' ');
  if (isRows) return vectors.map((row, i) => `embedding ${i}: ${shown(row.subarray(0, 3))}  ... ${shown(row.subarray(-3))}`);
  const lines = vectors.map((vector, i) => `embedding ${i}: ${shown(vectors.length > 1 ? vector.subarray(0, 16) : vector)}`);
  if (vectors.length === 1) return lines;
  const row = (a: Float32Array, i: number): string =>
    `${vectors.map((b) => `${cosine(a, b).toFixed(2).padStart(6)} `).join('')}${texts[i]!.slice(0, 10)}`;
  const heads = texts.map((text) => `${text.slice(0, 6).padStart(6)} `).join('');
  return [...lines, '', 'cosine similarity matrix:', '', heads, ...vectors.map(row)];
}

/** For programs, as llama-embedding writes them. */
function formatted(format: 'array' | 'json' | 'json+' | 'raw', vectors: readonly Float32Array[], whole: boolean): string {
  const numbers = (vector: Float32Array, between: string): string => [...vector].map((value) => value.toFixed(whole ? 0 : 7)).join(between);
  if (format === 'raw') return vectors.map((vector) => numbers(vector, ' ')).join('\n');
  const lists = vectors.map((vector) => `[${numbers(vector, ',')}]`);
  if (format === 'array') return `[${lists.join(',')}]`;
  const entry = (list: string, i: number): string => `      "object": "embedding",\n      "index": ${i},\n      "embedding": ${list}\n`;
  const data = lists.map((list, i) => `    {\n${entry(list, i)}    }`).join(',\n');
  const rows = vectors.map((a) => `    [${vectors.map((b) => cosine(a, b).toFixed(2).padStart(6)).join(', ')} ]`);
  const matrix = format === 'json+' && vectors.length > 1 ? `,\n  "cosineSimilarity": [\n${rows.join(',\n')}\n  ]` : '';
  return `{\n  "object": "list",\n  "data": [\n${data}\n  ]${matrix}\n}`;
}

export async function embed(values: Values<'embed'>, signal: AbortSignal): Promise<void> {
  const { pooling, dimensions, normalize = 2, outputFormat: format, separator = '\n' } = values;
  const text = await readText(values, 'embed', { signal, chomp: true }), texts = separator === '' ? [text] : text.split(separator);
  await using model = await openModel({ ...values, calibration: 'none' }, signal);
  const ids = texts.map((text) => model.tokenizer.encode(text, { addSpecial: true, parseSpecial: true }));
  const { embeddings, tokens } = await model.embed(ids, { pooling, dimensions, normalize: false, signal });
  const isRows = pooling === 'none', vectors = isRows ? embeddings.flatMap((all, i) => rowsOf(all, ids[i]!.length)) : embeddings;
  for (const vector of vectors) normalise(vector, normalize);
  if (values.json) {
    const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: [...vector] }));
    printJson({ object: 'list', data, model: model.info.name, usage: { prompt_tokens: tokens, total_tokens: tokens } });
  } else if (format) print(formatted(format, vectors, normalize === 0));
  else describe(vectors, texts, isRows, normalize === 0).forEach(print);
}

function rowsOf(all: Float32Array, count: number): Float32Array[] {
  const width = all.length / count;
  return Array.from({ length: count }, (_, i) => all.subarray(i * width, (i + 1) * width));
}
