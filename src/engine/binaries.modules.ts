/**
 * Takes the place of binaries.ts in the build for workerd, which refuses to compile bytes: the platform compiles what is imported.
 * scripts/build.ts leaves these imports in place, as `./wasm/NAME.wasm`. The relaxed build is asked for when it is wanted, so that a
 * runtime without relaxed SIMD still starts.
 */
import base from '../../build/wasm/base.wasm';
import type { Binary, Program, Tier } from './binaries.ts';
import { compiled } from './compiled.ts';

export const carried: readonly Tier[] = ['base', 'relaxed'];
export const carriesThreads: boolean = false; // these runtimes start no workers
export const roomy: boolean = false; // 128 MB

export async function readBinary(tier: Tier, program: Program = 'engine'): Promise<Binary> {
  return compiled(tier === 'relaxed' ? (await import('../../build/wasm/relaxed.wasm')).default : base, tier, program);
}
