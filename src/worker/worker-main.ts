/**
 * clada/worker-main: the script of a worker that `clada/worker` talks to. Imported in a worker, it serves; a worker of the application
 * imports it to run functions of its own beside the model:
 *
 * ```ts
 * import { provide } from 'clada/worker-main';
 * provide({ tally: async (model, text) => (await model.score(text)).perplexity });
 * ```
 *
 * On the page: `await model.run('tally', text)`.
 */
import { StateError } from '../errors.ts';
import { nodeModule } from '../node.ts';
import { Host } from './host.ts';
import { Session } from './session.ts';
import type { Provided } from './things.ts';
import { provided } from './things.ts';
import type { Reply, Request } from './wire.ts';
import { connecting } from './wire.ts';

export type { Provided } from './things.ts';

/** Functions that pages call by name, with `model.run` or, where they return an async iterable, `model.stream`. */
export function provide(functions: Readonly<Record<string, Provided>>): void {
  for (const [name, run] of Object.entries(functions)) provided.set(name, run);
}

/** What has messages: the scope of a worker, a port of a shared one, Node's port to its parent. */
interface End { postMessage(message: unknown, transfer: Transferable[]): void }
interface Scope extends End {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  onconnect?: ((event: MessageEvent) => void) | null;
  readonly document?: object;
  close(): void;
  readonly navigator?: { readonly locks?: LockManager };
}

const scope = globalThis as unknown as Scope, host = new Host();
/** Pages that are connected. */
const sessions = new Set<Session>();

/**
 * A shared worker ends when nobody is connected any more: nothing else gives the model's memory back for sure. Pages that connect hold the
 * same lock meanwhile, so none meets one that is ending.
 */
function retire(): void {
  if (sessions.size > 0) return;
  void scope.navigator?.locks?.request(connecting, { ifAvailable: true }, (lock) => {
    if (sessions.size > 0) return undefined;
    if (!lock) { setTimeout(retire, 500); return undefined; }
    scope.close();
    return new Promise<never>(() => undefined);
  });
}

/** The listener to a page's messages. */
function serve(end: End): (request: Request) => void {
  const post = (reply: Reply, transfer: Transferable[]): void => { end.postMessage(reply, transfer); };
  const session = new Session(host, post, () => {
    sessions.delete(session);
    if ('onconnect' in scope) retire();
  });
  sessions.add(session);
  return (request) => {
    if (request.kind === 'hello') void greet(request, post, session);
    else session.hear(request);
  };
}

/** Says that somebody is there, with the lock in hand by which the page knows it; and hears by the page's when that is gone. */
async function greet(
  { life, worker }: Extract<Request, { kind: 'hello' }>, post: (reply: Reply, transfer: Transferable[]) => void, session: Session,
): Promise<void> {
  const locks = scope.navigator?.locks;
  if (worker !== undefined && locks) {
    await new Promise<void>((held) => {
      locks.request(worker, () => new Promise<never>(() => { held(); })).catch(() => { held(); });
    });
  }
  if (life !== undefined) locks?.request(life, () => { session.gone(); }).catch(() => undefined);
  post({ kind: 'ready' }, []);
}

if (scope.document !== undefined) {
  throw new StateError('E_WORKER', {
    subject: 'clada/worker-main', found: 'a page', expected: 'a worker', remedy: 'Import clada/worker here, and this in its worker.',
  });
} else if ('onconnect' in scope) { // of a shared worker
  scope.onconnect = ({ ports: [port] }) => {
    const hear = serve(port!);
    port!.onmessage = ({ data }: MessageEvent<Request>) => { hear(data); };
  };
} else if (typeof scope.postMessage === 'function') {
  const hear = serve(scope);
  scope.onmessage = ({ data }) => { hear(data); };
} else {
  void nodeModule('node:worker_threads', 'worker').then(({ parentPort }) => { // bundlers make scripts of workers that may not await
    if (parentPort) parentPort.on('message', serve(parentPort as unknown as End));
  });
}
