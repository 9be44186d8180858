/**
 * What a model and a method make of every word of a corpus, teacher-forced: surprisal, entropy, load, weights used, damage (KL from dense).
 *
 *   npx tsx bench/erp/predict.ts --model FILE.gguf [--calibration FILE] --corpus alone|listed|stories --methods dense,griffin:0.8,… [--data DIR] [--out DIR]
 *
 * alone: each sentence behind the token that ends texts. listed: behind eight other sentences, which methods that learn from a prompt need.
 * stories: each window of a story behind all of the story before it. What stands before is dense, the words follow by the method. Writes
 * OUT/MODEL/CORPUS/METHOD.tsv, a header line of JSON and a table; what is there already is not made again. On the base build, whose bits no clock decides.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Model, SparsityOptions } from 'clada';
import { load } from 'clada';
import { klDivergence } from '../../src/adapt/divergence.ts';
import { headerFor } from '../../src/cli/results.ts';
import { parseMethod } from '../../src/eval/subject.ts';
import type { Passage } from './corpus.ts';
import { alone, listed, sentences, stories, windows } from './corpus.ts';
import type { TokenStep, WordFigures, WordSpan } from './words.ts';
import { alignWords, boundaryTokens, figuresOf, logMass, rankOf } from './words.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const corpora: Readonly<Record<string, (folder: string) => Passage[]>> = {
  alone: (folder) => alone(sentences(folder)), listed: (folder) => listed(sentences(folder)), stories: (folder) => windows(stories(folder)),
};

/** A passage as tokens. */
interface Tokens extends Passage {
  readonly prompt: readonly number[];
  readonly ids: readonly number[];
  readonly spans: readonly WordSpan[];
}

/** The token that stands before a text: the one that ends texts, where the vocabulary has it by its usual name, else the one that begins them. */
function opening({ tokenizer }: Model): number {
  const ids = tokenizer.encode('<|endoftext|>', { parseSpecial: true }), id = ids.length === 1 ? ids[0] : tokenizer.bosId;
  if (id === undefined) throw new Error('the vocabulary has no token that stands before a text');
  return id;
}

/** Words before and words read are cut into tokens as one text. */
function tokensOf(model: Model, passage: Passage): Tokens {
  const { before, text, from, to } = passage, words = [...(before === '' ? [] : before.split(' ')), ...text.words.slice(from, to)];
  const ids = Array.from(model.tokenizer.encode(words.join(' '))), spans = alignWords(ids, words, model.tokenizer), own = spans.slice(words.length - (to - from));
  const at = own[0]!.from;
  return { ...passage, prompt: [opening(model), ...ids.slice(0, at)], ids: ids.slice(at), spans: own.map((span) => ({ ...span, from: span.from - at, to: span.to - at })) };
}

/** Passages that share a prompt, as many as dense logits are kept of. */
function batches(passages: readonly Tokens[], most: number): Tokens[][] {
  const result: Tokens[][] = [];
  let room = 0, prompt = '';
  for (const passage of passages) {
    const own = passage.prompt.join();
    if (result.length === 0 || own !== prompt || passage.ids.length > room) {
      [room, prompt] = [most, own];
      result.push([]);
    }
    room -= passage.ids.length;
    result.at(-1)!.push(passage);
  }
  return result;
}

/** Nats below the largest logit down to which a head in two stages is read whole: what the default sampler asks for (min-p 0.05, and half a nat). */
const margin = Math.log(20) + 0.5;

/** Rows of the head that are read whole behind the prompt and behind each of `ids`, where the head is in two stages. */
async function refinedRows(model: Model, prompt: readonly number[], ids: readonly number[]): Promise<number[]> {
  const rows: number[] = [];
  for (let fed = 0; fed <= ids.length; fed++) rows.push((await model.evaluate([...prompt, ...ids.slice(0, fed)], { margin })).report.refined);
  return rows;
}

type Rows = { logits: Float32Array; logSumExp: number }[];

/** One passage by one method; `dense` are dense's rows to hold against, made here where there are none yet; `counting`: the model with a head in two stages, of the relaxed build. */
async function follow(model: Model, { prompt, ids, spans, before }: Tokens, sparsity: SparsityOptions, dense: Rows, boundary: Uint32Array, counting?: Model): Promise<(WordFigures & { rank: number })[]> {
  const steps: TokenStep[] = [], fill = dense.length === 0, ends = new Set([0, ...spans.map(({ to }) => to)]);
  let next: { logit: number; logSumExp: number } | undefined;
  await model.follow(prompt, ids, (logits, report, fed) => {
    const { entropy, logSumExp, cost, cogLoad } = report;
    if (fill) dense.push({ logits: logits.slice(), logSumExp });
    const reference = dense[fed]!, damage = fill ? 0 : klDivergence(reference.logits, reference.logSumExp, logits, logSumExp);
    steps.push({
      entropy, damage, refined: NaN, ends: ends.has(fed) ? logMass(logits, logSumExp, boundary) : NaN,
      ...(next ? { surprisal: next.logSumExp - next.logit, density: cost, load: cogLoad } : {}),
    });
    next = fed < ids.length ? { logit: logits[ids[fed]!]!, logSumExp } : undefined;
  }, { sparsity, owner: sparsity });
  if (fill && counting) for (const [fed, refined] of (await refinedRows(counting, prompt, ids)).entries()) steps[fed] = { ...steps[fed]!, refined };
  return spans.map((span) => ({ ...figuresOf(span, steps, span.from > 0 || before !== ''), rank: rankOf(ids.slice(span.from, span.to)) }));
}

export const labelOf = (method: string): string => method.replace(':', ' ');
export const tablePath = (out: string, model: string, corpus: string, method: string): string => join(out, model, corpus, `${labelOf(method).replace(' ', '-')}.tsv`);

const round = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(6))) : '');

/** Runs what is not there yet. */
export async function predict(options: { model: string; calibration?: string | undefined; corpus: string; methods: readonly string[]; data: string; out: string }): Promise<void> {
  const name = basename(options.model, '.gguf'), { corpus, out } = options, make = corpora[corpus];
  if (!make) throw new Error(`no corpus ${corpus}: ${Object.keys(corpora).join(', ')}`);
  const missing = [...new Set(options.methods)].filter((method) => !existsSync(tablePath(out, name, corpus, method)));
  if (missing.length === 0) return;
  const model = await load(options.model, { tier: 'base', threads: 1, contextSize: 2048, ...(options.calibration === undefined ? {} : { calibration: options.calibration }) });
  const counting = corpus === 'alone' && missing.includes('dense') ? await load(options.model, { tier: 'relaxed', threads: 1, contextSize: 2048, head: { deviations: 6 }, calibration: false }) : undefined;
  const settings = new Map(missing.map((method) => {
    const { name: of, options: rest } = parseMethod(method);
    return [method, { method: of, ...rest } as SparsityOptions];
  }));
  const dense: SparsityOptions = { method: 'dense' }, boundary = boundaryTokens(model.tokenizer), tables = new Map<string, string[]>(missing.map((method) => [method, []]));
  const all = batches(make(options.data).map((passage) => tokensOf(model, passage)), 320), started = performance.now();
  for (const [i, batch] of all.entries()) {
    const rows: Rows[] = batch.map(() => []);
    for (const method of ['dense', ...missing.filter((other) => other !== 'dense')]) {
      for (const [at, passage] of batch.entries()) {
        const words = await follow(model, passage, method === 'dense' ? dense : settings.get(method)!, rows[at]!, boundary, counting);
        tables.get(method)?.push(...words.map((figures, word) => [passage.text.id, passage.from + word + 1, passage.spans[word]!.word, ...Object.values(figures).map(round)].join('\t')));
        if (tables.get(method)?.length === words.length && i === 0 && at === 0) tables.get(method)!.unshift(['text', 'position', 'word', ...Object.keys(words[0]!)].join('\t'));
      }
    }
    console.error(`${name}, ${corpus}: ${i + 1} of ${all.length}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  for (const [method, lines] of tables) {
    const path = tablePath(out, name, corpus, method), header = { ...headerFor(model, []), command: `npx tsx bench/erp/predict.ts --corpus ${corpus} --methods ${method}`, name, corpus, method: labelOf(method) };
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.part`, `# ${JSON.stringify(header)}\n${lines.join('\n')}\n`);
    renameSync(`${path}.part`, path);
  }
  model.close();
  counting?.close();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: {
    model: { type: 'string' }, calibration: { type: 'string' }, corpus: { type: 'string', default: 'alone' }, methods: { type: 'string', default: 'dense' },
    data: { type: 'string', default: join(root, '../shared/erp') }, out: { type: 'string', default: join(root, 'build/erp') },
  } });
  if (values.model === undefined) throw new Error('--model FILE.gguf');
  await predict({ ...values, model: values.model, methods: values.methods.split(',') });
}
