/** Texts that no context holds are refused before they are tokenised, and before they wait for a slot. */
import type { Model } from 'clada';
import { tooLong } from './problem.ts';

/** @throws Problem 400 where a text is certainly longer than the context */
export function checkLength({ tokenizer, info: { contextSize } }: Model, text: string, param: string): void {
  if (!tokenizer.isLonger(text, contextSize)) return;
  throw tooLong(`This model's context is ${contextSize} tokens, which ${text.length} characters cannot be.`, param);
}
