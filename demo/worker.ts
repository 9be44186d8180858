/** The worker's own functions, beside the model: what asks it for every token, or needs all logits. */
import type { Model, SparsityOptions } from 'clada';
import { openSource } from 'clada';
import { provide } from 'clada/worker-main';
import { compare, middle } from './compare.ts';

/** Runs code hot before anyone waits for it, and measures dense decoding meanwhile: tokens a second. */
async function warmUp(on: Model, { signal }: { signal: AbortSignal }): Promise<number> {
  const times: number[] = [];
  let last = performance.now();
  for await (const _token of on.generate('Once upon a time', { temperature: 0, maxTokens: 24, ignoreEos: true, signal, sparsity: { method: 'dense' } })) {
    times.push(performance.now() - last);
    last = performance.now();
  }
  return 1000 / middle(times.slice(8));
}

/** Whether the library's cache has all of the model: without asking the server, only a whole copy opens. */
async function isKept(_: Model, url: string): Promise<boolean> {
  try {
    await (await openSource(url, { offline: true })).close();
    return true;
  } catch {
    return false;
  }
}

provide({
  warmUp, isKept,
  compare: (on: Model, prompt: Uint32Array, answer: readonly number[], { signal, ...sparsity }: SparsityOptions & { signal: AbortSignal }) => compare(on, prompt, answer, sparsity, signal),
});
