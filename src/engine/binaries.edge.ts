/**
 * Takes the place of binaries.ts in the build for edge-light, whose imports are `./wasm/NAME.wasm?module`. The base build alone: these
 * platforms compile every binary that a function may import before it runs (Next does, in `next start`), and one that knows no relaxed SIMD
 * (Node 20) would not start.
 */
import base from '../../build/wasm/base.wasm';
import type { Binary, Program, Tier } from './binaries.ts';
import { compiled } from './compiled.ts';

export const carried: readonly Tier[] = ['base'];
export const carriesThreads: boolean = false; // these runtimes start no workers
export const roomy: boolean = false; // 128 MB

export function readBinary(tier: Tier, program: Program = 'engine'): Promise<Binary> {
  return Promise.resolve(compiled(base, tier, program));
}
