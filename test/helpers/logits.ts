/** Logits for sampler tests: shaped like a language model's, from the seeded generator and exact arithmetic only. */
import { Random } from '../../src/sampler/random.ts';

/** Roughly normal (sum of 4 uniforms) with deviation `spread`, and a few high ones, as a real distribution has. */
export function randomLogits(n: number, seed: number, spread = 2, peaks = Math.min(20, n >> 2)): Float32Array {
  const random = new Random(seed);
  const logits = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    logits[i] = (random.float64() + random.float64() + random.float64() + random.float64() - 2) * 1.7 * spread;
  }
  for (let i = 0; i < peaks; i++) logits[random.uint32() % n]! += 4 + 6 * random.float64();
  return logits;
}
