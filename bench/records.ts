/** Results of `npm run bench:peers` as JSON lines: of each leg (a file put to a few engines in turn) a header, its runs, and what could not run. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** What a leg is about; a section of docs/benchmarks.md each. */
export type Topic = 'native' | 'runtimes' | 'pages' | 'depth' | 'parallel';

/** What is asked of an engine (peers/task.mjs). Tokens. */
export interface Asked { prompt?: number; predict?: number; depths?: readonly number[]; parallel?: readonly number[]; contextSize: number }

export interface LegRecord {
  type: 'leg'; leg: string; topic: Topic; file: string; asked: Asked;
  command: string; machine: string; runtime: string; commit: string; date: string;
}

/** Rates are tokens a second, times milliseconds. */
export interface Outcome {
  /** Name and version as it calls itself. */
  engine: string;
  loadMs: number;
  /** From the start of the process to its first token. */
  firstMs?: number;
  prompt?: number;
  decode?: number;
  /** Decode by depth, and of all sequences together by their number; of these the 95th percentile of the time between two tokens. */
  depths?: Readonly<Record<string, number>>;
  parallel?: Readonly<Record<string, number>>;
  p95Ms?: Readonly<Record<string, number>>;
  /** GB/s of a plain read of all weights, in the same process. */
  bandwidth?: number;
  tier?: string;
  weightBytesPerToken?: number;
  fileBytes?: number;
  /** What loading was made of, by name. */
  load?: Readonly<Record<string, number>>;
  browser?: string;
}

export interface RunRecord extends Outcome { type: 'run'; leg: string; entrant: string; threads: number; round: number }
export interface SkipRecord { type: 'skip'; leg: string; entrant: string; threads: number; reason: string }
export type PeerRecord = LegRecord | RunRecord | SkipRecord;

export const readRecords = (path: string): PeerRecord[] => (existsSync(path)
  ? readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as PeerRecord) : []);

/** Puts a leg's records into the file in the place of those that it had. */
export function replaceLeg(path: string, records: readonly PeerRecord[]): void {
  const legs = new Set(records.map(({ leg }) => leg)), kept = readRecords(path).filter(({ leg }) => !legs.has(leg));
  writeFileSync(path, [...kept, ...records].map((record) => `${JSON.stringify(record)}\n`).join(''));
}
