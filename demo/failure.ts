/** Errors as people read them: what happened, and what to do about it. The library's own remedy stands unless the page knows a better one. */
import type { ErrorCode } from 'clada';
import { CladaError } from 'clada';
import type { Failure } from './protocol.ts';

/** Bytes of the model that are on this device, and in all. */
export interface Arrived { readonly loaded: number; readonly total: number }

const cards: Partial<Record<ErrorCode, { readonly title: string; readonly remedy?: string }>> = {
  E_NOT_FOUND: { title: 'The model is not on this server', remedy: 'Put the folder models/ of the repository beside this page, or serve it with npm run demo; then try again.' },
  E_NETWORK: { title: 'The server does not answer', remedy: 'Check the connection and that the server still runs, then try again.' },
  E_ACCESS: { title: 'The server refuses the model' },
  E_SERVER: { title: 'The server refuses the model' },
  E_RATE_LIMIT: { title: 'The server asks for patience' },
  E_CHANGED: { title: 'The model changed while it was fetched' },
  E_HASH: { title: 'That is not the model that was promised' },
  E_CACHE: { title: 'The copy on this device cannot be used', remedy: "Make room, or clear this site's data in the browser; then try again." },
  E_NO_SIMD: {
    title: 'This browser has no WebAssembly SIMD',
    remedy: 'Open the page in Chrome or Edge 91, Firefox 89, Safari 16.4 or later. Locked-down modes (Lockdown Mode, JIT switched off) remove it too.',
  },
  E_WONT_FIT: { title: 'The model does not fit into memory here' },
  E_GGUF_TRUNCATED: { title: 'The model file is cut short', remedy: 'Put a whole one on the server, then try again.' },
  E_GGUF_MAGIC: { title: 'That is not a GGUF model' },
  E_CONTEXT_FULL: { title: 'The conversation has filled the context', remedy: 'Begin a new chat.' },
  E_WORKER: { title: 'The engine did not start, or has ended', remedy: 'Check the connection and that the server still runs, then try again.' },
  E_POISONED: { title: 'The engine has stopped', remedy: 'Load the model again.' },
};
/** Instead of the server's silence, where the browser knows of no network; and where the download had begun. */
const offline = { title: 'Offline, and the model is not on this device yet', remedy: 'Connect once; after the first load the page works offline.' };
const cut = { title: 'The download was cut', remedy: 'Check the connection and that the server still runs, then try again: it goes on where it was cut.' };

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

/** `arrived`: how far a download had come. */
export function failureOf(error: unknown, arrived?: Arrived): Failure {
  if (error instanceof CladaError) {
    const { code, subject, found, expected, remedy } = error, interrupted = code === 'E_INCOMPLETE' || (code === 'E_NETWORK' && arrived !== undefined);
    const card = interrupted ? cut : code === 'E_NETWORK' && globalThis.navigator?.onLine === false ? offline : cards[code];
    const progress = interrupted && arrived ? ` ${megabytes(arrived.loaded)} of ${megabytes(arrived.total)} MB have arrived.` : '';
    return { code, title: card?.title ?? 'That did not work', message: `${subject}: found ${found}; expected ${expected}.${progress}`, remedy: card?.remedy ?? remedy };
  }
  if (error instanceof RangeError) { // WebAssembly.Memory.grow, or an array that the browser refuses
    return { code: 'E_MEMORY', title: 'Out of memory', message: error.message, remedy: 'Close other tabs or programs; the model needs about 250 MB.' };
  }
  return { code: 'E_UNKNOWN', title: 'Something went wrong', message: String(error), remedy: 'Reload the page.' };
}
