/**
 * Bytes that a process holds for the embedded model, from the built library: `node --expose-gc test/helpers/memory.mjs '{"contextSize":512}'` prints
 * JSON: wasm, and all told (WebAssembly, JavaScript heap, buffers and sources outside it), after loading and after generating.
 */
import { fileURLToPath } from 'node:url';
import { load } from '../../dist/node/index.js';

const model = await load(fileURLToPath(new URL('../../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url)), { tier: 'base', ...JSON.parse(process.argv[2] ?? '{}') });
const measured = () => {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage(); // external counts the WebAssembly memory and every ArrayBuffer
  return heapUsed + external;
};
const loaded = measured(), prompt = 'Once upon a time there was a lighthouse keeper who';
const generation = model.generate(prompt, { maxTokens: 40, ignoreEos: true, seed: 1 }), ids = (await generation.tokens()).map(({ id }) => id), { density, method, generatePerSecond } = generation.stats();
const generated = measured(), saved = (await generation.save()).length;
console.log(JSON.stringify({ loaded, generated, saved, method, density, generatePerSecond, ids }));
