/** Server-sent events, made only as fast as they are read. */
import type { Job } from './job.ts';
import { gone, problemOf } from './problem.ts';

/** An event; its name is left out where the protocol has none. */
export interface ServerEvent { readonly event?: string; readonly data: unknown }

const frame = ({ event, data }: ServerEvent): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/**
 * The events as an answer. The first is waited for, so that what goes wrong until then has a status of its own; later it is an event with
 * `error`. `last`: closes the stream, where the protocol has such an event. A reader that takes nothing holds a slot: it has its time.
 */
export async function eventStream(
  events: AsyncGenerator<ServerEvent, void, undefined>, job: Job, failed: (error: unknown) => ServerEvent = failure, last?: ServerEvent,
): Promise<Response> {
  const utf8 = new TextEncoder();
  /** `waits`: for its reader. */
  let ahead: IteratorResult<ServerEvent, void> | undefined, stalled: ReturnType<typeof setTimeout> | undefined, waits = false;
  try {
    ahead = await events.next();
  } catch (error) {
    job.end();
    throw error;
  }
  const giveUp = async (): Promise<void> => {
    waits = false;
    clearTimeout(stalled);
    job.cut(gone());
    await events.return().catch(() => undefined);
    job.end();
  };
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, event: ServerEvent | undefined): void => {
    if (event) controller.enqueue(utf8.encode(frame(event)));
    controller.close();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      job.signal.addEventListener('abort', () => {
        if (!waits) return;
        end(controller, failed(job.signal.reason));
        void giveUp();
      }, { once: true });
    },
    async pull(controller) {
      waits = false;
      clearTimeout(stalled);
      try {
        if (job.signal.aborted) throw job.signal.reason;
        const { done, value } = ahead ?? await events.next();
        ahead = undefined;
        if (done !== true) {
          controller.enqueue(utf8.encode(frame(value)));
          waits = true;
          stalled = setTimeout(() => {
            void giveUp();
            controller.error(new Error('Nobody reads this stream.')); // whoever serves it closes the connection
          }, 1000 * job.patience);
          return;
        }
        end(controller, last);
      } catch (error) {
        end(controller, failed(error));
      }
      job.end();
    },
    cancel: giveUp,
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
