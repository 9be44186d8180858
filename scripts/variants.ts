/**
 * Distributions of the models of test/helpers/variants.ts as native llama.cpp computes them (f32 cache), for test/engine/variants.test.ts.
 *
 *   npm install --prefix bench/peers && tsx scripts/variants.ts
 */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { variantBytes, variantRows, variants, variantTokens, variantVocab } from '../test/helpers/variants.ts';

interface Evaluated { next: { probabilities: Map<number, number> } }
interface Context { getSequence(): { controlledEvaluate(input: unknown): Promise<(Evaluated | undefined)[]> }; dispose(): Promise<void> }
interface Model { createContext(options: object): Promise<Context>; dispose(): Promise<void> }

const peer = '../bench/peers/node_modules/node-llama-cpp/dist/index.js';
const { getLlama } = (await import(peer)) as { getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model> }> };
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const names = Object.keys(variants), out = new Float32Array(names.length * variantRows * variantVocab), path = join(tmpdir(), `clada-variant-${process.pid}.gguf`);
const options = { temperature: 1, topK: 0, topP: 1, minP: 0 };
for (const [i, name] of names.entries()) {
  writeFileSync(path, await variantBytes(name));
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 256, batchSize: 256, flashAttention: false, experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' });
  const evaluated = await context.getSequence().controlledEvaluate(variantTokens.map((id) => [id, { generateNext: { probabilities: true, options } }]));
  for (const [row, { next: { probabilities } }] of (evaluated.slice(-variantRows) as Evaluated[]).entries()) {
    if (probabilities.size !== variantVocab) throw new Error(`${name}: ${probabilities.size} probabilities`);
    for (const [id, p] of probabilities) out[(i * variantRows + row) * variantVocab + id] = Math.log(p);
  }
  await context.dispose();
  await model.dispose();
  console.log(name);
}
rmSync(path);
writeFileSync(fileURLToPath(new URL('../test/fixtures/tiny/variants.f32', import.meta.url)), new Uint8Array(out.buffer));
process.exit(0); // llama.cpp keeps threads
