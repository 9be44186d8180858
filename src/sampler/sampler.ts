/**
 * From logits to a token. The chain, in llama.cpp's order: logit bias → repetition, frequency and presence penalties → greedy
 * if the temperature is 0, else top-k → typical → top-p → min-p → temperature → draw. Every decision uses arithmetic that is
 * the same in all runtimes (`exp.ts`, `random.ts`): same logits, options and seed, same tokens.
 */
import { InputError } from '../errors.ts';
import { show } from '../options.ts';
import { Candidates } from './candidates.ts';
import { fewAllowed, forbid, type Constraint } from './constraint.ts';
import { allExact, type Exact } from './exact.ts';
import { exp, log } from './exp.ts';
import { argmax, badLogit, checkToken, nextAbove, noToken } from './check.ts';
import { logprobs, type Logprobs } from './logprobs.ts';
import { resolveSamplerOptions, type ResolvedSamplerOptions, type SamplerOptions } from './options.ts';
import { MAX_ENTRIES } from './rank.ts';
import { PenaltyWindow } from './penalties.ts';
import { Random, type RandomState } from './random.ts';

/** Nats by which more is asked for than is sure to be needed: a second look costs more than a few rows. */
const SLACK = 0.5;

/** Everything that the next tokens depend on besides logits and options. Plain JSON. */
export interface SamplerState {
  readonly random: RandomState;
  /** Tokens in the penalty window, oldest first; empty when no penalty is on. */
  readonly recent: readonly number[];
}

export interface Sampler {
  /** The seed in use, also when it was not given: pass it to repeat the run. */
  readonly seed: number;
  readonly options: ResolvedSamplerOptions;
  /**
   * Chooses a token. `logits` ([vocabulary] f32, at most 2²¹) may be a view of engine memory: it is read, never changed. Does
   * not accept the token.
   * @throws ModelError `E_LOGITS` for NaN, +Infinity or nothing finite; InputError `E_TOKEN_RANGE` for a bias or accepted
   * token outside the vocabulary
   * @param exact which logits are exact, and more of them where the choice depends on it; what it changes `logits` shows
   * @param constraint a token that it refuses is drawn again from those that it allows
   */
  sample(logits: Float32Array, exact?: Exact, constraint?: Constraint): number;
  /** Logits that are further than this below the largest are hardly ever asked for; 0: greedy; Infinity: all are. */
  readonly margin: number;
  /** Adds a token to the penalty window: each prompt token, then each chosen one. @throws InputError `E_TOKEN_RANGE` */
  accept(id: number): void;
  /** Back to the start: the seed's first number, an empty window. */
  reset(): void;
  saveState(): SamplerState;
  /** @throws InputError `E_OPTION` if `state` is none of a sampler; nothing changes then. */
  restoreState(state: SamplerState): void;
  /** Log-probabilities (natural) from the raw logits, before the chain; see {@link logprobs}. */
  logprobs(logits: Float32Array, id: number, topN?: number, logSumExp?: number): Logprobs;
}

/**
 * ```ts
 * const sampler = createSampler({ temperature: 0.7, seed: 42 });
 * const id = sampler.sample(logits); sampler.accept(id);
 * ```
 * @throws InputError `E_OPTION` for an unknown option, NaN or a value out of range
 */
export function createSampler(options: SamplerOptions = {}): Sampler {
  return new ChainSampler(options);
}

class ChainSampler implements Sampler {
  readonly seed: number;
  readonly options: ResolvedSamplerOptions;
  private readonly random: Random;
  private readonly window: PenaltyWindow;
  // Sized at the first sample and again only if the vocabulary changes.
  private edited = new Float32Array(0);
  private candidates = new Candidates(0);

  constructor(options: SamplerOptions) {
    const { seed, ...resolved } = resolveSamplerOptions(options);
    this.seed = seed;
    this.options = resolved;
    this.random = new Random(seed);
    this.window = new PenaltyWindow(resolved);
  }

  get margin(): number {
    const { temperature, typicalP, minP, topK, topP } = this.options;
    if (temperature === 0) return 0;
    if (typicalP < 1 || (minP <= 0 && (topK <= 0 || topP < 1))) return Infinity;
    return minP > 0 ? -log(minP) + SLACK : SLACK;
  }

  /**
   * As llama.cpp does: p without the constraint, then q over what is allowed, with a random number of its own. The one of the first draw is
   * known to lie where the refused tokens are, so a second use of it would favour their neighbours. Without top-k and the like that is
   * exactly q; with them it prefers, as far as p allows it, what the model would have said unasked.
   */
  sample(logits: Float32Array, exact: Exact = allExact, constraint?: Constraint): number {
    const id = this.choose(logits, exact);
    return !constraint || constraint.allows(id) ? id : this.choose(logits, exact, constraint.mask());
  }

  private choose(logits: Float32Array, exact: Exact, mask?: Uint32Array): number {
    const { temperature, typicalP, topP, minP } = this.options;
    if (logits.length > MAX_ENTRIES) {
      throw new InputError('E_TOKEN_RANGE', {
        subject: 'logits', found: `${logits.length} entries`, expected: `at most ${MAX_ENTRIES}`,
        remedy: 'Pass the logits of one position.',
      });
    }
    if (temperature === 0 && !this.edits(mask) && exact.top !== undefined) return exact.top;
    const biased = this.settle(logits, exact, mask);
    if (temperature === 0) return argmax(biased);
    const candidates = this.take(biased);
    candidates.typical(typicalP);
    candidates.topP(topP);
    candidates.minP(minP);
    return candidates.draw(temperature, this.random);
  }

  accept(id: number): void {
    checkToken(id, MAX_ENTRIES, 'accepted token');
    this.window.accept(id);
  }

  reset(): void {
    this.random.restoreState(new Random(this.seed).saveState());
    this.window.clear();
  }

  saveState(): SamplerState {
    return { random: this.random.saveState(), recent: this.window.tokens() };
  }

  restoreState(state: SamplerState): void {
    const recent: unknown = state?.recent;
    if (!Array.isArray(recent)) {
      throw new InputError('E_OPTION', {
        subject: 'sampler state', found: show(state), expected: 'an object with random and recent',
        remedy: 'Pass what saveState() returned.',
      });
    }
    for (const id of recent) checkToken(id, MAX_ENTRIES, 'token of a sampler state');
    this.random.restoreState(state.random);
    this.window.clear();
    for (const id of recent) this.window.accept(id);
  }

  logprobs(logits: Float32Array, id: number, topN?: number, logSumExp?: number): Logprobs {
    return logprobs(logits, id, topN, logSumExp);
  }

  /** The logits after bias and penalties, of which all that the choice depends on are exact. */
  private settle(logits: Float32Array, exact: Exact, mask?: Uint32Array): Float32Array {
    if (exact.floor === -Infinity) return this.edit(logits, mask);
    const few = mask && fewAllowed(mask, logits.length);
    if (few) {
      if (few.length > 0) exact.refine(exact.floor, few);
      return this.edit(logits, mask);
    }
    if (this.margin === Infinity) exact.refine();
    else {
      const biases = [...this.options.logitBias].filter(([id, bias]) => bias !== -Infinity && id < logits.length);
      const ids = [...biases.map(([id]) => id), ...this.window.changed()];
      if (ids.length > 0) exact.refine(exact.floor, ids);
    }
    for (let step = SLACK; ; step *= 2) {
      const biased = this.edit(logits, mask), { floor } = exact;
      if (floor === -Infinity || this.isSettled(biased, exact)) return biased;
      // each time at least a step lower, until it is all of them
      exact.refine(step > 8 ? -Infinity : Math.min(biased[argmax(biased)]! - this.margin, floor - step));
    }
  }

  /**
   * Whether the same token would be drawn whatever the logits below the floor are. Nothing below the least that min-p keeps is drawn; of
   * top-k it matters whether it is full; of top-p where it ends, between the mass that is known and the most there may be.
   */
  private isSettled(logits: Float32Array, { floor, logSumExp, tailError }: Exact): boolean {
    const { temperature, topK, topP, minP } = this.options, max = logits[argmax(logits)]!, known: number[] = [];
    if (temperature === 0) return max >= floor;
    for (let i = nextAbove(logits, 0, floor); i < logits.length; i = nextAbove(logits, i + 1, floor)) known.push(logits[i]!);
    if (topK > 0 && known.length >= topK) return true;
    const least = minP > 0 ? max + log(minP) : -Infinity;
    if (least <= floor) return false;
    if (topP >= 1) return true;
    known.sort((a, b) => b - a);
    let sum = 0;
    const mass = known.map((logit) => (sum += exp(logit - max)));
    // no more than there is in all, nor than the places that are left have room for
    const all = logits === this.edited ? Infinity : exp(logSumExp - max) * (1 + 6 * tailError) - sum;
    const tail = Math.max(0, Math.min(topK > 0 ? (topK - known.length) * exp(floor - max) : Infinity, all));
    const kept = known.filter((logit) => logit >= least).length;
    const end = (total: number): number => {
      const at = mass.findIndex((m) => m >= topP * total);
      return at < 0 ? kept : Math.min(kept, at + 1);
    };
    return end(sum) === end(sum + tail);
  }

  private edits(mask?: Uint32Array): boolean { return this.options.logitBias.size > 0 || this.window.active || mask !== undefined; }

  /** The logits after bias, penalties and mask: a copy if anything changes, else `logits` itself. */
  private edit(logits: Float32Array, mask?: Uint32Array): Float32Array {
    const { logitBias } = this.options;
    if (!this.edits(mask)) return logits;
    if (this.edited.length !== logits.length) this.edited = new Float32Array(logits.length);
    this.edited.set(logits);
    for (const [id, bias] of logitBias) {
      checkToken(id, logits.length, 'token of logitBias');
      this.edited[id] = this.edited[id]! + bias;
    }
    this.window.apply(this.edited);
    if (mask) forbid(this.edited, mask);
    return this.edited;
  }

  /** The first stage, top-k: the only one that looks at the whole vocabulary in the default chain. */
  private take(logits: Float32Array): Candidates {
    const { topK } = this.options;
    const n = logits.length;
    const size = topK <= 0 ? n : Math.min(topK, n);
    if (this.candidates.capacity !== size) this.candidates = new Candidates(size);
    const { candidates } = this;
    if (size < n) {
      candidates.takeTop(logits, size);
      if (candidates.logits[0] === -Infinity) throw noToken(n);
      if (candidates.logits[0] === Infinity) throw badLogit(logits, candidates.ids[0]!);
    } else {
      argmax(logits); // refuses what no stage could handle
      candidates.takeAll(logits);
    }
    return candidates;
  }
}
