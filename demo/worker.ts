/** The model, off the page's thread: loads it, answers, and measures what an answer cost. */
import type { Model, Progress, SparsityOptions } from 'clada';
import { AbortedError, load, openSource } from 'clada';
import { compare, middle } from './compare.ts';
import type { Arrived } from './failure.ts';
import { failureOf } from './failure.ts';
import { CogLoad } from './cogLoad.ts';
import type { Ready, Report, Request } from './protocol.ts';

/** Where the model lies beside the page, written in by scripts/demo.ts; its calibration lies beside it. */
declare const MODEL: string;
const modelUrl = new URL(MODEL, location.href);
const port = self as unknown as { postMessage(report: Report, transfer?: Transferable[]): void; onmessage: ((event: MessageEvent<Request>) => void) | null };

/** Fewer than the library's own: the reader of this page has a button that goes on where the download was cut. */
const retries = 3;
const contextSize = 2048, mostTokens = 320;
/** Greedy, with the penalty that keeps a small model from going round in circles: the same question gives the same answer, so methods can be compared. */
const sampling = { temperature: 0, repeatPenalty: 1.1 } as const;

let model: Model | undefined;
/** How far its download has come. */
let arrived: Arrived | undefined;
let running = new AbortController();
/** The request that runs; the next one waits for its end. */
let busy: Promise<void> = Promise.resolve();

const post = (report: Report, transfer: Transferable[] = []): void => { port.postMessage(report, transfer); };

async function start(signal: AbortSignal): Promise<void> {
  model?.close();
  model = undefined;
  arrived = undefined;
  let shown = 0;
  const onProgress = ({ loaded, total, download }: Progress): void => {
    arrived = download;
    const fetching = download !== undefined && download.loaded < download.total, last = loaded === total && !fetching;
    if (!last && performance.now() - shown < 60) return;
    shown = performance.now();
    post({ kind: 'progress', ...(fetching ? { phase: 'download', ...download } : { phase: 'weights', loaded, total }) });
  };
  model = await load(modelUrl, { contextSize, signal, cache: 'auto', retries, onProgress });
  const kept = await isKept();
  post({ kind: 'progress', phase: 'warm-up', loaded: 0, total: 0 });
  const densePerSecond = await warmUp(model, signal);
  const bandwidth = Math.max(...[1, 2].map(() => model!.measureBandwidth()));
  const levels: Ready['levels'] = {};
  for (const [method, rows] of model.calibration?.levels ?? []) levels[method] = rows.map(({ cost, kl, top1 }) => ({ cost, kl, top1 }));
  post({ kind: 'ready', ready: { info: model.info, file: modelUrl.pathname.replace(/^.*\//, ''), levels, densePerSecond, bandwidth, kept } });
}

/** Whether the library's cache has all of the model: without asking the server, only a whole copy opens. */
async function isKept(): Promise<boolean> {
  try {
    await (await openSource(modelUrl, { offline: true })).close();
    return true;
  } catch {
    return false;
  }
}

/** Runs code hot before anyone waits for it, and measures dense decoding meanwhile: tokens a second. */
async function warmUp(on: Model, signal: AbortSignal): Promise<number> {
  const times: number[] = [];
  let last = performance.now();
  for await (const _token of on.generate('Once upon a time', { temperature: 0, maxTokens: 24, ignoreEos: true, signal, sparsity: { method: 'dense' } })) {
    times.push(performance.now() - last);
    last = performance.now();
  }
  return 1000 / middle(times.slice(8));
}

async function answer({ id, history, text, sparsity, compare: wanted }: Extract<Request, { kind: 'ask' }>, signal: AbortSignal): Promise<void> {
  const on = model!, chat = on.chat({ messages: history });
  const generation = chat.send(text, {
    ...sampling, maxTokens: mostTokens, telemetry: 'neurons', sparsity, signal, onPrompt: (done, total) => { post({ kind: 'prompt', id, done, total }); },
  });
  const { calibration } = on, load = new CogLoad({ surprisal: calibration?.surprisalWeight ?? 0.5, entropy: calibration?.entropyWeight ?? 0.5 });
  const ids: number[] = [];
  let before: { surprisal: number; entropy: number } | undefined, said = '', stopped = false;
  try {
    for await (const { id: tokenId, text: part, surprisal = NaN, entropy = NaN, step } of generation) {
      ids.push(tokenId);
      said += part;
      const own = before ? load.step(before.surprisal, before.entropy) : NaN;
      before = { surprisal, entropy };
      const token = {
        text: part, surprisal, entropy, load: step && step.factor !== 1 ? step.cogLoad : own, factor: step?.factor ?? 1,
        density: step?.density ?? NaN, weightBytes: step?.weightBytes ?? NaN, ...(step?.neurons ? { neurons: step.neurons } : {}),
      };
      const { generatePerSecond: perSecond, method, measured: checked } = generation.stats();
      post({ kind: 'token', id, token, perSecond, method, checked }, step?.neurons ? [step.neurons.buffer] : []);
    }
  } catch (error) {
    if (!(error instanceof AbortedError)) throw error;
    stopped = true;
  }
  const stats = generation.stats();
  post({ kind: 'answered', id, text: said, stats, stopped });
  if (!wanted || stopped || stats.method === 'dense') return;
  const comparison = await compare(on, on.encodeChat([...history, { role: 'user', content: text }]), ids, sparsity, signal);
  if (comparison) post({ kind: 'compared', id, comparison });
}

/** What the calibration promises of these options, before anything runs. */
async function preview(id: number, sparsity: SparsityOptions): Promise<void> {
  try {
    const generation = model!.generate([0], { maxTokens: 0, sparsity });
    await generation.text();
    const { method, expected } = generation.stats();
    post({ kind: 'previewed', id, method, expected: expected && { cost: expected.cost, kl: expected.kl, top1: expected.top1 }, failure: undefined });
  } catch (error) {
    post({ kind: 'previewed', id, method: undefined, expected: undefined, failure: failureOf(error) });
  }
}

async function run(request: Request, signal: AbortSignal): Promise<void> {
  if (request.kind === 'load') {
    await start(signal).catch((error: unknown) => { if (!signal.aborted) post({ kind: 'failed', failure: failureOf(error, arrived) }); });
  } else if (request.kind === 'preview') {
    if (model) await preview(request.id, request.sparsity);
  } else if (request.kind === 'ask') {
    await answer(request, signal).catch((error: unknown) => { if (!(error instanceof AbortedError)) post({ kind: 'refused', id: request.id, failure: failureOf(error) }); });
    post({ kind: 'idle', id: request.id });
  }
}

port.onmessage = ({ data: request }) => {
  if (request.kind !== 'preview') { // a preview waits for its turn; everything else ends what runs
    running.abort();
    running = new AbortController();
  }
  const { signal } = running;
  busy = busy.then(() => run(request, signal));
};

