/**
 * One request: redirects followed by hand (so that a token stays with its server, and what the hub says on the way is heard), statuses to
 * errors.
 */
import { AbortedError, CladaError, InputError, TransferError, throwIfAborted } from '../errors.ts';
import { withoutUser } from './address.ts';
import type { FileInfo, Stretch } from './cache.ts';
import type { NetworkOptions } from './options.ts';
import type { Target } from './target.ts';

/** What may pass if one waits: tried again, at first after `after` milliseconds if the server said so. */
export class RetryableTransferError extends TransferError {
  constructor(
    code: ConstructorParameters<typeof TransferError>[0], parts: ConstructorParameters<typeof TransferError>[1], readonly after?: number,
  ) {
    super(code, parts);
    this.name = 'TransferError';
  }
}

export interface Reply {
  readonly response: Response;
  /** Where the bytes come from after all redirects. */
  readonly url: string;
  readonly info: FileInfo;
  /** Of a 206: the bytes that it says it holds; undefined where it does not say, or says nonsense. */
  readonly range: Stretch | undefined;
  /** The body, piece by piece. @throws RetryableTransferError where the connection breaks or falls silent */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Drops the rest of the body. */
  cancel(): void;
}

export interface Requester {
  readonly target: Target;
  readonly options: NetworkOptions;
  /** Origin that the authorization is for; no other ever sees it. */
  readonly origin: string;
  /** Value of the Authorization header. */
  readonly authorization: string | undefined;
}

const maxRedirects = 10;

/**
 * A GET that ends in 200, 206 or 416. `signal` also stops the body.
 * @throws InputError `E_NOT_FOUND`; TransferError `E_ACCESS`, `E_REDIRECT`, `E_SERVER`; RetryableTransferError `E_NETWORK`, `E_RATE_LIMIT`,
 * `E_SERVER`; AbortedError
 */
export async function request(requester: Requester, from: string, headers: Record<string, string>, signal: AbortSignal): Promise<Reply> {
  const watch = new Watch(requester.options.idleTimeout ?? 30_000, signal);
  try {
    return await follow(requester, from, headers, signal, watch);
  } catch (error) {
    watch.stop();
    throw error;
  }
}

async function follow(
  { target, options, origin, authorization }: Requester, from: string, headers: Record<string, string>, signal: AbortSignal, watch: Watch,
): Promise<Reply> {
  const seen = new Set<string>();
  let url = from, hub: FileInfo = {}, redirect: RequestRedirect = 'manual';
  for (;;) {
    throwIfAborted(signal, target.url);
    watch.beat();
    const asked = url;
    const authorized = authorization !== undefined && new URL(asked).origin === origin ? { ...headers, authorization } : headers;
    const answer = (options.fetch ?? fetch)(asked, { headers: authorized, redirect, signal: watch.signal });
    const response = await watch.race(answer).catch((cause: unknown) => { throw watch.failed(target.url, cause); });
    if (response.type === 'opaqueredirect') { // a browser shows no redirect, and not what the hub says along with it
      redirect = 'follow';
      if (target.hub) hub = await askHub(target.url, target.hub, authorized, options.fetch ?? fetch, watch.signal);
      continue;
    }
    if (target.hub && new URL(asked).origin === origin) hub = { ...hub, ...hubInfo(response.headers) };
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && response.status !== 304 && location !== null) {
      drop(response);
      seen.add(asked);
      url = redirected(target.url, asked, location);
      if (seen.has(url) || seen.size > maxRedirects) {
        const found = seen.has(url) ? `a redirect back to ${url}` : `more than ${maxRedirects} redirects`;
        throw refuse('E_REDIRECT', target.url, found, 'a file at the end of them',
          'Check the address in a browser; the server sends requests in a circle.');
      }
      continue;
    }
    const { status } = response;
    if (status !== 200 && status !== 206 && status !== 416) {
      drop(response);
      throw statusError(target, response);
    }
    if (status !== 416 && /^text\/html\b/.test(response.headers.get('content-type') ?? '')) { // what a server of pages answers to any path
      drop(response);
      throw refuse('E_NOT_FOUND', target.url, 'a web page', 'the bytes of a file',
        'Check the address: on a hub page take the link of its download button.');
    }
    const { info, range } = describe(response);
    return {
      response, url: response.url || asked, range, info: { ...hub, ...info, size: info.size ?? hub.size },
      chunks: () => watch.read(response, target.url), cancel: () => { watch.stop(); drop(response); },
    };
  }
}

/** Aborts a request that has brought nothing for a while. */
class Watch {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silent = false;
  readonly #onAbort = (): void => { this.#controller.abort(this.outer.reason); };
  readonly #aborted = new Promise<never>((_, reject) => {
    this.#controller.signal.addEventListener('abort', () => { reject(new AbortedError('request')); }, { once: true });
  });

  constructor(private readonly idle: number, private readonly outer: AbortSignal) {
    this.#aborted.catch(() => undefined);
    if (outer.aborted) this.#onAbort();
    else outer.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * An abort ends waiting at once, whatever a runtime does with the signal: Node 20 forgets it once the request object has been collected.
   */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#aborted]);
  }

  get signal(): AbortSignal { return this.#controller.signal; }

  beat(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#silent = true; this.#controller.abort(); }, this.idle);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.outer.removeEventListener('abort', this.#onAbort);
  }

  failed(subject: string, cause: unknown): CladaError {
    this.stop();
    if (this.outer.aborted) try { throwIfAborted(this.outer, subject); } catch (error) { return error as CladaError; }
    // undici says "fetch failed", and why in the cause.
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const found = String(reason instanceof Error ? reason.message || (reason as { code?: string }).code : reason);
    return new RetryableTransferError('E_NETWORK', {
      subject, found: this.#silent ? `no byte for ${this.idle / 1000} s` : found, expected: 'an answer to the end',
      remedy: 'Check the connection and the address (in a page also that the server allows other origins), '
        + 'then try again: what has arrived is kept.',
      cause,
    });
  }

  async* read(response: Response, subject: string): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = response.body?.getReader();
    if (!reader) { this.stop(); return; }
    try {
      for (;;) {
        this.beat();
        const { value, done } = await this.race(reader.read()).catch((cause: unknown) => { throw this.failed(subject, cause); });
        clearTimeout(this.#timer); // the consumer may take its time
        if (done) return;
        yield value;
      }
    } finally {
      this.stop();
      reader.cancel().catch(() => undefined);
    }
  }
}

function drop(response: Response): void { response.body?.cancel().catch(() => undefined); }

function refuse(code: 'E_REDIRECT' | 'E_NOT_FOUND', subject: string, found: string, expected: string, remedy: string): CladaError {
  const parts = { subject, found, expected, remedy };
  return code === 'E_NOT_FOUND' ? new InputError(code, parts) : new TransferError(code, parts);
}

function redirected(subject: string, from: string, location: string): string {
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (!to || !/^https?:$/.test(to.protocol) || (to.protocol === 'http:' && from.startsWith('https:'))) {
    throw refuse('E_REDIRECT', subject, `a redirect to ${to?.href ?? 'something that is no address'}`, 'one to another https address',
      'Check the address; a model is not fetched over less than what was asked for.');
  }
  return withoutUser(to.href).url;
}

/** The hub names the content of a large file by its SHA-256, of a small one by git's. */
function hubInfo(headers: Headers): FileInfo {
  const blob = /^(?:W\/)?"?([0-9a-f]{40}|[0-9a-f]{64})"?$/.exec(headers.get('x-linked-etag') ?? headers.get('etag') ?? '')?.[1];
  const size = headers.get('x-linked-size'), commit = headers.get('x-repo-commit');
  return {
    ...(blob === undefined ? {} : { blob, ...(blob.length === 64 ? { sha256: blob } : {}) }),
    ...(size !== null && /^\d+$/.test(size) ? { size: Number(size) } : {}),
    ...(commit !== null && /^[0-9a-f]{40}$/.test(commit) ? { commit } : {}),
  };
}

/** What the headers of a redirect would have said; nothing where the hub's other interface does not answer. */
async function askHub(
  url: string, { repo, revision, file }: NonNullable<Target['hub']>, headers: Record<string, string>, fetcher: typeof fetch,
  signal: AbortSignal,
): Promise<FileInfo> {
  const endpoint = url.slice(0, url.indexOf(`/${repo}/resolve/`)), { authorization } = headers;
  try {
    const response = await fetcher(`${endpoint}/api/models/${repo}/paths-info/${encodeURIComponent(revision)}`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
      body: JSON.stringify({ paths: [file] }), signal,
    });
    if (!response.ok) { drop(response); return {}; }
    const [entry] = await response.json() as { size?: number; oid?: string; lfs?: { oid?: string } }[], hash = entry?.lfs?.oid;
    const isHash = typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
    return isHash ? { sha256: hash, blob: hash, size: entry!.size } : { size: entry?.size };
  } catch {
    return {};
  }
}

function describe({ status, headers }: Response): { info: FileInfo; range: Stretch | undefined } {
  const number = (text: string | null | undefined): number | undefined => (text && /^\d+$/.test(text) ? Number(text) : undefined);
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const start = number(match?.[1]), last = number(match?.[2]);
  // Of an encoded answer Content-Length counts other bytes than ours.
  const encoded = /\S/.test(headers.get('content-encoding')?.replace('identity', '') ?? '');
  return {
    info: {
      size: status === 200 ? (encoded ? undefined : number(headers.get('content-length'))) : number(match?.[3]),
      etag: headers.get('etag') ?? undefined, lastModified: headers.get('last-modified') ?? undefined,
    },
    range: status === 206 && start !== undefined && last !== undefined && last >= start ? [start, last + 1] : undefined,
  };
}

/** A server's answer that is none → the error that says so. @internal exported for Responses that a caller fetched */
export function statusError({ url, hub }: Target, { status, headers }: Response): CladaError {
  const said = headers.get('x-error-message');
  const found = `status ${status}${said ? ` (${said})` : ''}`;
  if (status === 404 || status === 410) {
    return new InputError('E_NOT_FOUND', {
      subject: url, found, expected: 'a file',
      remedy: hub ? 'Check owner, repository, file and revision on the hub.' : 'Check the address.',
    });
  }
  if (status === 401 || status === 403) {
    return new TransferError('E_ACCESS', {
      subject: url, found, expected: 'access',
      remedy: hub
        ? 'Check the name (the hub says this of unknown repositories too). '
          + 'Of a private or gated one: accept its terms on its page, and give a token (HF_TOKEN, or the option token).'
        : 'Give a token (the option token), or an address that is open; a signed address may have expired.',
    });
  }
  if (status === 429) {
    return new RetryableTransferError('E_RATE_LIMIT', {
      subject: url, found, expected: 'an answer',
      remedy: 'Wait a while, then try again: what has arrived is kept. A token raises the limits of the hub.',
    }, retryAfter(headers));
  }
  const parts = { subject: url, found, expected: 'status 200 or 206' };
  if (status >= 500 || status === 408 || status === 425) {
    const remedy = 'The server is at fault; try again later: what has arrived is kept.';
    return new RetryableTransferError('E_SERVER', { ...parts, remedy }, retryAfter(headers));
  }
  return new TransferError('E_SERVER', { ...parts, remedy: 'Check that the address can be fetched with a plain GET.' });
}

/** Milliseconds of Retry-After; a date is measured against the server's own, so that no clock of ours matters. */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return 1000 * Number(value);
  const wait = Date.parse(value) - Date.parse(headers.get('date') ?? '');
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}
