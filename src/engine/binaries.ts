/** The programs and their two builds, each a module with the bytes inside, loaded only when chosen. */
export type Tier = 'base' | 'relaxed';
/** `engine` runs models; `calibrate` measures them (src/calibrate), and only who does that fetches it. */
export type Program = 'engine' | 'calibrate';

export async function wasmBytes(tier: Tier, program: Program = 'engine'): Promise<Uint8Array<ArrayBuffer>> {
  if (program === 'calibrate') {
    return tier === 'relaxed'
      ? (await import('../../build/wasm/calibrate-relaxed.wasm.js')).default
      : (await import('../../build/wasm/calibrate-base.wasm.js')).default;
  }
  return tier === 'relaxed'
    ? (await import('../../build/wasm/relaxed.wasm.js')).default
    : (await import('../../build/wasm/base.wasm.js')).default;
}
