/** Binaries that the platform compiled: what workerd and edge-light make of an import. */
import sizes from '../../build/wasm/sizes.js';
import { StateError } from '../errors.ts';
import type { Binary, Program, Tier } from './binaries.ts';

export function compiled(source: WebAssembly.Module, tier: Tier, program: Program): Binary {
  if (program !== 'engine') {
    throw new StateError('E_ABI', {
      subject: `program "${program}"`, found: 'an edge runtime', expected: 'Node, Deno, Bun or a browser',
      remedy: 'Calibrate there, and take the file with you.',
    });
  }
  // a VM that runs edge functions compiles outside: its modules are sound, but no instances of this realm's class, which the loader asks
  if (!(source instanceof WebAssembly.Module)) Object.setPrototypeOf(source, WebAssembly.Module.prototype);
  return { source, bytes: sizes[tier] };
}
