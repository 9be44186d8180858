/**
 * Embeddings of texts: the hidden states behind the last norm, pooled. Fetched when somebody asks for some, so it imports nothing of what
 * loading a model fetches but errors and options: shared modules would become chunks of their own.
 *
 * A text is a prompt without an answer: its passes are shared with whatever else runs, and no logits are computed. So many texts are under
 * way at a time as fill passes, each in a sequence of its own.
 */
import type { Engine } from '../engine/engine.ts';
import { CladaError, InputError, ModelError, throwIfAborted } from '../errors.ts';
import { checkNames, checkNumber, saidOf, show } from '../options.ts';
import type { SequencePool } from '../session/pool.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** By their numbers in files. */
const poolings = ['none', 'mean', 'cls', 'last'] as const;

/** What may stand for a text. */
export type Pooling = (typeof poolings)[number];

/** How texts are embedded. */
export interface EmbedOptions {
  /**
   * What stands for a text: the state after its last token, the mean of all, the one after its first token, or 'none': all of them, row by
   * row, [tokens, dimensions]. Default: what the file says (`pooling_type`), else 'last', the only one that has read the whole text.
   */
  pooling?: Pooling | undefined;
  /** Vectors (with pooling 'none' each row) get the length 1; zeros stay zeros. Default true. */
  normalize?: boolean | undefined;
  /** So many leading dimensions are kept, before the length is made 1: for models trained so (Matryoshka). Default: all. */
  dimensions?: number | undefined;
  /** Ends it between two passes. */
  signal?: AbortSignal | undefined;
}

/** What {@link Model.embed} gives. */
export interface Embeddings {
  /** Of each text in order, [dimensions] f32. */
  readonly embeddings: Float32Array<ArrayBuffer>[];
  /** Tokens of all texts, those that the tokenizer adds included. */
  readonly tokens: number;
}

/** Texts, or one of them, as tokens or to be tokenised. */
export type Texts = string | ArrayLike<number> | readonly (string | ArrayLike<number>)[];

/** How {@link EmbedOptions} come out for a model. */
interface Wanted { readonly pooling: Pooling; readonly normalize: boolean; readonly dimensions: number }

function refuse(subject: string, found: string, expected: string): never {
  throw new InputError('E_OPTION', { subject, found, expected, remedy: 'Change it, or leave it out for the default.' });
}

function wantedOf(options: EmbedOptions, { plan: { hparams } }: Engine): Wanted {
  checkNames('embed options', options, ['pooling', 'normalize', 'dimensions', 'signal']);
  const own = hparams.pooling > 0 ? poolings[hparams.pooling]! : 'last';
  const { pooling = own, normalize = true, dimensions = hparams.hidden } = saidOf(options);
  if (!poolings.includes(pooling)) refuse('option pooling', show(pooling), poolings.join(', '));
  if (typeof normalize !== 'boolean') refuse('option normalize', show(normalize), 'true or false');
  return { pooling, normalize, dimensions: checkNumber('dimensions', { min: 1, max: hparams.hidden, integer: true }, dimensions) };
}

/** The tokens of every text, checked; others get their turns between texts. Errors say which text it is. */
async function tokensOf(
  texts: Texts, tokenizer: Tokenizer, pool: SequencePool, signal: AbortSignal | undefined,
): Promise<ArrayLike<number>[]> {
  const isText = (text: unknown): text is string | ArrayLike<number> =>
    typeof text === 'string' || (typeof text === 'object' && text !== null && 'length' in text && typeof text.length === 'number');
  const several = Array.isArray(texts) && typeof texts[0] !== 'number', all: ArrayLike<number>[] = [];
  for (const [i, text] of ((several ? texts : [texts]) as readonly (string | ArrayLike<number>)[]).entries()) {
    await pool.turn();
    throwIfAborted(signal, 'embedding');
    const name = several ? `texts[${i}]` : 'text';
    if (!isText(text)) refuse(name, show(text), 'a string, or token ids');
    try {
      if (typeof text === 'string' && tokenizer.isLonger(text, pool.engine.contextSize)) throw pool.tooLong(text);
      const tokens = typeof text === 'string' ? tokenizer.encode(text, { addSpecial: true }) : text;
      pool.check(tokens);
      all.push(tokens);
    } catch (error) {
      if (!(error instanceof CladaError)) throw error;
      const { code, subject, found, expected, remedy } = error;
      throw new InputError(code, { subject: subject === 'prompt' ? name : `${name}, ${subject}`, found, expected, remedy, cause: error });
    }
  }
  return all;
}

/** Puts the leading dimensions of `sums`, times `factor`, into `to`, of length 1 where that is wanted. */
function finish(sums: ArrayLike<number>, factor: number, to: Float32Array, normalize: boolean): void {
  let square = 0;
  for (let i = 0; i < to.length; i++) {
    const value = to[i] = sums[i]! * factor;
    square += value * value;
  }
  if (!(square < Infinity)) throw new ModelError('E_LOGITS', {
    subject: 'the hidden state of a text', found: 'values that are not finite', expected: 'numbers',
    remedy: 'The weights are damaged: compare the checksum of the file.',
  });
  if (!normalize || square === 0) return;
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < to.length; i++) to[i]! *= scale;
}

/** One text, whose `tokens` are checked. `done`: so many of them are computed. */
async function embedText(
  pool: SequencePool, tokens: ArrayLike<number>, { pooling, normalize, dimensions }: Wanted,
  done: (count: number) => void, signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const all = tokens.length, each = pooling === 'none', out = new Float32Array((each ? all : 1) * dimensions);
  const read = pooling === 'cls' ? [tokens[0]!] : tokens; // no token behind the first changes its state
  const sums = new Float64Array(pooling === 'mean' ? dimensions : 0), from = pooling === 'last' ? all - 1 : 0;
  const take = (i: number, row: number | undefined): void => {
    const values = pool.engine.state(row!);
    if (pooling === 'mean') for (let d = 0; d < dimensions; d++) sums[d]! += values[d]!;
    else finish(values, 1, each ? out.subarray(i * dimensions, (i + 1) * dimensions) : out, normalize);
  };
  // a cache that begins alike spares the last token alone its work: of the others every row is wanted
  await pool.claim('never').use(pooling === 'last' ? tokens : [], signal, (sequence) =>
    sequence.follow(read, { from, states: true, counts: false, signal }, take, done));
  if (pooling === 'mean') finish(sums, 1 / all, out, normalize);
  return out;
}

/**
 * @throws InputError `E_OPTION`, `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE`, `E_UTF8`, of which text, before any is computed;
 * AbortedError between two passes; ModelError `E_LOGITS`; StateError
 */
export async function embedTexts(pool: SequencePool, tokenizer: Tokenizer, texts: Texts, options: EmbedOptions): Promise<Embeddings> {
  const { engine } = pool, { signal } = options, wanted = wantedOf(options, engine);
  throwIfAborted(signal, 'embedding');
  const all = await tokensOf(texts, tokenizer, pool, signal);
  const embeddings: Float32Array<ArrayBuffer>[] = [], underWay = new Set<Promise<void>>();
  let ahead = 0, failure: { of: unknown } | undefined, wake = (): void => undefined;
  for (const [i, tokens] of all.entries()) {
    while (ahead >= 2 * engine.chunkSize) await new Promise<void>((resolve) => { wake = resolve; });
    if (failure) break;
    let left = tokens.length;
    const done = (count: number): void => { left -= count; ahead -= count; wake(); };
    ahead += left;
    const one: Promise<void> = embedText(pool, tokens, wanted, done, signal)
      .then((vector) => { embeddings[i] = vector; }, (error: unknown) => { failure ??= { of: error }; })
      .finally(() => { done(left); underWay.delete(one); });
    underWay.add(one);
  }
  await Promise.all(underWay); // also where one has failed: nothing goes on behind the caller's back
  if (failure) throw failure.of;
  return { embeddings, tokens: all.reduce((sum, { length }) => sum + length, 0) };
}
