/** The package as it is built: what a bundle pays for what it uses, what is inside, and links that hold outside the repository. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = fileURLToPath(new URL('..', import.meta.url)), dist = join(root, 'dist');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  files: string[]; dependencies?: object; devDependencies: Record<string, string>; main: string; types: string; exports: Record<string, Record<string, string>>;
};
const test = suite('package');

/** Bytes of a bundle of one line, as a user's bundler makes it; what is imported lazily is counted only where it is reached. */
async function cost(line: string, conditions: string[]): Promise<number> {
  const { metafile, warnings } = await esbuild.build({
    stdin: { contents: line, resolveDir: root }, bundle: true, minify: true, write: false, metafile: true, format: 'esm', platform: 'browser', conditions, splitting: true, outdir: 'out',
    external: ['*.wasm', '*.wasm?module'], logLevel: 'silent', absWorkingDir: root,
  });
  assert.equal(warnings.map(({ text }) => text), []);
  const eager = new Set<string>(), visit = (path: string): void => {
    if (eager.has(path)) return;
    eager.add(path);
    for (const { kind, path: to, external } of metafile.outputs[path]!.imports) if (kind === 'import-statement' && !external) visit(to);
  };
  visit('out/stdin.js');
  return [...eager].reduce((sum, path) => sum + metafile.outputs[path]!.bytes, 0);
}

for (const condition of ['browser', 'node', 'workerd', 'edge-light']) {
  test(`an error class costs a few KB, by the condition ${condition}`, async () => {
    const bytes = await cost("import { CladaError } from 'clada'; globalThis.use = CladaError;", [condition]);
    assert.ok(bytes > 300 && bytes < 3_000, `${bytes} bytes`);
  });
}

test('a function of the main entry does not bring the engine', async () => {
  const bytes = await cost("import { snapshotInfo } from 'clada'; globalThis.use = snapshotInfo;", ['browser']);
  assert.ok(bytes > 1_000 && bytes < 20_000, `${bytes} bytes`);
});

test('GGUF files without an engine cost some 20 KB', async () => {
  const bytes = await cost("import { readGguf, writeGguf } from 'clada/gguf'; globalThis.use = [readGguf, writeGguf];", ['browser']);
  assert.ok(bytes > 3_000 && bytes < 25_000, `${bytes} bytes`);
});

test('entries share their error classes and say their names in minified builds', async () => {
  const { CladaError, InputError } = (await import(pathToFileURL(join(dist, 'index.js')).href)) as typeof import('../src/index.ts');
  const { writeGguf } = (await import(pathToFileURL(join(dist, 'gguf.js')).href)) as typeof import('../src/gguf.ts');
  const node = (await import(pathToFileURL(join(dist, 'node/index.js')).href)) as typeof import('../src/index.ts');
  try {
    writeGguf({ a: { type: 'u8', value: 300 } }, []);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InputError);
    assert.instance(error, CladaError);
    assert.is((error as Error).name, 'InputError');
  }
  assert.is(node.InputError, InputError);
});

test('what Node runs is readable: an uncaught error shows its line', () => {
  const files = ['cli.js', 'errors.js', 'node/index.js', ...readdirSync(join(dist, 'node/chunks')).map((name) => `node/chunks/${name}`)];
  for (const file of files) {
    const longest = Math.max(...readFileSync(join(dist, file), 'utf8').split('\n').map(({ length }) => length));
    assert.ok(longest < 2_000, `${file}: a line of ${longest}`);
  }
});

test('the command runs as a program; what is bundled is no dependency and has its licence in the package', () => {
  assert.ok((statSync(join(dist, 'cli.js')).mode & 0o111) === 0o111);
  assert.is(manifest.dependencies, undefined);
  const licences = readFileSync(join(dist, 'THIRD_PARTY_LICENSES.txt'), 'utf8');
  for (const name of ['@noble/hashes', 'assemblyscript']) assert.match(licences, `${name} ${manifest.devDependencies[name]} (`);
  const text = readFileSync(join(dist, 'cli.js'), 'utf8'), foreign = [...text.matchAll(/^import .* from "([^."][^"]*)"/gm)].map(([, name]) => name!).filter((name) => !builtinModules.includes(name.replace('node:', '')));
  assert.equal(foreign, []);
});

test('bundlers find the entries without `exports`, and nothing of a node: module', () => {
  assert.is(manifest.main, manifest.exports['.']!['default']);
  assert.is(manifest.types, manifest.exports['.']!['types']);
  for (const file of [...readdirSync(dist).filter((name) => /^(?!cli).*\.js$/.test(name)), ...readdirSync(join(dist, 'chunks')).map((name) => `chunks/${name}`)]) {
    const text = readFileSync(join(dist, file), 'utf8');
    assert.not.match(text, /(?:from|import)\s*\(?["']node:/);
    for (const [call] of text.matchAll(/\bimport\([^"'][^)]*\)/g)) assert.match(call, /webpackIgnore: true.*turbopackIgnore: true.*@vite-ignore/);
  }
  assert.not.match(readFileSync(join(dist, 'index.edge.js'), 'utf8'), /relaxed\.wasm|WebAssembly\.compile\(/);
});

test('relative links of the README lead to files of the package', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
    const path = normalize(target!);
    assert.ok(existsSync(join(root, path)), `${path} does not exist`);
    assert.ok(manifest.files.some((packed) => path === packed || `${path}/`.startsWith(`${packed}/`)), `${path} is not in the package`);
  }
});

test.run();
