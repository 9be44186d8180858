/** Scoring: what the model makes of a given text, token by token. Natural logarithms (nats). Fetched when somebody asks for a score. */
import { InputError } from '../errors.ts';
import { checkNames, checkNumber } from '../options.ts';
import type { SequencePool } from '../session/pool.ts';

/** How a text is scored. */
export interface ScoreOptions {
  /** Tokens a window, each window with a context of its own. Default: the context size. */
  window?: number;
  /** Ends it between two windows. */
  signal?: AbortSignal;
  /** Tokens done, and in all. */
  onProgress?: (done: number, total: number) => void;
}

/** A token of a scored text. */
export interface ScoredToken {
  /** Its id. */
  readonly id: number;
  /** -log p(token | those before it in its window); NaN for the first of a window. */
  readonly surprisal: number;
  /** Entropy of the distribution after it. */
  readonly entropy: number;
}

/** How surprising a text is. */
export interface Score {
  /** Its tokens, in order. */
  readonly tokens: readonly ScoredToken[];
  /** Mean surprisal of the tokens that have one; NaN if none has. */
  readonly meanNll: number;
  /** e^meanNll. */
  readonly perplexity: number;
  /** Mean surprisal of each window. */
  readonly windowNll: readonly number[];
}

export async function scoreTokens(pool: SequencePool, tokens: ArrayLike<number>, options: ScoreOptions): Promise<Score> {
  checkNames('score options', options, ['window', 'signal', 'onProgress']);
  const window = checkNumber('window', { min: 1, max: pool.engine.contextSize, integer: true }, options.window ?? pool.engine.contextSize);
  if (tokens.length === 0) {
    throw new InputError('E_EMPTY_PROMPT', {
      subject: 'text to score', found: 'no tokens', expected: 'at least one token', remedy: 'Give some text.',
    });
  }
  const scored: ScoredToken[] = [];
  const windowNll: number[] = [];
  for (let from = 0; from < tokens.length; from += window) {
    const part = Array.from({ length: Math.min(window, tokens.length - from) }, (_, i) => tokens[from + i]!);
    await pool.run([], options.signal, (sequence) => sequence.score(part, ({ token, surprisal, entropy }) => {
      scored.push({ id: token, surprisal, entropy });
    }, { signal: options.signal, onProgress: (done) => options.onProgress?.(from + done, tokens.length) }));
    windowNll.push(meanSurprisal(scored.slice(from)));
  }
  const meanNll = meanSurprisal(scored);
  return { tokens: scored, meanNll, perplexity: Math.exp(meanNll), windowNll };
}

function meanSurprisal(tokens: readonly ScoredToken[]): number {
  const known = tokens.map(({ surprisal }) => surprisal).filter((surprisal) => !Number.isNaN(surprisal));
  return known.reduce((sum, surprisal) => sum + surprisal, 0) / known.length;
}
