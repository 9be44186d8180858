/**
 * What page and worker say to each other: plain data, all of which survives a structured clone.
 *
 * The page calls functions of things by name. Thing 0 is the model; every other is made by a `make`, whose number is its name from then on.
 * Of options functions and signals cannot cross: the worker puts others in their place, which send events and hear of aborts.
 */
import * as classes from '../errors.ts';
import type { ErrorCode, Fit } from '../errors.ts';

/** An argument, and what of it (an object of options) stands on the page: callbacks by their names, and whether there is a signal. */
export interface Passed { readonly value: unknown; readonly callbacks?: readonly string[]; readonly signal?: boolean }

/** Page to worker. */
export type Request =
  /** First of all. `life`: a lock that the page holds while it lives, and `worker`: one that the worker takes. */
  | { readonly kind: 'hello'; readonly life?: string; readonly worker?: string }
  /** Is answered. */
  | { readonly kind: 'call'; readonly id: number; readonly of: number; readonly name: string; readonly args: readonly Passed[] }
  /** Is not: what makes it impossible, the calls of what was to be made tell. */
  | { readonly kind: 'make'; readonly id: number; readonly of: number; readonly name: string; readonly args: readonly Passed[] }
  | { readonly kind: 'abort' | 'drop'; readonly id: number }
  | { readonly kind: 'close' };

/** A lock that pages share while they connect to a shared worker, and that one takes for itself to end. */
export const connecting = 'clada connecting';

/** Worker to page. `state`: what of a thing the page can read without asking. */
export type Reply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'value'; readonly id: number; readonly value: unknown; readonly state?: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError; readonly state?: unknown }
  | { readonly kind: 'event'; readonly id: number; readonly name: string; readonly args: readonly unknown[] };

/** An error in its parts: a structured clone keeps neither classes nor codes. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly cause?: WireError | undefined;
  readonly parts?: Readonly<Record<'subject' | 'found' | 'expected' | 'remedy', string>> & { readonly code: ErrorCode };
  readonly fit?: { readonly needed: number; readonly limit: number; readonly fits: readonly Fit[] };
}

/** Causes are kept so deep. */
const deepest = 4;

export function errorToWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack, cause } = error;
  return {
    name, message, stack, ...(cause === undefined || depth === deepest ? {} : { cause: errorToWire(cause, depth + 1) }),
    ...(error instanceof classes.CladaError
      ? { parts: { code: error.code, subject: error.subject, found: error.found, expected: error.expected, remedy: error.remedy } } : {}),
    ...(error instanceof classes.WontFitError ? { fit: { needed: error.needed, limit: error.limit, fits: error.fits } } : {}),
  };
}

/** The same error, of the same class. `reason`: of the signal that fired, where one did. */
export function errorFromWire(wire: WireError, reason?: unknown): Error {
  const cause = wire.cause && errorFromWire(wire.cause);
  const error = made(wire, cause, reason);
  if (wire.stack !== undefined) error.stack = wire.stack; // where it was thrown, not where it was heard of
  return error;
}

function made({ name, message, parts, fit }: WireError, cause: Error | undefined, reason: unknown): Error {
  if (!parts) {
    const error = name === 'RangeError' ? new RangeError(message) : name === 'TypeError' ? new TypeError(message) : new Error(message);
    return Object.assign(error, { name }, cause && { cause });
  }
  const { code, ...said } = parts, all = cause ? { ...said, cause } : said;
  if (code === 'E_ABORTED') return new classes.AbortedError(said.subject, reason ?? cause);
  if (fit) return new classes.WontFitError(all, fit.needed, fit.limit, fit.fits);
  const { FormatError, ModelError, InputError, StateError, TransferError } = classes;
  const of = { FormatError, ModelError, InputError, StateError, TransferError }[name] ?? classes.CladaError;
  return new of(code, all);
}

/** Buffers of a value that go over instead of being copied: results of the library, which nobody else holds. */
export function transferOf(value: unknown): Transferable[] {
  const buffers = new Set<ArrayBuffer>();
  const visit = (part: unknown, depth: number): void => {
    if (ArrayBuffer.isView(part)) {
      if (part.buffer instanceof ArrayBuffer && part.byteLength === part.buffer.byteLength) buffers.add(part.buffer);
    } else if (typeof part === 'object' && part !== null && depth < 4) {
      for (const inner of Object.values(part)) visit(inner, depth + 1);
    }
  };
  visit(value, 0);
  return [...buffers];
}
