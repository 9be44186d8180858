/** Whatever a caller may hand over as a model → byte sources. */
import { InputError } from '../errors.ts';
import { BlobSource } from './blob.ts';
import { MemorySource } from './memory.ts';
import type { ByteSource } from './source.ts';
import { StreamSource } from './stream.ts';

/** A path, bytes, a Blob or File, or a stream of bytes. */
export type SourceInput = string | URL | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | ByteSource;

/** @throws InputError `E_NOT_FOUND` (path), `E_OPTION` (something else). */
export async function openSource(input: SourceInput): Promise<ByteSource> {
  if (input instanceof URL && input.protocol === 'file:') return (await import('./file.ts')).openFile(input);
  if (input instanceof URL || (typeof input === 'string' && /^(https?|hf):/i.test(input))) {
    throw new InputError('E_OPTION', {
      subject: 'model source', found: String(input), expected: 'a path, bytes, a Blob or a stream',
      remedy: 'Fetch it yourself and pass the body: load((await fetch(url)).body).',
    });
  }
  if (typeof input === 'string') return (await import('./file.ts')).openFile(input);
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return new MemorySource(input);
  if (typeof Blob !== 'undefined' && input instanceof Blob) return new BlobSource(input);
  if (typeof ReadableStream !== 'undefined' && input instanceof ReadableStream) return new StreamSource(input);
  if (typeof (input as ByteSource | null)?.read === 'function') return input as ByteSource;
  throw new InputError('E_OPTION', {
    subject: 'model source', found: input === null ? 'null' : typeof input, expected: 'a path, URL, Uint8Array, ArrayBuffer, Blob, ReadableStream or ByteSource',
    remedy: 'Pass one of these.',
  });
}
