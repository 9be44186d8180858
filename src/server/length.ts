/** Texts that no context holds are refused before they are tokenised, and before they wait for a slot. */
import type { Model } from 'clada';
import { tooLong } from './problem.ts';

/** Characters that are tokenised, and tokens that are told as text, where no context limits them: nobody else is answered meanwhile. */
export const most = 2 ** 18;

/** @throws Problem 400 where a text is certainly longer than the context, or tokens are more */
export function checkLength({ tokenizer, info: { contextSize } }: Model, prompt: string | readonly number[], param: string): void {
  const isText = typeof prompt === 'string';
  if (isText ? !tokenizer.isLonger(prompt, contextSize) : prompt.length <= contextSize) return;
  const found = isText ? `which ${prompt.length} characters cannot be` : `and the prompt has ${prompt.length}`;
  throw tooLong(`This model's context is ${contextSize} tokens, ${found}.`, param);
}
