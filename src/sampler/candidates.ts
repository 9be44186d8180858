/** The tokens that are still in the running, and the stages that thin them out. All sums run in candidate order, in float64. */
import { exp, log } from './exp.ts';
import { bitsOf, indexOf, pack, selectTop } from './rank.ts';
import type { Random } from './random.ts';

/**
 * Arrays for up to `capacity` candidates, of which the first `count` are live: either by rising id or in the order that the
 * last sorting stage left. Equal logits are always by rising id, because every sort breaks ties by position.
 */
export class Candidates {
  count = 0;
  ids: Uint32Array;
  logits: Float32Array;
  /** exp(logit − largest logit), filled by {@link weigh}. */
  weights: Float64Array;
  readonly keys: Float64Array;
  private spareIds: Uint32Array;
  private spareLogits: Float32Array;
  private spareWeights: Float64Array;

  constructor(readonly capacity: number) {
    this.ids = new Uint32Array(capacity);
    this.logits = new Float32Array(capacity);
    this.weights = new Float64Array(capacity);
    this.keys = new Float64Array(capacity);
    this.spareIds = new Uint32Array(capacity);
    this.spareLogits = new Float32Array(capacity);
    this.spareWeights = new Float64Array(capacity);
  }

  /** All tokens, by rising id. */
  takeAll(logits: Float32Array): void {
    this.count = logits.length;
    this.logits.set(logits);
    for (let i = 0; i < this.count; i++) this.ids[i] = i;
  }

  /** The `k` most probable tokens, best first. @throws ModelError `E_LOGITS` at a NaN */
  takeTop(logits: Float32Array, k: number): void {
    this.count = selectTop(logits, bitsOf(logits), k, this.keys);
    for (let to = 0; to < this.count; to++) {
      const id = indexOf(this.keys[this.count - 1 - to]!);
      this.ids[to] = id;
      this.logits[to] = logits[id]!;
    }
  }

  maxLogit(): number {
    let max = -Infinity;
    for (let i = 0; i < this.count; i++) if (this.logits[i]! > max) max = this.logits[i]!;
    return max;
  }

  /** Fills `weights` with exp((logit − max) / temperature) and returns their sum, which is at least 1. */
  weigh(temperature = 1): number {
    const { logits, weights, count } = this;
    const max = this.maxLogit();
    let total = 0;
    for (let i = 0; i < count; i++) {
      const weight = exp((logits[i]! - max) / temperature);
      weights[i] = weight;
      total += weight;
    }
    return total;
  }

  /** Sorts `keys[0 … nKeys)`, made by `pack(…, position)`, and moves those candidates, best first, to the front. */
  private keepSorted(nKeys: number): void {
    const keys = this.keys.subarray(0, nKeys).sort();
    for (let to = 0; to < nKeys; to++) {
      const from = indexOf(keys[nKeys - 1 - to]!);
      this.spareIds[to] = this.ids[from]!;
      this.spareLogits[to] = this.logits[from]!;
      this.spareWeights[to] = this.weights[from]!;
    }
    [this.ids, this.spareIds] = [this.spareIds, this.ids];
    [this.logits, this.spareLogits] = [this.spareLogits, this.logits];
    [this.weights, this.spareWeights] = [this.spareWeights, this.weights];
    this.count = nKeys;
  }

  /**
   * Locally typical sampling: tokens by how far their surprisal is from the distribution's entropy, nearest first, until
   * their probabilities exceed `p`. The most probable token may well go. Sorts all candidates: about 4 ms for 49,152.
   */
  typical(p: number): void {
    if (p >= 1 || this.count <= 1) return;
    const { logits, weights, count } = this;
    const total = this.weigh();
    const max = this.maxLogit();
    const logTotal = log(total);
    let entropy = 0;
    for (let i = 0; i < count; i++) {
      // The test keeps 0 · ∞ out of the sum.
      if (weights[i]! > 0) entropy += weights[i]! / total * (logTotal - (logits[i]! - max));
    }
    const closeness = this.spareLogits; // overwritten by keepSorted only after the keys are made
    const bits = bitsOf(closeness);
    for (let i = 0; i < count; i++) {
      closeness[i] = -Math.abs(logTotal - (logits[i]! - max) - entropy);
      this.keys[i] = pack(bits[i]!, i);
    }
    this.keepSorted(count);
    let mass = 0;
    for (let i = 0; i < count; i++) {
      mass += this.weights[i]!;
      if (mass > p * total) { this.count = i + 1; break; }
    }
  }

  /**
   * Nucleus sampling: the most probable tokens until their probabilities reach `p`. Tokens below (1 − p)/count of the mass
   * together weigh less than 1 − p, so the nucleus is complete without them: only the few above are sorted.
   */
  topP(p: number): void {
    if (p >= 1 || this.count <= 1) return;
    const total = this.weigh();
    const floor = (1 - p) / this.count * total;
    const bits = bitsOf(this.logits);
    let nKeys = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.weights[i]! >= floor) this.keys[nKeys++] = pack(bits[i]!, i);
    }
    this.keepSorted(nKeys);
    let mass = 0;
    for (let i = 0; i < nKeys; i++) {
      mass += this.weights[i]!;
      if (mass >= p * total) { this.count = i + 1; break; }
    }
  }

  /** Drops tokens whose probability is below `p` times the largest; order stays. */
  minP(p: number): void {
    if (p <= 0) return;
    const { ids, logits } = this;
    const floor = this.maxLogit() + log(p);
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (logits[i]! < floor) continue;
      ids[kept] = ids[i]!;
      logits[kept] = logits[i]!;
      kept++;
    }
    this.count = kept;
  }

  /** Draws one token from the softmax of logit / temperature; always takes exactly one number from `random`. */
  draw(temperature: number, random: Random): number {
    const target = this.weigh(temperature) * random.float64();
    let mass = 0;
    let id = this.ids[0]!;
    for (let i = 0; i < this.count; i++) {
      const weight = this.weights[i]!;
      if (weight === 0) continue; // never drawn, not even by a target of 0
      id = this.ids[i]!;
      mass += weight;
      if (mass > target) break;
    }
    return id;
  }
}
