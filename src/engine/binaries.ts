/** The programs and their two builds, each a module with the bytes inside, loaded only when chosen and compiled once. */

/** A build of the engine: `base` gives the same bits everywhere, `relaxed` is faster. */
export type Tier = 'base' | 'relaxed';
/** The tiers that this build of the library has with it. */
export const carried: readonly Tier[] = ['base', 'relaxed'];
/** Whether builds for several threads are among them. */
export const carriesThreads: boolean = true;
/** Whether these runtimes have memory for what only makes things faster. */
export const roomy: boolean = true;
/**
 * `engine` runs models, `threads` is the same for workers that share a memory; `calibrate` measures models (src/calibrate). Only who needs
 * one fetches it.
 */
export type Program = 'engine' | 'threads' | 'calibrate';

export interface Binary {
  readonly source: WebAssembly.Module;
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

const compiled = new Map<() => Promise<unknown>, Promise<Binary>>();

/** A build, compiled once for all who ask in this process or page. What failed is tried again. */
export function readBinary(tier: Tier, program: Program = 'engine'): Promise<Binary> {
  const open = imports[program][tier];
  let binary = compiled.get(open);
  if (!binary) {
    binary = open().then(async ({ default: text, bytes }) => ({ source: await WebAssembly.compile(await inflated(text, bytes)), bytes }));
    binary.catch(() => { compiled.delete(open); });
    compiled.set(open, binary);
  }
  return binary;
}

interface NodeZlib { inflateRawSync(bytes: Uint8Array): Uint8Array<ArrayBuffer> }
interface Runtime { process?: { getBuiltinModule?: (name: string) => NodeZlib | undefined } }

/** What scripts/build.ts deflated and wrote as base64. Node's zlib where there is one: its streams take twenty times as long to begin. */
async function inflated(text: string, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const binary = atob(text), deflated = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) deflated[i] = binary.charCodeAt(i);
  const zlib = (globalThis as Runtime).process?.getBuiltinModule?.('node:zlib');
  if (zlib) return zlib.inflateRawSync(deflated);
  const reader = new Blob([deflated]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const whole = new Uint8Array(bytes);
  for (let at = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return whole;
    whole.set(value, at);
    at += value.length;
  }
}
