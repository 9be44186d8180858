/**
 * What a page downloads to run a model with chat, gzipped: `index.js`, what it imports, the network's chunk, and the larger build of the engine, on
 * one thread or on several: a page fetches one. Only what is asked for elsewhere or later is left out: what opens files and caches of Node, Deno and
 * Bun, what tells of a file that is no model, snapshots that are restored, embeddings, scores, texts that are followed, the choice of a method by measuring, and
 * calibration, an entry of its own. Fails above either budget. Then what each other entry costs by itself, with what it always imports but the engine.
 *
 *   npm run size
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { alone, users } from './entries.ts';

const budgets = { 'without threads': 172 * 1024, 'with threads': 175 * 1024 };
/** Chunks that no page asks for while it loads a model and chats, by their names without hashes; and those of threads. */
const elsewhere = ['directory', 'file', 'foreign', 'restoring', 'auto', 'embed', 'score', 'follow'], ofThreads = ['workers'];
const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist');
const kb = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
const sizeOf = (file: string): number => {
  const bytes = readFileSync(join(dist, file)), gzip = gzipSync(bytes, { level: 9 }).length;
  console.log(`${file.padEnd(36)} ${kb(bytes.length).padStart(10)} ${kb(gzip).padStart(10)} gzipped`);
  return gzip;
};

const files = new Set(['index.js']), threadFiles = new Set<string>();
for (const file of files) { // grows
  for (const [, target] of readFileSync(join(dist, file), 'utf8').matchAll(/(?:\bfrom|\bimport\(|\bimport)\s*"(\.[^"]+\.js)"/g)) {
    const name = posix.join(posix.dirname(file), target!), chunk = /([a-z]+)-[A-Z0-9]+\.js$/.exec(name)?.[1] ?? '';
    if (ofThreads.includes(chunk)) threadFiles.add(name);
    else if (!elsewhere.includes(chunk) && !name.startsWith('wasm/')) files.add(name);
  }
}
const sizeOfAll = (names: Iterable<string>): number => [...names].sort().reduce((sum, file) => sum + sizeOf(file), 0);
const rest = sizeOfAll(files);
const builds = readdirSync(join(dist, 'wasm')).filter((name) => name.endsWith('.wasm.js') && !name.startsWith('calibrate'));
for (const [kind, budget] of Object.entries(budgets)) {
  const threads = kind === 'with threads', ofKind = builds.filter((name) => name.includes('-threads') === threads);
  const total = rest + (threads ? sizeOfAll(threadFiles) : 0) + Math.max(...ofKind.map((name) => sizeOf(`wasm/${name}`)));
  console.log(`JavaScript and the larger build ${kind}: ${kb(total)} gzipped of ${kb(budget)}`);
  if (!(total <= budget)) { console.error(`over the budget ${kind}`); process.exitCode = 1; }
}
for (const name of Object.keys({ ...alone, ...users })) {
  const own = new Set([`${name}.js`]);
  for (const file of own) { // grows
    for (const [, target] of readFileSync(join(dist, file), 'utf8').matchAll(/(?:\bfrom|\bimport)\s*"(\.[^"]+\.js)"/g)) own.add(posix.join(posix.dirname(file), target!));
  }
  own.delete('index.js');
  const bytes = [...own].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file)), { level: 9 }).length, 0);
  console.log(`clada/${name.padEnd(14)} ${kb(bytes).padStart(10)} gzipped${own.size > 1 ? `, with ${[...own].slice(1).join(', ')}` : ''}`);
}
