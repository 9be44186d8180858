/** What generating takes and gives: options, tokens, figures, and the state between two tokens. */
import type { Level } from '../adapt/levels.ts';
import type { MethodName, SparsityOptions } from '../adapt/methods.ts';
import type { Resolved } from '../adapt/resolve.ts';
import type { Selection } from '../adapt/selection.ts';
import type { StepThresholds } from '../engine/adapt.ts';
import type { Logprobs } from '../sampler/logprobs.ts';
import type { Constraint } from '../sampler/constraint.ts';
import type { SamplerOptions } from '../sampler/options.ts';
import type { RandomState } from '../sampler/random.ts';
import type { Claim, SequencePool } from '../session/pool.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ContractState, Measured } from './contract.ts';

/** How a text goes on. */
export interface GenerateOptions extends SamplerOptions {
  /** Tokens to generate at most. Default, and what -1 means: until the model ends its answer or the context is full. */
  maxTokens?: number | null | undefined;
  /** Texts that end the generation and are not part of it. */
  stop?: string | readonly string[];
  /** Never end by itself: the logits of end-of-generation tokens are -Infinity, as with llama.cpp's --ignore-eos. Default false. */
  ignoreEos?: boolean;
  /**
   * Tells which tokens may come next; a fresh one for each generation (`clada/grammar` makes them of JSON schemas, grammars and regular
   * expressions). The text ends where it is complete. Not together with `ignoreEos`.
   */
  constraint?: Constraint | undefined;
  /**
   * End where the text says one passage (of at most 256 tokens) this many times in a row, over at least 32 tokens; from 2 up.
   * Default 0: never.
   */
  loopGuard?: number;
  /** Log-probabilities of this many alternatives with each token. Default 0: none. */
  logprobs?: number;
  /** Surprisal, entropy, and what was skipped, with each token; 'neurons': which ones ran, too. Default false. */
  telemetry?: boolean | 'neurons';
  /** How feed-forward neurons are skipped. Default: what the model was loaded with. */
  sparsity?: SparsityOptions;
  /**
   * What happens when the context is full. 'error': a prompt that does not fit is refused, and a text ends there (stopReason 'context').
   * 'shift': the oldest half of what follows the first token is dropped, and the text goes on from the rest; of a chat, the oldest turns
   * but the system message. Default 'error'; of chats 'shift'.
   */
  overflow?: 'error' | 'shift';
  /** Stops between tokens; iterating then throws {@link AbortedError}. */
  signal?: AbortSignal;
  /** Prompt tokens done, and in all. */
  onPrompt?: (done: number, total: number) => void;
}

/** One token, as iterating a generation gives it. */
export interface GeneratedToken {
  /** Its id. */
  readonly id: number;
  /** The text that became certain with this token: empty while a character or a stop string is incomplete. */
  readonly text: string;
  /** log p(token), natural, before temperature and filters. */
  readonly logprob: number;
  /** The most likely alternatives, if asked for. */
  readonly top?: Logprobs['top'];
  /** -logprob, and the entropy of the distribution that the token was drawn from, in nats; if asked for. */
  readonly surprisal?: number;
  /** Entropy of the distribution that it was drawn from, nats; if asked for. */
  readonly entropy?: number;
  /** The step that led to that distribution; if asked for. */
  readonly step?: StepTelemetry;
}

/** What one decode step decided; the first token of an answer has none (it comes out of the prompt). */
export interface StepTelemetry {
  /** Standardised load that moved the thresholds, and what they were multiplied by. */
  readonly cogLoad: number;
  /** What the thresholds were multiplied by. */
  readonly factor: number;
  /** Share used of the weights that the method may leave out: feed-forward, all of the layers, or of the experts. */
  readonly density: number;
  /**
   * Gate rows, up rows and down columns used, layer by layer; empty where the token ran dense. With method 'experts' also how many of them
   * the token went to, beside one that all go to.
   */
  readonly layers: readonly { gate: number; up: number; down: number; experts?: number }[];
  /**
   * With telemetry 'neurons': those whose down column was used, bit i & 7 of byte i >> 3 of a layer's ceil(ffn / 8) bytes,
   * [layers, ceil(ffn / 8)]. Absent where the token ran dense, and of mixtures of experts.
   */
  readonly neurons?: Uint8Array<ArrayBuffer>;
  /**
   * The method's own setting (of stats().expected: clada tau, tt and clada-paper eta, cats quantile; undefined where nothing was
   * calibrated).
   */
  readonly level: number | undefined;
  /**
   * The thresholds that held for this token, load and contract included: of prompt scores, |gate| and |product|, of inputs, of
   * the weight of experts left out, one for all layers or one a layer; none where it ran dense.
   */
  readonly thresholds: StepThresholds;
  /** The selection was made anew; the token was computed again, dense. */
  readonly refreshed: boolean;
  /** The token was computed again, dense. */
  readonly reran: boolean;
  /** The prompt was too short for statistics: the calibration stood alone. */
  readonly prior: boolean;
  /** Bytes of weights read. */
  readonly weightBytes: number;
  /** Rows of the output matrix that were read whole: all of them, or in two stages those that mattered for this token. */
  readonly refined: number;
  /** Standard error of logprob, and about that of entropy, from rows that were not, nats; 0: both are exact. */
  readonly tailError: number;
}

/** @internal what a generation runs on */
export interface GenerationSource {
  readonly pool: SequencePool;
  /** To the sequence that it runs on. */
  readonly claim: Claim;
  readonly tokenizer: Tokenizer;
  readonly resolve: (signal?: AbortSignal) => Promise<Resolved>;
  /** Of the calibration that sparse methods use. */
  readonly digest?: () => string | undefined;
}

/** @internal a generation between two tokens: everything that its next ones depend on besides the sequence */
export interface GenerationState {
  /** Without those that cannot be kept: `signal`, `onPrompt`, `constraint`. The seed is there. */
  readonly options: GenerateOptions;
  /** Prompt, then what was generated; what a full context has pushed out is gone. */
  readonly tokens: readonly number[];
  readonly promptTokens: number;
  /**
   * Tokens that a full context has pushed out, and from which of `tokens` on they are decoded one by one; absent: none, and the prompt's.
   */
  readonly shiftedTokens?: number | undefined;
  readonly decodeFrom?: number | undefined;
  readonly random: RandomState;
  /** The text so far, as far as it was certain. */
  readonly text: string;
  readonly cost: number;
  readonly sparsity: Resolved;
  /** Of the next token: the resolved one, or what the contract has made of it. */
  readonly selection: Selection;
  readonly contract: ContractState | undefined;
  /** Where the constraint stood, if there is one. */
  readonly constraint?: unknown;
  readonly stopReason: StopReason | undefined;
  readonly stop: string | undefined;
  /** Who decoded, for the sequence. */
  readonly owner: object;
}

/** Why a generation ended: the model's own end, a stop text, `maxTokens`, a full context, the loop guard. */
export type StopReason = 'eog' | 'stop' | 'length' | 'context' | 'loop';

/** Honest figures. Times in ms, without what the caller does between tokens; the first token comes out of the prompt's pass. */
export interface GenerationStats {
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Prompt tokens that the cache held already. */
  readonly cachedTokens: number;
  /** Milliseconds that they took. */
  readonly promptMs: number;
  /** Tokens generated. */
  readonly generatedTokens: number;
  /** Tokens that a full context has pushed out (overflow 'shift'). */
  readonly shiftedTokens: number;
  /** Milliseconds that they took. */
  readonly generateMs: number;
  /** Tokens computed a second; NaN where there were none. */
  readonly promptPerSecond: number;
  /** Tokens generated a second; NaN where there were none. */
  readonly generatePerSecond: number;
  /** Weights read a second while generating, in bytes. */
  readonly weightBytesPerSecond: number;
  /** Undefined before the end, and where whoever iterated did not go on. */
  readonly stopReason: StopReason | undefined;
  /** The stop text met. */
  readonly stop: string | undefined;
  /** The seed of the draws: the same one gives them again. */
  readonly seed: number;
  /** The method that ran (undefined before it is known), what its calibration promised, and the mean share of weights used. */
  readonly method: MethodName | undefined;
  /** What its calibration promised, where it was calibrated. */
  readonly expected: Level | undefined;
  /** Mean share used of the weights that the method may leave out; 1 where dense. */
  readonly density: number;
  /** What the method had to do without, in sentences. */
  readonly warnings: readonly string[];
  /** Milliseconds a token that choosing neurons takes, timed apart once the answer is complete; undefined without telemetry. */
  readonly decideMs: number | undefined;
  /** Where a bound was asked for: what was measured against dense on the way. */
  readonly measured: Measured | undefined;
}

/** How a text is followed. */
export interface FollowOptions {
  /** Default: the model's own. */
  sparsity?: SparsityOptions;
  /**
   * `each` is sure to be called from so many tokens of the continuation on; those before it are not computed again where the call before
   * had the same `owner` and computed them. Default 0.
   */
  from?: number;
  /** Who follows. Default: this call. */
  owner?: object;
  /** Where a mask stays, or nothing is skipped, passes compute many tokens of the continuation: the same numbers, sooner. Default false. */
  together?: boolean;
  /** Ends it between two steps. */
  signal?: AbortSignal;
}
