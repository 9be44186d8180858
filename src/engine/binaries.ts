/** The programs and their two builds, each a module with the bytes inside, loaded only when chosen. */

/** A build of the engine: `base` gives the same bits everywhere, `relaxed` is faster. */
export type Tier = 'base' | 'relaxed';
/** The tiers that this build of the library has with it. */
export const carried: readonly Tier[] = ['base', 'relaxed'];
/** `engine` runs models; `calibrate` measures them (src/calibrate), and only who does that fetches it. */
export type Program = 'engine' | 'calibrate';

export interface Binary {
  /** Bytes to compile; where the platform compiles (binaries.modules.ts), its module. */
  readonly source: Uint8Array<ArrayBuffer> | WebAssembly.Module;
  readonly bytes: number;
}

/**
 * One literal import a binary: bundlers follow nothing else. A build with threads is to be one more tier here, in binaries.modules.ts and
 * in binaries.edge.ts.
 */
const imports = {
  engine: { base: () => import('../../build/wasm/base.wasm.js'), relaxed: () => import('../../build/wasm/relaxed.wasm.js') },
  calibrate: {
    base: () => import('../../build/wasm/calibrate-base.wasm.js'), relaxed: () => import('../../build/wasm/calibrate-relaxed.wasm.js'),
  },
} as const;

export async function readBinary(tier: Tier, program: Program = 'engine'): Promise<Binary> {
  const { default: source } = await imports[program][tier]();
  return { source, bytes: source.length };
}
