/** Models and calibrations as they are sent to a worker, which has another address, and is told nothing that cannot be cloned. */
import { InputError } from '../errors.ts';
import { pageAddress } from '../node.ts';
import { show } from '../options.ts';

/** What remains of a Response. */
export interface SentResponse {
  readonly body: ReadableStream<Uint8Array> | null;
  readonly status: number;
  readonly headers: readonly [string, string][];
}

const isResponse = (source: unknown): source is Response => typeof Response !== 'undefined' && source instanceof Response;

/** What a page writes as a path is relative to the page's address; a worker has another. */
function absolute(source: string): string {
  const page = pageAddress(), isPath = !/^[a-z][a-z\d+.-]*:/i.test(source);
  return page !== undefined && isPath && URL.canParse(source, page) ? new URL(source, page).href : source;
}

function oneToWire(source: unknown, transfer: Transferable[]): unknown {
  if (typeof source === 'string') return absolute(source);
  if (source instanceof URL) return source.href;
  if (typeof ReadableStream !== 'undefined' && source instanceof ReadableStream) transfer.push(source as unknown as Transferable);
  if (isResponse(source)) {
    const { body, status, headers } = source;
    if (body) transfer.push(body as unknown as Transferable);
    return { body, status, headers: [...headers] } satisfies SentResponse;
  }
  if (typeof (source as { read?: unknown } | null)?.read !== 'function') return source;
  throw new InputError('E_OPTION', {
    subject: 'model source', found: 'an object with a function read', expected: 'a path, URL, bytes, Blob, stream or Response',
    remedy: 'Functions do not cross to a worker: pass a Blob, or load in a worker of your own.',
  });
}

/** `transfer` grows by what goes over whole. */
export const sourceToWire = (source: unknown, transfer: Transferable[]): unknown =>
  (Array.isArray(source) ? source.map((part) => oneToWire(part, transfer)) : oneToWire(source, transfer));

const isSent = (source: unknown): source is SentResponse => typeof (source as Partial<SentResponse> | null)?.status === 'number';

function oneFromWire(source: unknown): unknown {
  if (!isSent(source)) return source;
  const { body, status, headers } = source;
  return new Response(body, { status, headers: headers.map(([name, value]): [string, string] => [name, value]) });
}

export const sourceFromWire = (source: unknown): unknown => (Array.isArray(source) ? source.map(oneFromWire) : oneFromWire(source));

/** Whether pages can tell that they mean the same model. @throws InputError `E_OPTION` otherwise */
export function checkSharable(source: unknown): void {
  const isAddress = (part: unknown): boolean => typeof part === 'string' || part instanceof URL;
  if (Array.isArray(source) ? source.every(isAddress) : isAddress(source)) return;
  throw new InputError('E_OPTION', {
    subject: 'model source', found: show(source), expected: 'an address where a model is shared',
    remedy: 'Pass a URL, by which other pages know it for the same; or leave out `shared`.',
  });
}
