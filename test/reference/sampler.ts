/** The sampling chain as its definitions read: arrays of objects, full sorts, `Math.exp` in float64. Slow and plain. */

export interface Candidate { id: number; logit: number }

export interface ReferenceOptions {
  temperature: number; topK: number; topP: number; minP: number; typicalP: number;
  repeatPenalty: number; frequencyPenalty: number; presencePenalty: number; repeatLastN: number;
}

export const byLogit = (a: Candidate, b: Candidate): number => b.logit === a.logit ? a.id - b.id : b.logit - a.logit;

export function softmax(candidates: readonly Candidate[]): number[] {
  const max = Math.max(...candidates.map((c) => c.logit));
  const weights = candidates.map((c) => Math.exp(c.logit - max));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

/** llama.cpp's penalties over the last `repeatLastN` of `history` (−1: all); results rounded to f32, as logits are stored. */
export function penalise(logits: readonly number[], history: readonly number[], o: ReferenceOptions): number[] {
  const recent = o.repeatLastN < 0 ? history : history.slice(Math.max(0, history.length - o.repeatLastN));
  return logits.map((logit, id) => {
    const count = recent.filter((t) => t === id).length;
    if (count === 0) return logit;
    const scaled = logit <= 0 ? logit * o.repeatPenalty : logit / o.repeatPenalty;
    return Math.fround(scaled - (count * o.frequencyPenalty + o.presencePenalty));
  });
}

export function topK(candidates: Candidate[], k: number): Candidate[] {
  return k === 0 || k >= candidates.length ? candidates : [...candidates].sort(byLogit).slice(0, k);
}

export function typical(candidates: Candidate[], p: number): Candidate[] {
  if (p >= 1) return candidates;
  const probabilities = softmax(candidates);
  const entropy = probabilities.reduce((sum, q) => sum - (q > 0 ? q * Math.log(q) : 0), 0);
  // Distances are compared in f32 there and here, so that ties mean the same.
  const scored = candidates.map((candidate, i) => ({ candidate, q: probabilities[i]!, i, away: Math.fround(Math.abs(-Math.log(probabilities[i]!) - entropy)) }));
  scored.sort((a, b) => a.away === b.away ? a.i - b.i : a.away - b.away);
  const kept: Candidate[] = [];
  let mass = 0;
  for (const s of scored) {
    kept.push(s.candidate);
    mass += s.q;
    if (mass > p) break;
  }
  return kept;
}

export function topP(candidates: Candidate[], p: number): Candidate[] {
  if (p >= 1) return candidates;
  const sorted = [...candidates].sort(byLogit);
  const probabilities = softmax(sorted);
  let mass = 0;
  const end = probabilities.findIndex((q) => (mass += q) >= p);
  return end < 0 ? sorted : sorted.slice(0, end + 1);
}

export function minP(candidates: Candidate[], p: number): Candidate[] {
  if (p <= 0) return candidates;
  const floor = Math.max(...candidates.map((c) => c.logit)) + Math.log(p);
  return candidates.filter((c) => c.logit >= floor);
}

/** The candidates the draw is made from, with their probabilities at the end of the chain. */
export function distribution(logits: readonly number[], history: readonly number[], o: ReferenceOptions): { id: number; p: number }[] {
  let candidates = penalise(logits, history, o).map((logit, id) => ({ id, logit }));
  candidates = minP(topP(typical(topK(candidates, o.topK), o.typicalP), o.topP), o.minP);
  const probabilities = softmax(candidates.map((c) => ({ id: c.id, logit: c.logit / o.temperature })));
  return candidates.map((c, i) => ({ id: c.id, p: probabilities[i]! }));
}

/** The candidate that a uniform number `u` in [0, 1) falls on. */
export function pick(candidates: readonly { id: number; p: number }[], u: number): number {
  let mass = 0;
  for (const c of candidates) if ((mass += c.p) > u) return c.id;
  return candidates.at(-1)!.id;
}
