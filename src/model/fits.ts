/** What to say of a model that does not fit: the largest that would. */
import type { Fit } from '../errors.ts';
import { WontFitError } from '../errors.ts';
import { layoutBytes } from './layouts.ts';
import type { ModelPlan } from './plan.ts';
import { aligned } from './plan.ts';

/**
 * Bits a weight of whole files (llama.cpp's figures for an 8B model): embedding and head, of which small models have more, are in more bits
 * than the rest, so these are estimates.
 */
const bitsOf: Readonly<Record<string, number>> = {
  F16: 16, Q8_0: 8.5, Q6_K: 6.56, Q5_K_M: 5.7, Q4_K_M: 4.89, Q3_K_M: 4, Q2_K: 3.16,
};
const usual = 'Q4_K_M';

/** A context that is worth something, for which other models are weighed. */
const someContext = 512;

/** What is needed with a context and a type of cache, in bytes. */
type Needs = (fit: Fit) => number;

/** The largest context that fits with each type of cache, the most precise first; none where not even one token does. */
function largestContexts(contextLength: number, limit: number, needs: Needs): Fit[] {
  return (['f32', 'f16', 'q8'] as const).map((kv) => {
    let low = 0, high = contextLength;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (needs({ kv, contextSize: middle }) <= limit) low = middle;
      else high = middle - 1;
    }
    return { kv, contextSize: low };
  }).filter(({ contextSize }) => contextSize > 0);
}

const gigabytes = (bytes: number): string => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

/** Bytes of the weights as the file has them, where they are planned as f32; else undefined. */
function unexpanded({ tensors }: ModelPlan): number | undefined {
  if (!tensors.some(({ through }) => through)) return undefined;
  return tensors.reduce((sum, { through, rows, cols, bytes }) => sum + aligned(through ? layoutBytes(through, rows, cols) : bytes), 0);
}

/** What of this model, or how large a model, finds room where its weights do not. */
function smaller(plan: ModelPlan, limit: number, needs: Needs): string {
  const contextSize = Math.min(someContext, plan.hparams.contextLength);
  const room = limit - (needs({ kv: 'q8', contextSize }) - plan.weightBytes), fast = unexpanded(plan);
  if (fast !== undefined && fast <= room) return `With precision "fast" the weights take ${gigabytes(fast)}, which fits.`;
  const smallest = Math.min(plan.weightBytes, fast ?? Infinity), bytes = (bits: number): number => (bits * plan.params) / 8;
  const fitting = Object.entries(bitsOf).find(([, bits]) => bytes(bits) <= room && bytes(bits) < smallest);
  if (fitting) {
    const [name, bits] = fitting, size = gigabytes(bytes(bits));
    return `What would fit, with contextSize ${contextSize} and kv "q8": this model in ${name} or smaller (about ${size}).`;
  }
  const billions = (8 * room) / bitsOf[usual]! / 1e9;
  if (billions < 0.01) return 'Nothing of this kind fits: its context alone takes more. Use a smaller model.';
  const most = `${billions.toPrecision(2)} billion parameters in ${usual}`;
  return `No usual quantisation of it would fit: use a smaller model, of at most about ${most}.`;
}

/**
 * @param needs bytes with other contexts; `found` says what was asked for
 * @throws WontFitError always
 */
export function wontFit(plan: ModelPlan, found: string, needed: number, limit: number, needs: Needs): never {
  const fits = largestContexts(plan.hparams.contextLength, limit, needs);
  throw new WontFitError({
    subject: plan.hparams.name, found, expected: `at most ${limit}`,
    remedy: fits.length > 0
      ? `What would fit: ${fits.map((fit) => `contextSize ${fit.contextSize} with kv "${fit.kv}"`).join(', or ')}.`
      : `Not even a context of one token fits. ${smaller(plan, limit, needs)}`,
  }, needed, limit, fits);
}
