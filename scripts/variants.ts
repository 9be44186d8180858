/**
 * Distributions of the models of test/helpers/variants.ts as native llama.cpp computes them, for test/engine/variants.test.ts.
 *
 *   npm install --prefix bench/peers && tsx scripts/variants.ts
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { variantPath, variantRows, variants, variantTokens, variantVocab } from '../test/helpers/variants.ts';
import { withNative } from './native.ts';

const rows: Float32Array[] = [];
for (const name of Object.keys(variants)) {
  await withNative(await variantPath(name), variantVocab, 256, async (evaluate) => { rows.push(...(await evaluate(variantTokens)).slice(-variantRows)); });
  console.log(name);
}
const out = Float32Array.from(rows.flatMap((row) => [...row]));
writeFileSync(fileURLToPath(new URL('../test/fixtures/tiny/variants.f32', import.meta.url)), new Uint8Array(out.buffer));
process.exit(0); // llama.cpp keeps threads
