/**
 * Results as JSON lines, one record a line, appended as they come: a run that was cut goes on where it stopped, and every table and curve
 * can be made from the file alone. The first line of every run is a header. Numbers that are not finite are null. (Here long ones go on in
 * the next line.)
 *
 *   {"type":"header","version":1,"command":…,"machine":…,"commit":…,"date":…,"runtime":…,
 *    "model":…,"modelBytes":…,"kv":…,"tier":…}
 *   {"type":"kl","subject":"clada 0.6","kind":"wiki","document":"wiki@1","prompt":64,"positions":192,
 *    "kl":…,"deltaNll":…,"nll":…,"top1":…,"cost":…,"ms":…,"denseMs":…}
 *   {"type":"task","subject":…,"protocol":"generation","task":"piqa","item":"piqa-126","label":0,
 *    "logprobs":[…],"right":1,"rightNorm":1,…}
 *   {"type":"load","method":"clada","density":0.6,"control":"shuffled","documents":16,
 *    "cost":…,"kl":…,"fixedKl":…,"change":…,"se":…}
 *   {"type":"speed","subject":"clada 0.6","cost":…,"kl":…,"top1":…,"ms":[…],"token":[…],"ffn":[…]}
 *   {"type":"token","subject":"clada 0.6","rounds":8,"threads":1,"cost":…,"ms":[…],"token":[…]}
 *   {"type":"generation","subject":…,"task":"gsm8k","item":"gsm8k-1","score":1,"text":…}
 */
import { FormatError, InputError } from '../errors.ts';
import { show } from '../options.ts';

/** Where the numbers below it come from. */
export interface HeaderRecord {
  readonly type: 'header';
  readonly version: 1;
  readonly command: string;
  /** Processor and number of cores. */
  readonly machine: string;
  /** Of the sources; null outside a checkout. */
  readonly commit: string | null;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly runtime: string;
  readonly model: string;
  readonly modelBytes: number;
  readonly kv: string;
  readonly tier: string;
  readonly contextSize: number;
}

/** One subject on one document, against the dense run. Means over the positions, nats. */
export interface KlRecord {
  readonly type: 'kl';
  readonly subject: string;
  readonly kind: string;
  readonly document: string;
  /** Tokens that ran dense, and positions behind them that were compared. */
  readonly prompt: number;
  readonly positions: number;
  readonly kl: number | null;
  readonly deltaNll: number | null;
  /** Of the subject itself. */
  readonly nll: number | null;
  /** Share of positions with the dense run's most likely token. */
  readonly top1: number;
  /** Mean share of the feed-forward weights used; null where the subject does not say. */
  readonly cost: number | null;
  /** Mean wall time of a token; and of the dense run over the same document just before, which may be another than the one on record. */
  readonly ms: number | null;
  readonly denseMs: number | null;
}

export type Protocol = 'generation' | 'strict';

/** One item of a likelihood task. */
export interface TaskRecord {
  readonly type: 'task';
  readonly subject: string;
  readonly protocol: Protocol;
  readonly task: string;
  readonly item: string;
  readonly label: number;
  /** log p of every choice, summed over its tokens; of lambada the target's. */
  readonly logprobs: readonly (number | null)[];
  /** 1 if right, by the sum; and by the sum over the choice's bytes where the task has that figure. */
  readonly right: number;
  readonly rightNorm?: number;
  /** Tokens fed by the method, their mean cost and wall time. */
  readonly tokens: number;
  readonly cost: number | null;
  readonly ms: number | null;
  /** Answer tokens scored, and how many of them the method had a part in. The rest came out of the dense prompt. */
  readonly scored: number;
  readonly sparse: number;
}

/** One answer. */
export interface GenerationRecord {
  readonly type: 'generation';
  readonly subject: string;
  readonly task: string;
  readonly item: string;
  /** ROUGE-L F1, or 1 for the right number. */
  readonly score: number;
  readonly text: string;
}

/** A method that the load of a token moves, against the fixed selection of the same mean cost, over documents (bench/cogLoad.ts). */
export interface LoadRecord {
  readonly type: 'load';
  readonly method: string;
  readonly density: number;
  /** What moved it: load, shuffled, token table, rich; or random mask. */
  readonly control: string;
  readonly documents: number;
  readonly cost: number;
  readonly kl: number;
  /** Of the fixed selection at that cost, and the paired relative change with its standard error. */
  readonly fixedKl: number;
  readonly change: number;
  readonly se: number;
}

/** [median, least, most] over the rounds. */
export type Spread = readonly [number, number, number];

/** Wall time of whole tokens and of their feed-forward parts, taking turns with dense (bench/sparse.ts). Quality is the calibration's. */
export interface SpeedRecord {
  readonly type: 'speed';
  readonly subject: string;
  readonly cost: number;
  readonly kl: number;
  readonly top1: number;
  readonly ms: Spread;
  /** Dense over this: the token, the feed-forward part. */
  readonly token: Spread;
  readonly ffn: Spread;
}

/** Wall time of whole tokens, each run between two dense ones (bench/paper.ts). */
export interface TokenRecord {
  readonly type: 'token';
  readonly subject: string;
  readonly rounds: number;
  readonly threads: number;
  readonly cost: number;
  readonly ms: Spread;
  /** Dense over this. */
  readonly token: Spread;
}

export type ResultRecord = TokenRecord | HeaderRecord | KlRecord | TaskRecord | GenerationRecord | LoadRecord | SpeedRecord;

/** Records so far, and where the next ones go. */
export interface ResultLog {
  readonly records: readonly ResultRecord[];
  append(record: ResultRecord): void;
}

/** A log that is kept nowhere else. */
export function memoryLog(records: readonly ResultRecord[] = []): ResultLog {
  const all = [...records];
  return { records: all, append: (record) => { all.push(record); } };
}

export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
/** To so many digits behind the point; null where there is no number. A file of results need not hold sixteen digits of each. */
export const rounded = (value: number, digits: number): number | null => (Number.isFinite(value) ? Number(value.toFixed(digits)) : null);
export const known = (value: number | null): number => value ?? NaN;

/** Entries by key, in the order in which keys first appear. */
export function groupBy<T>(entries: readonly T[], key: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const group = groups.get(key(entry));
    if (group) group.push(entry);
    else groups.set(key(entry), [entry]);
  }
  return groups;
}

const fields = {
  header: ['command', 'machine', 'date', 'model'], kl: ['subject', 'kind', 'document', 'prompt', 'positions'],
  task: ['subject', 'protocol', 'task', 'item', 'right', 'logprobs'], generation: ['subject', 'task', 'item', 'score'],
  token: ['subject', 'rounds', 'cost', 'ms', 'token'], load: ['method', 'density', 'control', 'change', 'se'],
  speed: ['subject', 'cost', 'kl', 'ms', 'token', 'ffn'],
} as const;

/**
 * Reads a results file. What follows the last line end is a record that was cut in the middle and does not count.
 * @returns the records, and the length of the text that they stand in, in characters
 * @throws FormatError `E_DATA`
 */
export function parseRecords(text: string, name = 'results file'): { records: ResultRecord[]; length: number } {
  const length = text.lastIndexOf('\n') + 1;
  const records = parseLines(text.slice(0, length), name).map(({ value, line }) => {
    const record = value as ResultRecord;
    const needed: readonly string[] = Object.hasOwn(fields, record.type) ? fields[record.type] : [];
    const missing = needed.length === 0 ? 'type' : needed.find((field) => !(field in record));
    if (missing === undefined && (record.type !== 'header' || record.version === 1)) return record;
    throw new FormatError('E_DATA', {
      subject: `${name}, line ${line}`, found: `a record ${missing === undefined ? 'of another version' : `without a known ${missing}`}`,
      expected: 'a record of clada eval, version 1',
      remedy: 'Name another file, or make this one again.',
    });
  });
  return { records, length };
}

/** JSON lines → objects with their line numbers; blank lines count for nothing. @throws FormatError `E_DATA` */
export function parseLines(text: string, name: string): { value: object; line: number }[] {
  return text.split('\n').flatMap((content, i) => {
    if (content.trim() === '') return [];
    let value: unknown;
    try { value = JSON.parse(content); } catch { value = undefined; }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return [{ value, line: i + 1 }];
    throw new FormatError('E_DATA', {
      subject: `${name}, line ${i + 1}`, found: show(content), expected: 'one JSON object a line',
      remedy: 'Repair or remove the line.',
    });
  });
}

/**
 * Numbers of two runs may stand in one file only if they can be compared.
 * @throws InputError `E_OPTION` where an earlier header of the log names another model or another way of running it
 */
export function checkSameRun(log: ResultLog, header: HeaderRecord): void {
  for (const earlier of log.records) {
    if (earlier.type !== 'header') continue;
    for (const field of ['model', 'modelBytes', 'kv', 'tier', 'contextSize'] as const) {
      if (earlier[field] === header[field]) continue;
      throw new InputError('E_OPTION', {
        subject: 'results file', found: `${field} ${show(earlier[field])} in a run of ${earlier.date}`,
        expected: `${show(header[field])}, as now`,
        remedy: 'Use another file for this run.',
      });
    }
  }
}
