/** The model as the page uses it: loads it in a worker, asks it, and measures what an answer cost. */
import type { Progress, SparsityOptions } from 'clada';
import { AbortedError } from 'clada';
import type { RemoteModel } from 'clada/worker';
import { loadInWorker } from 'clada/worker';
import type { Arrived } from './failure.ts';
import { failureOf } from './failure.ts';
import { CogLoad } from './cogLoad.ts';
import type { Comparison, Ready, Report, Request } from './protocol.ts';

/** Where the model lies beside the page, written in by scripts/demo.ts; its calibration lies beside it. */
declare const MODEL: string;
const modelUrl = new URL(MODEL, location.href);

/** Fewer than the library's own: the reader of this page has a button that goes on where the download was cut. */
const retries = 3;
const contextSize = 2048, mostTokens = 320;
/** Greedy, with the penalty that keeps a small model from going round in circles: the same question gives the same answer, so methods can be compared. */
const sampling = { temperature: 0, repeatPenalty: 1.1 } as const;

export class Assistant {
  #model: RemoteModel | undefined;
  /** How far its download has come. */
  #arrived: Arrived | undefined;
  #running = new AbortController();
  /** The request that runs; the next one waits for its end. */
  #busy: Promise<void> = Promise.resolve();

  /** `tell` hears everything that becomes of requests. */
  constructor(private readonly tell: (report: Report) => void) {}

  ask(request: Request): void {
    if (request.kind !== 'preview') { // a preview waits for its turn; everything else ends what runs
      this.#running.abort();
      this.#running = new AbortController();
    }
    const { signal } = this.#running;
    this.#busy = this.#busy.then(() => this.#run(request, signal));
  }

  async #run(request: Request, signal: AbortSignal): Promise<void> {
    if (request.kind === 'load') {
      await this.#start(signal).catch((error: unknown) => { if (!signal.aborted) this.tell({ kind: 'failed', failure: failureOf(error, this.#arrived) }); });
    } else if (request.kind === 'preview') {
      if (this.#model) await this.#preview(this.#model, request.id, request.sparsity);
    } else if (request.kind === 'ask') {
      await this.#answer(this.#model!, request, signal).catch((error: unknown) => {
        if (!(error instanceof AbortedError)) this.tell({ kind: 'refused', id: request.id, failure: failureOf(error) });
      });
      this.tell({ kind: 'idle', id: request.id });
    }
  }

  async #start(signal: AbortSignal): Promise<void> {
    this.#model?.close();
    this.#model = undefined;
    this.#arrived = undefined;
    let shown = 0;
    const onProgress = ({ loaded, total, download }: Progress): void => {
      this.#arrived = download;
      const fetching = download !== undefined && download.loaded < download.total, last = loaded === total && !fetching;
      if (!last && performance.now() - shown < 60) return;
      shown = performance.now();
      this.tell({ kind: 'progress', ...(fetching ? { phase: 'download', ...download } : { phase: 'weights', loaded, total }) });
    };
    const worker = (): Worker => new Worker('worker.js', { type: 'module' }); // the instruments take their time: the worker need not wait for it
    const model = this.#model = await loadInWorker(modelUrl, { contextSize, signal, cache: 'auto', retries, onProgress, worker, readAhead: 8 });
    const kept = await model.run<boolean>('isKept', modelUrl.href);
    this.tell({ kind: 'progress', phase: 'warm-up', loaded: 0, total: 0 });
    const densePerSecond = await model.run<number>('warmUp', { signal });
    const bandwidth = Math.max(await model.measureBandwidth(), await model.measureBandwidth());
    const levels: Ready['levels'] = {};
    for (const [method, rows] of model.calibration?.levels ?? []) levels[method] = rows.map(({ cost, kl, top1 }) => ({ cost, kl, top1 }));
    this.tell({ kind: 'ready', ready: { info: model.info, file: modelUrl.pathname.replace(/^.*\//, ''), levels, densePerSecond, bandwidth, kept } });
  }

  async #answer(on: RemoteModel, { id, history, text, sparsity, compare: wanted }: Extract<Request, { kind: 'ask' }>, signal: AbortSignal): Promise<void> {
    const generation = on.chat({ messages: history }).send(text, {
      ...sampling, maxTokens: mostTokens, telemetry: 'neurons', sparsity, signal, onPrompt: (done, total) => { this.tell({ kind: 'prompt', id, done, total }); },
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
        this.tell({ kind: 'token', id, token, perSecond, method, checked });
      }
    } catch (error) {
      if (!(error instanceof AbortedError)) throw error;
      stopped = true;
    }
    const stats = generation.stats();
    this.tell({ kind: 'answered', id, text: said, stats, stopped });
    if (!wanted || stopped || stats.method === 'dense') return;
    const prompt = await on.encodeChat([...history, { role: 'user', content: text }]);
    const comparison = await on.run<Comparison | undefined>('compare', prompt, ids, { ...sparsity, signal });
    if (comparison) this.tell({ kind: 'compared', id, comparison });
  }

  /** What the calibration promises of these options, before anything runs. */
  async #preview(on: RemoteModel, id: number, sparsity: SparsityOptions): Promise<void> {
    try {
      const generation = on.generate([0], { maxTokens: 0, sparsity });
      await generation.text();
      const { method, expected } = generation.stats();
      this.tell({ kind: 'previewed', id, method, expected: expected && { cost: expected.cost, kl: expected.kl, top1: expected.top1 }, failure: undefined });
    } catch (error) {
      this.tell({ kind: 'previewed', id, method: undefined, expected: undefined, failure: failureOf(error) });
    }
  }
}
