import { AbortedError } from '../errors.ts';

/** Waits so many milliseconds. @throws AbortedError of `subject` */
export function sleep(ms: number, signal: AbortSignal, subject: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => { clearTimeout(timer); reject(new AbortedError(subject, signal.reason)); };
    const timer = setTimeout(() => { signal.removeEventListener('abort', abort); resolve(); }, ms);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
