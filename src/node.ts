/** Node's modules, which Deno and Bun have too. A literal `import('node:fs')` would stop a bundler that builds for browsers or the edge. */
import { InputError } from './errors.ts';

export interface NodeModules {
  'node:crypto': typeof import('node:crypto');
  'node:fs/promises': typeof import('node:fs/promises');
  'node:os': typeof import('node:os');
  'node:path': typeof import('node:path');
  'node:url': typeof import('node:url');
}

/** @throws InputError `E_NOT_FOUND` where there is no such module, for the sake of `subject`. */
export async function nodeModule<Name extends keyof NodeModules>(name: Name, subject: string): Promise<NodeModules[Name]> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as NodeModules[Name];
  } catch (cause) {
    throw new InputError('E_NOT_FOUND', {
      subject, found: 'a runtime without a file system', expected: 'Node, Deno or Bun for a path', remedy: 'Pass bytes, a Blob or a stream: load((await fetch(url)).body).', cause,
    });
  }
}
