/** Server-sent events, made only as fast as they are read. */
import type { Job } from './job.ts';
import { gone, problemOf } from './problem.ts';

/** An event; its name is left out where the protocol has none. */
export interface ServerEvent { readonly event?: string; readonly data: unknown }

/** Seconds that a reader may take nothing before its answer is given up: it holds a slot. */
const patienceSeconds = 30;

const frame = ({ event, data }: ServerEvent): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/**
 * The events as an answer. The first is waited for, so that what goes wrong until then has a status of its own; later it is an event with
 * `error`. `last`: closes the stream, where the protocol has such an event.
 */
export async function eventStream(
  events: AsyncGenerator<ServerEvent, void, undefined>, job: Job, failed: (error: unknown) => ServerEvent = failure, last?: ServerEvent,
): Promise<Response> {
  const utf8 = new TextEncoder();
  let ahead: IteratorResult<ServerEvent, void> | undefined, stalled: ReturnType<typeof setTimeout> | undefined;
  try {
    ahead = await events.next();
  } catch (error) {
    job.end();
    throw error;
  }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stalled);
      const send = (event: ServerEvent): void => { controller.enqueue(utf8.encode(frame(event))); };
      const close = (): void => { controller.close(); job.end(); };
      try {
        if (job.signal.aborted) throw job.signal.reason;
        const { done, value } = ahead ?? await events.next();
        ahead = undefined;
        if (done !== true) {
          send(value);
          stalled = setTimeout(() => { job.cut(gone()); void events.return().catch(() => undefined); job.end(); }, 1000 * patienceSeconds);
          return;
        }
        if (last) send(last);
      } catch (error) {
        send(failed(error));
      }
      close();
    },
    async cancel() {
      clearTimeout(stalled);
      job.cut(gone());
      await events.return().catch(() => undefined);
      job.end();
    },
  }, { highWaterMark: 1 });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
  });
}

const failure = (error: unknown): ServerEvent => ({ data: problemOf(error).body });

/** What several sources give, as it comes; of each one item at most is made ahead of its reader. Ends with the first that fails. */
export async function* merge<T>(sources: readonly AsyncGenerator<T, void, undefined>[]): AsyncGenerator<T, void, undefined> {
  const next = (source: AsyncGenerator<T, void, undefined>) => source.next().then((result) => ({ source, result }));
  const pending = new Map(sources.map((source) => [source, next(source)]));
  try {
    while (pending.size > 0) {
      const { source, result } = await Promise.race(pending.values());
      if (result.done) { pending.delete(source); continue; }
      yield result.value;
      pending.set(source, next(source));
    }
  } finally {
    for (const given of pending.values()) given.catch(() => undefined);
    await Promise.allSettled(sources.map((source) => source.return()));
  }
}
