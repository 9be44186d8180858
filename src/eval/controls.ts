/**
 * Controls for a rule that moves with cognitive load: if these do as well as the true loads, the load says nothing. Given the loads of a
 * run, one array a sequence; what they return is fed in the place of the true ones, at the same mean cost. Test:
 * test/eval/controls.test.ts.
 */
import { InputError } from '../errors.ts';
import { Random } from '../sampler/random.ts';

/** One sequence of a run: token ids and the load at each, of equal length. */
export interface LoadedSequence {
  readonly ids: ArrayLike<number>;
  readonly loads: ArrayLike<number>;
}

/**
 * The loads of every sequence in random order (Fisher–Yates): the distribution and mean within the sequence stay, the tokens they belong
 * to do not.
 * @param seed the same seed gives the same order everywhere
 */
export function shuffleLoads(run: readonly ArrayLike<number>[], seed: number): Float64Array[] {
  const random = new Random(seed);
  return run.map((loads) => {
    const shuffled = Float64Array.from(loads);
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = Math.floor(random.float64() * (i + 1));
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  });
}

/** Sum of loads and occurrences of every token id. */
type Sums = Map<number, { sum: number; count: number }>;

function sumsOf(run: readonly LoadedSequence[]): Sums {
  const sums: Sums = new Map();
  for (const { ids, loads } of run) {
    if (ids.length !== loads.length) {
      throw new InputError('E_OPTION', {
        subject: 'loads', found: `${loads.length} for ${ids.length} tokens`, expected: 'one a token',
        remedy: 'Pass the loads of the same run.',
      });
    }
    for (let i = 0; i < ids.length; i++) {
      const entry = sums.get(ids[i]!) ?? { sum: 0, count: 0 };
      sums.set(ids[i]!, { sum: entry.sum + loads[i]!, count: entry.count + 1 });
    }
  }
  return sums;
}

/** Mean load by token id. @throws InputError `E_OPTION` where loads and ids do not pair */
export function tokenTable(run: readonly LoadedSequence[]): Map<number, number> {
  return new Map([...sumsOf(run)].map(([id, { sum, count }]) => [id, sum / count]));
}

/**
 * The token-identity control: every load becomes the mean load of its token in the *other* sequences (with its own, a token that occurs
 * once would simply keep its load), and the mean of the others where they do not have that token.
 * @throws InputError `E_OPTION` for fewer than two sequences
 */
export function tokenTableLoads(run: readonly LoadedSequence[]): Float64Array[] {
  if (run.length < 2) {
    throw new InputError('E_OPTION', {
      subject: 'token table', found: `${run.length} sequences`, expected: 'at least two',
      remedy: 'Each takes its means from the others.',
    });
  }
  const all = sumsOf(run);
  const total = [...all.values()].reduce((a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count }), { sum: 0, count: 0 });
  return run.map((sequence) => {
    const own = sumsOf([sequence]);
    const ownSum = [...own.values()].reduce((sum, entry) => sum + entry.sum, 0);
    const others = (total.sum - ownSum) / (total.count - sequence.ids.length);
    return Float64Array.from(sequence.ids, (id) => {
      const sum = all.get(id)!.sum - own.get(id)!.sum, count = all.get(id)!.count - own.get(id)!.count;
      return count > 0 ? sum / count : others;
    });
  });
}
