/** A text in the making over there: iterated here, token by token, or run to its end in one go. */
import type { GeneratedToken, GenerateOptions, GenerationStats } from 'clada';
import { InputError } from '../errors.ts';
import { checkNumber } from '../options.ts';
import type { RemoteConstraint } from './constraint.ts';
import type { Link } from './link.ts';

/** As in one thread, and how far the worker may run ahead. */
export interface RemoteGenerateOptions extends Omit<GenerateOptions, 'constraint'> {
  /** The form that the text must have. */
  constraint?: RemoteConstraint;
  /**
   * Tokens that may be computed before they are asked for. 0: a token is computed when it is asked for, as in one thread, so `save()` and
   * an early end stand where the reader stands. More hides the time that the page takes for a token; both stand up to so many tokens
   * further then. Default: that of `loadInWorker`.
   */
  readAhead?: number;
}

export const aheadRange = { min: 0, max: 1024, integer: true } as const;

const nothing: GenerationStats = {
  promptTokens: 0, cachedTokens: 0, promptMs: 0, generatedTokens: 0, shiftedTokens: 0, generateMs: 0, promptPerSecond: NaN,
  generatePerSecond: NaN, weightBytesPerSecond: NaN, stopReason: undefined, stop: undefined, seed: NaN, method: undefined,
  expected: undefined, density: 1, warnings: [], decideMs: undefined, measured: undefined,
};

/** What comes with every answer of the worker. */
interface State { readonly stats: GenerationStats }

/** Values of an iteration over there. Each is asked for when it is wanted, and `ahead` more: a slow reader holds the worker up. */
export async function* pulled<T>(ask: (name: 'next' | 'return') => Promise<unknown>, ahead: number): AsyncGenerator<T, void, undefined> {
  const asked: Promise<unknown>[] = [];
  let isOver = false;
  try {
    for (;;) {
      while (asked.length <= ahead) {
        const next = ask('next');
        next.catch(() => undefined); // told when its turn comes
        asked.push(next);
      }
      const { done, value } = (await asked.shift()) as IteratorResult<T, void>;
      if (done) { isOver = true; return; }
      yield value;
    }
  } catch (error) {
    isOver = true;
    throw error;
  } finally {
    if (!isOver) await ask('return').catch(() => undefined); // a line that is closed has ended it
  }
}

/** As `Generation`. Nothing runs until it is iterated, or asked for its text; what is wrong with its options is said then. */
export class RemoteGeneration implements AsyncIterable<GeneratedToken> {
  #id: number | undefined;
  #stats = nothing;
  #begun = false;
  readonly #ahead: number;

  /** @internal use `model.generate` or `chat.send`; `seen` hears what comes with every answer */
  constructor(
    private readonly link: Link, private readonly make: (owner: object) => number, ahead: number,
    private readonly seen: (state: unknown) => void = () => undefined,
  ) {
    this.#ahead = checkNumber('readAhead', aheadRange, ahead);
  }

  /** The whole text, in one message. */
  async text(): Promise<string> {
    this.#begin();
    return (await this.#ask('text')) as string;
  }

  /** All tokens, in one message. */
  async tokens(): Promise<GeneratedToken[]> {
    this.#begin();
    return (await this.#ask('tokens')) as GeneratedToken[];
  }

  /** Figures as of the last token that has come; final once iteration has ended. Before the first one all are 0 or NaN. */
  stats(): GenerationStats { return this.#stats; }

  /** As `generation.save()`: everything needed to go on from here. @throws as it */
  async save(): Promise<Uint8Array<ArrayBuffer>> { return (await this.#ask('save')) as Uint8Array<ArrayBuffer>; }

  /** Tokens that the model sees: prompt and what was generated so far. */
  async ids(): Promise<readonly number[]> { return (await this.#ask('ids')) as number[]; }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    this.#begin();
    try {
      yield* pulled<GeneratedToken>((name) => this.#ask(name), this.#ahead);
    } finally {
      this.link.forget(this.#number);
    }
  }

  /** @internal made over there, or told what was wrong */
  async made(): Promise<this> {
    await this.#ask('made');
    return this;
  }

  get #number(): number { return this.#id ??= this.make(this); }

  #begin(): void {
    if (this.#begun) {
      throw new InputError('E_OPTION', {
        subject: 'generation', found: 'a second iteration', expected: 'one',
        remedy: 'Call generate() again; keep the first text if you need it twice.',
      });
    }
    this.#begun = true;
  }

  async #ask(name: string): Promise<unknown> {
    const { value, error, state } = await this.link.ask(name, [], this.#number);
    if (state !== undefined) {
      this.#stats = (state as State).stats;
      this.seen(state);
    }
    if (error) throw error;
    return value;
  }
}
