/**
 * Kernel twins for tests: instantiates build/wasm/kernels-{debug,base,relaxed}.wasm over one memory with a bump allocator
 * that puts canary bytes on both sides of every array.
 */
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import { instantiateSync } from '@assemblyscript/loader';

v8.setFlagsFromString('--experimental-wasm-relaxed-simd'); // Node 20; later versions know it by default and ignore this

export type Build = 'debug' | 'base' | 'relaxed';
export const builds: readonly Build[] = ['debug', 'base', 'relaxed'];

const canary = 0xa5;
const canaryBytes = 64;

export class Kernels {
  readonly memory: WebAssembly.Memory;
  readonly exports: Record<string, (...args: number[]) => number>;
  private top = 0;
  private arrays: { ptr: number; bytes: number }[] = [];

  constructor(readonly build: Build, pages = 1024) {
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: 65535 });
    const bytes = readFileSync(new URL(`../../build/wasm/kernels-${build}.wasm`, import.meta.url));
    this.exports = instantiateSync(bytes, { env: { memory: this.memory } }).exports as unknown as Record<string, (...args: number[]) => number>;
    this.reset();
  }

  /** Forgets all arrays. */
  reset(): void {
    this.top = (this.exports['heapBase']!() + 15) & ~15;
    this.arrays = [];
  }

  /** `bytes` bytes at an address that is `skew` past a multiple of 16, canaries around. */
  alloc(bytes: number, skew = 0): number {
    const ptr = this.top + canaryBytes + skew;
    const u8 = new Uint8Array(this.memory.buffer);
    u8.fill(canary, this.top, ptr);
    u8.fill(0, ptr, ptr + bytes);
    u8.fill(canary, ptr + bytes, ptr + bytes + canaryBytes);
    this.top = (ptr + bytes + canaryBytes + 15) & ~15;
    if (this.top > u8.length) throw new Error('test memory is full: raise `pages`');
    this.arrays.push({ ptr, bytes });
    return ptr;
  }

  u8(ptr: number, length: number): Uint8Array { return new Uint8Array(this.memory.buffer, ptr, length); }
  i8(ptr: number, length: number): Int8Array { return new Int8Array(this.memory.buffer, ptr, length); }
  i32(ptr: number, length: number): Int32Array { return new Int32Array(this.memory.buffer, ptr, length); }
  f32(ptr: number, length: number): Float32Array { return new Float32Array(this.memory.buffer, ptr, length); }

  putF32(values: ArrayLike<number>, skew = 0): number {
    const ptr = this.alloc(values.length * 4, skew);
    this.f32(ptr, values.length).set(values);
    return ptr;
  }

  putBytes(values: Uint8Array, skew = 0): number {
    const ptr = this.alloc(values.length, skew);
    this.u8(ptr, values.length).set(values);
    return ptr;
  }

  call(name: string, ...args: number[]): number {
    const fn = this.exports[name];
    if (!fn) throw new Error(`kernels-${this.build} has no export ${name}; add it to assembly/kernels.entry.ts`);
    return fn(...args);
  }

  /** Throws if any byte around any array was written. */
  checkCanaries(): void {
    for (const { ptr, bytes } of this.arrays) {
      for (const [from, name] of [[ptr - canaryBytes, 'before'], [ptr + bytes, 'behind']] as const) {
        const at = this.u8(from, canaryBytes).findIndex((b) => b !== canary);
        if (at >= 0) throw new Error(`kernel wrote ${name} the array at ${ptr} (${bytes} bytes), address ${from + at}`);
      }
    }
  }
}
