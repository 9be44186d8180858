/** Which budgets a method's table is measured at. */
import type { Selection } from '../adapt/selection.ts';
import type { Sequence } from '../session/sequence.ts';

/** Budgets from gentle to hard, so that the method's cost goes from above 0.92 to below `hardest`. */
export async function budgets(
  sequence: Sequence, ids: readonly number[], promptTokens: number, select: (tau: number) => Selection, hardest: number,
  signal: AbortSignal | undefined,
): Promise<{ taus: number[]; middle: number }> {
  const cost = async (tau: number): Promise<number> => {
    const selection = select(tau);
    let sum = 0, n = 0;
    for (let fed = 0; fed <= 24; fed++) {
      await sequence.evaluate(ids.slice(0, promptTokens + fed), ({ report }) => { if (fed > 0) { sum += report.cost; n++; } }, {
        selection, decodeFrom: promptTokens, signal,
      });
    }
    return sum / n;
  };
  const ratio = 1.45, found = new Map<number, number>();
  let low = 0.004, high = low;
  while (found.set(low, await cost(low)).get(low)! < 0.92 && low > 1e-9) low /= ratio;
  while ((found.get(high) ?? found.set(high, await cost(high)).get(high)!) > hardest && high < 1e6) high *= ratio;
  const taus = [...found.keys()].filter((tau) => found.get(tau)! < 0.97).sort((a, b) => a - b);
  const middle = [...taus].sort((a, b) => Math.abs(found.get(a)! - 0.6) - Math.abs(found.get(b)! - 0.6))[0]!;
  return { taus, middle };
}
