/** A worker of an application: functions beside the model. */
import type { Model } from 'clada';
import { provide } from 'clada/worker-main';

provide({
  perplexity: async (model: Model, text: string, { onProgress, signal }: { onProgress?: (done: number) => void; signal?: AbortSignal }) =>
    (await model.score(text, { ...(onProgress ? { onProgress } : {}), ...(signal ? { signal } : {}) })).perplexity,
  async *count(_: Model, to: number) { for (let i = 0; i < to; i++) yield i; },
  fail: () => { throw new RangeError('too much'); },
  hang: () => new Promise(() => undefined),
  die: () => { process.exit(3); },
});
