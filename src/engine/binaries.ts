/** The engine's two builds, each a module with the bytes inside, loaded only when chosen. */
export type Tier = 'base' | 'relaxed';

export async function wasmBytes(tier: Tier): Promise<Uint8Array<ArrayBuffer>> {
  return tier === 'relaxed'
    ? (await import('../../build/wasm/relaxed.wasm.js')).default
    : (await import('../../build/wasm/base.wasm.js')).default;
}
