/**
 * The model's bytes: out of the browser's cache, or from the server into engine and cache at the same time. The cache is keyed by the content
 * (`?v=` and a hash), so what is there is right, and older versions go when a newer one has arrived.
 */
import { DownloadError } from './failure.ts';

const cacheName = 'clada-models';

export interface ModelFile {
  readonly body: Blob | ReadableStream<Uint8Array>;
  /** Settles once the file is in the cache (true) or could not be kept: private mode, no room, a page without HTTPS. */
  readonly kept: Promise<boolean>;
}

const name = (url: string): string => url.replace(/\?.*/, '').replace(/.*\//, '');
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function cut(url: string, loaded: number, total: number, cause: unknown): DownloadError {
  const offline = typeof navigator !== 'undefined' && !navigator.onLine;
  return new DownloadError({
    code: 'E_DOWNLOAD', title: offline ? 'Offline, and the model is not on this device yet' : 'The download was cut',
    message: `${name(url)}: ${loaded > 0 ? `${megabytes(loaded)} of ${megabytes(total)} arrived` : 'the server did not answer'} (${cause instanceof Error ? cause.message : String(cause)}).`,
    remedy: offline ? 'Connect once; after the first load the page works offline.' : 'Check the connection and that the server still runs, then try again.',
  });
}

/** @throws DownloadError where the server does not answer or answers with an error; the stream fails with one where it is cut. */
export async function openModelFile(url: string, onProgress: (loaded: number, total: number) => void, signal: AbortSignal): Promise<ModelFile> {
  const cache = await globalThis.caches?.open(cacheName).catch(() => undefined);
  const known = await cache?.match(url);
  if (known) return { body: await known.blob(), kept: Promise.resolve(true) };
  const response = await fetch(url, { signal }).catch((cause: unknown) => { throw cut(url, 0, 0, cause); });
  if (!response.ok || !response.body) {
    throw new DownloadError({
      code: `HTTP_${response.status}`, title: response.status === 404 ? 'The model is not on this server' : 'The server refused the model',
      message: `${name(url)}: HTTP ${response.status} ${response.statusText}.`,
      remedy: response.status === 404 ? 'Put the folder models/ of the repository beside this page, or serve it with npm run demo; then try again.' : 'Try again in a moment.',
    });
  }
  const total = Number(response.headers.get('content-length') ?? 0);
  const body = counted(response.body, url, total, onProgress);
  if (!cache) return { body, kept: Promise.resolve(false) };
  const [own, copy] = body.tee();
  const kept = cache.put(url, new Response(copy, { headers: { 'content-type': 'application/octet-stream' } })).then(async () => {
    for (const request of await cache.keys()) if (name(request.url) === name(url) && !request.url.endsWith(url)) await cache.delete(request);
    return true;
  }).catch(() => false);
  return { body: own, kept };
}

/** Counts what passes, and fails where less passes than was announced: a cache must not keep half a file. */
function counted(source: ReadableStream<Uint8Array<ArrayBuffer>>, url: string, total: number, onProgress: (loaded: number, total: number) => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = source.getReader();
  let loaded = 0;
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await reader.read().catch((cause: unknown) => { throw cut(url, loaded, total, cause); });
      if (done) {
        if (loaded < total) throw cut(url, loaded, total, 'the end came early');
        controller.close();
        return;
      }
      loaded += value.length;
      onProgress(loaded, total);
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** Forgets a file: what was kept turned out to be unusable. */
export async function forgetModelFile(url: string): Promise<void> {
  await (await globalThis.caches?.open(cacheName).catch(() => undefined))?.delete(url);
}
