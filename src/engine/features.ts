/**
 * What this runtime's WebAssembly can do, found by validating tiny modules. Relaxed SIMD is one more word: Node 20 has it behind a
 * V8 flag that must be set before anything is compiled.
 */

/** `(func (result v128) (i8x16.popcnt (i8x16.splat (i32.const 0))))` */
const simdModule = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

/** `(func (result v128) (i16x8.relaxed_dot_i8x16_i7x16_s (i8x16.splat (i32.const 1)) (i8x16.splat (i32.const 2))))` */
const relaxedModule = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 146, 2, 11,
];

/** True if simd128 is there. Without it no build of the engine runs. */
export function hasSimd(): boolean {
  return WebAssembly.validate(new Uint8Array(simdModule));
}

interface NodeV8 { setFlagsFromString(flag: string): void }
interface NodeProcess { versions?: { node?: string; bun?: string }; getBuiltinModule?: (name: string) => NodeV8 | undefined }

/** True if relaxed SIMD is there, after asking Node 20 for it. */
export function hasRelaxedSimd(): boolean {
  const module = new Uint8Array(relaxedModule);
  if (WebAssembly.validate(module)) return true;
  const { process } = globalThis as { process?: NodeProcess };
  if (!process?.versions?.node || process.versions.bun) return false;
  process.getBuiltinModule?.('node:v8')?.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(module);
}

/** Why several threads may not share a memory here, in a few words; undefined where they may. */
export function mayShare(): string | undefined {
  const { process, Worker: web, crossOriginIsolated } = globalThis as {
    process?: NodeProcess; Worker?: unknown; crossOriginIsolated?: boolean;
  };
  const hasModules = process?.versions?.node !== undefined;
  if (!hasModules && typeof web === 'undefined') return 'this runtime starts no workers';
  if (!hasModules && crossOriginIsolated === false) {
    return 'the page is not cross-origin isolated: send Cross-Origin-Opener-Policy: same-origin and '
      + 'Cross-Origin-Embedder-Policy: require-corp with it';
  }
  return typeof SharedArrayBuffer === 'undefined' ? 'this runtime shares no memory between threads' : undefined;
}

/** Whether this thread may sleep until another wakes it: a page's own may not. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}
