import { FormatError, throwIfAborted } from '../errors.ts';
import type { ByteSource } from './source.ts';

/** A Blob or File, read piece by piece: a browser leaves it on disk. */
export class BlobSource implements ByteSource {
  readonly sequential = false;
  readonly name: string;

  constructor(private readonly blob: Blob) {
    this.name = (blob as { name?: string }).name ?? '<blob>';
  }

  get size(): number { return this.blob.size; }

  async read(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<number> {
    throwIfAborted(signal, this.name);
    try {
      const part = new Uint8Array(await this.blob.slice(offset, offset + target.length).arrayBuffer());
      target.set(part);
      return part.length;
    } catch (cause) { // a File whose disk file has changed since it was picked
      throw new FormatError('E_SOURCE_READ', {
        subject: this.name, found: String(cause), expected: `bytes ${offset} to ${offset + target.length}`,
        remedy: 'Pick the file again.', cause,
      });
    }
  }

  close(): Promise<void> { return Promise.resolve(); }
}
