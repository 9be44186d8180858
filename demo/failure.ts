/** Errors as people read them: what happened, and what to do about it. */
import { CladaError } from 'clada';
import type { Failure } from './protocol.ts';

/** A download that did not come to its end, or did not begin. */
export class DownloadError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

const titles: Partial<Record<string, string>> = {
  E_NO_SIMD: 'This browser has no WebAssembly SIMD',
  E_WONT_FIT: 'The model does not fit into memory here',
  E_GGUF_TRUNCATED: 'The model file is cut short',
  E_GGUF_MAGIC: 'That is not a GGUF model',
  E_CONTEXT_FULL: 'The conversation has filled the context',
  E_POISONED: 'The engine has stopped',
};

const remedies: Partial<Record<string, string>> = {
  E_NO_SIMD: 'Open the page in Chrome or Edge 91, Firefox 89, Safari 16.4 or later. Locked-down modes (Lockdown Mode, JIT switched off) remove it too.',
  E_CONTEXT_FULL: 'Begin a new chat.',
  E_POISONED: 'Load the model again.',
  E_GGUF_TRUNCATED: 'Fetch it again.',
};

export function failureOf(error: unknown): Failure {
  if (error instanceof DownloadError) return error.failure;
  if (error instanceof CladaError && error.cause instanceof DownloadError) return error.cause.failure;
  if (error instanceof CladaError) {
    const { code, subject, found, expected, remedy } = error;
    return { code, title: titles[code] ?? 'That did not work', message: `${subject}: found ${found}; expected ${expected}.`, remedy: remedies[code] ?? remedy };
  }
  if (error instanceof RangeError) { // WebAssembly.Memory.grow, or an array that the browser refuses
    return { code: 'E_MEMORY', title: 'Out of memory', message: error.message, remedy: 'Close other tabs or programs; the model needs about 250 MB.' };
  }
  return { code: 'E_UNKNOWN', title: 'Something went wrong', message: String(error), remedy: 'Reload the page.' };
}
