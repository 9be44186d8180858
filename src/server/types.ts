/** What a server is made of, and what it offers. */
import type { GenerateOptions, Model, SparsityOptions } from 'clada';

/** How a server behaves. Everything has a default. */
export interface ServerOptions {
  /** What a single model is called in `model`. Default: its file's name without `.gguf`. */
  readonly name?: string;
  /** Answers in the making at the same time, for each model: at most the `sequences` that it was loaded with. Default 4. */
  readonly slots?: number;
  /** Requests that wait for a slot; more get 429 and Retry-After. Default 64. */
  readonly queue?: number;
  /** Seconds that a request may take, its waiting included. Default 600. */
  readonly timeout?: number;
  /** Seconds that nobody may read from a stream before it is given up: it holds a slot. Default 30. */
  readonly patience?: number;
  /** Bytes of a request's body. Default 4 MiB. */
  readonly maxBody?: number;
  /** Keys, of which a request must bring one: `Authorization: Bearer KEY`. Default: none is asked for. */
  readonly apiKeys?: readonly string[];
  /** Origins whose pages may use this server, or '*'. Default: none but its own. */
  readonly cors?: '*' | readonly string[];
  /** Names that it may be called by (the `Host` header, without a port): others get 403. Default: any. */
  readonly hosts?: readonly string[];
  /** The chat page at `/`. Default true. */
  readonly page?: boolean;
  /** What requests leave out. */
  readonly defaults?: Pick<GenerateOptions,
    'temperature' | 'topK' | 'topP' | 'minP' | 'typicalP' | 'repeatPenalty' | 'repeatLastN' | 'maxTokens' | 'loopGuard' | 'sparsity'>;
  /** What `reasoning_effort` means for the share of weights that is read. Default: nothing; it is for the template alone. */
  readonly efforts?: Readonly<Record<string, SparsityOptions>>;
}

/** A server: web standards in and out. */
export interface Server {
  /** Answers a request; never throws. */
  fetch(request: Request): Promise<Response>;
  /**
   * Takes no request any more (503) and waits for those that run, which are ended after so many `seconds` (default 30). Models stay open.
   */
  close(seconds?: number): Promise<void>;
  /** Requests that run or wait. */
  readonly active: number;
}

/** One model, or several by the names that requests call them. */
export type Models = Model | Readonly<Record<string, Model>>;
