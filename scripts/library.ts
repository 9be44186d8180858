/**
 * The library from src and build/wasm into dist, by esbuild:
 *
 *   index.js, calibrate.js, gguf.js, … for pages and bundlers, minified (and once more by terser: a 28th less, gzipped); what few need is in chunks
 *   node/                             the same for Node, Deno and Bun, readable: an uncaught error shows the line that threw it
 *   index.module.js, index.edge.js    for workerd and edge-light, where the platform compiles the files in wasm/
 *   cli.js                            the command line, over node/
 *   errors.js, wasm/                  shared by all of them: an error has one class, a binary lies there once
 *   types/                            declarations: types.ts
 *   THIRD_PARTY_LICENSES.txt          of the packages whose code is in these files
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import * as esbuild from 'esbuild';
import { minify as shorten } from 'terser';
import { alone, core, users } from './entries.ts';
import { writeTypes } from './types.ts';

/** Comments that keep bundlers away from an import whose address is an expression; minifying loses them. */
const ignore = '/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ ';

/**
 * Leaves imports that match `filter` to other files of dist: `place` names them from there. Chunks lie one folder deeper than entries, so that the
 * address is written only when the importing file has its name ({@link write}).
 */
function elsewhere(filter: RegExp, place: (path: string) => string): esbuild.Plugin {
  return { name: `elsewhere ${filter.source}`, setup: (build) => { build.onResolve({ filter }, ({ path }) => ({ path: `dist:${place(path)}`, external: true })); } };
}

const errors = elsewhere(/\/errors\.ts$/, () => 'errors.js');
/** `clada` and `clada/NAME`, as any user imports them. */
const asUser = (folder = ''): esbuild.Plugin => elsewhere(/^clada(\/[\w-]+)?$/, (path) => `${folder}${path === 'clada' ? 'index' : path.slice('clada/'.length)}.js`);
const binaryModules = elsewhere(/\.wasm\.js$/, (path) => `wasm/${basename(path)}`);
/** The platform's own imports of `.wasm`, and the file in src that asks for them. */
const compiled = (binaries: string, suffix: string): esbuild.Plugin[] => [
  { name: binaries, setup: (build) => { build.onResolve({ filter: /\/binaries\.ts$/ }, ({ path, resolveDir }) => ({ path: join(resolveDir, dirname(path), binaries) })); } },
  elsewhere(/\.wasm$/, (path) => `wasm/${basename(path)}${suffix}`),
];

async function write(root: string, { outputFiles }: esbuild.BuildResult<{ write: false }>, minified: boolean): Promise<void> {
  for (const { path, text } of outputFiles!) {
    // undici, which nobody reads here, is a megabyte
    const code = minified || /\/undici-\w+\.js$/.test(path) ? (await shorten(text, { module: true, ecma: 2020, compress: { passes: 2 } })).code! : text;
    const from = dirname(relative(join(root, 'dist'), path));
    const local = (target: string): string => { const way = relative(from, target); return way.startsWith('.') ? way : `./${way}`; };
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code
      .replace(/(["'])dist:([^"']+)\1/g, (_, quote: string, target: string) => quote + local(target) + quote)
      .replace(/\bimport\(([\w$]+)\)/g, `import(${ignore}$1)`));
  }
}

/** @param binaries the engine's and the calibration's, by name; @param files those of them that are shipped as they are */
export async function buildLibrary(root: string, binaries: readonly string[], files: readonly string[]): Promise<void> {
  const dist = join(root, 'dist'), packages = new Set<string>();
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(join(dist, 'wasm'), { recursive: true });
  for (const name of files) copyFileSync(join(root, `build/wasm/${name}.wasm`), join(dist, `wasm/${name}.wasm`));
  for (const name of binaries) copyFileSync(join(root, `build/wasm/${name}.wasm.js`), join(dist, `wasm/${name}.wasm.js`));

  const make = async (options: esbuild.BuildOptions): Promise<void> => {
    const result = await esbuild.build({
      absWorkingDir: root, bundle: true, format: 'esm', target: 'es2022', platform: 'neutral', mainFields: ['module', 'main'], legalComments: 'none', external: ['node:*', 'bullmq', 'ioredis'],
      logLevel: 'warning', metafile: true, chunkNames: 'chunks/[name]-[hash]', outdir: 'dist', ...options, write: false,
    });
    await write(root, result, options.minify ?? false);
    for (const { inputs } of Object.values(result.metafile!.outputs)) for (const input of Object.keys(inputs)) packages.add(/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? '');
  };
  await make({ entryPoints: { errors: 'src/errors.ts' } });
  for (const entryPoints of [core, alone]) await make({ entryPoints, splitting: true, minify: true, plugins: [errors, binaryModules] });
  await make({ entryPoints: { ...core, ...alone }, splitting: true, outdir: 'dist/node', plugins: [errors, binaryModules] });
  await make({ entryPoints: users, splitting: true, minify: true, plugins: [errors, asUser()] });
  await make({ entryPoints: users, splitting: true, outdir: 'dist/node', plugins: [errors, asUser('node/')] });
  // Next refuses an edge function that names what compiles bytes, though it is never reached with a module
  const noCompiler = { 'WebAssembly.compile': 'undefined' };
  await make({ entryPoints: { 'index.module': 'src/index.ts' }, minify: true, define: noCompiler, plugins: [errors, ...compiled('binaries.modules.ts', '')] });
  await make({ entryPoints: { 'index.edge': 'src/index.ts' }, minify: true, define: noCompiler, plugins: [errors, ...compiled('binaries.edge.ts', '?module')] });
  await make({
    entryPoints: { cli: 'src/cli/index.ts' }, platform: 'node', splitting: true, chunkNames: 'node/cli/[name]-[hash]',
    // undici, a chunk of its own that only a proxy needs, is CommonJS and requires Node's modules
    banner: { js: "#!/usr/bin/env node\nimport { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
    define: { CLADA_VERSION: JSON.stringify((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version) },
    plugins: [errors, asUser('node/')],
  });
  chmodSync(join(dist, 'cli.js'), 0o755);
  packages.delete('');
  writeFileSync(join(dist, 'THIRD_PARTY_LICENSES.txt'), licences(root, [...packages, 'assemblyscript'].sort())); // its standard library is in the binaries
  await writeTypes(root, { ...core, ...alone, ...users, errors: 'src/errors.ts' });
}

/** Names, versions and licence texts of packages. @throws Error where one has no text */
function licences(root: string, packages: readonly string[]): string {
  const sections = packages.map((name) => {
    const at = (of: string): string => join(root, 'node_modules', of);
    const { version, license } = JSON.parse(readFileSync(join(at(name), 'package.json'), 'utf8')) as { version: string; license: string };
    const texts = [name, name.split('/')[0]!.slice(1)] // a scoped package of a project may leave it to the project's main one
      .filter((of) => existsSync(at(of))).map((of) => readdirSync(at(of)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).map((file) => readFileSync(join(at(of), file), 'utf8').trim()));
    const found = texts.find((list) => list.length > 0);
    if (!found) throw new Error(`${name} has no licence text`);
    return `${name} ${version} (${license})\n\n${found.join('\n\n')}`;
  });
  return `Code of these packages is part of the files in this folder.\n\n${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
