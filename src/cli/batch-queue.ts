/**
 * Both sides of a queue. The batch puts lines into it, takes results out and alone writes them: a line that two workers answered, since the
 * first was taken for dead, has one result. A job's id is its line's: put in twice, by a batch that goes on, it is one job.
 */
import type { Job, Queue } from 'bullmq';
import { AbortedError, TransferError } from '../errors.ts';
import type { BatchResult, Handler } from '../batch/answer.ts';
import { answerRequest, refusal } from '../batch/answer.ts';
import type { BatchRequest } from '../batch/request.ts';
import type { Answer } from '../batch/run.ts';
import { modelsOf, queueOf, signOn, type Link, type ModelName } from './batch-link.ts';

interface Task extends Pick<BatchRequest, 'customId' | 'url' | 'body'> { readonly number: number }

/** Milliseconds between two looks at what no event came for: it was missed, or the queue has lost the job. */
const lookEvery = 5000;
/** Workers that may die over a line until it is taken for their murderer. */
const mostDeaths = 10;
/** Seconds for which results are kept whose batch does not come for them. */
const keptFor = 7 * 86_400;

export interface Asker {
  readonly answer: Answer;
  /** The result is written: the queue need not keep it. */
  settled(id: string): void;
  /** The same of all results that a run before wrote, which was killed before it could say so. */
  tidy(isWritten: (id: string) => boolean): void;
  close(): Promise<void>;
}

interface Waiting {
  readonly task: Task;
  /** It is being put, looked at or withdrawn. */
  busy: boolean;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks the workers of a model. From `signal` on no line waits for one; those that a worker has are waited for.
 * @param onAlone the last worker has gone, or one is there again
 */
export function openAsker(link: Link, model: ModelName, signal: AbortSignal, onAlone: (alone: boolean) => void): Asker {
  const name = queueOf(model), queue: Queue = new link.bull.Queue(name, link.options());
  const events = new link.bull.QueueEvents(name, link.options());
  const waiting = new Map<string, Waiting>();
  /** What the end waits for: nothing stays behind in the queue. */
  const doing = new Set<Promise<unknown>>();
  queue.on('error', () => undefined); // the link watches over connections
  events.on('error', () => undefined);

  const settle = (id: string, how: (one: Waiting) => void): void => {
    const one = waiting.get(id);
    if (!one) return;
    waiting.delete(id);
    how(one);
  };
  const follow = (what: Promise<unknown>): void => {
    const done: Promise<unknown> = what.catch(() => undefined).finally(() => { doing.delete(done); });
    doing.add(done);
  };
  const failAll = (error: unknown): void => { for (const id of [...waiting.keys()]) settle(id, ({ reject }) => { reject(error); }); };
  const completed = (id: string, result: unknown): void => {
    settle(id, ({ resolve, reject }) => {
      if ((result as BatchResult | null)?.id === id) resolve(result as BatchResult);
      else reject(new TransferError('E_QUEUE', {
        subject: `result ${id}`, found: 'something else', expected: 'what a worker of this version answers',
        remedy: 'Run the same version everywhere.',
      }));
    });
  };
  const failed = (id: string, reason: string): void => {
    settle(id, ({ task, resolve }) => {
      resolve(refusal(id, task.customId, { code: 'worker_lost', message: `No worker got through it: ${reason}`, line: task.number }));
    });
  };
  events.on('completed', ({ jobId, returnvalue }) => { completed(jobId, returnvalue); });
  events.on('failed', ({ jobId, failedReason }) => { failed(jobId, failedReason); });

  const put = async (id: string, task: Task): Promise<void> => {
    try {
      const keep = { age: keptFor };
      await queue.add('line', task, { jobId: id, attempts: mostDeaths, removeOnComplete: keep, removeOnFail: keep });
    } catch (cause) {
      settle(id, ({ reject }) => {
        reject(new TransferError('E_QUEUE', {
          subject: `queue ${name}`, found: cause instanceof Error ? cause.message : String(cause), expected: 'a place for a line',
          remedy: 'See to the queue, and run the same command again.', cause,
        }));
      });
    }
  };
  /** Takes the result of a line that has one. */
  const take = async (id: string, state: string): Promise<void> => {
    if (state !== 'completed' && state !== 'failed') return;
    const job: Job<Task, BatchResult> | undefined = await queue.getJob(id);
    if (job && state === 'completed') completed(id, job.returnvalue);
    else if (job) failed(id, job.failedReason);
  };
  const look = async (id: string, { task }: Waiting): Promise<void> => {
    const state = await queue.getJobState(id);
    if (state !== 'unknown') await take(id, state);
    else if (waiting.has(id)) await put(id, task);
  };
  /** What no worker has begun leaves the queue. */
  const withdraw = async (id: string): Promise<void> => {
    const state = await queue.getJobState(id);
    if (state === 'active' || state === 'completed' || state === 'failed') { await take(id, state); return; }
    if (state !== 'unknown' && await queue.remove(id) !== 1) return; // a worker took it just now
    settle(id, ({ reject }) => { reject(new AbortedError('batch', signal.reason)); });
  };
  /** One thing at a time with a line: one that is withdrawn while it is on its way into the queue would stay there. */
  const attend = async (id: string, begin = false): Promise<void> => {
    const one = waiting.get(id);
    if (!one || one.busy) return;
    one.busy = true;
    try {
      if (begin) await put(id, one.task);
      if (!signal.aborted) await look(id, one); // no event comes for the result of an earlier run that is there already
      if (signal.aborted) await withdraw(id);
    } finally {
      one.busy = false;
    }
  };
  const attendAll = (): void => { for (const id of waiting.keys()) follow(attend(id)); };
  let alone = false;
  const lookRound = async (): Promise<void> => {
    attendAll();
    const before = alone;
    alone = !(await modelsOf(link)).some(({ fingerprint }) => fingerprint === model.fingerprint);
    if (alone !== before) onAlone(alone);
  };
  const timer = setInterval(() => { lookRound().catch(() => undefined); }, lookEvery);

  signal.addEventListener('abort', attendAll);
  link.lost.catch(failAll);

  return {
    answer: (request, { id, number }) => {
      if (request.error) return Promise.resolve(refusal(id, request.customId, request.error));
      const { customId, url, body } = request, task = { customId, url, body, number };
      return new Promise((resolve, reject) => {
        waiting.set(id, { task, busy: false, resolve, reject });
        follow(attend(id, true)); // what the queue did not hear is looked at again
      });
    },
    settled: (id) => { follow(queue.remove(id)); },
    tidy: (isWritten) => {
      const known = queue.getRanges(['completed', 'failed'], 0, -1);
      follow(known.then((ids) => Promise.all(ids.filter(isWritten).map((id) => queue.remove(id)))));
    },
    close: async () => {
      clearInterval(timer);
      signal.removeEventListener('abort', attendAll);
      await Promise.race([Promise.all(doing), link.lost.catch(() => undefined)]);
      await Promise.race([Promise.allSettled([events.close(), queue.close()]), aSecond()]);
    },
  };
}

/** For goodbyes that a queue which is away does not answer. */
const aSecond = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 1000).unref(); });

export interface Serving {
  readonly handler: Handler;
  readonly concurrency: number;
  /** Seconds after which the lines of a worker that says nothing are others'. */
  readonly lease: number;
  readonly signal: AbortSignal;
  readonly onAnswer: (result: BatchResult) => void;
}

/**
 * Answers what is in the queue of a model until the signal fires; what runs then is finished.
 * @throws TransferError `E_QUEUE` where the queue stays away; StateError where the model can answer no more
 */
export async function serveQueue(link: Link, model: ModelName, { handler, concurrency, lease, signal, onAnswer }: Serving): Promise<void> {
  let die: (error: unknown) => void = () => undefined;
  const dead = new Promise<never>((_, reject) => { die = reject; });
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => { resolve(); }, { once: true });
  });
  const work = async ({ id, data }: Job<Task, BatchResult>): Promise<BatchResult> => {
    try {
      const result = await answerRequest(id!, data.number, data, handler);
      onAnswer(result);
      return result;
    } catch (error) {
      die(error);
      throw error; // the line goes to another worker
    }
  };
  const worker = new link.bull.Worker<Task, BatchResult>(queueOf(model), work, {
    ...link.options(), concurrency, lockDuration: 1000 * lease, stalledInterval: 500 * lease, maxStalledCount: mostDeaths,
  });
  worker.on('error', () => undefined); // the link watches over connections
  const signOff = signOn(link, model);
  try {
    await Promise.race([stopped, link.lost, dead]);
    await Promise.race([worker.close(), link.lost]);
  } catch (error) {
    await Promise.race([worker.close(true), aSecond()]);
    throw error;
  } finally {
    signOff();
  }
}

