/**
 * The memory map of an engine, low to high: static data, records, weights, workspace, then what comes and goes: sequences, forms, copies of
 * masks. The host drives it while it plans, opens and closes; nothing is allocated while tokens run. What is given back is used again: a
 * WebAssembly memory never shrinks.
 */
import { ModelError, StateError } from '../errors.ts';
import { aligned } from '../model/plan.ts';
import { MAX_BYTES } from '../model/memory.ts';

const pageBytes = 65536;

export class Arena {
  #top: number;
  #memory: WebAssembly.Memory | undefined;
  /** Bytes of what is taken, by address. */
  readonly #taken = new Map<number, number>();
  /** Holes below the top, sorted by address, never two side by side. */
  #free: { ptr: number; bytes: number }[] = [];

  constructor(memory: WebAssembly.Memory, heapBase: number, private readonly maxBytes: number = MAX_BYTES) {
    this.#memory = memory;
    this.#top = aligned(heapBase >>> 0); // pointers from 2 GiB on come back negative
  }

  /** @throws StateError `E_CLOSED` */
  get memory(): WebAssembly.Memory {
    if (this.#memory) return this.#memory;
    throw new StateError('E_CLOSED', {
      subject: 'model', found: 'a call after close()', expected: 'an open model', remedy: 'Load the model again.',
    });
  }

  /** First address that nothing behind it is taken from. */
  get top(): number { return this.#top; }

  /** Whether `bytes` more find room below the ceiling, which whole pages may not cross. */
  fits(bytes: number): boolean {
    return this.#hole(aligned(bytes)) >= 0 || this.#top + aligned(bytes) <= pageBytes * Math.floor(this.maxBytes / pageBytes);
  }

  /** Grows the memory so that `bytes` more fit behind the top. Views made before are void afterwards. */
  reserve(bytes: number): void {
    const pages = Math.ceil((this.#top + bytes) / pageBytes) - this.memory.buffer.byteLength / pageBytes;
    if (pages <= 0) return;
    if (this.#top + aligned(bytes) > pageBytes * Math.floor(this.maxBytes / pageBytes)) this.#refuse(bytes);
    try {
      this.memory.grow(pages);
    } catch (cause) {
      this.#refuse(bytes, cause);
    }
  }

  #refuse(bytes: number, cause?: unknown): never {
    throw new ModelError('E_WONT_FIT', {
      subject: 'WebAssembly memory', found: `${this.#top + bytes} bytes needed`,
      expected: `at most ${this.maxBytes} bytes, and that the runtime grants them`,
      remedy: 'Use a smaller context, kv: "q8", or a smaller model.', cause,
    });
  }

  #hole(bytes: number): number { return this.#free.findIndex((hole) => hole.bytes >= bytes); }

  /** Takes `bytes` (growing if it must), zeroed where they were used before, and returns their address. */
  take(bytes: number): number {
    const size = aligned(bytes), i = this.#hole(size);
    if (i < 0) {
      this.reserve(size);
      const ptr = this.#top;
      this.#top += size;
      this.#taken.set(ptr, size);
      return ptr;
    }
    const hole = this.#free[i]!, { ptr } = hole;
    if (hole.bytes === size) this.#free.splice(i, 1);
    else this.#free[i] = { ptr: ptr + size, bytes: hole.bytes - size };
    this.#taken.set(ptr, size);
    this.u8(ptr, size).fill(0);
    return ptr;
  }

  /** The same for what one can do without: 0 where there is no room, or the runtime grants none. */
  tryTake(bytes: number): number {
    try {
      return this.fits(bytes) ? this.take(bytes) : 0;
    } catch (error) {
      if (error instanceof ModelError) return 0;
      throw error;
    }
  }

  /** Takes blocks of several sizes, all of them or none: field → bytes to field → address. @throws ModelError `E_WONT_FIT` */
  takeAll<F extends string>(sizes: Readonly<Record<F, number>>): Record<F, number> {
    const taken: number[] = [];
    try {
      for (const bytes of Object.values<number>(sizes)) taken.push(this.take(bytes));
    } catch (error) {
      for (const ptr of taken) this.give(ptr);
      throw error;
    }
    return Object.fromEntries(Object.keys(sizes).map((field, i) => [field, taken[i]!])) as Record<F, number>;
  }

  /** Gives back what {@link take} gave. */
  give(ptr: number): void {
    const bytes = this.#taken.get(ptr);
    if (bytes === undefined) return;
    this.#taken.delete(ptr);
    const joined: { ptr: number; bytes: number }[] = [];
    for (const hole of [...this.#free, { ptr, bytes }].sort((a, b) => a.ptr - b.ptr)) {
      const last = joined.at(-1);
      if (last && last.ptr + last.bytes === hole.ptr) last.bytes += hole.bytes;
      else joined.push({ ...hole });
    }
    const last = joined.at(-1)!;
    if (last.ptr + last.bytes === this.#top) { // what lies above the top is zero, as fresh pages are
      this.u8(last.ptr, last.bytes).fill(0);
      this.#top = last.ptr;
      joined.pop();
    }
    this.#free = joined;
  }

  u8(ptr: number, length: number): Uint8Array { return new Uint8Array(this.memory.buffer, ptr, length); }
  i32(ptr: number, length: number): Int32Array { return new Int32Array(this.memory.buffer, ptr, length); }
  f32(ptr: number, length: number): Float32Array { return new Float32Array(this.memory.buffer, ptr, length); }

  /** Lets go of the memory: nobody who still holds the arena holds it too. */
  close(): void {
    this.#memory = undefined;
  }
}
