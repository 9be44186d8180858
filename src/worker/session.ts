/** One page's end of the line in the worker: what it calls is done, what it makes is kept until it is dropped. */
import type { Calibration, Model, Progress } from 'clada';
import { StateError } from '../errors.ts';
import type { Guest, Host } from './host.ts';
import type { CalibrationInfo, Loaded } from './model.ts';
import type { Thing } from './things.ts';
import { modelThing } from './things.ts';
import type { Passed, Reply, Request } from './wire.ts';
import { errorToWire, transferOf } from './wire.ts';

type Called = Extract<Request, { kind: 'call' | 'make' }>;

/** Without constants, which are large and of use to the engine alone. */
function infoOf(calibration: Calibration): CalibrationInfo {
  return Object.fromEntries(Object.entries(calibration).filter(([, value]) => !ArrayBuffer.isView(value))) as unknown as CalibrationInfo;
}

export class Session implements Guest {
  readonly #things = new Map<number, Promise<Thing>>();
  /** Of calls under way, and of what was made. */
  readonly #aborts = new Map<number, AbortController>();
  #load = 0;
  #isGone = false;

  constructor(
    private readonly host: Host, private readonly post: (reply: Reply, transfer: Transferable[]) => void,
    private readonly left: () => void = () => undefined,
  ) {}

  told(progress: Progress): void { this.#tell(this.#load, 'onProgress', [progress]); }

  noted(note: string): void { this.#tell(this.#load, 'onNote', [note]); }

  hear(request: Exclude<Request, { kind: 'hello' }>): void {
    switch (request.kind) {
      case 'call': void this.#answer(request); return;
      case 'make': {
        const made = this.#make(request);
        made.catch(() => undefined); // told to whoever calls something of it
        this.#things.set(request.id, made);
        return;
      }
      case 'abort': this.#aborts.get(request.id)?.abort(); return;
      case 'drop': this.#drop(request.id); return;
      case 'close': this.gone();
    }
  }

  /** The page is no more, or wants nothing more: nothing goes on for it. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const id of [...this.#aborts.keys(), ...this.#things.keys()]) this.#drop(id);
    this.host.leave(this);
    this.left();
  }

  async #answer(call: Extract<Called, { kind: 'call' }>): Promise<void> {
    const { id, of, name } = call;
    let thing: Thing | undefined;
    try {
      if (name === 'load') { this.post({ kind: 'value', id, value: await this.#loaded(call) }, []); return; }
      thing = await this.#thing(of);
      const value = await (thing.calls[name] as (...args: unknown[]) => unknown)(...this.#revived(call));
      this.post({ kind: 'value', id, value, state: thing.state?.() }, transferOf(value));
    } catch (error) {
      this.post({ kind: 'error', id, error: errorToWire(error), state: thing?.state?.() }, []);
    } finally {
      this.#aborts.delete(id);
    }
  }

  async #make(call: Extract<Called, { kind: 'make' }>): Promise<Thing> {
    const { signal } = this.#abortOf(call.id), args = this.#revived(call), thing = await this.#thing(call.of);
    return (thing.makes![call.name] as (...args: unknown[]) => Thing)(signal, ...args);
  }

  async #loaded({ id, args: [source, options] }: Called): Promise<Loaded> {
    this.#load = id;
    const loading = this.host.join(this, source!.value, options!.value as Record<string, unknown>);
    const model: Promise<Model> = loading;
    this.#things.set(0, model.then(modelThing));
    this.#things.get(0)!.catch(() => undefined);
    const { info, calibration, tokenizer: { vocabSize, bosId, eosId, warnings, eogIds } } = await model;
    return { info, calibration: calibration && infoOf(calibration), tokenizer: { vocabSize, bosId, eosId, warnings, eogIds } };
  }

  #thing(id: number): Promise<Thing> {
    return this.#things.get(id) ?? Promise.reject(new StateError('E_CLOSED', {
      subject: 'worker', found: 'nothing of this name', expected: 'a model that is loaded', remedy: 'Load it first.',
    }));
  }

  #abortOf(id: number): AbortController {
    const abort = this.#aborts.get(id) ?? new AbortController();
    this.#aborts.set(id, abort);
    return abort;
  }

  /** Arguments as they were on the page: callbacks and signals in their places. */
  #revived({ id, args }: Called): unknown[] {
    return args.map(({ value, callbacks = [], signal = false }: Passed) => (callbacks.length === 0 && !signal ? value : {
      ...(value as object),
      ...Object.fromEntries(callbacks.map((name) => [name, (...told: unknown[]) => { this.#tell(id, name, told); }])),
      ...(signal ? { signal: this.#abortOf(id).signal } : {}),
    }));
  }

  #tell(id: number, name: string, args: readonly unknown[]): void { if (!this.#isGone) this.post({ kind: 'event', id, name, args }, []); }

  #drop(id: number): void {
    this.#aborts.get(id)?.abort();
    this.#aborts.delete(id);
    void this.#things.get(id)?.then((thing) => thing.end?.()).catch(() => undefined);
    this.#things.delete(id);
  }
}
