/** The package as npm packs it, and empty projects that install it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as esbuild from 'esbuild';
import { root } from './install.ts';
import { run } from './process.ts';

/** Where projects are made: away from the repository's node_modules, so that nothing is found by accident. Whoever ran the suite removes it. */
export const projects = mkdtempSync(join(tmpdir(), 'clada-runtimes-'));

/** Packs the repository as it is built. */
export async function pack(): Promise<string> {
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', projects], { cwd: root });
  return join(projects, readdirSync(projects).find((name) => name.endsWith('.tgz'))!);
}

/**
 * An empty project with the tarball installed and `files` of the repository beside it, in `where`.
 * @returns its folder, and what the installer printed
 */
export async function project(
  name: string, tarball: string, files: readonly string[], install: readonly string[] = ['npm', 'install', '--no-audit', '--no-fund'], where = projects,
): Promise<{ folder: string; printed: string }> {
  const folder = join(where, name), [command, ...args] = install as [string, ...string[]];
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const { stdout, stderr } = await run(command, [...args, tarball], { cwd: folder });
  if (!existsSync(join(folder, 'node_modules/clada/package.json'))) throw new Error(`${command} installed no clada in ${name}: ${stdout}${stderr}`);
  for (const file of files) cpSync(join(root, file), join(folder, basename(file)), { recursive: true });
  return { folder, printed: stdout + stderr };
}

/**
 * Bundles an entry as wrangler does for workerd, or as a framework does for edge-light: resolves by those conditions and hands the imported
 * binaries to the platform. @returns the binaries' names, copied to `wasm` beside `outfile`
 */
export async function bundle(folder: string, entry: string, outfile: string, condition: 'workerd' | 'edge-light'): Promise<string[]> {
  const names = new Set<string>(), edge = condition === 'edge-light', out = join(folder, outfile), wasm = join(out, '../wasm');
  mkdirSync(wasm, { recursive: true });
  await esbuild.build({
    absWorkingDir: folder, entryPoints: [entry], outfile, bundle: true, format: edge ? 'iife' : 'esm', platform: 'neutral', mainFields: ['module', 'main'],
    conditions: [condition, 'worker', 'browser'], logLevel: 'silent',
    plugins: [{
      name: 'binaries', setup: (build) => {
        build.onResolve({ filter: edge ? /\.wasm\?module$/ : /\.wasm$/ }, ({ path, resolveDir }) => {
          const file = path.replace('?module', ''), name = basename(file);
          cpSync(join(resolveDir, file), join(wasm, name));
          names.add(name);
          return edge ? { path: name, namespace: 'compiled' } : { path: `./wasm/${name}`, external: true };
        });
        build.onLoad({ filter: /./, namespace: 'compiled' }, ({ path }) => ({ contents: `export default compiledBinaries[${JSON.stringify(path)}];` }));
      },
    }],
  });
  return [...names];
}
