/** The page's end of the line: calls that wait for answers, things made over there, and what becomes of both when the worker is no more. */
import { InputError, StateError } from '../errors.ts';
import { show } from '../options.ts';
import type { Port } from './start.ts';
import { workerError } from './start.ts';
import type { Passed, Reply, Request } from './wire.ts';
import { errorFromWire } from './wire.ts';

/** What came back: a value or an error, and what of the thing that was asked can be read from now on. */
export interface Answer { readonly value?: unknown; readonly error?: Error; readonly state?: unknown }

type Callback = (...args: readonly unknown[]) => void;

/** What of a call, or of a thing that was made, stays here. */
interface Kept {
  readonly callbacks: ReadonlyMap<string, Callback>;
  readonly signal: AbortSignal | undefined;
  readonly unlisten: () => void;
}

interface Pending { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void; readonly of: number }

const isOptions = (value: unknown): value is Record<string, unknown> => {
  const prototype: unknown = typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : undefined;
  return prototype === Object.prototype || prototype === null;
};

const closed = (): StateError => new StateError('E_CLOSED', {
  subject: 'model', found: 'that it was closed', expected: 'an open one', remedy: 'Load it again.',
});

export class Link {
  readonly #pending = new Map<number, Pending>();
  readonly #kept = new Map<number, Kept>();
  readonly #gone = new FinalizationRegistry<number>((id) => { this.drop(id); });
  #last = 0;
  /** Why nothing can be asked any more. */
  #over: Error | undefined;
  #ready: Promise<void>;
  readonly #ends = new AbortController();

  constructor(private readonly port: Port) {
    let told: () => void, failed: (error: Error) => void;
    this.#ready = new Promise((resolve, reject) => { told = resolve; failed = reject; });
    this.#ready.catch(() => undefined);
    this.#ends.signal.addEventListener('abort', () => { failed(this.#over!); });
    port.listen((message) => {
      const reply = message as Reply;
      if (reply.kind === 'ready') told(); else this.#hear(reply);
    }, (why) => { this.fail(workerError(why)); });
    port.keep(true); // until it has answered
    void this.#greet();
  }

  /** Whether the worker says within so many milliseconds that it is there. @throws StateError `E_WORKER` where it cannot start, or ends */
  async answers(within: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => { timer = setTimeout(resolve, within, false); });
    try { return await Promise.race([this.#ready.then(() => true), late]); } finally { clearTimeout(timer); }
  }

  /** What a function of thing `of` returns. `transfer`: buffers among the arguments that are given away. @throws what it throws */
  async call(name: string, args: readonly unknown[], of = 0, transfer: Transferable[] = []): Promise<unknown> {
    const { value, error } = await this.ask(name, args, of, transfer);
    if (error) throw error;
    return value;
  }

  /** As {@link call}, with the state of the thing; throws only where there is no answer. */
  async ask(name: string, args: readonly unknown[], of = 0, transfer: Transferable[] = []): Promise<Answer> {
    const id = ++this.#last;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, of });
        this.port.keep(true);
        this.#send('call', id, of, name, args, transfer);
      });
    } finally {
      this.#pending.delete(id);
      this.forget(id);
      if (this.#pending.size === 0) this.port.keep(false);
    }
  }

  /** Makes a thing over there, which lives as long as `owner` does here, unless it is dropped. */
  make(name: string, args: readonly unknown[], owner: object, of = 0): number {
    const id = ++this.#last;
    this.#send('make', id, of, name, args, []);
    this.#gone.register(owner, id, owner);
    return id;
  }

  /** No callback or signal of it is needed any more. */
  forget(id: number): void {
    this.#kept.get(id)?.unlisten();
    this.#kept.delete(id);
  }

  drop(id: number): void {
    this.forget(id);
    if (!this.#over) this.port.post({ kind: 'drop', id } satisfies Request, []);
  }

  /** Ends the line; what waits is refused. */
  close(): void { this.fail(closed()); }

  /** As {@link close}, with another reason. */
  fail(why: Error): void {
    if (this.#over) return;
    if (this.port.isShared) this.port.post({ kind: 'close' } satisfies Request, []);
    this.#over = why;
    this.#ends.abort();
    this.port.end();
    for (const { reject } of this.#pending.values()) reject(why);
    this.#pending.clear();
    for (const id of [...this.#kept.keys()]) this.forget(id);
  }

  /**
   * Both sides hold a lock while they live, where there are locks: a worker that dies says nothing, and neither does a page that goes away
   * from a worker that others share.
   */
  async #greet(): Promise<void> {
    const locks = this.port.isSilent ? (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks : undefined;
    if (!locks) { this.port.post({ kind: 'hello' } satisfies Request, []); return; }
    const name = `clada ${crypto.randomUUID()}`, life = `${name} page`, worker = `${name} worker`;
    const held = await new Promise<boolean>((resolve) => {
      const hold = (): Promise<void> => new Promise((release) => {
        this.#ends.signal.addEventListener('abort', () => { release(); });
        resolve(true);
      });
      locks.request(life, hold).catch(() => { resolve(false); }); // an origin that is nobody's has none
    });
    if (this.#over) return;
    this.port.post((held ? { kind: 'hello', life, worker } : { kind: 'hello' }) satisfies Request, []);
    if (!held) return;
    await this.#ready;
    await locks.request(worker, { signal: this.#ends.signal }, () => { this.fail(workerError('that it ended')); }).catch(() => undefined);
  }

  #send(kind: 'call' | 'make', id: number, of: number, name: string, args: readonly unknown[], transfer: Transferable[]): void {
    if (this.#over) throw this.#over;
    const callbacks = new Map<string, Callback>();
    let signal: AbortSignal | undefined;
    const passed = args.map((value): Passed => {
      if (!isOptions(value)) return { value };
      const entries = Object.entries(value);
      const isCallback = ([key, entry]: [string, unknown]): boolean => typeof entry === 'function' && /^on[A-Z]/.test(key);
      const own = entries.filter(isCallback), hasSignal = value['signal'] instanceof AbortSignal;
      if (hasSignal) signal = value['signal'] as AbortSignal;
      for (const [key, entry] of own) callbacks.set(key, entry as Callback);
      const plain = entries.filter((entry) => !isCallback(entry) && !(hasSignal && entry[0] === 'signal'));
      return { value: Object.fromEntries(plain), callbacks: own.map(([key]) => key), signal: hasSignal };
    });
    try {
      this.port.post({ kind, id, of, name, args: passed } satisfies Request, transfer);
    } catch (cause) { // a function, or something else that cannot be cloned
      throw new InputError('E_OPTION', {
        subject: name, found: cause instanceof Error ? show(cause.message) : show(cause), expected: 'values that can be sent to a worker',
        remedy: 'Leave out objects with methods, and functions but callbacks on…; or run it in a worker of your own (provide).', cause,
      });
    }
    const abort = (): void => { if (!this.#over) this.port.post({ kind: 'abort', id } satisfies Request, []); };
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    this.#kept.set(id, { callbacks, signal, unlisten: () => { signal?.removeEventListener('abort', abort); } });
  }

  #hear(reply: Exclude<Reply, { kind: 'ready' }>): void {
    if (reply.kind === 'event') { this.#tell(reply); return; }
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    if (reply.kind === 'value') { pending.resolve(reply); return; }
    const signals = [reply.id, pending.of].map((id) => this.#kept.get(id)?.signal);
    const { reason } = signals.find((signal) => signal?.aborted) ?? {};
    pending.resolve({ error: errorFromWire(reply.error, reason), state: reply.state });
  }

  /** What a callback throws ends what it is told of, as it would in one thread. */
  #tell({ id, name, args }: Extract<Reply, { kind: 'event' }>): void {
    try {
      this.#kept.get(id)?.callbacks.get(name)?.(...args);
    } catch (error) {
      for (const [call, { of, reject }] of this.#pending) if (call === id || of === id) reject(error);
      this.port.post({ kind: 'abort', id } satisfies Request, []);
    }
  }
}
