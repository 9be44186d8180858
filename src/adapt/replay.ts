/**
 * The controller again, in TypeScript: from the surprisal and entropy that telemetry reports, every load, factor and refresh that
 * assembly/adapt/cogLoad.ts and forward/step.ts decided, bit for bit. State is rounded to f32 where the engine stores it.
 */
import { exp } from '../sampler/exp.ts';
import type { CogLoadControl } from './selection.ts';

const f32 = Math.fround;

export interface ReplayedStep {
  readonly cogLoad: number;
  readonly factor: number;
  /** The selection was to be made anew: the token ran dense. */
  readonly refresh: boolean;
}

export class CogLoadReplay {
  #count = 0;
  #mean = 0;
  #squares = 0;
  #highRun = 0;

  constructor(private readonly cogLoad: CogLoadControl, private readonly refreshAfter = 0, private readonly refreshAbove = 0) {}

  /**
   * One decode step: surprisal of the token fed and entropy of the distribution it was drawn from, nats (NaN = not known). `own`: of the
   * token itself.
   */
  step(surprisal: number, entropy: number, own = 0): ReplayedStep {
    const { mode, gain, linear } = this.cogLoad;
    const cogLoad = mode === 'off' ? 0 : f32(this.#clamped(surprisal, entropy, own));
    const z = mode === 'off' ? 0 : this.#z;
    const factor = mode === 'off' ? 1 : linear ? f32(1 - f32(gain) * z) : f32(exp(-f32(gain) * z));
    return { cogLoad, factor, refresh: this.#refresh(cogLoad) };
  }

  /** The load before it is rounded to f32. */
  #z = 0;

  #clamped(surprisal: number, entropy: number, own: number): number {
    const { surprisalWeight, entropyWeight, clamp } = this.cogLoad, limit = f32(clamp);
    const raw = f32(surprisalWeight) * f32(surprisal) + f32(entropyWeight) * f32(entropy) + own;
    const z = Number.isFinite(raw) ? this.#standardise(raw) : 0;
    this.#z = Math.min(Math.max(z, -limit), limit);
    return this.#z;
  }

  #standardise(raw: number): number {
    let z = 0;
    if (this.#count >= this.cogLoad.warmup && this.#count > 1) {
      const deviation = Math.sqrt(this.#squares / this.#count);
      if (deviation > 1e-6) z = (raw - this.#mean) / deviation;
    }
    const delta = raw - this.#mean, moved = this.#mean + delta / (this.#count + 1);
    this.#count++;
    this.#mean = f32(moved);
    this.#squares = f32(this.#squares + delta * (raw - moved));
    return z;
  }

  #refresh(cogLoad: number): boolean {
    if (this.refreshAfter === 0) return false;
    this.#highRun = cogLoad > f32(this.refreshAbove) ? this.#highRun + 1 : 0;
    if (this.#highRun < this.refreshAfter) return false;
    this.#highRun = 0;
    return true;
  }
}
