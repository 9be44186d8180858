/**
 * Sparse methods against the dense run of the same model: KL over the whole vocabulary, change of NLL, share of equal top tokens, cost and
 * time.
 *
 * Teacher-forced: the first `prompt` tokens of a document run dense, the others one by one with the method. Compared are the distributions
 * after each token that was fed sparsely; the label of a distribution is the document's next token, which the last has not. The dense rows
 * of one document are held at a time, [positions, vocab] f32: 38 MB for 192 x 49,152. Test: test/eval/compare.test.ts.
 */
import { InputError } from '../errors.ts';
import { checkNumber } from '../options.ts';
import type { Estimate } from './metrics.ts';
import { deltaNll, estimate, klDivergence, meanOf } from './metrics.ts';
import type { KlRecord, ResultLog } from './records.ts';
import { finite, groupBy, known } from './records.ts';
import type { Subject } from './subject.ts';

export interface Document {
  /** Of text: "wiki", "chat"; a column of the tables. */
  readonly kind: string;
  /** Unique among the documents. */
  readonly id: string;
  readonly ids: readonly number[];
}

export interface CompareOptions {
  /** Tokens of each document that run dense. Default 64. */
  readonly prompt?: number;
  /** Where results go; what is there already is not computed again. */
  readonly log: ResultLog;
  readonly signal?: AbortSignal;
  readonly onDocument?: (record: KlRecord) => void;
}

export const defaultPrompt = 64;

/**
 * Appends one record per subject and document; the dense run leaves one too. Subjects take turns on every document, so that a busy hour of
 * the machine meets all of them.
 * @throws InputError `E_OPTION` for a document without two tokens behind its prompt; as `subject.follow`
 */
export async function compareToDense(
  dense: Subject, subjects: readonly Subject[], documents: readonly Document[], options: CompareOptions,
): Promise<void> {
  const { log, signal, onDocument } = options;
  const prompt = checkNumber('prompt', { min: 1, integer: true }, options.prompt ?? defaultPrompt);
  for (const { id, ids } of documents) {
    if (ids.length >= prompt + 2) continue;
    throw new InputError('E_OPTION', {
      subject: `document ${id}`, found: `${ids.length} tokens`, expected: `at least ${prompt + 2}: the prompt and two more`,
      remedy: 'Leave it out, or shorten the prompt.',
    });
  }
  const done = new Set(log.records.flatMap((record) => (record.type === 'kl' ? [keyOf(record)] : [])));
  for (const document of documents) {
    const isOpen = ({ label }: Subject): boolean => !done.has(keyOf({ subject: label, document: document.id, prompt }));
    const open = subjects.filter((subject) => subject.label !== dense.label && isOpen(subject));
    if (open.length === 0 && !isOpen(dense)) continue;
    const rows = new Rows(document.ids.length - prompt);
    const add = (record: KlRecord): void => {
      done.add(keyOf(record));
      log.append(record);
      onDocument?.(record);
    };
    const reference = await measure(dense, document, prompt, rows, undefined, signal);
    if (isOpen(dense)) add(reference);
    for (const subject of open) add(await measure(subject, document, prompt, rows, reference, signal));
  }
}

const keyOf = ({ subject, document, prompt }: Pick<KlRecord, 'subject' | 'document' | 'prompt'>): string =>
  JSON.stringify([subject, document, prompt]);

/** The dense run's distributions of one document. */
class Rows {
  #logits: Float32Array | undefined;
  readonly logSumExp: Float64Array;
  readonly topToken: Int32Array;

  constructor(readonly count: number) {
    this.logSumExp = new Float64Array(count);
    this.topToken = new Int32Array(count);
  }

  set(index: number, logits: Float32Array): void {
    this.#logits ??= new Float32Array(this.count * logits.length);
    this.#logits.set(logits, index * logits.length);
  }

  get(index: number): Float32Array {
    const vocab = this.#logits!.length / this.count;
    return this.#logits!.subarray(index * vocab, (index + 1) * vocab);
  }
}

/** @param reference the dense run's record; undefined for that run itself, which fills `rows` */
async function measure(
  subject: Subject, { kind, id, ids }: Document, prompt: number, rows: Rows, reference: KlRecord | undefined,
  signal: AbortSignal | undefined,
): Promise<KlRecord> {
  const keep = reference === undefined;
  let kl = 0, change = 0, nll = 0, agreed = 0;
  const costs: number[] = [], times: number[] = [];
  await subject.follow(ids.slice(0, prompt), ids.slice(prompt), (logits, { fed, logSumExp, topToken, cost = NaN, ms = NaN }) => {
    if (fed === 0) return;
    const index = fed - 1, label = ids[prompt + fed];
    if (keep) {
      rows.set(index, logits);
      rows.logSumExp[index] = logSumExp;
      rows.topToken[index] = topToken;
    }
    const row = keep ? logits : rows.get(index), lse = rows.logSumExp[index]!;
    if (!keep) kl += klDivergence(row, lse, logits, logSumExp);
    if (rows.topToken[index] === topToken) agreed++;
    if (label !== undefined) {
      change += deltaNll(label, row, lse, logits, logSumExp);
      nll += logSumExp - logits[label]!;
    }
    costs.push(cost);
    times.push(ms);
  }, { signal });
  const ms = finite(meanOf(times));
  return {
    type: 'kl', subject: subject.label, kind, document: id, prompt, positions: rows.count, kl: finite(kl / rows.count),
    deltaNll: finite(change / (rows.count - 1)),
    nll: finite(nll / (rows.count - 1)), top1: agreed / rows.count, cost: finite(meanOf(costs)), ms, denseMs: reference ? reference.ms : ms,
  };
}

/** One subject over all its documents. Standard errors are over documents. */
export interface Comparison {
  readonly subject: string;
  readonly prompt: number;
  readonly kl: Estimate;
  readonly deltaNll: Estimate;
  readonly nll: Estimate;
  readonly top1: Estimate;
  readonly cost: number;
  /** Wall time of a token; and the dense runs' that took turns with it, divided by it (NaN where one is not known). */
  readonly ms: number;
  readonly speedup: number;
  readonly klByKind: Readonly<Record<string, Estimate>>;
}

/** Tables from records alone, in the order in which subjects first appear. */
export function summariseComparison(records: readonly KlRecord[]): Comparison[] {
  const groups = groupBy(records, ({ subject, prompt }) => JSON.stringify([subject, prompt]));
  return [...groups.values()].map((group) => {
    const over = (field: 'kl' | 'deltaNll' | 'nll' | 'top1'): Estimate => estimate(group.map((record) => known(record[field])));
    const kinds = groupBy(group, ({ kind }) => kind);
    const ms = meanOf(group.map((record) => known(record.ms)));
    return {
      subject: group[0]!.subject, prompt: group[0]!.prompt, kl: over('kl'), deltaNll: over('deltaNll'), nll: over('nll'),
      top1: over('top1'),
      cost: meanOf(group.map(({ cost }) => known(cost))), ms,
      speedup: meanOf(group.map(({ denseMs }) => known(denseMs))) / ms,
      klByKind: Object.fromEntries([...kinds].map(([kind, some]) => [kind, estimate(some.map(({ kl }) => known(kl)))])),
    };
  });
}

/** The documents of a JSON file: `[{ kind, id, ids }, …]`. @throws InputError `E_OPTION` */
export function readDocuments(json: unknown): Document[] {
  const refuse = (found: string): never => {
    throw new InputError('E_OPTION', {
      subject: 'documents', found, expected: 'a list of { kind, id, ids }: two texts and a list of token ids, every id once',
      remedy: 'Make the file so; ids come from clada tokenize --json.',
    });
  };
  if (!Array.isArray(json) || json.length === 0) return refuse('no list, or an empty one');
  const seen = new Set<string>();
  for (const [i, document] of (json as Partial<Document>[]).entries()) {
    if (typeof document?.kind !== 'string' || typeof document.id !== 'string' || !Array.isArray(document.ids)) {
      refuse(`something else at ${i}`);
    }
    if (seen.has(document.id!)) refuse(`${document.id} twice`);
    seen.add(document.id!);
  }
  return json as Document[];
}
