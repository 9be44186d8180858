import { FormatError, throwIfAborted } from '../errors.ts';
import type { ByteSource } from './source.ts';

/** How far back a read may reach: a header parse runs this much ahead of the tensors at most (format/gguf/cursor.ts reads 1 MiB pieces). */
const windowBytes = 1024 * 1024;

/**
 * A stream: bytes that pass once. Reads move forward; the last MiB stays within reach.
 * The stream is cancelled by {@link close}.
 */
export class StreamSource implements ByteSource {
  readonly sequential = true;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** The last bytes received, in order; `#start` is the offset of the first. */
  #pieces: Uint8Array[] = [];
  #start = 0;
  #end = 0;
  #done = false;

  constructor(stream: ReadableStream<Uint8Array>, readonly size: number | undefined = undefined, readonly name = '<stream>') {
    this.#reader = stream.getReader();
  }

  async read(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (offset < this.#start) {
      throw new FormatError('E_SOURCE_READ', {
        subject: this.name, found: `a read at byte ${offset}, ${this.#end - offset} behind the stream`,
        expected: `at most ${windowBytes} behind`,
        remedy: 'Load this model from a file, a Blob or bytes: its tensors do not lie in the order of the header.',
      });
    }
    const end = offset + target.length;
    let done = this.#copy(offset, target);
    while (offset + done < end && !this.#done) {
      throwIfAborted(signal, this.name);
      await this.#pull(offset);
      done += this.#copy(offset + done, target.subarray(done));
    }
    return done;
  }

  async close(): Promise<void> {
    this.#done = true;
    this.#pieces = [];
    await this.#reader.cancel().catch(() => undefined); // a stream that failed already has nothing to cancel
  }

  async #pull(wanted: number): Promise<void> {
    const { value, done } = await this.#reader.read().catch((cause: unknown) => {
      throw new FormatError('E_SOURCE_READ', {
        subject: this.name, found: String(cause), expected: `bytes from ${this.#end} on`,
        remedy: 'Fetch the model again.', cause,
      });
    });
    if (done) { this.#done = true; return; }
    this.#pieces.push(value);
    this.#end += value.length;
    const keepFrom = Math.min(wanted, this.#end - windowBytes);
    while (this.#pieces.length > 1 && this.#start + this.#pieces[0]!.length <= keepFrom) this.#start += this.#pieces.shift()!.length;
  }

  /** Copies what is held of the bytes from `offset` on. */
  #copy(offset: number, target: Uint8Array): number {
    let at = this.#start, done = 0;
    for (const piece of this.#pieces) {
      const from = offset + done - at;
      if (from >= 0 && from < piece.length && done < target.length) {
        const part = piece.subarray(from, from + target.length - done);
        target.set(part, done);
        done += part.length;
      }
      at += piece.length;
    }
    return done;
  }
}
