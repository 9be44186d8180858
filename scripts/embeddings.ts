/**
 * What native llama.cpp embeds, for test/text/embed.test.ts: the tiny models, with every pooling. With a model, a comparison instead: cosines
 * of clada, llama.cpp and clada without rounding over a few texts, on the same bytes with the key that asks for each pooling.
 *
 *   npm install --prefix bench/peers && tsx scripts/embeddings.ts [MODEL.gguf …]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { load } from '../src/index.ts';
import { MemorySource } from '../src/bytes/memory.ts';
import { readGguf } from '../src/format/gguf/read.ts';
import { asked, cosine, pooled, poolingModel, truthUrl, type Pooled } from '../test/helpers/embeddings.ts';
import { tinyModel, tinyModels, u32 } from '../test/helpers/tiny-models.ts';
import { rewritten } from '../test/helpers/twin.ts';
import { embedNative } from './native.ts';

const folder = mkdtempSync(join(tmpdir(), 'clada-embeddings-')), poolings = Object.keys(pooled) as Pooled[];
const at = (bytes: Uint8Array): string => { const path = join(folder, 'model.gguf'); writeFileSync(path, bytes); return path; };

const texts = [
  'The capital of France is Paris.', 'Paris is where the French government sits.', 'def add(a, b):\n    return a + b',
  'Ein Text auf Deutsch, mit Umlauten: äöü ß.', 'x', readFileSync(new URL('../test/fixtures/real/wikitext.txt', import.meta.url), 'utf8').slice(0, 3000),
];

async function compare(path: string): Promise<void> {
  const bytes = readFileSync(path), { metadata } = await readGguf(new MemorySource(bytes)), key = `${String(metadata.get('general.architecture'))}.pooling_type`;
  for (const pooling of poolings) {
    const twin = at(await rewritten(bytes, (parts) => { parts.metadata[key] = u32(pooled[pooling]); }));
    await using fast = await load(twin, { contextSize: 2048, kv: 'f32' }), exact = await load(twin, { contextSize: 2048, kv: 'f32', precision: 'exact' });
    const ids = texts.map((text) => [...fast.tokenizer.encode(text, { addSpecial: true })]), want = await embedNative(twin, 2048, ids);
    const ours = (await fast.embed(ids)).embeddings, precise = (await exact.embed(ids)).embeddings;
    const told = (a: readonly Float32Array[], b: readonly Float32Array[]): string => a.map((vector, i) => cosine(vector, b[i]!).toFixed(6)).join(' ');
    console.log(`${basename(path)} ${pooling}: tokens ${ids.map(({ length }) => length).join(' ')}`);
    console.log(`  clada · llama.cpp    ${told(ours, want)}\n  clada · exact        ${told(ours, precise)}\n  llama.cpp · exact    ${told(want, precise)}`);
  }
}

const models = process.argv.slice(2);
for (const path of models) await compare(path);
if (models.length === 0) {
  const vectors: Float32Array[] = [];
  for (const name of Object.keys(tinyModels)) {
    for (const pooling of poolings) {
      const path = at(await tinyModel(name, poolingModel(name, pooling)));
      vectors.push(...await embedNative(path, tinyModels[name]!.contextSize ?? 256, [asked]));
    }
    console.log(name);
  }
  writeFileSync(truthUrl, new Uint8Array(Float32Array.from(vectors.flatMap((vector) => [...vector])).buffer));
}
rmSync(folder, { recursive: true });
process.exit(0); // llama.cpp keeps threads
