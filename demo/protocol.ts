/** What the page asks of the model, and what it hears. */
import type { ChatMessage, GenerationStats, Level, MethodName, ModelInfo, SparsityOptions } from 'clada';

/** What a bound's checks against dense have found so far. */
export type Checked = NonNullable<GenerationStats['measured']>;

/** What the page asks. A new request of kind `ask` or `load` ends the one that runs. */
export type Request =
  | { kind: 'load' }
  | { kind: 'ask'; id: number; history: ChatMessage[]; text: string; sparsity: SparsityOptions; compare: boolean }
  | { kind: 'preview'; id: number; sparsity: SparsityOptions }
  | { kind: 'stop' };

/** One token as the page shows it. Nats; NaN where there is nothing: the first token has no step, it comes out of the prompt. */
export interface Token {
  readonly text: string;
  readonly surprisal: number;
  readonly entropy: number;
  /** Standardised load of the step that led to the token, and what it multiplied the thresholds by (1 = moved nothing). */
  readonly load: number;
  readonly factor: number;
  /** Share of the feed-forward weights used by that step. */
  readonly density: number;
  /** Bytes of weights that it read. */
  readonly weightBytes: number;
  /** Neurons that ran, one bit each, [layers, ceil(neurons / 8)]; undefined where all did. */
  readonly neurons?: Uint8Array<ArrayBuffer>;
}

/** Dense and sparse over the same tokens of the same answer, taking turns. */
export interface Comparison {
  /** Tokens compared, at which speed (tokens a second) both ran. */
  readonly tokens: number;
  readonly densePerSecond: number;
  readonly sparsePerSecond: number;
  /** Mean KL(dense || sparse) in nats, its standard error over tokens, and the share of tokens with the same most likely successor. */
  readonly kl: number;
  readonly klError: number;
  readonly top1: number;
}

/** A failure as people read it. */
export interface Failure {
  readonly code: string;
  readonly title: string;
  readonly message: string;
  readonly remedy: string;
}

export interface Ready {
  readonly info: ModelInfo;
  /** The model's file. */
  readonly file: string;
  /** Per method, the calibrated levels from gentle to hard; empty without a calibration. */
  readonly levels: Record<string, Pick<Level, 'cost' | 'kl' | 'top1'>[]>;
  /** Dense decoding on this device, tokens a second, and its memory bandwidth in GB/s: both measured just now. */
  readonly densePerSecond: number;
  readonly bandwidth: number;
  /** The model is kept on this device, so the page works offline from now on: not in private windows, nor where there is no room. */
  readonly kept: boolean;
}

export type Expected = Pick<Level, 'cost' | 'kl' | 'top1'>;

/** What becomes of it. */
export type Report =
  | { kind: 'progress'; phase: 'download' | 'weights' | 'warm-up'; loaded: number; total: number }
  | { kind: 'ready'; ready: Ready }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'prompt'; id: number; done: number; total: number }
  | { kind: 'token'; id: number; token: Token; perSecond: number; method: MethodName | undefined; checked: Checked | undefined }
  | { kind: 'answered'; id: number; text: string; stats: GenerationStats; stopped: boolean }
  | { kind: 'compared'; id: number; comparison: Comparison }
  | { kind: 'idle'; id: number }
  | { kind: 'refused'; id: number; failure: Failure }
  | { kind: 'previewed'; id: number; method: MethodName | undefined; expected: Expected | undefined; failure: Failure | undefined };
