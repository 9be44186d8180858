/**
 * Takes the place of binaries.ts in the builds for workerd and edge-light, which refuse to compile bytes: the platform compiles what is
 * imported. scripts/build.ts leaves these imports in place, as `./wasm/NAME.wasm` and `./wasm/NAME.wasm?module`. The relaxed build is asked for
 * when it is wanted, so that a runtime without relaxed SIMD still starts.
 */
import base from '../../build/wasm/base.wasm';
import sizes from '../../build/wasm/sizes.js';
import { StateError } from '../errors.ts';
import type { Binary, Program, Tier } from './binaries.ts';

export async function readBinary(tier: Tier, program: Program = 'engine'): Promise<Binary> {
  if (program !== 'engine') {
    throw new StateError('E_ABI', { subject: `program "${program}"`, found: 'an edge runtime', expected: 'Node, Deno, Bun or a browser', remedy: 'Calibrate there, and take the file with you.' });
  }
  const source = tier === 'relaxed' ? (await import('../../build/wasm/relaxed.wasm')).default : base;
  // a VM that runs edge functions compiles outside: its modules are sound, but no instances of this realm's class, which the loader asks
  if (!(source instanceof WebAssembly.Module)) Object.setPrototypeOf(source, WebAssembly.Module.prototype);
  return { source, bytes: sizes[tier] };
}
