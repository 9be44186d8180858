/**
 * Builds everything: AssemblyScript → build/wasm, then esbuild → dist, then types → dist/types.
 *
 *   tsx scripts/build.ts [--if-stale] [--quiet] [--wasm-only]
 *
 * Engine binaries: `base` (simd128, bit-identical everywhere) and `relaxed` (relaxed SIMD), one source, each once more for workers that share a
 * memory (`*-threads`), fetched by who uses them. `calibrate-*` are the same
 * two kinds of the calibration's own entry, fetched by nobody who only runs models. Kernel twins (`kernels-*`) export every kernel
 * for tests and benches and are never shipped. Each shipped binary also becomes a JavaScript module with the bytes inside, so that a
 * bundler can neither lose nor mislocate a `.wasm` file. What dist holds: library.ts.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { deflateAsync } from '@gfx/zopfli';
import * as asc from 'assemblyscript/asc';
import { alone, core, users } from './entries.ts';
import { buildLibrary } from './library.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values: flags } = parseArgs({
  options: { 'if-stale': { type: 'boolean' }, quiet: { type: 'boolean' }, 'wasm-only': { type: 'boolean' } },
});
const say = (line: string): void => { if (!flags.quiet) console.error(line); };

/** Binary → entry file and asconfig target. */
const binaries: Record<string, { entry: string; target: string }> = {
  base: { entry: 'assembly/index.ts', target: 'base' },
  relaxed: { entry: 'assembly/index.ts', target: 'relaxed' },
  'base-threads': { entry: 'assembly/threads.entry.ts', target: 'base-threads' },
  'relaxed-threads': { entry: 'assembly/threads.entry.ts', target: 'relaxed-threads' },
  'calibrate-base': { entry: 'assembly/calibrate.entry.ts', target: 'base' },
  'calibrate-relaxed': { entry: 'assembly/calibrate.entry.ts', target: 'relaxed' },
  'kernels-debug': { entry: 'assembly/kernels.entry.ts', target: 'debug' },
  'kernels-base': { entry: 'assembly/kernels.entry.ts', target: 'base' },
  'kernels-relaxed': { entry: 'assembly/kernels.entry.ts', target: 'relaxed' },
};

/** What runs models, and is shipped as files too. */
const engineBuilds = ['base', 'relaxed'] as const;

function sourceHash(folders: readonly string[], files: readonly string[]): string {
  const hash = createHash('sha256');
  const visit = (path: string): void => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else hash.update(child).update(readFileSync(join(root, child)));
    }
  };
  folders.forEach(visit);
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

async function buildWasm(): Promise<void> {
  const config = JSON.parse(readFileSync(join(root, 'asconfig.json'), 'utf8')) as {
    options: Record<string, unknown>; targets: Record<string, Record<string, unknown>>;
  };
  mkdirSync(join(root, 'build/wasm'), { recursive: true });
  for (const [name, { entry, target }] of Object.entries(binaries)) {
    const args = [entry, '--outFile', `build/wasm/${name}.wasm`, '--textFile', `build/wasm/${name}.wat`];
    for (const [key, value] of Object.entries({ ...config.options, ...config.targets[target] })) {
      if (value === true) args.push(`--${key}`);
      else for (const v of [value].flat()) args.push(`--${key}`, String(v));
    }
    // `use abort=` in a debug build too: a failed assertion is a bare trap with the function's name in the stack.
    const { error, stderr } = await asc.main([...args, '--baseDir', root, '--config', 'none']);
    if (error) throw new Error(`asc ${name}: ${error.message}\n${stderr.toString()}`);
    if (!name.startsWith('kernels-')) await writeModule(name);
    say(`wasm  ${name.padEnd(16)} ${readFileSync(join(root, `build/wasm/${name}.wasm`)).length} bytes`);
  }
  writeSizes();
}

/** `build/wasm/sizes.js`: bytes of the engine's builds, where the program cannot see them. */
function writeSizes(): void {
  const sizes = Object.fromEntries(engineBuilds.map((name) => [name, readFileSync(join(root, `build/wasm/${name}.wasm`)).length]));
  writeFileSync(join(root, 'build/wasm/sizes.js'), `export default ${JSON.stringify(sizes)};\n`);
}

/**
 * Deflated (by Zopfli, a twentieth smaller than by zlib), as base64: a sixth of hexadecimal text, and an eighth less once a server has compressed
 * both. Without the names of functions, for which their numbers stand (`wasm-function[57]`): those of the file in dist/wasm, which has the names. src/engine/binaries.ts reads it.
 */
async function writeModule(name: string): Promise<void> {
  const wasm = nameless(readFileSync(join(root, `build/wasm/${name}.wasm`)));
  const text = Buffer.from(await deflateAsync(wasm, { numiterations: 15 })).toString('base64');
  writeFileSync(join(root, `build/wasm/${name}.wasm.js`), `export const bytes = ${wasm.length};\nexport default ${JSON.stringify(text)};\n`);
}

/** A binary without its custom sections (id 0). */
function nameless(wasm: Buffer): Buffer {
  const kept = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length;) {
    let size = 0, next = at + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[next++]!;
      size += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    next += size;
    if (wasm[at] !== 0) kept.push(wasm.subarray(at, next));
    at = next;
  }
  return Buffer.concat(kept);
}

/** Runs a step unless its inputs are those of the last successful run. */
async function step(name: string, hash: string, products: readonly string[], run: () => Promise<void>): Promise<void> {
  const stamp = join(root, `build/.${name}`);
  const fresh = products.every((p) => existsSync(join(root, p))) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  if (flags['if-stale'] && fresh) return;
  const start = performance.now();
  if (flags.quiet) console.error(`building ${name} …`);
  rmSync(stamp, { force: true });
  await run();
  writeFileSync(stamp, hash);
  say(`${name} built in ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

process.chdir(root); // asc resolves entry files against the working directory
mkdirSync(join(root, 'build'), { recursive: true });
const wasmHash = sourceHash(['assembly'], ['asconfig.json', 'scripts/build.ts', 'package-lock.json']);
await step('wasm', wasmHash, [...Object.keys(binaries).map((name) => `build/wasm/${name}.wasm`), 'build/wasm/sizes.js'], buildWasm);
if (!flags['wasm-only']) {
  const hash = wasmHash + sourceHash(['src'], ['scripts/entries.ts', 'scripts/library.ts', 'scripts/types.ts', 'tsconfig.json', 'tsconfig.types.json', 'package.json']);
  const named = Object.keys({ ...core, ...alone, ...users }).flatMap((name) => [`${name}.js`, `node/${name}.js`, `types/${name}.d.ts`]);
  const products = [...named, 'index.module.js', 'index.edge.js', 'cli.js'];
  const shipped = Object.keys(binaries).filter((name) => !name.startsWith('kernels-'));
  await step('dist', hash, products.map((name) => `dist/${name}`), () => buildLibrary(root, shipped, engineBuilds));
}
