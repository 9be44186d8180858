import type { ByteSource } from './source.ts';

/** Bytes that are in memory already. They are not copied: do not change them while a model loads. */
export class MemorySource implements ByteSource {
  readonly sequential = false;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array | ArrayBuffer, readonly name = '<bytes>') {
    this.#bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  }

  get size(): number { return this.#bytes.length; }

  read(offset: number, target: Uint8Array): Promise<number> {
    const part = this.#bytes.subarray(offset, offset + target.length);
    target.set(part);
    return Promise.resolve(part.length);
  }

  close(): Promise<void> { return Promise.resolve(); }
}
