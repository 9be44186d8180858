/** What every token decided, to a file (JSON lines, or CSV by its ending) and as a line of little bars for the terminal. */
import { createWriteStream, openSync, type WriteStream } from 'node:fs';
import type { GeneratedToken } from 'clada';
import { unwritable } from './output.ts';

const columns = [
  'index', 'id', 'text', 'logprob', 'surprisal', 'entropy', 'cogLoad', 'factor', 'density', 'level', 'refreshed', 'reran', 'weightBytes',
] as const;
type Row = Record<(typeof columns)[number], unknown> & { thresholds: unknown; layers: unknown };

/** One token, flat; the step's own figures are null for the first token, which comes out of the prompt. */
function rowOf({ id, text, logprob, surprisal, entropy, step }: GeneratedToken, index: number): Row {
  return {
    index, id, text, logprob, surprisal, entropy, cogLoad: step?.cogLoad ?? null, factor: step?.factor ?? null,
    density: step?.density ?? null, level: step?.level ?? null,
    refreshed: step?.refreshed ?? null, reran: step?.reran ?? null, weightBytes: step?.weightBytes ?? null,
    thresholds: step?.thresholds ?? {}, layers: step?.layers ?? [],
  };
}

/** A field of CSV (RFC 4180): text in quotes, its quotes doubled; everything else as it is, what is absent as nothing. */
function field(value: unknown): string {
  if (typeof value === 'string') return `"${value.replaceAll('"', '""')}"`;
  return value === null || value === undefined ? '' : String(value);
}

/** Writes tokens as they come. */
export class TelemetryFile {
  readonly #stream: WriteStream;
  readonly #csv: boolean;
  #count = 0;
  #failure: Error | undefined;

  /** @throws InputError `E_NOT_FOUND` where the file cannot be written */
  constructor(private readonly path: string) {
    let fd: number;
    try {
      fd = openSync(path, 'w');
    } catch (cause) {
      throw unwritable(path, cause);
    }
    this.#stream = createWriteStream(path, { fd });
    this.#stream.on('error', (error) => { this.#failure ??= error; }); // told by close()
    this.#csv = path.toLowerCase().endsWith('.csv');
    if (this.#csv) this.#stream.write(`${columns.join(',')}\n`);
  }

  add(token: GeneratedToken): void {
    const row = rowOf(token, this.#count++);
    this.#stream.write(this.#csv ? `${columns.map((name) => field(row[name])).join(',')}\n` : `${JSON.stringify(row)}\n`);
  }

  /** @throws the failure of any write */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => { this.#stream.once('close', resolve); this.#stream.end(); if (this.#stream.closed) resolve(); });
    if (this.#failure) throw unwritable(this.path, this.#failure);
  }
}

const bars = '▁▂▃▄▅▆▇█';

/** Values as bars between the least and the largest, at most `width` of them (means of neighbours). */
export function sparkline(values: readonly number[], width = 60): string {
  if (values.length === 0) return '';
  const size = Math.max(1, Math.ceil(values.length / width));
  const means = Array.from({ length: Math.ceil(values.length / size) }, (_, i) => {
    const part = values.slice(i * size, (i + 1) * size);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const low = Math.min(...means), range = Math.max(...means) - low;
  return means.map((value) => bars[range > 0 ? Math.min(bars.length - 1, Math.floor(((value - low) / range) * bars.length)) : 0]).join('');
}
