/** Workers as every runtime has them, as ports that say what becomes of them. */
import { StateError } from '../errors.ts';
import { nodeModule } from '../node.ts';

/** What an application may bring: a worker of the web, a shared one, or one of Node. Its script imports `clada/worker-main`. */
export type AnyWorker = Worker | SharedWorker | NodeWorker;

/** The part of `node:worker_threads` that is used. */
export interface NodeWorker {
  /** As Worker's of node:worker_threads, like all of these. */
  postMessage(message: any, transfer?: any): void;
  /** Hears messages, errors and its end. */
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** Ends it. */
  terminate(): unknown;
  /** It keeps the process alive. */
  ref?(): void;
  /** It does not. */
  unref?(): void;
}

/** One end of the line. */
export interface Port {
  /** Other pages may be at the worker too: it is left, not ended. */
  readonly isShared: boolean;
  /** Nobody says so when the other side ends. */
  readonly isSilent: boolean;
  post(message: unknown, transfer: Transferable[]): void;
  listen(heard: (message: unknown) => void, failed: (why: string) => void): void;
  /** Whether the process waits for it, where there is one. */
  keep(alive: boolean): void;
  end(): void;
}

export const workerError = (found: string, cause?: unknown): StateError => new StateError('E_WORKER', {
  subject: 'worker', found, expected: 'a worker that runs clada/worker-main',
  remedy: 'Look at the console: it may be a policy (worker-src, script-src), a script that is not where it was looked for (option worker), '
    + 'or memory that ran out.',
  ...(cause === undefined ? {} : { cause }),
});

const script = 'its script could not be loaded, or threw';

function webPort(worker: Worker): Port {
  const counted = worker as Worker & { ref?(): void; unref?(): void };
  return {
    isShared: false,
    isSilent: true,
    post: (message, transfer) => { worker.postMessage(message, transfer); },
    listen: (heard, failed) => {
      worker.addEventListener('message', ({ data }: MessageEvent) => { heard(data); });
      worker.addEventListener('messageerror', () => { failed('a message that could not be read'); });
      worker.addEventListener('error', (event) => {
        event.preventDefault?.(); // Deno ends the process otherwise
        failed(event.message ? `"${event.message}"` : script);
      });
      worker.addEventListener('close', () => { failed('that it ended'); }); // Bun says so
    },
    keep: (alive) => { if (alive) counted.ref?.(); else counted.unref?.(); },
    end: () => { worker.terminate(); },
  };
}

function sharedPort(worker: SharedWorker): Port {
  const { port } = worker;
  return {
    isShared: true,
    isSilent: true,
    post: (message, transfer) => { port.postMessage(message, transfer); },
    listen: (heard, failed) => {
      port.addEventListener('message', ({ data }: MessageEvent) => { heard(data); });
      port.addEventListener('messageerror', () => { failed('a message that could not be read'); });
      worker.addEventListener('error', () => { failed(script); });
      port.start();
    },
    keep: () => undefined,
    end: () => { port.close(); },
  };
}

function nodePort(worker: NodeWorker): Port {
  return {
    isShared: false,
    isSilent: false,
    post: (message, transfer) => { worker.postMessage(message, transfer); },
    listen: (heard, failed) => {
      worker.on('message', heard);
      worker.on('messageerror', () => { failed('a message that could not be read'); });
      worker.on('error', (error: Error) => { failed(`"${error.message}"`); });
      worker.on('exit', (code: number) => { failed(`that it ended with code ${code}`); });
    },
    keep: (alive) => { if (alive) worker.ref?.(); else worker.unref?.(); },
    end: () => { void worker.terminate(); },
  };
}

/** @throws StateError `E_WORKER` for what is no worker */
export function portOf(worker: AnyWorker): Port {
  if ('port' in worker) return sharedPort(worker);
  if (typeof (worker as Partial<Worker>).addEventListener === 'function') return webPort(worker as Worker);
  if (typeof (worker as Partial<NodeWorker>).on === 'function') return nodePort(worker as NodeWorker);
  throw workerError('an object that is none');
}

/** An address beside this file. Not by `new URL(…, import.meta.url)`, which bundlers take for a file that they should copy. */
const beside = (name: string): string => String(import.meta.url).replace(/[^/]*$/, name);

/** The address of a script of this origin that imports one of another: no browser starts a worker from there. */
function throughBlob(url: string): string {
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: 'text/javascript' }));
}

/** Whether this file came from another origin than the page. Bundlers may write a `file:` in its place. */
export function isForeign(): boolean {
  const here = (globalThis as { location?: Location }).location?.origin, from = String(import.meta.url);
  return here !== undefined && /^https?:/.test(here) && /^https?:/.test(from) && new URL(from).origin !== here;
}

/** Starts the worker whose script lies beside this file. `shared`: by which name. The two `new` are written as bundlers look for them. */
export async function startWorker(shared: string | undefined): Promise<Port> {
  if (typeof Worker === 'undefined') {
    const threads = await nodeModule('node:worker_threads', 'worker');
    // what the process preloads is nothing to it
    return nodePort(new threads.Worker(new URL(beside('worker-main.js')), { execArgv: [], name: 'clada' }));
  }
  if (shared !== undefined) {
    return sharedPort(new SharedWorker(new URL('./worker-main.js', import.meta.url), { type: 'module', name: `clada: ${shared}` }));
  }
  if (isForeign()) return webPort(new Worker(throughBlob(beside('worker-main.js')), { type: 'module', name: 'clada' }));
  return webPort(new Worker(new URL('./worker-main.js', import.meta.url), { type: 'module', name: 'clada' }));
}
