/** Repetition, frequency and presence penalties over the last tokens, as in llama.cpp. */
import { checkToken } from './check.ts';

export interface PenaltyStrengths {
  readonly repeatPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** Window in tokens; −1 is unlimited, 0 is none. */
  readonly repeatLastN: number;
}

/** The window of accepted tokens and how often each occurs in it. A neutral or empty window remembers nothing. */
export class PenaltyWindow {
  /** False if no logit would ever change. */
  readonly active: boolean;
  private readonly counts = new Map<number, number>();
  private ids: Uint32Array; // the window as a ring
  private start = 0;
  private size = 0;

  constructor(private readonly strengths: PenaltyStrengths) {
    const { repeatPenalty, frequencyPenalty, presencePenalty, repeatLastN } = strengths;
    this.active = repeatLastN !== 0 && (repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0);
    this.ids = new Uint32Array(this.active ? Math.min(repeatLastN < 0 ? Infinity : repeatLastN, 256) : 0);
  }

  accept(id: number): void {
    if (!this.active) return;
    const { repeatLastN } = this.strengths;
    if (this.size === repeatLastN) {
      const oldest = this.ids[this.start]!;
      const left = this.counts.get(oldest)! - 1;
      if (left === 0) this.counts.delete(oldest);
      else this.counts.set(oldest, left);
      this.start = (this.start + 1) % this.ids.length;
      this.size--;
    } else if (this.size === this.ids.length) {
      // Only a window that has never dropped a token grows, so it still starts at 0.
      const grown = new Uint32Array(repeatLastN < 0 ? this.size * 2 : Math.min(this.size * 2, repeatLastN));
      grown.set(this.ids);
      this.ids = grown;
    }
    this.ids[(this.start + this.size) % this.ids.length] = id;
    this.size++;
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }

  /**
   * Changes the logits of the tokens in the window. The repetition penalty divides positive logits and multiplies the others,
   * so that it always makes a token less likely; then frequency · count + presence is subtracted.
   */
  apply(logits: Float32Array): void {
    const { repeatPenalty, frequencyPenalty, presencePenalty } = this.strengths;
    for (const [id, count] of this.counts) {
      checkToken(id, logits.length, 'accepted token');
      const logit = logits[id]!;
      logits[id] = (logit <= 0 ? logit * repeatPenalty : logit / repeatPenalty) - (count * frequencyPenalty + presencePenalty);
    }
  }

  /** Every token whose logit that changes. */
  changed(): Iterable<number> { return this.counts.keys(); }

  clear(): void {
    this.counts.clear();
    this.start = 0;
    this.size = 0;
  }

  /** The window's tokens, oldest first. */
  tokens(): number[] {
    return Array.from({ length: this.size }, (_, i) => this.ids[(this.start + i) % this.ids.length]!);
  }
}
