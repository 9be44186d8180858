/** How surprisal and entropy together foretell what skipping costs a token. */
import type { Damage } from './grid.ts';

/**
 * Weights of surprisal and entropy that foretell a token's loss best: least squares of log KL on both, centred within their document (log
 * KL standardised). Scaled to a sum of 1; half each where nothing was measured.
 */
export function fitCogLoad(documents: readonly (readonly Damage[])[]): { surprisalWeight: number; entropyWeight: number } {
  let ss = 0, hh = 0, sh = 0, sk = 0, hk = 0;
  for (const document of documents) {
    const known = document.filter(({ surprisal, entropy, kl }) => Number.isFinite(surprisal + entropy) && kl > 0);
    const centred = (value: (d: Damage) => number): number[] => {
      const values = known.map(value), mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return values.map((v) => v - mean);
    };
    const cs = centred(({ surprisal }) => surprisal), ch = centred(({ entropy }) => entropy), logs = centred(({ kl }) => Math.log(kl));
    const deviation = Math.sqrt(logs.reduce((sum, v) => sum + v ** 2, 0) / logs.length);
    const k = logs.map((v) => (deviation > 0 ? v / deviation : 0));
    for (let i = 0; i < k.length; i++) {
      ss += cs[i]! ** 2; hh += ch[i]! ** 2; sh += cs[i]! * ch[i]!; sk += cs[i]! * k[i]!; hk += ch[i]! * k[i]!;
    }
  }
  const determinant = ss * hh - sh * sh;
  if (!(determinant > 1e-12)) return { surprisalWeight: 0.5, entropyWeight: 0.5 };
  const surprisal = Math.max(0, (sk * hh - hk * sh) / determinant), entropy = Math.max(0, (hk * ss - sk * sh) / determinant);
  const sum = surprisal + entropy;
  return sum > 0 ? { surprisalWeight: surprisal / sum, entropyWeight: entropy / sum } : { surprisalWeight: 0.5, entropyWeight: 0.5 };
}
