/** Log-probabilities of what the model said, before any sampling stage. */
import { argmax, badLogit, checkToken } from './check.ts';
import { checkNumber } from '../options.ts';
import { exp, log } from './exp.ts';
import { bitsOf, indexOf, selectTop } from './rank.ts';

/** A token and its log-probability. */
export interface TokenLogprob {
  /** Its id. */
  id: number;
  /** Natural logarithm of the probability; −Infinity for a masked token. */
  logprob: number;
}

/** The log-probability of a token, and of the most likely ones. */
export interface Logprobs extends TokenLogprob {
  /** The most probable tokens, best first; holds the chosen one only if it is among them. */
  top: TokenLogprob[];
}

/** log Σ exp(logit), in float64. @throws ModelError `E_LOGITS` for NaN, +Infinity, or nothing finite */
export function logSumExp(logits: Float32Array): number {
  const max = logits[argmax(logits)]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += exp(logits[i]! - max);
  return max + log(sum);
}

/**
 * The log-probability of token `id` and of the `topN` most probable tokens under softmax(logits).
 * @param normaliser log Σ exp(logit) where it is known already (the engine computes it with the logits); saves a sweep
 * @throws InputError `E_TOKEN_RANGE`, `E_OPTION`; ModelError `E_LOGITS`
 */
export function logprobs(logits: Float32Array, id: number, topN = 0, normaliser = logSumExp(logits)): Logprobs {
  checkToken(id, logits.length, 'token of logprobs');
  checkNumber('topN', { min: 0, integer: true }, topN);
  checkNumber('logSumExp', {}, normaliser);
  if (Number.isNaN(logits[id])) throw badLogit(logits, id);
  const keys = new Float64Array(Math.min(topN, logits.length));
  const nTop = selectTop(logits, bitsOf(logits), topN, keys);
  const top = Array.from({ length: nTop }, (_, i) => {
    const tokenId = indexOf(keys[nTop - 1 - i]!);
    return { id: tokenId, logprob: logits[tokenId]! - normaliser };
  });
  return { id, logprob: logits[id]! - normaliser, top };
}
