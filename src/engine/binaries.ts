/** The programs and their two builds, each a module with the bytes inside, loaded only when chosen. */

/** A build of the engine: `base` gives the same bits everywhere, `relaxed` is faster. */
export type Tier = 'base' | 'relaxed';
/** The tiers that this build of the library has with it. */
export const carried: readonly Tier[] = ['base', 'relaxed'];
/** Whether builds for several threads are among them. */
export const carriesThreads: boolean = true;
/**
 * `engine` runs models, `threads` is the same for workers that share a memory; `calibrate` measures models (src/calibrate). Only who needs
 * one fetches it.
 */
export type Program = 'engine' | 'threads' | 'calibrate';

export interface Binary {
  /** Bytes to compile; where the platform compiles (binaries.modules.ts), its module. */
  readonly source: Uint8Array<ArrayBuffer> | WebAssembly.Module;
  readonly bytes: number;
}

/** One literal import a binary: bundlers follow nothing else. */
const imports = {
  engine: { base: () => import('../../build/wasm/base.wasm.js'), relaxed: () => import('../../build/wasm/relaxed.wasm.js') },
  threads: {
    base: () => import('../../build/wasm/base-threads.wasm.js'), relaxed: () => import('../../build/wasm/relaxed-threads.wasm.js'),
  },
  calibrate: {
    base: () => import('../../build/wasm/calibrate-base.wasm.js'), relaxed: () => import('../../build/wasm/calibrate-relaxed.wasm.js'),
  },
} as const;

export async function readBinary(tier: Tier, program: Program = 'engine'): Promise<Binary> {
  const { default: source } = await imports[program][tier]();
  return { source, bytes: source.length };
}
