/** Whatever a caller may hand over as a model → byte sources. */
import { InputError } from '../errors.ts';
import { isRemote } from '../net/address.ts';
import type { OpenOptions } from '../net/open.ts';
import type { NetworkOptions } from '../net/options.ts';
import { pageAddress } from '../node.ts';
import { redacted } from '../redact.ts';
import { BlobSource } from './blob.ts';
import { MemorySource } from './memory.ts';
import type { ByteSource } from './source.ts';
import { StreamSource } from './stream.ts';

/**
 * A path (in a page: an address relative to the page's), URL, `hf:owner/repo/file[@revision]`, bytes, a Blob or File, a stream of bytes, or
 * the Response of a fetch.
 */
export type SourceInput = string | URL | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | Response | ByteSource;

/**
 * A text that says where bytes are: what a page writes as a path becomes a URL, a `file:` URL its text. Names of neighbours are made of
 * that. Anything else as it is.
 */
export function located<T>(input: T): T | string {
  if (input instanceof URL && input.protocol === 'file:') return input.href;
  if (typeof input !== 'string' || isRemote(input)) return input;
  const page = pageAddress();
  return page !== undefined && /^https?:/.test(page) && URL.canParse(input, page) ? new URL(input, page).href : input;
}

/**
 * Of a remote file only what is read is fetched, unless `how` says otherwise.
 * @throws InputError `E_NOT_FOUND` (path or address), `E_OPTION` (something else); TransferError
 */
export async function openSource(
  from: SourceInput, network: NetworkOptions = {}, how: OpenOptions = { mode: 'demand' },
): Promise<ByteSource> {
  const input = located(from);
  if (isRemote(input)) return (await import('../net/open.ts')).openRemote(input, network, how);
  if (typeof input === 'string') return (await import('./file.ts')).openFile(input);
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return new MemorySource(input);
  if (typeof Blob !== 'undefined' && input instanceof Blob) return new BlobSource(input);
  if (typeof ReadableStream !== 'undefined' && input instanceof ReadableStream) return new StreamSource(input);
  if (typeof Response !== 'undefined' && input instanceof Response) return openResponse(input);
  if (typeof (input as ByteSource | null)?.read === 'function') return input as ByteSource;
  throw new InputError('E_OPTION', {
    subject: 'model source', found: input === null ? 'null' : typeof input,
    expected: 'a path, URL, Uint8Array, ArrayBuffer, Blob, ReadableStream, Response or ByteSource',
    remedy: 'Pass one of these.',
  });
}

/** A response that somebody fetched: its body, once, front to back. */
async function openResponse(response: Response): Promise<ByteSource> {
  const name = redacted(response.url || '<response>'), { body, status, headers } = response;
  if (!response.ok) throw (await import('../net/request.ts')).statusError({ url: name }, response);
  if (status === 206 || !body || response.bodyUsed) {
    throw new InputError('E_OPTION', {
      subject: name, found: status === 206 ? 'a part of a file' : 'a response without a body, or one that was read',
      expected: 'a whole one',
      remedy: 'Fetch without a Range header, and pass the response before reading it. Or pass the URL.',
    });
  }
  const length = headers.get('content-length'), plain = !headers.get('content-encoding');
  return new StreamSource(body, plain && length !== null && /^\d+$/.test(length) ? Number(length) : undefined, name);
}
