/** Test files as plain JavaScript. A process that has some hundred modules transpiled one by one takes half a second to begin. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** What a module reads beside itself it finds beside its source. */
const beside: Plugin = {
  name: 'beside',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.m?ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8'), here = JSON.stringify(pathToFileURL(path).href);
      return { contents: text.includes('import.meta.url') ? `const sourceUrl = ${here}; ${text}` : text, loader: 'ts' };
    });
  },
};

/**
 * Each file as one that node runs, modules that several share in chunks; gone when this process ends.
 * @throws what esbuild says of a file that is none, or imports what is not there
 */
export async function transpile(project: string, files: readonly string[]): Promise<Map<string, string>> {
  const outdir = mkdtempSync(join(project, 'build/test-')); // below the project's packages
  process.on('exit', () => { rmSync(outdir, { recursive: true, force: true }); });
  await build({
    entryPoints: [...files], outdir, outbase: project, outExtension: { '.js': '.mjs' }, bundle: true, splitting: true, format: 'esm', platform: 'node',
    target: 'node20', packages: 'external', define: { 'import.meta.url': 'sourceUrl' }, plugins: [beside], sourcemap: true, sourcesContent: false,
    logLevel: 'error',
  });
  return new Map(files.map((file) => [file, join(outdir, relative(project, file).replace(/\.ts$/, '.mjs'))]));
}
