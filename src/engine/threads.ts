/**
 * The threads of an engine: how many, and the workers that share its passes (assembly/threads/team.ts). The caller's thread is one of them.
 */
import { InputError } from '../errors.ts';
import { show } from '../options.ts';
import { RecordView, recordBytes, teamFields } from '../model/records.ts';
import type { Arena } from './arena.ts';
import { carriesThreads } from './binaries.ts';
import { countCores } from './cores.ts';
import { mayShare, mayWait } from './features.ts';
import { Pace } from './pace.ts';
import type { WorkerHandle } from './workers.ts';

/** Most threads of an engine. */
export const MAX_THREADS = 64;

/** A model of fewer bytes has a token done before threads could share it. */
const leastBytes = 8e6;

export interface ThreadChoice {
  /** Whether it is measured on every call if they pay. */
  readonly auto: boolean;
  /** 1 = none beside the caller's. */
  readonly threads: number;
  /** Why so many, in a few words. */
  readonly threadsReason: string;
}

/** How many threads a model whose file has so many bytes is to have. @throws InputError `E_OPTION` */
export async function chooseThreads(asked: number | 'auto', bytes: number): Promise<ThreadChoice> {
  if (asked !== 'auto' && !(Number.isInteger(asked) && asked >= 1 && asked <= MAX_THREADS)) {
    throw new InputError('E_OPTION', {
      subject: 'threads', found: show(asked), expected: `'auto' or an integer from 1 to ${MAX_THREADS}`,
      remedy: 'Leave it out for as many as pay here.',
    });
  }
  if (asked === 1) return { auto: false, threads: 1, threadsReason: 'asked for' };
  const obstacle = carriesThreads ? mayShare() : 'this build of the library carries no others';
  if (obstacle !== undefined) return { auto: false, threads: 1, threadsReason: obstacle };
  const cores = await countCores(), has = `${cores} ${cores === 1 ? 'core' : 'cores'}`;
  if (asked !== 'auto') return { auto: false, threads: asked, threadsReason: asked > cores ? `asked for, of ${has}` : 'asked for' };
  if (bytes < leastBytes) return { auto: true, threads: 1, threadsReason: 'the model is too small to share' };
  return { auto: true, threads: Math.min(cores, MAX_THREADS), threadsReason: has };
}

/** Bytes of a line that only one word of is written by several threads: two cache lines, which processors fetch together. */
const line = 128;
/** Bytes of what a worker says when it traps, and of what a job is about. */
const faultBytes = 256, argsBytes = 256;

/** How often others may lose their cores in a pass that is shared to see if that pays. */
const stalls = 2;

export class Team {
  #workers: WorkerHandle[] = [];
  /** Of 'auto'. */
  readonly #pace: Pace | undefined;

  /** Lays out the record. Takes memory that every worker sees from its beginning: call it first. */
  constructor(private readonly arena: Arena, auto: boolean, readonly ptr: number = arena.take(recordBytes(teamFields))) {
    this.#pace = auto ? new Pace() : undefined;
    const leftPtr = arena.take(4 * line), faultPtr = arena.take(faultBytes), argsPtr = arena.take(argsBytes);
    this.#record.assign({
      threads: 1, workers: 0, waits: mayWait() ? 1 : 0, patience: 40_000, grain: 24 * 1024, shares: 4, stalls: 0,
      leftPtr, donePtr: leftPtr + line, asleepPtr: leftPtr + 2 * line, waitingPtr: leftPtr + 3 * line, faultPtr, argsPtr,
    });
  }

  get #record(): RecordView<typeof teamFields> { return new RecordView(this.arena.memory, this.ptr, teamFields); }

  /** Threads that share work now. */
  get threads(): number { return this.#record.get('threads'); }
  set threads(threads: number) { this.#record.set('threads', Math.min(threads, 1 + this.#workers.length)); }

  /** Starts workers; resolves when all stand by. Where one does not, none stays. */
  async start(module: WebAssembly.Module, count: number): Promise<void> {
    const input = { module, memory: this.arena.memory, fault: this.#record.get('faultPtr') };
    const { startWorker } = await import('./workers.ts'); // most pages share no memory and never ask for it
    try {
      for (let i = 0; i < count; i++) this.#workers.push(await startWorker(input));
      await Promise.all(this.#workers.map(({ ready }) => ready));
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Lets the workers share the passes of a workspace. */
  serve(work: number): void {
    this.#workers.forEach((worker, i) => { worker.serve(work, i + 1); });
    this.#record.assign({ workers: this.#workers.length, threads: 1 + this.#workers.length });
  }

  /** Runs a pass of `tokens` tokens on as many threads as pay. */
  run<T>(tokens: number, pass: () => T): T {
    if (!this.#pace || this.#workers.length === 0) return pass();
    const share = (shared: boolean, sure: boolean): void => {
      this.#record.assign({ threads: shared ? 1 + this.#workers.length : 1, stalls: sure ? 0 : stalls });
    };
    return this.#pace.run(tokens, share, pass, () => this.threads === 1);
  }

  /** What a worker said when it trapped. */
  get fault(): string | undefined {
    const ptr = this.#record.get('faultPtr'), [bytes] = this.arena.i32(ptr, 1);
    return bytes ? new TextDecoder().decode(this.arena.u8(ptr + 4, bytes).slice()) : undefined;
  }

  /** Ends all workers, whatever they do. */
  end(): void {
    if (this.#workers.length === 0) return;
    const left = this.#record.get('leftPtr') >>> 2, words = new Int32Array(this.arena.memory.buffer);
    Atomics.store(words, left, -1);
    Atomics.notify(words, left);
    for (const worker of this.#workers) worker.end();
    this.#workers = [];
  }
}
