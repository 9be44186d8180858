/** Keeps the page itself for offline use. Models are not its business: the library keeps them. */
/** Written in by scripts/demo.ts: every file of the page, and a hash over them. */
declare const FILES: readonly string[];
declare const VERSION: string;

interface Extendable extends Event { waitUntil(work: Promise<unknown>): void }
interface Fetch extends Extendable { readonly request: Request; respondWith(response: Promise<Response>): void }
const worker = self as unknown as {
  addEventListener(name: 'install' | 'activate', listen: (event: Extendable) => void): void;
  addEventListener(name: 'fetch', listen: (event: Fetch) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  readonly registration: { readonly scope: string };
};
const prefix = 'clada-page-', cacheName = prefix + VERSION;

worker.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: 'reload' })))).then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith(prefix) && name !== cacheName) await caches.delete(name);
    await worker.clients.claim();
  })());
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(worker.registration.scope) || request.url.includes('/models/')) return;
  event.respondWith(caches.open(cacheName).then(async (cache) => (await cache.match(request, { ignoreSearch: true })) ?? fetch(request)));
});
