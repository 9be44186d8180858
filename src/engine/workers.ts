/**
 * Workers as every runtime has them: `worker_threads` where there are Node's modules (Node, Deno, Bun), else the web's. Their program is
 * text in this file: nothing to locate for a bundler, nothing to fetch.
 */
import { nodeModule } from '../node.ts';

/** What a worker is told first, and what it needs to live. */
export interface WorkerInput {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address where it says why it trapped (TeamRecord.faultPtr). */
  readonly fault: number;
}

export interface WorkerHandle {
  /** Resolves when it stands by; rejects where it does not come to that. */
  readonly ready: Promise<void>;
  /** Joins the team of a workspace, until that ends. */
  serve(work: number, thread: number): void;
  /** Ends it, whatever it does. */
  end(): void;
}

/** `listen` and `say` are the runtime's. The last message never returns while the team lives: no other is read. */
const program = `
let instance, input;
const fail = (error) => {
  const text = new TextEncoder().encode(String(error)).slice(0, 240), { memory, fault } = input;
  new Uint8Array(memory.buffer, fault + 4, text.length).set(text);
  Atomics.store(new Int32Array(memory.buffer), fault >> 2, text.length);
};
listen((message) => {
  if (message.module) {
    input = message;
    WebAssembly.instantiate(input.module, { env: { memory: input.memory } }).then(
      (made) => { instance = made; say(''); }, (error) => { say(String(error)); });
  } else {
    try { instance.exports.serve(message.work, message.thread); } catch (error) { fail(error); }
  }
});
`;
const nodeProgram = `
const { parentPort } = process.getBuiltinModule?.('node:worker_threads') ?? require('node:worker_threads');
const listen = (f) => { parentPort.on('message', f); };
const say = (text) => { parentPort.postMessage(text); };
${program}`;
const webProgram = `
const listen = (f) => { self.onmessage = (event) => { f(event.data); }; };
const say = (text) => { self.postMessage(text); };
${program}`;

/** What the two kinds have in common; both are told what to do by the same messages. */
interface Started {
  post(message: unknown): void;
  /** Called with each answer, and with what became of it where it ended. */
  listen(answered: (text: string) => void, failed: (error: unknown) => void): void;
  /** Lets the process end although it lives. */
  unref(): void;
  end(): void;
}

async function startNode(): Promise<Started> {
  const { Worker } = await nodeModule('node:worker_threads', 'worker');
  // what the process preloads (a compiler of TypeScript, say) is nothing to it
  const worker = new Worker(nodeProgram, { eval: true, execArgv: [], name: 'clada' });
  return {
    post: (message) => { worker.postMessage(message); },
    listen: (answered, failed) => {
      worker.on('message', answered);
      worker.on('error', failed);
      worker.on('exit', (code) => { failed(new Error(`it ended with code ${code}`)); });
    },
    unref: () => { worker.unref(); },
    end: () => { void worker.terminate(); },
  };
}

function startWeb(): Started {
  const url = URL.createObjectURL(new Blob([webProgram], { type: 'text/javascript' }));
  const worker = new Worker(url, { name: 'clada' });
  return {
    post: (message) => { worker.postMessage(message); },
    listen: (answered, failed) => {
      worker.onmessage = ({ data }: { data: string }) => { URL.revokeObjectURL(url); answered(data); };
      worker.onerror = (event: { message?: string }) => { failed(new Error(event.message ?? 'its script may not be loaded')); };
    },
    unref: () => undefined,
    end: () => { worker.terminate(); },
  };
}

/** How long one may take to stand by, in ms. */
const patience = 10_000;

/** Starts one. What keeps it from standing by is told by `ready`. */
export async function startWorker(input: WorkerInput): Promise<WorkerHandle> {
  const isNode = (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node !== undefined;
  const worker = isNode ? await startNode() : startWeb();
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => { reject(new Error(`it did not start within ${patience / 1000} s`)); }, patience);
    worker.listen((text) => {
      clearTimeout(timer);
      if (text === '') resolve();
      else reject(new Error(text));
      worker.unref();
    }, (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
  worker.post(input);
  return { ready, serve: (work, thread) => { worker.post({ work, thread }); }, end: () => { worker.end(); } };
}
