/**
 * The memory map of an engine, low to high: static data, records, weights, tables, sessions. A bump allocator that the host drives while
 * it plans and opens; nothing is allocated while tokens run.
 */
import { ModelError } from '../errors.ts';
import { aligned } from '../model/plan.ts';
import { MAX_BYTES } from '../model/session-layout.ts';

const pageBytes = 65536;

export class Arena {
  #top: number;

  constructor(readonly memory: WebAssembly.Memory, heapBase: number, private readonly maxBytes: number = MAX_BYTES) {
    this.#top = aligned(heapBase >>> 0); // pointers from 2 GiB on come back negative
  }

  /** First free address. */
  get top(): number { return this.#top; }

  /** Whether `bytes` more stay below the ceiling, which whole pages may not cross. */
  fits(bytes: number): boolean {
    return this.#top + aligned(bytes) <= pageBytes * Math.floor(this.maxBytes / pageBytes);
  }

  /** Grows the memory so that `bytes` more fit behind the top. Views made before are void afterwards. */
  reserve(bytes: number): void {
    const pages = Math.ceil((this.#top + bytes) / pageBytes) - this.memory.buffer.byteLength / pageBytes;
    if (pages <= 0) return;
    if (this.fits(bytes)) {
      try {
        this.memory.grow(pages);
        return;
      } catch (cause) {
        this.#refuse(bytes, cause);
      }
    }
    this.#refuse(bytes);
  }

  #refuse(bytes: number, cause?: unknown): never {
    throw new ModelError('E_WONT_FIT', {
      subject: 'WebAssembly memory', found: `${this.#top + bytes} bytes needed`, expected: `at most ${this.maxBytes} bytes, and that the runtime grants them`,
      remedy: 'Use a smaller context, kv: "q8", or a smaller model.', cause,
    });
  }

  /** Takes `bytes` (growing if it must) and returns their address. */
  take(bytes: number): number {
    this.reserve(aligned(bytes));
    const ptr = this.#top;
    this.#top += aligned(bytes);
    return ptr;
  }

  u8(ptr: number, length: number): Uint8Array { return new Uint8Array(this.memory.buffer, ptr, length); }
  i32(ptr: number, length: number): Int32Array { return new Int32Array(this.memory.buffer, ptr, length); }
  f32(ptr: number, length: number): Float32Array { return new Float32Array(this.memory.buffer, ptr, length); }
}
