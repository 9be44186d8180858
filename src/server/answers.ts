/** Answers that are being made: each on a slot of its own, what they cost, and what is said of it. */
import type { GenerateOptions, GenerationStats } from 'clada';
import type { Context, Served } from './context.ts';
import type { Job } from './job.ts';

/** Runs `source` on a slot, once there is one; `index` is of the answer among those of a request. */
async function* onSlot<T extends { type: string }>(
  place: ReturnType<Served['slots']['enter']>[number], job: Job, index: number, source: () => AsyncIterable<T>,
): AsyncGenerator<{ index: number; part: T }, void, undefined> {
  try {
    await place.turn(job.cutShort);
    for await (const part of source()) {
      place.count(1);
      yield { index, part };
    }
  } finally {
    place.leave();
  }
}

/**
 * The answers of a request, each of which waits for its slot. @throws Problem 429 where there is no room, nothing has begun then
 */
export function answersOf<T extends { type: string }>({ slots }: Served, job: Job, sources: readonly (() => AsyncIterable<T>)[]) {
  const places = slots.enter(sources.length);
  job.onEnd(() => { for (const place of places) place.leave(); });
  return sources.map((source, index) => onSlot(places[index]!, job, index, source));
}

/** The options of answer `index`: each has a seed of its own, and those are told beforehand where the first is. */
export function seeded<T extends GenerateOptions>(options: T, index: number): T {
  const { seed } = options;
  return seed === undefined || seed === null || seed < 0 ? options : { ...options, seed: (seed + index) % 2 ** 32 };
}

/** Figures of a request's answers. */
export class Account {
  readonly #stats: GenerationStats[] = [];
  #reasoning = 0;

  constructor(private readonly context: Context) {}

  add(stats: GenerationStats): void {
    this.#stats.push(stats);
    this.context.metrics.add(stats);
  }

  /** Tokens that were thought rather than said. */
  thought(tokens: number): void { this.#reasoning += tokens; }

  get prompt(): number { return Math.max(0, ...this.#stats.map(({ promptTokens }) => promptTokens)); }
  /** Of the first answer: the others find the prompt of the first. */
  get cached(): number { return this.#stats.length === 0 ? 0 : Math.min(...this.#stats.map(({ cachedTokens }) => cachedTokens)); }
  get completion(): number { return this.#stats.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0); }
  get reasoning(): number { return this.#reasoning; }

  /** OpenAI's `usage`; of several prompts their sum. */
  usage(prompt = this.prompt) {
    return {
      prompt_tokens: prompt, completion_tokens: this.completion, total_tokens: prompt + this.completion,
      prompt_tokens_details: { cached_tokens: this.cached, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: this.reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0,
      },
    };
  }

  /** llama-server's `timings`, of the last answer. */
  get timings() {
    const stats = this.#stats.at(-1);
    if (!stats) return {};
    const of = (name: string, count: number, ms: number): object => ({
      [`${name}_n`]: count, [`${name}_ms`]: ms,
      [`${name}_per_token_ms`]: count > 0 ? ms / count : null, [`${name}_per_second`]: ms > 0 ? (1000 * count) / ms : null,
    });
    const { promptTokens, cachedTokens, promptMs, generatedTokens, generateMs } = stats;
    const prompt = of('prompt', promptTokens - cachedTokens, promptMs);
    return { cache_n: cachedTokens, ...prompt, ...of('predicted', generatedTokens, generateMs) };
  }

  /** What OpenAI has no words for: the seed, and what was left out of the weights. */
  get clada() {
    return this.#stats.map(({ seed, method, density, expected, measured, warnings, stopReason, stop }) => ({
      seed, stop_reason: stopReason, ...(stop === undefined ? {} : { stop }),
      sparsity: {
        method, density, ...(expected ? { expected } : {}), ...(measured ? { measured } : {}),
        ...(warnings.length > 0 ? { warnings } : {}),
      },
    }));
  }
}
