/** Loading a model in a worker. */
import type { CalibrationSource, LoadOptions, ModelSource } from 'clada';
import { AbortedError, InputError, throwIfAborted } from '../errors.ts';
import { checkNumber, show } from '../options.ts';
import { aheadRange } from './generation.ts';
import { Link } from './link.ts';
import type { Loaded, Placement } from './model.ts';
import { RemoteModel } from './model.ts';
import { checkSharable, sourceToWire } from './sources.ts';
import type { AnyWorker } from './start.ts';
import { isForeign, portOf, startWorker, workerError } from './start.ts';
import { connecting } from './wire.ts';

/** As `load`; a `fetch` or a cache of one's own does not cross to a worker. */
export interface WorkerLoadOptions extends Omit<LoadOptions, 'fetch' | 'cache'> {
  /** As of `load`, by name. */
  cache?: 'auto' | 'directory' | 'opfs' | 'cache-api' | false | { readonly directory: string };
  /**
   * The worker, where a bundler cannot find the one of the package, or to run functions of one's own beside the model: its script imports
   * `clada/worker-main`. A SharedWorker is shared, and asked for again where it does not answer. Default: the package's own.
   */
  worker?: () => AnyWorker;
  /**
   * All pages of this origin that give the same name have one model between them: it is loaded once, answers them side by side, and goes
   * with the last of them. Source and options must be the same. In a SharedWorker no browser has threads for it (`info.threadsReason`).
   * Where there is no SharedWorker each page has its own model, and they load one after the other, so that one of them fetches it
   * (`placement.sharedReason`).
   */
  shared?: string;
  /** `readAhead` of generations that do not say otherwise, and of streams. Default 0. */
  readAhead?: number;
}

/**
 * How long a worker may take to say that it is there, in ms: its script is small, and asks for the engine later. A shared one is asked for
 * anew after each of them: what was found may have been about to end, since a browser may let go of a worker's locks before its name.
 */
const waits = [2_000, 4_000, 8_000, 16_000];

/** Why pages cannot share a worker here, if they cannot. */
function obstacle(): string | undefined {
  const { SharedWorker, navigator } = globalThis as { SharedWorker?: unknown; navigator?: { locks?: unknown } };
  if (SharedWorker === undefined) return 'this runtime has no SharedWorker';
  if (!navigator?.locks) return 'no locks, which tell that a page is gone: they need https';
  return isForeign() ? 'the library comes from another origin: give a SharedWorker of your own (option worker)' : undefined;
}

interface Connection { readonly link: Link; readonly placement: Placement; readonly own?: AnyWorker }

/** A line to a worker; `before`: the one that had no answer, which stays where it would be no other. */
async function open({ worker, shared }: WorkerLoadOptions, before?: Connection): Promise<Connection> {
  if (before?.placement.shared === false) return before;
  const own = worker?.();
  if (own && own === before?.own) return before;
  before?.link.close();
  if (own) {
    const port = portOf(own), sharedReason = port.isShared ? 'a SharedWorker' : "the application's worker";
    return { link: new Link(port), placement: { shared: port.isShared, sharedReason }, own };
  }
  const why = shared === undefined ? 'not asked for' : obstacle();
  const placement = { shared: why === undefined, sharedReason: why ?? 'a SharedWorker' };
  return { link: new Link(await startWorker(placement.shared ? shared : undefined)), placement };
}

/**
 * Loads a model in a worker: the same calls, off this thread.
 *
 * ```ts
 * await using model = await loadInWorker('/models/model.gguf', { onProgress: ({ loaded, total }) => { bar.value = loaded / total; } });
 * for await (const { text } of model.chat().send('Hello!')) out.textContent += text;
 * ```
 * @param source as of `load`; relative addresses are the page's. Bytes are copied, a Blob is not, a stream or Response is given away
 * @throws as `load`; StateError `E_WORKER` where the worker does not start or ends; InputError `E_OPTION` for what cannot be sent to it,
 * and where pages that share a name ask for different models
 */
export async function loadInWorker(source: ModelSource, options: WorkerLoadOptions = {}): Promise<RemoteModel> {
  const { worker: _worker, shared, readAhead = 0, calibration, signal, ...given } = options;
  checkNumber('readAhead', aheadRange, readAhead);
  if (shared !== undefined && (typeof shared !== 'string' || shared === '')) {
    throw new InputError('E_OPTION', {
      subject: 'shared', found: show(shared), expected: 'a name', remedy: "Give one that all pages use: shared: 'model'.",
    });
  }
  throwIfAborted(signal, 'load');
  const transfer: Transferable[] = [], address = sourceToWire(source, transfer);
  const sent = { ...given, ...(isSource(calibration) ? { calibration: sourceToWire(calibration, transfer) } : { calibration }) };
  const { link, placement } = await connected(options);
  const load = async (): Promise<Loaded> => (await link.call('load', [address, sent], 0, transfer)) as Loaded;
  return abortable(link, signal, async () => {
    if (placement.shared) checkSharable(source);
    // without a shared worker the others find in the cache what the first of them has fetched
    const isAlone = shared !== undefined && !placement.shared;
    const loaded = await (isAlone ? underLock(`clada load ${shared}`, 'exclusive', load) : load());
    return new RemoteModel(link, loaded, placement, readAhead);
  });
}

const isSource = (calibration: CalibrationSource | undefined): boolean => ![undefined, 'auto', false].includes(calibration as string);

/** A worker that has answered. */
async function connected(options: WorkerLoadOptions): Promise<Connection> {
  const connect = async (): Promise<Connection> => {
    let found: Connection | undefined;
    for (const wait of waits) {
      const { link } = found = await open(options, found);
      if (await abortable(link, options.signal, () => link.answers(wait))) return found;
    }
    found!.link.close();
    throw workerError(`no answer within ${waits.reduce((sum, wait) => sum + wait) / 1000} s`);
  };
  return options.shared !== undefined || options.worker ? await underLock(connecting, 'shared', connect) : await connect();
}

/** Runs on a line that is closed where that fails, or an abort ends it. */
async function abortable<T>(link: Link, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  const abort = (): void => { link.fail(new AbortedError('load', signal!.reason)); };
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  try {
    return await run();
  } catch (error) {
    link.close();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Where there are locks: an origin that is nobody's has none. */
async function underLock<T>(name: string, mode: LockMode, run: () => Promise<T>): Promise<T> {
  const { navigator, origin } = globalThis as { navigator?: { locks?: LockManager }; origin?: string };
  return navigator?.locks && origin !== 'null' ? await (navigator.locks.request(name, { mode }, run) as Promise<T>) : await run();
}
