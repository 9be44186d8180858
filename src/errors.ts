import { redacted } from './redact.ts';

/**
 * Every error that clada throws. A message says the subject, what was found, what was expected and what to do; `code` is
 * stable and is what programs should test. Six classes, by whose move is next:
 *
 * - `FormatError`: the bytes are not what their format says (damaged or hostile file)
 * - `ModelError`: the file is sound, but this engine cannot run it (no model by itself, family, dtype, missing tensor, does not fit)
 * - `InputError`: the caller asked for something impossible (empty prompt, context full, unknown option)
 * - `StateError`: the object is not in a state to answer (closed, poisoned by a trap, its worker ended)
 * - `TransferError`: the bytes could not be brought here, or from here (network, server, queue, the cache or file they should lie in)
 * - `AbortedError`: an `AbortSignal` fired; `name` is `AbortError`, as in the web platform
 */
export type ErrorCode =
  // FormatError
  | 'E_GGUF_MAGIC' | 'E_GGUF_VERSION' | 'E_GGUF_TRUNCATED' | 'E_GGUF_LIMIT' | 'E_GGUF_TYPE' | 'E_GGUF_KEY'
  | 'E_GGUF_TENSOR' | 'E_GGUF_SPLIT' | 'E_SOURCE_READ' | 'E_DATA' | 'E_SNAPSHOT' | 'E_SNAPSHOT_VERSION'
  // ModelError
  | 'E_KIND' | 'E_FAMILY' | 'E_DTYPE' | 'E_HPARAM' | 'E_TENSOR_MISSING' | 'E_TENSOR_UNKNOWN' | 'E_TENSOR_SHAPE' | 'E_NAN_WEIGHTS'
  | 'E_WONT_FIT'
  | 'E_TOKENIZER' | 'E_CHAT_TEMPLATE' | 'E_NO_SIMD' | 'E_LOGITS' | 'E_CALIBRATION' | 'E_METHOD' | 'E_SNAPSHOT_MODEL'
  | 'E_WASM_BLOCKED'
  // InputError
  | 'E_EMPTY_PROMPT' | 'E_CONTEXT_FULL' | 'E_TOKEN_RANGE' | 'E_UTF8' | 'E_OPTION' | 'E_USAGE' | 'E_NOT_FOUND'
  // StateError
  | 'E_CLOSED' | 'E_POISONED' | 'E_ABI' | 'E_WORKER'
  // TransferError
  | 'E_NETWORK' | 'E_ACCESS' | 'E_RATE_LIMIT' | 'E_SERVER' | 'E_REDIRECT' | 'E_RANGE' | 'E_INCOMPLETE' | 'E_CHANGED' | 'E_HASH' | 'E_CACHE'
  | 'E_WRITE' | 'E_QUEUE'
  // AbortedError
  | 'E_ABORTED';

/** The sentence that an error says, in its parts. */
export interface ErrorParts {
  /** What the error is about: a file, key, tensor or option. */
  subject: string;
  /** What was found there. */
  found: string;
  /** What would have been right. */
  expected: string;
  /** What the reader can do about it. */
  remedy: string;
  /** The error below, if there is one. */
  cause?: unknown;
}

/**
 * Every error of clada is one: `code` is stable, the message says the other four. Names are written out, since bundlers shorten those of
 * classes.
 */
export class CladaError extends Error {
  /** The class, as written here. */
  override name: string = 'CladaError';
  /** Stable; what programs should test. */
  readonly code: ErrorCode;
  /** What it is about: a file, key, tensor or option. */
  readonly subject: string;
  /** What was found there. */
  readonly found: string;
  /** What would have been right. */
  readonly expected: string;
  /** What to do about it. */
  readonly remedy: string;

  constructor(code: ErrorCode, { cause, ...parts }: ErrorParts) {
    const [subject, found, expected, remedy] = [parts.subject, parts.found, parts.expected, parts.remedy]
      .map(redacted) as [string, string, string, string];
    super(`${subject}: found ${found}; expected ${expected}. ${remedy} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.subject = subject;
    this.found = found;
    this.expected = expected;
    this.remedy = remedy;
  }
}

/** The bytes are not what their format says. */
export class FormatError extends CladaError { override name: string = 'FormatError'; }
/** The file is sound, but this engine cannot run it, or not here. */
export class ModelError extends CladaError { override name: string = 'ModelError'; }

/** A context that fits, and with which type of cache. */
export interface Fit {
  /** Type of the key/value cache. */
  readonly kv: 'f32' | 'f16' | 'q8';
  /** Positions, in tokens. */
  readonly contextSize: number;
}

/**
 * `E_WONT_FIT`, with its figures: bytes needed and allowed, and the largest context that fits for each type of cache (none where not even
 * one token does).
 */
export class WontFitError extends ModelError {
  /** The class. */
  override name: string = 'WontFitError';

  constructor(
    parts: ErrorParts,
    /** Bytes needed. */
    readonly needed: number,
    /** Bytes allowed. */
    readonly limit: number,
    /** What would fit. */
    readonly fits: readonly Fit[],
  ) {
    super('E_WONT_FIT', parts);
  }
}

/** The caller asked for something impossible. */
export class InputError extends CladaError { override name: string = 'InputError'; }
/** The object is not in a state to answer. */
export class StateError extends CladaError { override name: string = 'StateError'; }
/** The bytes could not be brought here. */
export class TransferError extends CladaError { override name: string = 'TransferError'; }

/** An `AbortSignal` fired. */
export class AbortedError extends CladaError {
  /** 'AbortError', as in the web platform. */
  override name: string = 'AbortError'; // as in the web platform

  constructor(subject: string, cause?: unknown) {
    super('E_ABORTED', {
      subject, found: 'the AbortSignal fired', expected: 'no abort', remedy: 'Nothing was left half done; start again when ready.', cause,
    });
  }
}

/** Throws an {@link AbortedError} if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, subject: string): void {
  if (signal?.aborted) throw new AbortedError(subject, signal.reason);
}
