/**
 * Declarations into dist/types: what a user meets, bundled from what tsc emits, for every TypeScript since 5.0. Internal declarations are not reached;
 * members marked `@internal` are cut out, and a constructor marked so becomes private.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

/** A member as tsc prints it: indented by four, what is inside it by more, up to the line with its semicolon. */
const internalMember = /^ {4}\/\*\* @internal(?:(?!\*\/)[^])*\*\/\n {4}(\S.*(?:\{\n(?: {5}.*\n)* {4}\S.*)?;)\n/gm;

/** In no library that everyone asks for, and younger than TypeScript 5.0; declared twice they are one. */
const disposable = `declare global {
  interface SymbolConstructor { readonly asyncDispose: unique symbol }
  interface AsyncDisposable { [Symbol.asyncDispose](): PromiseLike<void> }
}
`;

/** @param entries name in dist/types → source file */
export async function writeTypes(root: string, entries: Readonly<Record<string, string>>): Promise<void> {
  const emitted = join(root, 'build/types'), types = join(root, 'dist/types');
  rmSync(emitted, { recursive: true, force: true });
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.types.json'], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`tsc (types): ${stdout}${stderr}`);
  for (const path of readdirSync(emitted, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'))) {
    const file = join(emitted, path), text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(internalMember, (_, member: string) => (member.startsWith('constructor') ? '    private constructor();\n' : '')));
  }
  const input = Object.fromEntries(Object.entries(entries).map(([name, source]) => [name, join(emitted, source.slice('src/'.length).replace(/\.ts$/, '.d.ts'))]));
  const bundle = await rolldown({ input, external: /^clada(\/|$)/, plugins: [dts({ dtsOnly: true, generator: 'oxc', tsconfig: false })] });
  await bundle.write({ dir: types, format: 'esm', chunkFileNames: '[name]-[hash].d.ts' });
  await bundle.close();
  for (const name of readdirSync(types)) {
    const file = join(types, name);
    // an array over an ArrayBuffer, for compilers too that know but one kind of it (before 5.7)
    const text = readFileSync(file, 'utf8').replace(/\b(\w+Array)<ArrayBuffer>/g, "ReturnType<$1['slice']>");
    writeFileSync(file, text.includes('AsyncDisposable') ? text + disposable : text);
  }
  writeFileSync(join(types, 'wasm.d.ts'), '/** What bundlers for workerd and edge-light make of an imported binary. */\ndeclare const module: WebAssembly.Module;\nexport default module;\n');
}
