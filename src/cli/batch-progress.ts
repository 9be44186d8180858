/** How far a batch is, on stderr: in a terminal on one line, elsewhere a line every half minute. */
import type { BatchProgress } from '../batch/run.ts';
import { note } from './output.ts';
import { bar } from './style.ts';

type Counts = Pick<BatchProgress, 'before' | 'completed' | 'failed' | 'completionTokens'>;

const drawEvery = 200, noteEvery = 30_000;

export class Progress {
  readonly #started = performance.now();
  readonly #size: number | undefined;
  readonly #quiet: boolean;
  #drawn = this.#started;

  /** @param size of the input in bytes, where it is known */
  constructor(size: number | undefined, quiet: boolean) {
    this.#size = size;
    this.#quiet = quiet;
  }

  get seconds(): number { return (performance.now() - this.#started) / 1000; }

  tell(progress: Counts & Pick<BatchProgress, 'bytes' | 'running'>): void {
    const now = performance.now(), { isTTY } = process.stderr;
    if (this.#quiet || now - this.#drawn < (isTTY ? drawEvery : noteEvery)) return;
    this.#drawn = now;
    const read = this.#size ? `${bar(Math.min(1, progress.bytes / this.#size))} ` : '';
    const text = `${read}${this.#counts(progress)}${progress.running > 0 ? `, ${progress.running} running` : ''}`;
    if (isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
    else note(text);
  }

  end(): void { if (process.stderr.isTTY && !this.#quiet) process.stderr.write('\r\x1b[K'); }

  summary(counts: Counts): string { return `${this.#counts(counts)} in ${this.seconds.toFixed(1)} s`; }

  #counts({ before, completed, failed, completionTokens }: Counts): string {
    return [
      `${completed} ${completed === 1 ? 'line' : 'lines'} answered`,
      ...(before > 0 ? [`${before} before`] : []), ...(failed > 0 ? [`${failed} failed`] : []),
      ...(completionTokens > 0 ? [`${completionTokens} tokens (${(completionTokens / this.seconds).toFixed(1)} a second)`] : []),
    ].join(', ');
  }
}
