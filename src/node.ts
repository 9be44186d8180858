/**
 * Node's modules, which Deno and Bun have too. No bundler may see their names where it resolves imports: `import('node:fs')` would stop a
 * build for browsers or the edge, and an import of an expression is replaced by one that always fails (webpack, rspack, Next's Node
 * routes). So the runtime is asked, and what has no `process.getBuiltinModule` (Node before 20.16) imports behind comments that keep
 * bundlers away.
 */
import { InputError } from './errors.ts';

export interface NodeModules {
  'node:crypto': typeof import('node:crypto');
  'node:fs/promises': typeof import('node:fs/promises');
  'node:os': typeof import('node:os');
  'node:path': typeof import('node:path');
  'node:url': typeof import('node:url');
  'node:worker_threads': typeof import('node:worker_threads');
}

interface Runtime {
  process?: { versions?: { node?: string }; getBuiltinModule?: (name: string) => unknown };
  location?: { href: string };
  document?: { baseURI: string };
}
const runtime: Runtime = globalThis as Runtime;

/** @throws InputError `E_NOT_FOUND` where there is no such module, for the sake of `subject`. */
export async function nodeModule<Name extends keyof NodeModules>(name: Name, subject: string): Promise<NodeModules[Name]> {
  try {
    const builtin = runtime.process?.getBuiltinModule?.(name) as NodeModules[Name] | undefined;
    return builtin ?? ((await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name)) as NodeModules[Name]);
  } catch (cause) {
    throw new InputError('E_NOT_FOUND', {
      subject, found: 'a runtime without a file system', expected: 'Node, Deno or Bun for a path',
      remedy: 'Pass bytes, a Blob or a stream: load((await fetch(url)).body).', cause,
    });
  }
}

/**
 * What a relative address is relative to: the address of a page or of a worker's script. Undefined where paths are those of a file system,
 * or nothing has an address.
 */
export function pageAddress(): string | undefined {
  if (runtime.process?.versions?.node !== undefined) return undefined; // Deno and Bun say so too
  const { href } = runtime.location ?? {};
  if (href === undefined) return undefined;
  return href.startsWith('blob:') ? new URL(href).origin : (runtime.document?.baseURI ?? href); // the worker of a Blob has no folder
}
