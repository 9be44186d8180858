/**
 * What a page downloads at most to run a model: the library's JavaScript (the network's lazy chunks too) and one WebAssembly build, gzipped. Fails above
 * the budget. Calibration, an entry of its own with binaries of its own, is not part of it.
 *
 *   npm run size
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const budget = 190_000; // two dozen dtypes, their forms by neuron, thirty families, mixtures, convolutions
const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist');
const kb = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

const engine = ['base', 'relaxed'].map((name) => `wasm/${name}.wasm.js`);
const files = ['index.js', 'errors.js', ...readdirSync(join(dist, 'chunks')).map((name) => `chunks/${name}`), ...engine];
const sizes = files.map((file) => {
  const bytes = readFileSync(join(dist, file));
  return { file, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
});
for (const { file, raw, gzip } of sizes) console.log(`${file.padEnd(36)} ${kb(raw).padStart(10)} ${kb(gzip).padStart(10)} gzipped`);

const builds = sizes.filter(({ file }) => engine.includes(file));
const rest = sizes.filter((size) => !builds.includes(size)).reduce((sum, { gzip }) => sum + gzip, 0);
const most = rest + Math.max(...builds.map(({ gzip }) => gzip));
console.log(`JavaScript and the larger build: ${kb(most)} gzipped of ${kb(budget)}`);
if (most > budget) { console.error('over the budget'); process.exitCode = 1; }
