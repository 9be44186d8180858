/** What logits must be: numbers, none of them NaN or +Infinity, at least one finite (−Infinity means: never this token). */
import { InputError, ModelError } from '../errors.ts';

/** The error for the NaN or +Infinity at `index`. */
export function badLogit(logits: Float32Array, index: number): ModelError {
  return new ModelError('E_LOGITS', {
    subject: `logit of token ${index}`, found: String(logits[index]), expected: 'a finite number or -Infinity',
    remedy: 'The model computed no distribution: its weights are damaged, its activations overflowed, or a bias or penalty is huge.',
  });
}

/** The error for logits that leave nothing to choose. */
export function noToken(nTokens: number): ModelError {
  return new ModelError('E_LOGITS', {
    subject: 'logits', found: nTokens === 0 ? 'no entries' : `-Infinity for all ${nTokens} tokens`,
    expected: 'at least one finite entry', remedy: 'Allow at least one token: check logitBias and any mask.',
  });
}

/**
 * The first index from `from` on whose value exceeds `threshold`; the length if there is none. Sweeps over a vocabulary spend
 * their time here: four values a turn, one branch, nothing else in the loop.
 * @throws ModelError `E_LOGITS` at a NaN on the way
 */
export function nextAbove(values: Float32Array, from: number, threshold: number): number {
  const n = values.length;
  let i = from;
  // A comparison with NaN is false and so ends the fast loop as well.
  while (
    i + 4 <= n
    && values[i]! <= threshold && values[i + 1]! <= threshold && values[i + 2]! <= threshold && values[i + 3]! <= threshold
  ) i += 4;
  while (i < n && values[i]! <= threshold) i++;
  if (i < n && values[i] !== values[i]) throw badLogit(values, i);
  return i;
}

/**
 * The index of the largest entry, the lower one on a tie.
 * @throws ModelError `E_LOGITS` for NaN, +Infinity, or nothing finite
 */
export function argmax(logits: Float32Array): number {
  let best = -Infinity;
  let id = -1;
  for (let i = nextAbove(logits, 0, best); i < logits.length; i = nextAbove(logits, i + 1, best)) {
    best = logits[i]!;
    id = i;
  }
  if (id < 0) throw noToken(logits.length);
  if (best === Infinity) throw badLogit(logits, id);
  return id;
}

/** Refuses a token id outside the vocabulary. @throws InputError `E_TOKEN_RANGE` */
export function checkToken(id: number, nTokens: number, subject: string): void {
  if (Number.isSafeInteger(id) && id >= 0 && id < nTokens) return;
  throw new InputError('E_TOKEN_RANGE', {
    subject, found: String(id), expected: `a token id from 0 up, below ${nTokens}`, remedy: "Use ids of this model's tokenizer.",
  });
}
