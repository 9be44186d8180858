/** Bytes that are written, and kept or lost, together. */
export const blockBytes = 1024 * 1024;

/** Collects chunks into blocks that end where blocks end. */
export class Blocks {
  readonly #bytes = new Uint8Array(blockBytes);
  #start: number;
  refused = false;

  constructor(public position: number, private readonly store: (offset: number, bytes: Uint8Array) => Promise<boolean>) {
    this.#start = position;
  }

  /** False once the store has refused a block. */
  async add(chunk: Uint8Array): Promise<boolean> {
    for (let done = 0; done < chunk.length && !this.refused;) {
      const room = blockBytes - (this.#start % blockBytes) - (this.position - this.#start), part = chunk.subarray(done, done + room);
      this.#bytes.set(part, this.position - this.#start);
      this.position += part.length;
      done += part.length;
      if (this.position % blockBytes === 0) await this.flush();
    }
    return !this.refused;
  }

  async flush(): Promise<void> {
    const bytes = this.#bytes.subarray(0, this.position - this.#start), at = this.#start;
    this.#start = this.position;
    if (bytes.length > 0 && !this.refused && !await this.store(at, bytes)) this.refused = true;
  }
}
